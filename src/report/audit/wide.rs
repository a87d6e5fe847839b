//! The report as a plain table: one line for each finding, nothing left out, for people with wide terminals
//! and for `grep`.

use super::table::style;
use super::{advice, summary};
use crate::audit::{Found, Report};
use crate::report::page::clean;

const COLUMNS: [&str; 8] = [
    "SEVERITY",
    "RULE",
    "NAMESPACE",
    "WORKLOAD",
    "CONTAINER",
    "PLACE",
    "FINDING",
    "FIX",
];

/// A report as a table with styles, which whoever prints it takes out where nobody sees them.
pub fn wide(report: &Report) -> String {
    let rows: Vec<[String; 8]> = report
        .findings
        .iter()
        .map(|found| row(report, found))
        .collect();
    let mut widths = COLUMNS.map(|name| name.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    if !rows.is_empty() {
        line(&mut out, &COLUMNS.map(str::to_owned), widths, None);
    }
    for (row, found) in rows.iter().zip(&report.findings) {
        line(&mut out, row, widths, Some(style(found.finding.severity)));
    }
    out.push_str(&summary(report, &report.counts()));
    out.push('\n');
    out
}

fn row(report: &Report, found: &Found) -> [String; 8] {
    let (looked, finding) = (&report.workloads[found.workload], &found.finding);
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    [
        finding.severity.word().to_owned(),
        finding.rule.name.to_owned(),
        or_dash(&looked.namespace),
        looked.title(),
        or_dash(&finding.container),
        found.place(),
        finding.message.clone(),
        finding.fix.as_ref().map_or_else(|| "-".to_owned(), advice),
    ]
    .map(|cell| clean(&cell))
}

fn line(out: &mut String, cells: &[String; 8], widths: [usize; 8], first: Option<anstyle::Style>) {
    let last = cells.len() - 1;
    for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let style = first.filter(|_| index == 0).unwrap_or_default();
        let space = match index {
            _ if index == last => 0,
            _ => width.saturating_sub(cell.chars().count()) + 2,
        };
        out.push_str(&format!("{style}{cell}{style:#}{:space$}", ""));
    }
    out.push('\n');
}
