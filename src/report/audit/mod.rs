//! An audit's report, printed: one file for each format.

mod github;
mod html;
mod json;
mod junit;
mod pages;
mod paths;
mod sarif;
mod table;
mod wide;
mod xml;
mod yaml;

pub use github::github;
pub use html::html;
pub use json::{Json, json};
pub use junit::junit;
pub use pages::page;
pub use paths::Paths;
pub use sarif::{Sarif, sarif};
pub use table::{Next, table};
pub use wide::wide;
pub use yaml::yaml;

use crate::audit::{Cluster, Counts, Found, Place, Report};
use crate::lifecycle::audit::{Fix, Rule, Severity};

/// How the report came to be, for formats that tell it.
#[derive(Debug, Clone)]
pub struct Run {
    /// The rules that were asked.
    pub rules: Vec<&'static Rule>,
    /// The mildest severity that counts as a failure.
    pub fail_on: Severity,
    /// Where files are counted from.
    pub paths: Paths,
}

impl Run {
    /// Where a finding is: its place in a file from the root on, else the field of the object.
    fn place(&self, found: &Found) -> String {
        match &found.place {
            Some(Place { file, line, column }) => {
                format!("{}:{line}:{column}", self.paths.relative(file))
            }
            None => found.finding.field(),
        }
    }
}

/// What to do about a finding, in one sentence.
fn advice(fix: &Fix) -> String {
    match (fix.is_injected(), &fix.annotation) {
        (true, _) => format!("Podgrace adds {}", fix.what),
        (false, Some(annotation)) => format!("{} — or annotate: {annotation}", fix.what),
        (false, None) => fix.what.clone(),
    }
}

/// A finding's sentence and what to do, for formats that have one text for both.
fn sentences(found: &Found) -> String {
    let finding = &found.finding;
    match &finding.fix {
        Some(fix) => format!("{}. Fix: {}.", finding.message, advice(fix)),
        None => format!("{}.", finding.message),
    }
}

/// Everything in one line.
fn summary(report: &Report, counts: &Counts) -> String {
    let input = match &report.cluster {
        Some(cluster) => self::cluster(cluster),
        None => number(counts.files, "file"),
    };
    let looked = format!("{} in {input}", number(counts.workloads, "workload"));
    let severities = [
        (counts.errors, "error"),
        (counts.warnings, "warning"),
        (counts.infos, "note"),
    ];
    let found: Vec<String> = severities
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| number(count, word))
        .collect();
    let mut line = match (found.as_slice(), counts.workloads) {
        ([], 0) => format!("no workload in {input}"),
        ([], _) => format!("nothing found in {looked}"),
        _ => format!("{} in {} of {looked}", found.join(", "), counts.affected),
    };
    for (count, what) in [
        (counts.left_alone, "left alone"),
        (counts.known, "in the baseline"),
        (counts.accepted, "accepted"),
        (counts.not_looked_at, "of kinds that are not known"),
        (counts.unreadable, "not readable"),
    ] {
        if count > 0 {
            line += &format!("; {count} {what}");
        }
    }
    line
}

/// `namespace shop of prod`.
fn cluster(cluster: &Cluster) -> String {
    let what = match &cluster.namespace {
        Some(namespace) => format!("namespace {namespace}"),
        None => "all namespaces".to_owned(),
    };
    match &cluster.context {
        Some(context) => format!("{what} of {context}"),
        None => what,
    }
}

fn number(count: usize, word: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {word}{plural}")
}
