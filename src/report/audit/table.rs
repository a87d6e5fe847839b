//! The report for people at a terminal: workloads, worst first; then one line that sums it up, and what to do.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::{advice, summary};
use crate::audit::{Found, Looked, Report};
use crate::lifecycle::audit::{Fix, Severity};
use crate::report::page::clean;

/// How wide lines are.
const WIDTH: usize = 100;
/// What stands before a finding's text.
const INDENT: &str = "           ";

/// The command that shows what would be added.
#[derive(Debug, Clone)]
pub enum Next {
    /// To files: this one.
    Inject(String),
    /// To the pods of a workload in a cluster: `podgrace explain` with these arguments behind it.
    Explain(String),
}

/// A report as text with styles, which whoever prints it takes out where nobody sees them.
pub fn table(report: &Report, next: &Next) -> String {
    let mut out = String::new();
    for (looked, findings) in report.by_workload() {
        workload(&mut out, looked, &findings);
    }
    for accepted in &report.accepted {
        let (found, looked) = (&accepted.found, &report.workloads[accepted.found.workload]);
        let (rule, title) = (found.finding.rule.name, looked.title());
        // Writing to a string does not fail.
        let _ = writeln!(out, "accepted: {title}: {rule}: {}", accepted.reason);
    }
    if !report.accepted.is_empty() {
        out.push('\n');
    }
    out.push_str(&summary(report, &report.counts()));
    out.push('\n');
    if let Some(line) = command(report, next) {
        let _ = writeln!(out, "{line}");
    }
    out
}

fn workload(out: &mut String, looked: &Looked, findings: &[&Found]) {
    let bold = Style::new().bold();
    let namespace = looked
        .namespace
        .as_ref()
        .map_or(String::new(), |n| format!(" in {n}"));
    let whole = looked.place.as_ref();
    let whole = whole.map_or(String::new(), |place| {
        format!("  {}", clean(&place.to_string()))
    });
    let _ = writeln!(
        out,
        "{bold}{}{bold:#}{namespace}{whole}",
        clean(&looked.title())
    );
    let mut told: Option<&Found> = None;
    let mut last_fix = None;
    for found in findings {
        let finding = &found.finding;
        if let (Some(before), Some(container)) = (told, &finding.container)
            && is_the_same(before, found)
        {
            wrap(
                out,
                &format!("the same for {container}{}", place(looked, found)),
            );
            continue;
        }
        told = Some(found);
        let style = style(finding.severity);
        let (word, place) = (finding.severity.word(), place(looked, found));
        let _ = writeln!(
            out,
            "  {style}{word:<7}{style:#}  {}{place}",
            finding.rule.name
        );
        wrap(out, &finding.message);
        let Some(fix) = &finding.fix else { continue };
        let what = advice(fix);
        // Two findings of one field have one end.
        if last_fix.as_ref() != Some(&what) {
            wrap(out, &format!("→ {what}"));
        }
        last_fix = Some(what);
    }
    out.push('\n');
}

/// Where a finding is, below the line of its workload.
fn place(looked: &Looked, found: &Found) -> String {
    match (&found.place, &looked.place) {
        (Some(place), Some(whole)) if place.file == whole.file => format!("  line {}", place.line),
        _ => format!("  {}", clean(&found.place())),
    }
}

/// Whether two findings differ only in the container that they are about.
fn is_the_same(before: &Found, found: &Found) -> bool {
    let (a, b) = (&before.finding, &found.finding);
    let (Some(container), Some(other)) = (&a.container, &b.container) else {
        return false;
    };
    let plain = |word: &str| word.trim_end_matches([':', ',', ';']).len();
    let mut words = (a.message.split(' '), b.message.split(' '));
    (a.rule, a.severity) == (b.rule, b.severity)
        && loop {
            match (words.0.next(), words.1.next()) {
                (None, None) => break true,
                (Some(a), Some(b)) if a == b => {}
                (Some(a), Some(b)) if a[..plain(a)] == **container && b[..plain(b)] == **other => {}
                _ => break false,
            }
        }
}

/// Breaks a sentence into lines below the name of its rule.
fn wrap(out: &mut String, sentence: &str) {
    let mut column = 0;
    for word in sentence.split(' ') {
        let length = word.chars().count();
        if column == 0 {
            out.push_str(INDENT);
            column = INDENT.len();
        } else if column + 1 + length > WIDTH {
            out.push('\n');
            out.push_str(INDENT);
            column = INDENT.len();
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out.push('\n');
}

pub(super) fn style(severity: Severity) -> Style {
    let color = match severity {
        Severity::Error => AnsiColor::Red,
        Severity::Warning => AnsiColor::Yellow,
        Severity::Info => AnsiColor::Cyan,
    };
    Style::new().fg_color(Some(color.into())).bold()
}

/// The command to run next.
fn command(report: &Report, next: &Next) -> Option<String> {
    let counts = report.counts();
    if counts.injected > 0 {
        let verb = if counts.injected == 1 { "is" } else { "are" };
        let see = match next {
            Next::Inject(command) => format!("to see it: {command}"),
            Next::Explain(arguments) => explain(report, arguments)?,
        };
        return Some(format!(
            "{} of them {verb} what podgrace adds by itself; {see}",
            counts.injected
        ));
    }
    let first = report.findings.first()?;
    Some(format!(
        "what happens and what to do: podgrace audit rules {}",
        first.finding.rule.name
    ))
}

/// What explains the worst workload that gets something.
fn explain(report: &Report, arguments: &str) -> Option<String> {
    let gets = |findings: &[&Found]| {
        let mut fixes = findings
            .iter()
            .filter_map(|found| found.finding.fix.as_ref());
        fixes.any(Fix::is_injected)
    };
    let all = report.by_workload();
    let (looked, _) = all.iter().find(|(_, findings)| gets(findings))?;
    let namespace = looked.namespace.as_ref();
    let namespace = namespace.map_or(String::new(), |name| format!(" -n {name}"));
    Some(format!(
        "for one: podgrace explain {}{namespace}{arguments}",
        clean(&looked.title())
    ))
}
