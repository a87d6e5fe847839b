//! The report for people at a terminal: topic by topic, each finding with what to do, commands on lines of their
//! own so that they can be copied.

use anstyle::{AnsiColor, Style};

use super::counts;
use crate::doctor::{Check, Report, Verdict};
use crate::lifecycle::audit::Severity;
use crate::report::page::{PLAIN, Page};

/// The columns of the word that says how something is.
const LABEL: usize = 9;
/// What stands before the label.
const INDENT: usize = 2;

/// A report as text with styles, which whoever prints it takes out where nobody sees them.
pub fn text(report: &Report) -> String {
    let mut page = Page::default();
    let mut topic = None;
    for check in &report.checks {
        if topic != Some(check.topic) {
            topic = Some(check.topic);
            page.heading(check.topic.title());
        }
        told(&mut page, check);
    }
    page.blank();
    page.paragraph(0, PLAIN, &sum(report));
    page.into_text()
}

fn told(page: &mut Page, check: &Check) {
    let verdict = check.verdict;
    page.labelled(
        INDENT,
        LABEL,
        (style(verdict), verdict.word()),
        &check.message,
    );
    if let Some(advice) = &check.advice {
        page.labelled(INDENT, LABEL, (PLAIN, ""), &format!("→ {advice}"));
    }
    for command in &check.commands {
        page.styled(INDENT + LABEL + 2, Style::new().bold(), command);
    }
}

fn style(verdict: Verdict) -> Style {
    let color = match verdict {
        Verdict::Well => AnsiColor::Green,
        Verdict::Found(Severity::Error) => AnsiColor::Red,
        Verdict::Found(Severity::Warning) | Verdict::Unseen => AnsiColor::Yellow,
        Verdict::Found(Severity::Info) => AnsiColor::Cyan,
    };
    let style = Style::new().fg_color(Some(color.into()));
    match verdict {
        Verdict::Well => style,
        _ => style.bold(),
    }
}

/// Everything in one line.
fn sum(report: &Report) -> String {
    let found: Vec<String> = counts(report)
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, several)| format!("{count} {}", if count == 1 { one } else { several }))
        .collect();
    match report.worst() {
        None => "All is well.".to_owned(),
        Some(Severity::Info) => format!("All is well; {}.", found.join(", ")),
        Some(Severity::Error) => format!(
            "{}. Begin with the first error: what stands below it may come of it.",
            found.join(", ")
        ),
        Some(_) if report.count(Verdict::Unseen) > 0 => {
            format!(
                "{}. What it takes to look: docs/doctor.md.",
                found.join(", ")
            )
        }
        Some(_) => format!("{}.", found.join(", ")),
    }
}
