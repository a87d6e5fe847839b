//! A workload's start and stop as a picture that stands alone: light and dark, readable without colours,
//! and with each text on a line of its own, so that no two can meet.

use std::fmt::Write as _;

use super::page::{clean, cut, wrap};
use super::scale::Scale;
use super::{timeline, words};
use crate::explain::Explanation;
use crate::lifecycle::loss::{Client, ClientLoss};
use crate::lifecycle::timeline::{ENDPOINT_REMOVED_AFTER, Ending, Life, PreStop, Stop};

const WIDTH: f64 = 900.0;
const MARGIN: f64 = 28.0;
/// Where bars begin.
const LEFT: f64 = 190.0;
const BAR: f64 = WIDTH - LEFT - MARGIN;
/// The characters that fit beside a bar, under a bar, and across.
const NAME_CHARACTERS: usize = 20;
const UNDER_CHARACTERS: usize = 96;
const ACROSS_CHARACTERS: usize = 104;

const STYLE: &str = "
  .podgrace { --bg: #ffffff; --fg: #1b1f24; --faint: #59636e; --line: #d1d9e0; --arrive: #bf8700;
    --hook: #0969da; --work: #1a7f37; --end: #cf222e; }
  @media (prefers-color-scheme: dark) { .podgrace { --bg: #0d1117; --fg: #e6edf3; --faint: #9198a1;
    --line: #3d444d; --arrive: #d29922; --hook: #4493f8; --work: #3fb950; --end: #f85149; } }
  .podgrace text { font: 13px system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif;
    fill: var(--fg); }
  .podgrace .title { font-size: 20px; font-weight: 600; }
  .podgrace .section { font-size: 15px; font-weight: 600; }
  .podgrace .strong { font-weight: 600; }
  .podgrace .faint { fill: var(--faint); font-size: 12px; paint-order: stroke; stroke: var(--bg); stroke-width: 4px; }
  .podgrace .end { text-anchor: end; }
  .podgrace .middle { text-anchor: middle; }
  .podgrace .page { fill: var(--bg); }
  .podgrace .grid { stroke: var(--line); stroke-width: 1; }
  .podgrace .arrive { fill: var(--arrive); }
  .podgrace .hook { fill: var(--hook); }
  .podgrace .hatch { stroke: var(--hook); stroke-width: 3; }
  .podgrace .maybe { fill: none; stroke: var(--hook); stroke-width: 1.5; stroke-dasharray: 4 3; }
  .podgrace .work { fill: var(--work); }
  .podgrace .term { stroke: var(--fg); stroke-width: 2; fill: var(--fg); }
  .podgrace .kill { stroke: var(--end); stroke-width: 3; }
";

/// A workload's start and stop as an SVG picture, before and after.
pub fn svg(explanation: &Explanation) -> String {
    let mut picture = Picture::default();
    picture.head(explanation);
    picture.starts(&explanation.before, &explanation.after);
    picture.stops(&explanation.before, &explanation.after);
    picture.clients(&explanation.before, &explanation.after);
    picture.finish(explanation)
}

/// A picture that grows downwards.
#[derive(Default)]
struct Picture {
    body: String,
    y: f64,
}

impl Picture {
    fn text(&mut self, class: &str, x: f64, text: &str) {
        let y = self.y;
        let text = escape(text);
        let _ = writeln!(
            self.body,
            r#"  <text class="{class}" x="{x:.1}" y="{y:.1}">{text}</text>"#
        );
    }

    /// Lines of text, one below the other.
    fn lines(&mut self, class: &str, x: f64, characters: usize, text: &str) {
        for line in wrap(text, characters) {
            self.y += 18.0;
            // A word that no line holds is cut, so that it cannot leave the picture.
            self.text(class, x, &cut(&line, characters));
        }
    }

    fn rect(&mut self, class: &str, x: f64, y: f64, width: f64, height: f64) {
        let _ = writeln!(
            self.body,
            r#"  <rect class="{class}" x="{x:.1}" y="{y:.1}" width="{:.1}" height="{height:.1}"/>"#,
            width.max(0.0)
        );
    }

    fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = writeln!(
            self.body,
            r#"  <line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        );
    }

    fn section(&mut self, title: &str) {
        self.y += 40.0;
        self.text("section", MARGIN, title);
    }

    fn head(&mut self, explanation: &Explanation) {
        self.y = 42.0;
        let class = if explanation.title.chars().count() > 50 {
            "section"
        } else {
            "title"
        };
        self.text(class, MARGIN, &cut(&explanation.title, 84));
        let mut parts = Vec::new();
        if let Some(namespace) = &explanation.namespace {
            parts.push(format!("namespace {namespace}"));
        }
        if let Some(at) = &explanation.at {
            parts.push(at.to_string());
        }
        parts.push(format!("mode {}", explanation.mode.value));
        self.y += 4.0;
        self.lines("faint", MARGIN, ACROSS_CHARACTERS, &parts.join(" · "));
        for change in &explanation.changes {
            let name = change.container.as_deref().unwrap_or("the pod");
            let text = format!("+ {name}: {}", change.what);
            self.lines("", MARGIN, ACROSS_CHARACTERS, &text);
        }
    }

    fn starts(&mut self, before: &Life, after: &Life) {
        self.section("Start");
        for (old, new) in before.starts.iter().zip(&after.starts) {
            self.y += 24.0;
            self.text("strong", MARGIN, &cut(&new.container, ACROSS_CHARACTERS));
            let mut tell = |label: &str, text: &str| {
                let top = self.y;
                self.y = top + 18.0;
                self.text("faint", MARGIN, label);
                self.y = top;
                self.lines("", MARGIN + 62.0, ACROSS_CHARACTERS, text);
                self.y = self.y.max(top + 18.0);
            };
            let of = |start| words::start(start).join(" ");
            if old == new {
                tell("as it is", &of(new));
            } else {
                tell("before", &of(old));
                tell("after", &of(new));
            }
        }
    }

    fn stops(&mut self, before: &Life, after: &Life) {
        let (Some(before), Some(after)) = (timeline::usual(before), timeline::usual(after)) else {
            return;
        };
        self.section("Stop");
        self.lines(
            "faint",
            MARGIN,
            ACROSS_CHARACTERS,
            "Seconds after a delete, scale-in, rollout or eviction.",
        );
        let all = || before.containers.iter().chain(&after.containers);
        let scale = Scale::new(all().map(|e| e.sigkill).max().unwrap_or(1), BAR);
        self.y += 26.0;
        let axis = self.y + 6.0;
        let marks: Vec<u64> = scale.marks(10).collect();
        for mark in &marks {
            self.text("faint middle", LEFT + scale.at(*mark), &mark.to_string());
        }
        // The grid lies below the bars, and its length is known when they are drawn.
        let grid_at = self.body.len();
        self.y = axis;
        if all().any(|ending| ending.serves) {
            self.y += 22.0;
            self.text("", MARGIN, "new connections");
            let width = scale.fraction(ENDPOINT_REMOVED_AFTER).max(2.0);
            self.rect("arrive", LEFT, self.y - 12.0, width, 14.0);
            self.lines(
                "faint",
                LEFT,
                UNDER_CHARACTERS,
                "arrive until the endpoint is gone, 1.2 s at the latest",
            );
        }
        if before == after {
            self.pod(scale, "As it is, before and after", after);
        } else {
            self.pod(scale, "Before", before);
            self.pod(scale, "After", after);
        }
        let bottom = self.y + 8.0;
        let rest = self.body.split_off(grid_at);
        for mark in marks {
            let x = LEFT + scale.at(mark);
            self.line("grid", (x, axis), (x, bottom));
        }
        self.body.push_str(&rest);
        self.y = bottom;
        self.legend(all().any(|e| e.sigterm != e.sigterm_at_latest));
    }

    fn pod(&mut self, scale: Scale, title: &str, stop: &Stop) {
        self.y += 28.0;
        self.text("strong", MARGIN, title);
        for ending in &stop.containers {
            self.y += 24.0;
            let name = cut(&ending.container, NAME_CHARACTERS);
            self.text("", MARGIN, &name);
            self.bar(scale, ending);
            self.lines("faint", LEFT, UNDER_CHARACTERS, &words::ending(ending));
        }
    }

    fn bar(&mut self, scale: Scale, ending: &Ending) {
        let (top, height) = (self.y - 13.0, 16.0);
        let middle = top + height / 2.0;
        let kill = scale.at(ending.sigkill);
        let (earliest, latest) = (
            scale.at(ending.sigterm).min(kill),
            scale.at(ending.sigterm_at_latest).min(kill),
        );
        if let PreStop::Sleep { seconds, .. } = ending.pre_stop {
            let hook = scale.at(seconds).min(earliest);
            self.rect("hook", LEFT, top, hook, height);
        }
        self.rect("maybe", LEFT + earliest, top, latest - earliest, height);
        self.rect("work", LEFT + latest, middle - 3.0, kill - latest, 6.0);
        if ending.sigterm == ending.sigterm_at_latest {
            self.sigterm(LEFT + earliest, top, height);
        }
        // Where the scale leaves no room between the two they still stand beside each other.
        self.sigkill(LEFT + kill.max((latest + 14.0).min(BAR)), middle);
    }

    /// A line with a flag.
    fn sigterm(&mut self, x: f64, top: f64, height: f64) {
        self.line("term", (x, top - 3.0), (x, top + height + 3.0));
        let _ = writeln!(
            self.body,
            r#"  <path class="term" d="M{x:.1} {:.1} l7 3.5 l-7 3.5 z"/>"#,
            top - 3.0
        );
    }

    /// A cross.
    fn sigkill(&mut self, x: f64, middle: f64) {
        self.line("kill", (x - 6.0, middle - 6.0), (x + 6.0, middle + 6.0));
        self.line("kill", (x - 6.0, middle + 6.0), (x + 6.0, middle - 6.0));
    }

    fn legend(&mut self, has_unknown: bool) {
        self.y += 26.0;
        let (top, middle) = (self.y - 12.0, self.y - 4.0);
        let mut x = MARGIN;
        self.rect("hook", x, top, 24.0, 16.0);
        self.text("faint", x + 30.0, "preStop");
        x += 104.0;
        self.sigterm(x + 8.0, top, 16.0);
        self.text("faint", x + 22.0, "SIGTERM");
        x += 100.0;
        self.rect("work", x, middle - 3.0, 24.0, 6.0);
        self.text("faint", x + 30.0, "time to finish");
        x += 136.0;
        self.sigkill(x + 8.0, middle);
        self.text("faint", x + 22.0, "SIGKILL");
        x += 100.0;
        if has_unknown {
            self.rect("maybe", x, top, 24.0, 16.0);
            self.text("faint", x + 30.0, "SIGTERM comes somewhere in here");
        }
    }

    fn clients(&mut self, before: &Life, after: &Life) {
        let (Some(old), Some(new)) = (timeline::usual(before), timeline::usual(after)) else {
            return;
        };
        if new.clients.is_empty() {
            return;
        }
        self.section("What clients can lose when a pod stops");
        let columns = [MARGIN + 62.0, MARGIN + 262.0, MARGIN + 502.0];
        self.y += 22.0;
        for (client, x) in Client::ALL.into_iter().zip(columns) {
            self.text("faint", x, words::client(client));
        }
        let mut tell = |label: &str, stop: &Stop| {
            self.y += 20.0;
            self.text("faint", MARGIN, label);
            for (loss, x) in stop.clients.iter().zip(columns) {
                self.text("", x, &words::loss(loss));
            }
        };
        if old.clients == new.clients {
            tell("as it is", new);
        } else {
            tell("before", old);
            tell("after", new);
        }
        self.y += 6.0;
        // What a pod's start loses is said where it starts.
        let stopping: Vec<ClientLoss> = old
            .clients
            .iter()
            .chain(&new.clients)
            .map(|loss| ClientLoss {
                until_replacement_listens: false,
                ..*loss
            })
            .collect();
        for (word, meaning) in words::meanings(stopping.iter()) {
            self.lines("faint", MARGIN, 116, &format!("{word}: {meaning}"));
        }
    }

    fn finish(self, explanation: &Explanation) -> String {
        let height = self.y + MARGIN;
        let title = escape(&format!("How {} starts and stops", explanation.title));
        let mut told = Vec::new();
        for (label, life) in [
            ("before", &explanation.before),
            ("after", &explanation.after),
        ] {
            for ending in timeline::usual(life)
                .into_iter()
                .flat_map(|s| &s.containers)
            {
                told.push(format!(
                    "{}, {label}: {}.",
                    ending.container,
                    words::ending(ending)
                ));
            }
        }
        let description = escape(&told.join(" "));
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" class="podgrace" role="img" aria-labelledby="podgrace-title podgrace-desc" width="{WIDTH}" height="{height:.0}" viewBox="0 0 {WIDTH} {height:.0}">
  <title id="podgrace-title">{title}</title>
  <desc id="podgrace-desc">{description}</desc>
  <style>{STYLE}  </style>
  <rect class="page" width="{WIDTH}" height="{height:.0}" rx="8"/>
{body}</svg>
"#,
            body = self.body
        )
    }
}

/// Text as XML may hold it.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
