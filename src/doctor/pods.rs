//! Pods that run without what they would get, and why: counted by workload while they are read.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::hooks::{Hook, Labels, time};
use super::namespaces::{Namespace, Standing};
use super::owner::Owner;
use crate::cluster::labels;
use crate::lifecycle::json::Object;
use crate::lifecycle::plan::{Context, Plan, plan};
use crate::lifecycle::pod::Pod;
use crate::lifecycle::policy::{Mode, Policy};
use crate::lifecycle::settings::{INJECTED, MODE_LABEL};
use crate::lifecycle::skip::Skip;
use crate::lifecycle::text;

/// A workload of which pods are without something.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its pods that run.
    pub pods: usize,
    /// Of them, those that would get something if they were made now, by why they have it not.
    pub missed: BTreeMap<Why, usize>,
    /// What one of them would get, in words.
    pub changes: Vec<String>,
    /// The codes of the reasons for what its pods would not get either.
    pub left_alone: Vec<&'static str>,
    /// What gives it to them.
    pub restart: Vec<String>,
}

/// Why a pod does not have what it would get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It was made before the webhook was registered.
    BeforeWebhook,
    /// It was made before its namespace had the label.
    BeforeLabel,
    /// It got something when it was made, and would get more now.
    Since,
    /// The webhook saw nothing of it, or answered nothing.
    Unanswered,
}

/// The pods that were looked at so far.
#[derive(Debug)]
pub struct Census {
    ours: Vec<Hook>,
    policy: Policy,
    namespaces: BTreeMap<String, Namespace>,
    pub(super) groups: BTreeMap<Owner, Group>,
    /// Pods that the webhook would be asked about.
    pub(super) pods: usize,
    /// Pods whose mode is audit: nothing is to be added to them.
    pub(super) told_of: usize,
    /// Workloads of which pods are left out by a label of their own.
    pub(super) off: BTreeSet<Owner>,
    /// Pods that could not be read as such.
    pub(super) unreadable: usize,
}

/// Pods of one workload.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) pods: usize,
    pub(super) missed: Vec<Missed>,
    pub(super) changes: Vec<String>,
    pub(super) left_alone: BTreeSet<&'static str>,
}

/// A pod that would get something.
#[derive(Debug)]
pub(super) struct Missed {
    created: Option<Timestamp>,
    /// Whether it got something when it was made.
    is_recorded: bool,
    /// Since when there is a webhook that sees it.
    since: Option<Timestamp>,
    /// Whether it is in because of its namespace.
    by_namespace: bool,
}

impl Census {
    /// Nobody yet. Namespaces are those whose pods come.
    pub fn new(
        ours: Vec<Hook>,
        policy: Policy,
        namespaces: impl IntoIterator<Item = Namespace>,
    ) -> Self {
        let by_name = |namespace: Namespace| (namespace.name.clone(), namespace);
        Self {
            ours,
            policy,
            namespaces: namespaces.into_iter().map(by_name).collect(),
            groups: BTreeMap::new(),
            pods: 0,
            told_of: 0,
            off: BTreeSet::new(),
            unreadable: 0,
        }
    }

