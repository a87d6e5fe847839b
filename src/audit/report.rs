//! The result of an audit, ready to be printed in any format.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use super::baseline::Gone;
use super::fingerprint::Fingerprint;
use crate::lifecycle::audit::{Finding, Severity};
use crate::lifecycle::timeline::Life;

/// What an audit found. Everything in it is in a stable order.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What was looked at: workloads, and Namespaces about which there is a finding; in the order of the input.
    pub workloads: Vec<Looked>,
    /// What was found, worst first, then in the order of the input.
    pub findings: Vec<Found>,
    /// What was found and is accepted, in the order of the input.
    pub accepted: Vec<Accepted>,
    /// What was found and is in the [baseline](super::Baseline), worst first.
    pub known: Vec<Found>,
    /// What is in the baseline and was not found.
    pub gone: Vec<Gone>,
    /// The kinds of what has a pod template and is not known, in the order of the input.
    pub not_looked_at: Vec<NotLookedAt>,
    /// What could not be read.
    pub unreadable: Vec<Unreadable>,
    /// How many files were read.
    pub files: usize,
    /// The cluster that was read instead of files.
    pub cluster: Option<Cluster>,
}

/// A cluster that was looked at, or a part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Cluster {
    /// The context of the kubeconfig, where it was one that said which cluster.
    pub context: Option<String>,
    /// The namespace, where it was one and not all.
    pub namespace: Option<String>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as it was given or found, or `-`.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
}

/// A workload that was looked at.
#[derive(Debug, Clone)]
pub struct Looked {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace, where that is known.
    pub namespace: Option<String>,
    /// Where it begins; an object of a cluster is in no file.
    pub place: Option<Place>,
    /// `enforce`, `audit` or `off`.
    pub mode: &'static str,
    /// Whether it is left alone as a whole.
    pub is_left_alone: bool,
    /// What the webhook and `inject` would add, in words.
    pub changes: Vec<String>,
    /// What they would leave alone, and why, in words.
    pub skips: Vec<String>,
    /// Its pod's life as it is written and as it would be, where that was asked for.
    pub lives: Option<Box<Lives>>,
}

/// A pod's life without and with what Podgrace adds.
#[derive(Debug, Clone, PartialEq)]
pub struct Lives {
    /// As it is written.
    pub before: Life,
    /// As it would be.
    pub after: Life,
}

/// A finding in its place.
#[derive(Debug, Clone)]
pub struct Found {
    /// The index of its workload in [`Report::workloads`].
    pub workload: usize,
    /// What was found.
    pub finding: Finding,
    /// Where its field is, or the nearest thing around it; an object of a cluster is in no file.
    pub place: Option<Place>,
}

/// A finding that somebody accepts.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// What was found.
    pub found: Found,
    /// Why it is accepted.
    pub reason: String,
}

/// A kind of objects that have a pod template and were passed over: nobody says where such objects keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotLookedAt {
    /// The API group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// How many there are.
    pub objects: usize,
    /// Where the first one is; an object of a cluster is in no file.
    pub first: Option<Place>,
    /// What to write to have them looked at, or passed over without a word.
    pub sentence: String,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The file or folder; none of a cluster.
    pub file: Option<Arc<str>>,
    /// Line and column, where the trouble has them.
    pub at: Option<(usize, usize)>,
    /// What is wrong.
    pub message: String,
}

/// How much there is of everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Files read.
    pub files: usize,
    /// Workloads looked at.
    pub workloads: usize,
    /// Workloads that somebody wants left alone: by their mode, namespace or priority class.
    pub left_alone: usize,
    /// Workloads of them with a finding.
    pub affected: usize,
    /// Findings of severity error.
    pub errors: usize,
    /// Findings of severity warning.
    pub warnings: usize,
    /// Findings of severity info.
    pub infos: usize,
    /// Findings that the webhook and `inject` mend by themselves.
    pub injected: usize,
    /// Findings that somebody accepts.
    pub accepted: usize,
    /// Findings that are in the baseline.
    pub known: usize,
    /// Objects of kinds that are not known and that have a pod template.
    pub not_looked_at: usize,
    /// Documents, files and folders that could not be read.
    pub unreadable: usize,
}

