//! What was found before: a file that keeps it, and what is new since then.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::fingerprint::Fingerprint;
use super::report::{Found, Looked, Report};
use crate::lifecycle::audit::Rule;

/// Findings that are known, each with how often it is found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    known: BTreeMap<Fingerprint, usize>,
}

/// A finding of the baseline that is found no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// What it was.
    pub fingerprint: Fingerprint,
    /// Whether its workload was looked at: if not, nobody knows whether it is mended.
    pub is_mended: bool,
}

/// A baseline that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("not a baseline that podgrace audit --write-baseline wrote: {0}")]
pub struct BaselineError(#[from] serde_saphyr::Error);

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    api_version: ApiVersion,
    kind: Kind,
    findings: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
enum ApiVersion {
    #[serde(rename = "podgrace.io/v1alpha1")]
    V1Alpha1,
}

#[derive(Debug, Serialize, Deserialize)]
enum Kind {
    AuditBaseline,
}

/// A fingerprint, field by field: what is flattened could not refuse unknown fields.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    container: Option<String>,
    rule: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    field: String,
    #[serde(default = "once", skip_serializing_if = "is_once")]
    count: usize,
}

fn once() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_once(count: &usize) -> bool {
    *count == 1
}

impl Baseline {
    /// All that a report found, known before or not.
    pub fn of(report: &Report) -> Self {
        let mut known = BTreeMap::new();
        for found in report.findings.iter().chain(&report.known) {
            *known.entry(report.fingerprint(found)).or_insert(0) += 1;
        }
        Self { known }
    }

    /// All that a report found, and of this baseline what the report could not find: of workloads that were not looked
    /// at, and of other rules than `rules`.
    pub fn renewed(&self, report: &Report, rules: &[&'static Rule]) -> Self {
        let mut renewed = Self::of(report);
        let looked: HashSet<_> = report.workloads.iter().map(Looked::identity).collect();
        for (fingerprint, count) in &self.known {
            let is_asked = rules.iter().any(|rule| rule.name == fingerprint.rule);
            if !is_asked || !looked.contains(&fingerprint.workload()) {
                renewed.known.entry(fingerprint.clone()).or_insert(*count);
            }
        }
        renewed
    }

    /// Reads the text of a baseline's file.
    ///
    /// # Errors
    /// Where it is none.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let File { findings, .. } = {
            // Somebody wrote this file for themselves: it may be as long as their list is.
            let options = serde_saphyr::options! { budget: None };
            serde_saphyr::from_str_with_options(text, options)?
        };
        let mut known = BTreeMap::new();
        for entry in findings {
            let fingerprint = Fingerprint {
                kind: entry.kind,
                namespace: entry.namespace,
                name: entry.name,
                container: entry.container,
                rule: entry.rule,
                field: entry.field,
            };
            *known.entry(fingerprint).or_insert(0) += entry.count;
        }
        Ok(Self { known })
    }

    /// The text of its file, in an order that makes differences small.
    pub fn text(&self) -> String {
        let findings = self.known.iter().map(|(fingerprint, count)| {
            let Fingerprint {
                kind,
                namespace,
                name,
                container,
                rule,
                field,
            } = fingerprint.clone();
            Entry {
                kind,
                namespace,
                name,
                container,
                rule,
                field,
                count: *count,
            }
        });
        let file = File {
            api_version: ApiVersion::V1Alpha1,
            kind: Kind::AuditBaseline,
            findings: findings.collect(),
        };
        // Strings and numbers can always be written.
        let text = serde_saphyr::to_string(&file).unwrap_or_default();
        format!(
            "# Findings that are known: podgrace audit --baseline THIS_FILE fails for others only.\n\
             # Written by podgrace audit --write-baseline; take out what you have mended.\n{text}"
        )
    }

    /// Takes what is known out of a report's findings, and notes what is gone of what `rules` could have found.
    pub fn apply(&self, report: &mut Report, rules: &[&'static Rule]) {
        let mut left = self.known.clone();
        let findings = std::mem::take(&mut report.findings);
        let (known, new): (Vec<Found>, Vec<Found>) = findings.into_iter().partition(|found| {
            let count = left.get_mut(&report.fingerprint(found));
            count.is_some_and(|count| {
                let is_known = *count > 0;
                *count = count.saturating_sub(1);
                is_known
            })
        });
        report.findings = new;
        report.known.extend(known);
        let looked: HashSet<_> = report.workloads.iter().map(Looked::identity).collect();
        let gone = left
            .into_iter()
            .filter(|(fingerprint, count)| {
                *count > 0 && rules.iter().any(|rule| rule.name == fingerprint.rule)
            })
            .map(|(fingerprint, _)| Gone {
                is_mended: looked.contains(&fingerprint.workload()),
                fingerprint,
            });
        report.gone = gone.collect();
    }
}