    /// Looks at a pod.
    pub fn add(&mut self, pod: &Value) {
        let metadata = &pod["metadata"];
        let is_over = matches!(
            pod["status"]["phase"].as_str(),
            Some("Succeeded" | "Failed")
        );
        if is_over || metadata["deletionTimestamp"].is_string() {
            return;
        }
        let Some(namespace) = metadata["namespace"]
            .as_str()
            .and_then(|n| self.namespaces.get(n))
        else {
            return;
        };
        let own = labels(pod);
        let seeing: Vec<&Hook> = self
            .ours
            .iter()
            .filter(|h| h.sees(&namespace.labels, &own))
            .collect();
        let owner = Owner::of(pod);
        if seeing.is_empty() {
            let is_off = own
                .get(MODE_LABEL)
                .is_some_and(|mode| mode == Mode::Off.word());
            if is_off && namespace.is_looked_after() {
                self.off.insert(owner);
            }
            return;
        }
        let text = pod.to_string();
        let Ok(Object(read)) = serde_json::from_str::<Object<Pod<'_>>>(&text) else {
            self.unreadable += 1;
            return;
        };
        self.pods += 1;
        let context = Context {
            policy: &self.policy,
            namespace: Some(&namespace.name),
            namespace_said: Some(&namespace.said),
        };
        let plan = plan(&read, &context);
        match plan.mode.value {
            Mode::Off => return,
            Mode::Audit => self.told_of += 1,
            Mode::Enforce => {}
        }
        let missed = (plan.is_enforced()).then(|| Missed {
            created: time(&metadata["creationTimestamp"]),
            is_recorded: metadata["annotations"][INJECTED].is_string(),
            since: seeing.iter().filter_map(|hook| hook.made).min(),
            by_namespace: namespace.standing == Standing::In && !own.contains_key(MODE_LABEL),
        });
        let group = self.groups.entry(owner).or_default();
        group.pods += 1;
        group.left_alone.extend(left_alone(&plan));
        if let Some(missed) = missed {
            if group.changes.is_empty() {
                group.changes = plan.changes.iter().map(text::change).collect();
            }
            group.missed.push(missed);
        }
    }

    /// Namespaces of which pods get something, or are told of it, without a word of their own.
    pub fn looked_after(&self) -> Vec<&str> {
        let names = self.namespaces.values().filter(|n| n.is_looked_after());
        names.map(|namespace| &*namespace.name).collect()
    }

    /// The labels of a namespace.
    pub(super) fn labels_of(&self, namespace: &str) -> Labels {
        let known = self.namespaces.get(namespace);
        known
            .map(|namespace| namespace.labels.clone())
            .unwrap_or_default()
    }

    /// The workloads of which pods would get something.
    pub fn missed(&self) -> impl Iterator<Item = &Owner> {
        let groups = self
            .groups
            .iter()
            .filter(|(_, group)| !group.missed.is_empty());
        groups.map(|(owner, _)| owner)
    }

    /// Namespaces of which it matters since when they have their label.
    pub fn labelled(&self) -> BTreeSet<&str> {
        let groups = self
            .groups
            .iter()
            .filter(|(_, group)| group.missed.iter().any(|m| m.by_namespace));
        let names = groups.map(|(owner, _)| &*owner.namespace);
        let is_labelled = |name: &&str| {
            self.namespaces
                .get(*name)
                .is_some_and(|n| n.said.mode.is_some())
        };
        names.filter(is_labelled).collect()
    }
}

impl Missed {
    /// Why, where it is known since when its namespace has its label.
    pub(super) fn why(&self, labelled: Option<Timestamp>) -> Why {
        let is_before = |then: Option<Timestamp>| {
            self.created
                .zip(then)
                .is_some_and(|(created, then)| created < then)
        };
        if self.is_recorded {
            Why::Since
        } else if is_before(self.since) {
            Why::BeforeWebhook
        } else if self.by_namespace && is_before(labelled) {
            Why::BeforeLabel
        } else {
            Why::Unanswered
        }
    }
}

/// The reasons that somebody may want to do something about: not that a field is there, nor what is so by the
/// nature of a pod.
fn left_alone(plan: &Plan) -> impl Iterator<Item = &'static str> {
    let news = plan.skips.iter().filter(|skipped| {
        !matches!(
            skipped.why,
            Skip::StartupProbePresent
                | Skip::PreStopPresent
                | Skip::VariableStated(_)
                | Skip::MirrorPod
                | Skip::InitContainer
                | Skip::NativeSidecar
                | Skip::MeshProxy
                | Skip::RestartPolicy(_)
        )
    });
    news.map(|skipped| skipped.why.code())
}
