//! An explanation as text.

use super::page::{AFTER, BEFORE, FAINT, HEADING, PLAIN, Page};
use super::{clients, running, timeline, words};
use crate::explain::{Arithmetic, Explanation, Stated};
use crate::lifecycle::timeline::{Life, Start};

/// An explanation as text for people, 80 columns wide.
///
/// With colours, which mean nothing alone; a stream that is no terminal strips them.
pub fn text(explanation: &Explanation) -> String {
    let mut page = Page::default();
    title(&mut page, explanation);
    changes(&mut page, explanation);
    if let Some(sum) = &explanation.grace_period {
        grace(&mut page, sum);
    }
    problems(&mut page, explanation);
    left_alone(&mut page, explanation);
    running::draw(&mut page, explanation);
    let (before, after) = (&explanation.before, &explanation.after);
    page.heading("START");
    starts(&mut page, before, after);
    page.heading("STOP: seconds after the deletion");
    timeline::draw(&mut page, before, after);
    if let Some(sentence) = words::ignoring(before, after) {
        page.paragraph(2, PLAIN, &sentence);
    }
    page.heading("WHAT CLIENTS CAN LOSE");
    if timeline::usual(after).is_some_and(|stop| stop.clients.is_empty()) {
        page.paragraph(
            2,
            PLAIN,
            "Nobody that is known of: no container that is restarted whenever it ends has a readinessProbe, a \
             livenessProbe over the network or a TCP port.",
        );
    } else {
        clients::table(&mut page, before, after);
    }
    caveats(&mut page, explanation);
    page.into_text()
}

fn title(page: &mut Page, explanation: &Explanation) {
    let mut line = explanation.title.clone();
    if let Some(namespace) = &explanation.namespace {
        line += &format!(" in namespace {namespace}");
    }
    if let Some(at) = &explanation.at {
        line += &format!("  ({at})");
    }
    page.styled(0, HEADING, &line);
    let does = match explanation.mode.value.as_str() {
        _ if explanation.changes.is_empty() => "nothing is changed",
        "enforce" => "its pods are changed",
        _ => "what its pods lack is told, not added",
    };
    let mode = &explanation.mode;
    page.paragraph(
        0,
        PLAIN,
        &format!("mode {}: {does} ({})", mode.value, mode.source),
    );
    if let Some(verdict) = words::verdict(&explanation.before, &explanation.after) {
        page.blank();
        page.paragraph(0, PLAIN, &verdict);
    }
}

fn changes(page: &mut Page, explanation: &Explanation) {
    page.heading(match explanation.mode.value.as_str() {
        "audit" => "WHAT IT WOULD GET",
        _ => "WHAT IT GETS",
    });
    if explanation.changes.is_empty() {
        page.paragraph(2, PLAIN, "Nothing: see what is left alone below.");
    }
    for change in &explanation.changes {
        let name = change.container.as_deref().unwrap_or("the pod");
        page.paragraph(2, AFTER, &format!("+ {name}: {}", change.what));
        page.labelled(4, 8, (FAINT, "why"), &change.why);
        for (index, stated) in change.settings.iter().enumerate() {
            let label = if index == 0 { "said by" } else { "" };
            page.labelled(4, 8, (FAINT, label), &setting(stated));
        }
    }
}

fn setting(stated: &Stated) -> String {
    format!("{}: {} ({})", stated.setting, stated.value, stated.source)
}

