//! A row's drawn run as a picture that stands alone: what became of the requests, above the lives of the pods, without
//! Podgrace and with it. Light and dark, and readable without colours.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::data::{Client, Container, Pod, Results, Run, SLICE, Side, Slice};
use super::rows::Row;
use super::words;

const WIDTH: f64 = 960.0;
const MARGIN: f64 = 28.0;
/// Where the seconds begin.
const LEFT: f64 = 200.0;
const LENGTH: f64 = WIDTH - LEFT - MARGIN;
/// The height of one kind of client's bars.
const BARS: f64 = 30.0;
/// The height of all pods of one side, where there are so many that each gets less than it wants.
const PODS: f64 = 240.0;

const STYLE: &str = "
  .lossless { --bg: #ffffff; --fg: #1b1f24; --faint: #59636e; --line: #d1d9e0; --answered: #a9b4bf; --lost: #cf222e;
    --none: #1a7f37; --up: #54aeff; --hook: #0969da; --drain: #8250df; }
  @media (prefers-color-scheme: dark) { .lossless { --bg: #0d1117; --fg: #e6edf3; --faint: #9198a1; --line: #3d444d;
    --answered: #545d68; --lost: #f85149; --none: #3fb950; --up: #316dca; --hook: #79c0ff; --drain: #bc8cff; } }
  .lossless text { font: 13px system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif;
    fill: var(--fg); }
  .lossless .title { font-size: 20px; font-weight: 600; }
  .lossless .side { font-size: 16px; font-weight: 600; }
  .lossless .faint { fill: var(--faint); font-size: 12px; }
  .lossless .number { font-weight: 600; }
  .lossless .lost-text { fill: var(--lost); font-weight: 600; }
  .lossless .none-text { fill: var(--none); font-weight: 600; }
  .lossless .middle { text-anchor: middle; }
  .lossless .end { text-anchor: end; }
  .lossless .page { fill: var(--bg); }
  .lossless .grid { stroke: var(--line); stroke-width: 1; }
  .lossless .mark { stroke: var(--faint); stroke-width: 1; stroke-dasharray: 3 3; }
  .lossless .answered { fill: var(--answered); }
  .lossless .lost { fill: var(--lost); }
  .lossless .starting { stroke: var(--faint); stroke-width: 2; stroke-dasharray: 2 2; }
  .lossless .up { fill: var(--up); }
  .lossless .hook { fill: none; stroke: var(--hook); stroke-width: 1.5; }
  .lossless .hatch { stroke: var(--hook); stroke-width: 1.5; }
  .lossless .drain { fill: var(--drain); }
  .lossless .traffic { fill: var(--fg); }
  .lossless .early { fill: var(--lost); }
  .lossless .term { stroke: var(--fg); stroke-width: 1.5; fill: var(--fg); }
  .lossless .kill { stroke: var(--lost); stroke-width: 2.5; }
";

/// Where a row's picture is kept.
pub(crate) fn file(row: &Row) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images/lossless");
    folder.join(format!("{}.svg", row.id))
}

/// The picture of a row, where one of its runs was kept to be drawn.
pub(crate) fn picture(row: &Row, results: &Results) -> Option<String> {
    let drawn = results
        .runs
        .iter()
        .find(|run| run.values().any(|side| !side.course.is_empty()))?;
    let from = drawn.values().map(|run| run.from).fold(0.0, f64::min);
    let until = drawn.values().map(|run| run.until).fold(1.0, f64::max);
    let mut picture = Picture {
        body: String::new(),
        y: 42.0,
        from,
        scale: LENGTH / (until - from),
    };
    picture.text("title", MARGIN, &format!("{}  {}", row.id, row.title));
    picture.y += 22.0;
    let about = format!(
        "{} requests/s from each kind of client · Kubernetes {} · seconds since the action",
        row.load.rate,
        results.conditions.kubernetes.trim_start_matches('v')
    );
    picture.text("faint", MARGIN, &about);
    for side in Side::ALL {
        if let Some(run) = drawn.get(&side) {
            picture.side(side, run, until);
        }
    }
    picture.legend();
    Some(picture.finish(row, results))
}

/// A picture that grows downwards.
struct Picture {
    body: String,
    y: f64,
    /// The second at [`LEFT`].
    from: f64,
    /// The width of a second.
    scale: f64,
}

impl Picture {
    fn at(&self, second: f64) -> f64 {
        LEFT + ((second - self.from) * self.scale).clamp(0.0, LENGTH)
    }

    fn text(&mut self, class: &str, x: f64, text: &str) {
        let y = self.y;
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        let _ = writeln!(
            self.body,
            r#"  <text class="{class}" x="{x:.1}" y="{y:.1}">{text}</text>"#
        );
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

    fn side(&mut self, side: Side, run: &Run, until: f64) {
        self.y += 40.0;
        self.text("side", MARGIN, words::side(side));
        let top = self.y + 8.0;
        let mut free = LEFT - 20.0;
        for (index, mark) in run.marks.iter().enumerate() {
            let x = self.at(mark.at);
            let half = 3.4 * mark.what.chars().count() as f64;
            // What comes next says that this one is over.
            let next = run
                .marks
                .get(index + 1)
                .map_or(f64::MAX, |next| self.at(next.at));
            if x - half > free && next - x > half {
                self.text("faint middle", x, &mark.what);
                free = x + half + 6.0;
            }
        }
        // What lies below everything else, and whose length is known in the end.
        let grid_at = self.body.len();
        self.y = top;
        for client in Client::ALL {
            self.client(client, run);
        }
        self.y += 10.0;
        self.pods(run);
        let bottom = self.y + 6.0;
        let rest = self.body.split_off(grid_at);
        let step = if until - self.from > 60.0 { 10 } else { 5 };
        #[expect(clippy::cast_possible_truncation, reason = "a few minutes")]
        for second in (0..=until as i32).step_by(step) {
            let x = self.at(second.into());
            self.line("grid", (x, top), (x, bottom));
            self.y = bottom + 14.0;
            self.text("faint middle", x, &second.to_string());
        }
        for mark in &run.marks {
            let x = self.at(mark.at);
            self.line("mark", (x, top - 4.0), (x, bottom));
        }
        self.body.push_str(&rest);
        self.y = bottom + 14.0;
    }

    /// What became of each half second's requests.
    fn client(&mut self, client: Client, run: &Run) {
        let tally = &run.clients[&client];
        let top = self.y;
        self.y = top + 12.0;
        self.text("faint", MARGIN, words::client(client));
        self.y = top + 27.0;
        let class = if tally.lost() > 0 {
            "lost-text"
        } else {
            "none-text"
        };
        let said = format!(
            "{} of {} lost",
            words::number(tally.lost()),
            words::number(tally.sent)
        );
        self.text(class, MARGIN, &said);
        let course = run.course.get(&client).map_or(&[][..], Vec::as_slice);
        let most = course
            .iter()
            .map(|slice| slice.0 + slice.1)
            .max()
            .unwrap_or(1)
            .max(1);
        let mut second = run.from;
        // The last half second is not a whole one.
        for Slice(answered, lost, _) in &course[..course.len().saturating_sub(1)] {
            let (x, width) = (self.at(second), SLICE * self.scale);
            let of = |count: u32| f64::from(count) / f64::from(most) * BARS;
            let (good, bad) = (
                of(*answered),
                if *lost > 0 { of(*lost).max(2.0) } else { 0.0 },
            );
            let bottom = top + BARS;
            self.rect("answered", x, bottom - good, width - 0.6, good);
            if *lost > 0 {
                let y = (bottom - good - bad).max(top);
                self.rect("lost", x, y, width - 0.6, bad);
            }
            second += SLICE;
        }
        self.y = top + BARS + 8.0;
    }

    fn pods(&mut self, run: &Run) {
        let each = (PODS / run.pods.len().max(1) as f64).min(17.0);
        let top = self.y;
        if each < 12.0 {
            self.y = top + 12.0;
            self.text("faint", MARGIN, &format!("{} pods", run.pods.len()));
        }
        for (index, pod) in run.pods.iter().enumerate() {
            let y = top + each * index as f64;
            if each >= 12.0 {
                self.y = y + 11.0;
                self.text("faint", MARGIN, &words::pod(pod));
            }
            self.pod(pod, y, each, run.until);
        }
        self.y = top + each * run.pods.len() as f64;
    }

    /// A pod's life: a dashed line until it listens, a bar while it does, and below it a line while new connections
    /// are sent to it.
    fn pod(&mut self, pod: &Pod, y: f64, each: f64, until: f64) {
        let (bar, line) = (each * 0.5, (each * 0.18).max(1.0));
        let (middle, below) = (y + bar / 2.0, y + bar + 1.0);
        let Some(own) = pod.serving() else {
            return;
        };
        let gone = own.exit.unwrap_or(until);
        let created = pod.created.unwrap_or(self.from);
        let listening = own.listening.unwrap_or(if pod.created.is_some() {
            gone
        } else {
            self.from
        });
        let ends = own.sigterm.unwrap_or(gone);
        if listening > created {
            let (from, to) = (self.at(created), self.at(listening));
            self.line("starting", (from, middle), (to, middle));
        }
        self.span("up", (listening, ends), y, bar);
        if let (Some(deleted), Some(end)) = (pod.deleted, own.pre_stop_end) {
            self.hatched(self.at(deleted), self.at(end), y, bar);
        }
        if let Some(sigterm) = own.sigterm {
            self.span("drain", (sigterm, gone), y + bar * 0.25, bar * 0.5);
        }
        if let Some(ready) = pod.ready {
            let unready = pod.unready.unwrap_or(until);
            self.span("early", (ready, listening.min(unready)), below, line);
            self.span("traffic", (ready.max(listening), unready), below, line);
        }
        self.end(own, y, bar);
    }

    fn span(&mut self, class: &str, (from, to): (f64, f64), y: f64, height: f64) {
        if to > from {
            let (from, to) = (self.at(from), self.at(to));
            self.rect(class, from, y, to - from, height);
        }
    }

    /// A hook's time.
    fn hatched(&mut self, from: f64, to: f64, y: f64, height: f64) {
        self.rect("up", from, y, to - from, height);
        self.rect("hook", from, y, to - from, height);
        let mut x = from + 5.0;
        while x < to {
            let foot = (x - height * 0.6).max(from);
            self.line("hatch", (x, y), (foot, y + height));
            x += 5.0;
        }
    }

    /// A flag for SIGTERM, a cross for SIGKILL.
    fn end(&mut self, own: &Container, y: f64, height: f64) {
        if let Some(sigterm) = own.sigterm {
            self.sigterm(self.at(sigterm), y, height);
        }
        if let Some(exit) = own.exit.filter(|_| own.killed) {
            self.cross(self.at(exit), y + height / 2.0, height.min(9.0) / 2.0);
        }
    }

    fn sigterm(&mut self, x: f64, y: f64, height: f64) {
        let y = y - 2.0;
        self.line("term", (x, y), (x, y + height + 3.0));
        if height > 6.0 {
            let _ = writeln!(
                self.body,
                r#"  <path class="term" d="M{x:.1} {y:.1} l5 2.5 l-5 2.5 z"/>"#
            );
        }
    }

    fn cross(&mut self, x: f64, y: f64, arm: f64) {
        self.line("kill", (x - arm, y - arm), (x + arm, y + arm));
        self.line("kill", (x - arm, y + arm), (x + arm, y - arm));
    }

    fn legend(&mut self) {
        type Draw = fn(&mut Picture, f64, f64);
        const LINES: [&[(Draw, &str)]; 2] = [
            &[
                (|p, x, y| p.rect("answered", x, y, 22.0, 10.0), "answered"),
                (|p, x, y| p.rect("lost", x, y, 22.0, 10.0), "lost"),
                (
                    |p, x, y| p.line("starting", (x, y + 5.0), (x + 22.0, y + 5.0)),
                    "does not listen yet",
                ),
                (|p, x, y| p.rect("up", x, y, 22.0, 9.0), "serves"),
                (|p, x, y| p.hatched(x, x + 22.0, y, 9.0), "preStop"),
            ],
            &[
                (|p, x, y| p.sigterm(x + 8.0, y, 9.0), "SIGTERM"),
                (|p, x, y| p.rect("drain", x, y + 2.0, 22.0, 5.0), "ends"),
                (|p, x, y| p.cross(x + 11.0, y + 5.0, 4.5), "SIGKILL"),
                (
                    |p, x, y| p.rect("traffic", x, y + 4.0, 22.0, 3.0),
                    "in the EndpointSlice as ready",
                ),
                (
                    |p, x, y| p.rect("early", x, y + 4.0, 22.0, 3.0),
                    "the same before it listens",
                ),
            ],
        ];
        self.y += 12.0;
        for line in LINES {
            self.y += 22.0;
            let mut x = MARGIN;
            for (draw, text) in line {
                draw(self, x, self.y - 10.0);
                self.text("faint", x + 30.0, text);
                x += 52.0 + 6.6 * text.len() as f64;
            }
        }
    }

    fn finish(self, row: &Row, results: &Results) -> String {
        let height = self.y + MARGIN - 8.0;
        let title = format!("Row {}: {}", row.id, row.title).replace('&', "&amp;");
        let mut told = Vec::new();
        for side in Side::ALL {
            for client in Client::ALL {
                told.push(format!(
                    "{}, {}: {} lost.",
                    words::side(side),
                    words::client(client),
                    words::lost(results, side, client)
                ));
            }
        }
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" class="lossless" role="img" aria-labelledby="t d" width="{WIDTH}" height="{height:.0}" viewBox="0 0 {WIDTH} {height:.0}">
  <title id="t">{title}</title>
  <desc id="d">{}</desc>
  <style>{STYLE}  </style>
  <rect class="page" width="{WIDTH}" height="{height:.0}" rx="8"/>
{}</svg>
"#,
            told.join(" "),
            self.body
        )
    }
}
