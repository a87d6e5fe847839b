//! An answer on its way.

use std::collections::BTreeMap;

use super::Outcome;
use crate::lifecycle::patch;
use crate::lifecycle::plan::Plan;
use crate::lifecycle::pod::Pod;
use crate::lifecycle::remarks::{self, Remark};
use crate::lifecycle::settings::INJECTED;
use crate::lifecycle::skip::Skip;
use crate::lifecycle::text;

/// What goes into an answer, put together step by step.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// The JSON Patch, as bytes.
    pub(super) patch: Option<Vec<u8>>,
    pub(super) warnings: Vec<String>,
    pub(super) audit_annotations: BTreeMap<&'static str, String>,
    /// The codes of what is left alone.
    pub(super) skips: Vec<&'static str>,
    /// The kinds of the changes.
    pub(super) changes: Vec<&'static str>,
    /// The changes in words.
    said: String,
}

impl Draft {
    /// What a plan says, and these remarks.
    pub(super) fn of(plan: &Plan, remarks: Vec<Remark>) -> Self {
        let mut warnings: Vec<String> = remarks
            .iter()
            .map(|remark| format!("podgrace: {}", remark.text))
            .collect();
        warnings.extend(remarks::would_inject(plan).map(|told| format!("podgrace {told}")));
        let said: Vec<String> = plan.changes.iter().map(text::change).collect();
        let said = said.join("; ");
        let mut audit_annotations = BTreeMap::from([("mode", plan.mode.value.word().to_owned())]);
        if !said.is_empty() {
            audit_annotations.insert("changes", said.clone());
        }
        let skips: Vec<&'static str> = plan.skips.iter().map(|s| s.why.code()).collect();
        if !skips.is_empty() {
            let named: Vec<String> = plan
                .skips
                .iter()
                .map(|s| match &s.container {
                    Some(container) => format!("{container}: {}", s.why.code()),
                    None => s.why.code().to_owned(),
                })
                .collect();
            audit_annotations.insert("skipped", named.join("; "));
        }
        Self {
            patch: None,
            warnings,
            audit_annotations,
            skips,
            changes: plan.changes.iter().map(|change| change.kind()).collect(),
            said,
        }
    }

    /// Nothing but a warning.
    pub(super) fn warning(text: String) -> Self {
        Self {
            warnings: vec![text],
            ..Self::default()
        }
    }

    /// Says what another says too.
    pub(super) fn append(&mut self, other: Self) {
        for warning in other.warnings {
            // What is wrong with the workload itself is wrong once, however many templates it has.
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        for (key, value) in other.audit_annotations {
            let all = self.audit_annotations.entry(key).or_default();
            join(all, &value);
        }
        self.skips.extend(other.skips);
        self.changes.extend(other.changes);
        join(&mut self.said, &other.said);
    }

    /// Forgets the changes, which are not made.
    pub(super) fn undo(&mut self) {
        self.changes.clear();
        self.said.clear();
        self.audit_annotations.remove("changes");
    }

    /// The record for the pod's annotation, unless an earlier pass wrote one or there is no room.
    pub(super) fn record(&mut self, pod: &Pod<'_>) -> Option<String> {
        if pod.annotation(INJECTED).is_some() || pod.metadata.value().is_none() {
            return None;
        }
        let record = format!("podgrace {}: {}", env!("CARGO_PKG_VERSION"), self.said);
        if patch::has_room_for(pod, &record) {
            return Some(record);
        }
        let why = Skip::AnnotationsFull;
        self.warnings
            .push(format!("podgrace: no record: {}", why.sentence()));
        self.skips.push(why.code());
        None
    }

    /// One line of names, never of the object's other contents. It begins with what it is about.
    pub(super) fn summary(&self, about: &str, outcome: Outcome) -> String {
        let mut line = format!("{about}: {}", outcome.code());
        if !self.said.is_empty() {
            line += &format!(": {}", self.said);
        }
        if !self.skips.is_empty() {
            line += &format!(" (left alone: {})", self.skips.join(", "));
        }
        without_controls(line)
    }
}

/// Adds to a list in words.
fn join(list: &mut String, more: &str) {
    if !list.is_empty() && !more.is_empty() {
        list.push_str("; ");
    }
    list.push_str(more);
}

/// The text with a space for each control character: keys and container names that Kubernetes has not
/// checked yet may hold anything.
pub(super) fn without_controls(text: String) -> String {
    if text.contains(char::is_control) {
        text.replace(char::is_control, " ")
    } else {
        text
    }
}