/// The arithmetic, one line for each number that counts.
fn grace(page: &mut Page, sum: &Arithmetic) {
    page.heading("GRACE PERIOD");
    let number = |seconds: &str| format!("{seconds:>8} s");
    let mut line = |seconds: String, text: &str| {
        page.labelled(2, 13, (PLAIN, &number(&seconds)), text);
    };
    line(
        sum.before.to_string(),
        if sum.is_default {
            "what it has: nobody wrote terminationGracePeriodSeconds, 30 is Kubernetes' default"
        } else {
            "what it has: terminationGracePeriodSeconds"
        },
    );
    if sum.setting.value == "off" {
        line(
            sum.after.to_string(),
            &format!("stays: grace-period {}", sum.setting),
        );
        return;
    }
    if sum.longest_sleep > 0 {
        let text = format!(
            "with the longest sleep that is added, {} s, on top",
            sum.longest_sleep
        );
        line(sum.with_sleep.to_string(), &text);
    }
    if let Some(least) = sum.least() {
        let text = "the sleep and the 2 s that the kubelet leaves an application at least";
        line(least.to_string(), text);
    }
    for need in &sum.needs {
        let capped = if sum.is_capped(need.total) {
            format!("; counts as {} ({})", sum.cap.value, sum.cap.source)
        } else {
            String::new()
        };
        let text = format!(
            "what {} states to need: {} preStop + {} after SIGTERM + {} margin{capped}; said by: {}",
            need.container, need.pre_stop, need.application, need.margin, need.stated_by
        );
        line(need.total.to_string(), &text);
    }
    if sum.setting.value != "auto" {
        let floor = sum.setting.value.trim_end_matches('s').to_owned();
        line(floor, &format!("at least: grace-period {}", sum.setting));
    }
    if sum.needs.is_empty() && sum.setting.value == "auto" {
        page.labelled(
            2,
            13,
            (PLAIN, &format!("{:>8}", "-")),
            "nobody states what the application needs after SIGTERM (shutdown-timeout)",
        );
    }
    let kept = if sum.after == sum.before {
        ": no change"
    } else {
        ""
    };
    page.labelled(
        2,
        13,
        (HEADING, &format!("{:>8} s", format!("= {}", sum.after))),
        &format!("the largest{kept}"),
    );
}

fn problems(page: &mut Page, explanation: &Explanation) {
    if explanation.problems.is_empty() {
        return;
    }
    page.heading("WARNINGS");
    for problem in &explanation.problems {
        let at = problem
            .at
            .as_ref()
            .map_or_else(String::new, |at| format!(" ({at})"));
        page.labelled(2, 2, (BEFORE, "!"), &format!("{}{at}", problem.message));
    }
}

fn left_alone(page: &mut Page, explanation: &Explanation) {
    if explanation.left_alone.is_empty() {
        return;
    }
    page.heading("LEFT ALONE");
    for left in &explanation.left_alone {
        let what = match left.part {
            "everything" => "everything",
            "startupProbe" => "no startupProbe",
            "preStop" => "no preStop sleep",
            "gracePeriod" => "grace period",
            "variables" => "variable",
            _ => "no record",
        };
        let name = left.container.as_deref().unwrap_or("the pod");
        let text = format!("{name}: {what}: {} [{}]", left.why, left.code);
        page.labelled(2, 2, (PLAIN, "-"), &text);
        if let Some(write) = &left.write {
            page.labelled(4, 8, (FAINT, "write"), write);
        }
    }
}

fn starts(page: &mut Page, before: &Life, after: &Life) {
    for (old, new) in before.starts.iter().zip(&after.starts) {
        let mut name = new.container.clone();
        if new.before_main {
            name += " (native sidecar: the others wait for it)";
        }
        page.styled(2, HEADING, &name);
        let mut tell = |label, style, start: &Start| {
            for (index, line) in words::start(start).iter().enumerate() {
                let label = if index == 0 { label } else { "" };
                page.labelled(4, 9, (style, label), line);
            }
        };
        if old == new {
            tell("as it is", PLAIN, new);
        } else {
            tell("before", BEFORE, old);
            tell("after", AFTER, new);
        }
    }
}

fn caveats(page: &mut Page, explanation: &Explanation) {
    if explanation.caveats.is_empty() {
        return;
    }
    page.heading("WHAT PODGRACE CANNOT HELP");
    for caveat in &explanation.caveats {
        let name = caveat
            .container
            .as_ref()
            .map_or_else(String::new, |name| format!("{name}: "));
        page.labelled(2, 2, (PLAIN, "-"), &format!("{name}{}", caveat.sentence));
    }
}
