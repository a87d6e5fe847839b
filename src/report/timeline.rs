//! A pod's stop drawn to scale in characters, before and after.

use super::page::{AFTER, BEFORE, FAINT, PLAIN, Page, cut};
use super::scale::Scale;
use super::words;
use crate::lifecycle::timeline::{ENDPOINT_REMOVED_AFTER, Ending, How, Life, PreStop, Stop};

/// The widest name beside a bar.
const NAME: usize = 14;
/// The longest bar.
const BAR: usize = 58;

/// How a pod stops after `kubectl delete`, a scale-in, a rollout or an eviction, before and after.
///
/// With colours, which mean nothing alone; a stream that is no terminal strips them.
pub fn stop(before: &Life, after: &Life) -> String {
    let mut page = Page::default();
    draw(&mut page, before, after);
    page.into_text()
}

/// The stop with the pod's own grace period.
pub(super) fn usual(life: &Life) -> Option<&Stop> {
    life.stops.iter().find(|stop| stop.how == How::Delete)
}

pub(super) fn draw(page: &mut Page, before: &Life, after: &Life) {
    let (Some(before), Some(after)) = (usual(before), usual(after)) else {
        return;
    };
    let all = || before.containers.iter().chain(&after.containers);
    let last = all().map(|ending| ending.sigkill).max().unwrap_or(1);
    let longest = all().map(|e| e.container.chars().count()).max();
    let name = longest.unwrap_or(0).clamp("new clients".len(), NAME);
    #[expect(clippy::cast_precision_loss, reason = "a few dozen")]
    let scale = Scale::new(last, (BAR - 1) as f64);
    axis(page, name, scale);
    let serves = all().any(|ending| ending.serves);
    if serves {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a column"
        )]
        let until = scale.fraction(ENDPOINT_REMOVED_AFTER).round().max(1.0) as usize;
        let arriving = "▒".repeat(until);
        page.styled(4, PLAIN, &format!("{:name$}  {arriving}", "new clients"));
    }
    let same = before == after;
    if !same {
        page.styled(2, BEFORE, "before");
        pod(page, name, scale, before);
    }
    let title = if same {
        "as it is, before and after"
    } else {
        "after"
    };
    page.styled(2, AFTER, title);
    pod(page, name, scale, after);
    let mut legend = vec!["░ preStop"];
    if all().any(|e| e.sigterm != e.sigterm_at_latest) {
        legend.push("? SIGTERM comes in here");
    }
    if all().any(|e| e.after_main) {
        legend.push("· waits for the main containers");
    }
    legend.extend(["T SIGTERM", "━ time to finish", "K SIGKILL"]);
    if serves {
        legend.insert(0, "▒ new connections arrive, until 1.2 s at the latest");
    }
    page.items(2, FAINT, &legend);
}

/// Second marks, labelled where there is room.
fn axis(page: &mut Page, name: usize, scale: Scale) {
    let mut labels = vec![' '; BAR + 12];
    let mut line = vec!['─'; BAR];
    for mark in scale.marks(8) {
        let column = scale.column(mark);
        line[column] = if column == 0 { '├' } else { '┼' };
        let label = mark.to_string();
        for (index, digit) in label.chars().enumerate() {
            if let Some(place) = labels.get_mut(column + index) {
                *place = digit;
            }
        }
    }
    line[BAR - 1] = '┤';
    let labels: String = labels.iter().collect();
    let line: String = line.iter().collect();
    page.styled(4, FAINT, &format!("{:name$}  {labels}", "seconds"));
    page.styled(4, FAINT, &format!("{:name$}  {line}", ""));
}

fn pod(page: &mut Page, name: usize, scale: Scale, stop: &Stop) {
    for ending in &stop.containers {
        let container = cut(&ending.container, name);
        page.styled(
            4,
            PLAIN,
            &format!("{container:name$}  {}", bar(scale, ending)),
        );
        page.paragraph(4 + name + 2, FAINT, &words::ending(ending));
    }
}

/// `░░░░░T━━━━━━━K`, with `?` where SIGTERM may come.
fn bar(scale: Scale, ending: &Ending) -> String {
    let mut cells = vec![' '; BAR];
    let last = BAR - 1;
    let kill = scale.column(ending.sigkill).clamp(1, last);
    // A hook that takes any time at all is seen.
    let earliest = scale.column(ending.sigterm).min(kill - 1);
    let earliest = earliest.max(usize::from(ending.sigterm > 0 && kill > 1));
    let latest = scale.column(ending.sigterm_at_latest).min(kill - 1);
    let hook = match ending.pre_stop {
        PreStop::Sleep { seconds, .. } => scale.column(seconds).max(1).min(earliest),
        PreStop::None | PreStop::Unknown => 0,
    };
    cells[..hook].fill('░');
    if ending.sigterm == ending.sigterm_at_latest {
        cells[earliest] = 'T';
        cells[earliest + 1..kill].fill('━');
    } else {
        cells[hook..earliest].fill('·');
        cells[earliest..=latest].fill('?');
        cells[latest + 1..kill].fill('━');
    }
    cells[kill] = 'K';
    let text: String = cells.into_iter().collect();
    text.trim_end().to_owned()
}