impl Found {
    /// Its place in a file, else the field of the object.
    pub fn place(&self) -> String {
        match &self.place {
            Some(place) => place.to_string(),
            None => self.finding.field(),
        }
    }
}

impl Looked {
    /// `deployment/shop`, as kubectl names it.
    pub fn title(&self) -> String {
        format!("{}/{}", self.kind.to_lowercase(), self.name)
    }

    /// Its kind, namespace and name.
    pub(super) fn identity(&self) -> (&str, Option<&str>, &str) {
        (&self.kind, self.namespace.as_deref(), &self.name)
    }
}

impl Report {
    /// Counts everything.
    pub fn counts(&self) -> Counts {
        let of = |severity| {
            let found = self.findings.iter();
            found.filter(|f| f.finding.severity == severity).count()
        };
        let mut affected: Vec<usize> = self.findings.iter().map(|f| f.workload).collect();
        affected.sort_unstable();
        affected.dedup();
        let is_workload = |index: &usize| self.workloads[*index].kind != "Namespace";
        let injected = |found: &&Found| {
            let fix = found.finding.fix.as_ref();
            fix.is_some_and(|fix| fix.is_injected())
        };
        Counts {
            files: self.files,
            workloads: (0..self.workloads.len()).filter(is_workload).count(),
            left_alone: self.workloads.iter().filter(|w| w.is_left_alone).count(),
            affected: affected.iter().filter(|index| is_workload(index)).count(),
            errors: of(Severity::Error),
            warnings: of(Severity::Warning),
            infos: of(Severity::Info),
            injected: self.findings.iter().filter(injected).count(),
            accepted: self.accepted.len(),
            known: self.known.len(),
            not_looked_at: self.not_looked_at.iter().map(|kind| kind.objects).sum(),
            unreadable: self.unreadable.len(),
        }
    }

    /// Counts objects that are passed over.
    pub(super) fn pass_over(&mut self, kind: NotLookedAt) {
        let is_same =
            |known: &&mut NotLookedAt| (&known.group, &known.kind) == (&kind.group, &kind.kind);
        match self.not_looked_at.iter_mut().find(is_same) {
            Some(known) => known.objects += kind.objects,
            None => self.not_looked_at.push(kind),
        }
    }

    /// What makes a finding the same in another run.
    pub fn fingerprint(&self, found: &Found) -> Fingerprint {
        Fingerprint::new(&self.workloads[found.workload], found)
    }

    /// The worst severity found.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|f| f.finding.severity).max()
    }

    /// The findings of each workload that has some, worst workload first.
    pub fn by_workload(&self) -> Vec<(&Looked, Vec<&Found>)> {
        let mut findings: Vec<Vec<&Found>> = vec![Vec::new(); self.workloads.len()];
        // They come worst first already.
        for found in &self.findings {
            findings[found.workload].push(found);
        }
        let mut all: Vec<(&Looked, Vec<&Found>)> = self
            .workloads
            .iter()
            .zip(findings)
            .filter(|(_, findings)| !findings.is_empty())
            .collect();
        // By what is lost altogether, error before warning before info.
        all.sort_by_cached_key(|(_, findings)| {
            Severity::WORST_FIRST.map(|severity| {
                // The same in several containers is lost once.
                let mut rules: Vec<_> = findings
                    .iter()
                    .filter(|found| found.finding.severity == severity)
                    .map(|found| found.finding.rule)
                    .collect();
                rules.dedup();
                Reverse(rules.iter().map(|rule| u64::from(rule.harm)).sum::<u64>())
            })
        });
        all
    }

    /// Puts the findings in their order; to be called once all are there.
    pub(super) fn sort(&mut self) {
        self.findings.sort_by_key(|found| {
            let finding = &found.finding;
            // By name too, so that those of one rule stand together.
            let rule = (Reverse(finding.rule.harm), finding.rule.name);
            let place = found.place.as_ref();
            let place = place.map(|place| (place.line, place.column));
            (Reverse(finding.severity), rule, found.workload, place)
        });
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl fmt::Display for NotLookedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(first) = &self.first {
            write!(f, "{first}")?;
            if self.objects > 1 {
                write!(f, " (and {} more)", self.objects - 1)?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.sentence)
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
            if let Some((line, column)) = self.at {
                write!(f, "{line}:{column}:")?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&self.message)
    }
}
