//! The report as one JSON document: `docs/audit.md` describes it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::audit::{Cluster, Counts, Found, Place, Report};
use crate::lifecycle::audit::{Fix, Rule, Severity};

/// The whole document.
#[derive(Debug, Serialize)]
pub struct Json<'r> {
    findings: Vec<Finding<'r>>,
    summary: Summary<'r>,
}

#[derive(Debug, Serialize)]
struct Finding<'r> {
    rule: &'static str,
    severity: Severity,
    #[serde(flatten)]
    at: At<'r>,
    kind: &'r str,
    namespace: Option<&'r str>,
    name: &'r str,
    container: Option<&'r str>,
    field: String,
    message: &'r str,
    fix: Option<&'r Fix>,
}

/// A place in a file; nothing but nulls in a cluster.
#[derive(Debug, Serialize)]
struct At<'r> {
    file: Option<&'r str>,
    line: Option<usize>,
    column: Option<usize>,
}

impl<'r> At<'r> {
    fn of(place: Option<&'r Place>) -> Self {
        Self {
            file: place.map(|place| &*place.file),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'r> {
    #[serde(flatten)]
    counts: Counts,
    /// The cluster that was read instead of files.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'r Cluster>,
    /// The rules that found something.
    rules: BTreeMap<&'static str, OfRule>,
    /// What somebody accepts.
    accepted_findings: Vec<Accepted<'r>>,
    /// The kinds that are not known.
    not_looked_at_kinds: Vec<NotLookedAt<'r>>,
    /// What could not be read.
    unreadable_documents: Vec<Unreadable<'r>>,
}

#[derive(Debug, Serialize)]
struct OfRule {
    findings: usize,
    about: &'static str,
    page: String,
}

#[derive(Debug, Serialize)]
struct Accepted<'r> {
    #[serde(flatten)]
    finding: Finding<'r>,
    reason: &'r str,
}

#[derive(Debug, Serialize)]
struct NotLookedAt<'r> {
    group: &'r str,
    kind: &'r str,
    objects: usize,
    #[serde(flatten)]
    at: At<'r>,
    message: &'r str,
}

#[derive(Debug, Serialize)]
struct Unreadable<'r> {
    #[serde(flatten)]
    at: At<'r>,
    message: &'r str,
}

/// A report as JSON.
pub fn json(report: &Report) -> Json<'_> {
    let mut rules = BTreeMap::new();
    for found in &report.findings {
        let rule = found.finding.rule;
        rules
            .entry(rule.name)
            .or_insert_with(|| of_rule(rule))
            .findings += 1;
    }
    let accepted = report.accepted.iter().map(|accepted| Accepted {
        finding: finding(report, &accepted.found),
        reason: &accepted.reason,
    });
    let unreadable = report.unreadable.iter().map(|unreadable| Unreadable {
        at: At {
            file: unreadable.file.as_deref(),
            line: unreadable.at.map(|(line, _)| line),
            column: unreadable.at.map(|(_, column)| column),
        },
        message: &unreadable.message,
    });
    let not_looked_at = report.not_looked_at.iter().map(|kind| NotLookedAt {
        group: &kind.group,
        kind: &kind.kind,
        objects: kind.objects,
        at: At::of(kind.first.as_ref()),
        message: &kind.sentence,
    });
    Json {
        findings: report.findings.iter().map(|f| finding(report, f)).collect(),
        summary: Summary {
            counts: report.counts(),
            cluster: report.cluster.as_ref(),
            rules,
            accepted_findings: accepted.collect(),
            not_looked_at_kinds: not_looked_at.collect(),
            unreadable_documents: unreadable.collect(),
        },
    }
}

fn of_rule(rule: &'static Rule) -> OfRule {
    OfRule {
        findings: 0,
        about: rule.about,
        page: rule.page(),
    }
}

fn finding<'r>(report: &'r Report, found: &'r Found) -> Finding<'r> {
    let looked = &report.workloads[found.workload];
    let finding = &found.finding;
    Finding {
        rule: finding.rule.name,
        severity: finding.severity,
        at: At::of(found.place.as_ref()),
        kind: &looked.kind,
        namespace: looked.namespace.as_deref(),
        name: &looked.name,
        container: finding.container.as_deref(),
        field: finding.field(),
        message: &finding.message,
        fix: finding.fix.as_ref(),
    }
}
