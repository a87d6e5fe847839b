//! What was looked at, and what could not be.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::hooks::{Hook, Target};
use super::installation::Installation;
use super::owner::Owner;
use super::pods::Census;
use crate::cluster::{ReadError, Seen, Tried};
use crate::lifecycle::policy::Policy;

/// Something that was looked at, or why not.
pub type Looked<T> = Result<T, ReadError>;

/// Everything that is judged.
#[derive(Debug)]
pub struct Facts {
    /// The clock.
    pub now: Timestamp,
    /// How kubectl is called for this cluster, in commands that are advised.
    pub kubectl: String,
    /// The same for `podgrace explain`.
    pub explain: String,
    /// The cluster's versions.
    pub seen: Seen,
    /// The webhooks of all configurations.
    pub hooks: Looked<Vec<Hook>>,
    /// The warn-only webhooks, where they could be looked at.
    pub validating: Looked<Vec<Hook>>,
    /// Deployments that look like ours while no webhook of ours is registered.
    pub unregistered: Vec<Value>,
    /// What our webhooks point at, each once.
    pub backends: Vec<Backend>,
    /// The configuration by which pods are judged.
    pub policy: Policy,
    /// Where that is from; none where no webhook of ours has a place for it.
    pub configured: Option<Configured>,
    /// Namespaces: all, or the one that was asked for.
    pub namespaces: Looked<Vec<Value>>,
    /// The namespace that was asked for.
    pub asked_for: Option<String>,
    /// The pod that was tried; none where there was no use in it.
    pub trial: Option<Trial>,
    /// Pods that run.
    pub census: Census,
    /// Pods that could not be looked at.
    pub unread_pods: Vec<ReadError>,
    /// The workloads of pods that miss something, where they could be looked at.
    pub controllers: BTreeMap<Owner, Value>,
    /// Since when namespaces have the label by which they are in, where that is known.
    pub labelled: BTreeMap<String, Timestamp>,
}

/// Where a configuration is from.
#[derive(Debug)]
pub struct Configured {
    /// What it is called: `configmap/podgrace in podgrace`, or a file.
    pub title: String,
    /// The command that opens it, where it is in the cluster.
    pub edit: Option<String>,
    /// How it was found.
    pub state: Looked<ConfiguredState>,
}

/// How a configuration was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfiguredState {
    /// Read, and understood.
    Read,
    /// There is none in the place where the chart puts it.
    Missing,
    /// Not understood, and why; the defaults count here, and in a webhook what it read before.
    Broken(String),
}

/// What webhooks of ours point at.
#[derive(Debug)]
pub struct Backend {
    /// The Service or the address.
    pub target: Target,
    /// The Service; none where there is none of that name.
    pub service: Looked<Option<Value>>,
    /// Its EndpointSlices.
    pub slices: Looked<Vec<Value>>,
    /// The Deployments of its namespace.
    pub deployments: Looked<Vec<Value>>,
    /// The pods behind it.
    pub pods: Looked<Vec<Value>>,
    /// What it serves with.
    pub served: Served,
    /// What it tells of itself; none where it was not asked.
    pub ops: Option<Looked<Ops>>,
}

/// How it is known what is served.
#[derive(Debug)]
pub enum Served {
    /// By the Secret of that name; none where there is no such.
    Secret(String, Looked<Option<Value>>),
    /// By a handshake.
    Handshake(Handshake),
    /// It is not.
    Unknown,
}

/// What came of connecting from here.
#[derive(Debug, Clone, Default)]
pub struct Handshake {
    /// The name that was asked for.
    pub name: String,
    /// The certificates that were shown, the leaf first, in PEM.
    pub chain: Vec<String>,
    /// Why there was none.
    pub error: Option<String>,
}

/// What a replica tells of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ops {
    /// Its version.
    pub version: Option<String>,
    /// Until when its certificate is valid.
    pub certificate_until: Option<Timestamp>,
    /// What somebody should look at: `configuration: the reload 5 s ago failed …`.
    pub troubles: Vec<String>,
}

/// A pod that was tried by dry run.
#[derive(Debug)]
pub struct Trial {
    /// Where.
    pub namespace: String,
    /// What was tried.
    pub pod: Value,
    /// Whether it says itself that it wants to be in.
    pub is_by_itself: bool,
    /// What came back.
    pub tried: Looked<Tried>,
    /// What the webhook says when it is asked about it another way.
    pub asked: Option<Asked>,
    /// What the API server counted of its calls meanwhile; none where that was not looked at.
    pub calls: Option<Calls>,
}

/// What an API server counts of its calls of our webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Calls {
    /// Nothing: it did not call, or another API server did.
    Nothing,
    /// One that failed, with the HTTP code under which that is counted.
    Failed(String),
    /// One that was answered.
    Answered,
}

/// How the webhook was asked, and what it said.
#[derive(Debug)]
pub struct Asked {
    /// `through the API server`, `from here`.
    pub way: &'static str,
    /// What it said, or why nothing.
    pub answer: Result<Answer, Unanswered>,
    /// How long it took.
    pub took: Duration,
}

/// Why a webhook said nothing.
#[derive(Debug)]
pub enum Unanswered {
    /// We may not ask.
    Forbidden(Box<ReadError>),
    /// We did not get through, as a clause.
    Failed(String),
}

/// What a webhook answers about a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The mode that holds for the pod.
    pub mode: String,
    /// What it gets.
    pub changes: Option<String>,
    /// What is left alone, with codes.
    pub skipped: Option<String>,
    /// What it warns of.
    pub warnings: Vec<String>,
}

impl Facts {
    /// The webhooks that are ours; none where they could not be looked at.
    pub fn ours(&self) -> impl Iterator<Item = &Hook> {
        self.hooks.iter().flatten().filter(|hook| hook.is_ours)
    }

    /// Whether a pod came back as it should, or the webhook told so.
    pub(super) fn is_proven(&self) -> bool {
        self.trial.as_ref().is_some_and(Trial::is_proof)
    }
}

impl Backend {
    /// One about which nothing is known yet.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            service: Ok(None),
            slices: Ok(Vec::new()),
            deployments: Ok(Vec::new()),
            pods: Ok(Vec::new()),
            served: Served::Unknown,
            ops: None,
        }
    }

    /// Whether anybody would answer.
    pub fn has_endpoint(&self) -> bool {
        self.slices
            .as_ref()
            .is_ok_and(|slices| ready_endpoints(slices) > 0)
    }

    /// The Deployment of which the Service selects the pods.
    pub fn installation(&self) -> Option<Installation<'_>> {
        let service = self.service.as_ref().ok()?.as_ref()?;
        let selector = service["spec"]["selector"].as_object()?;
        let mut deployments = self.deployments.iter().flatten();
        let deployment = deployments.find(|deployment| {
            let labels = &deployment["spec"]["template"]["metadata"]["labels"];
            selector.iter().all(|(key, value)| labels[key] == *value)
        })?;
        Some(Installation::of(deployment))
    }
}

/// How many addresses a Service would send to. One without conditions is ready (discovery/v1).
pub(super) fn ready_endpoints(slices: &[Value]) -> usize {
    let endpoints = slices
        .iter()
        .filter_map(|slice| slice["endpoints"].as_array());
    let ready = endpoints
        .flatten()
        .filter(|endpoint| endpoint["conditions"]["ready"] != false);
    ready.count()
}

impl Ops {
    /// Reads what a replica says at `/readyz?verbose` and `/metrics`.
    pub fn read(ready: &str, metrics: &str) -> Self {
        let value = |name: &str| {
            let mut lines = metrics.lines().filter_map(|line| line.strip_prefix(name));
            lines.next().map(str::trim)
        };
        let version = value("podgrace_webhook_build_info{version=\"");
        let until = value("podgrace_webhook_certificate_expiry_timestamp_seconds ");
        let seconds = until.and_then(|text| text.parse::<f64>().ok());
        let troubles = ready.lines().filter_map(|line| {
            let line = line.strip_prefix("[+]").or(line.strip_prefix("[-]"))?;
            let (name, why) = line
                .split_once(" ok, but ")
                .or(line.split_once(" failed: "))?;
            Some(format!("{name}: {why}"))
        });
        Self {
            version: version.and_then(|rest| Some(rest.split_once('"')?.0.to_owned())),
            certificate_until: seconds.and_then(|s| Timestamp::from_second(s as i64).ok()),
            troubles: troubles.collect(),
        }
    }
}

impl Answer {
    /// Reads an AdmissionReview.
    pub fn read(review: &Value) -> Self {
        let response = &review["response"];
        let said = |key: &str| {
            response["auditAnnotations"][key]
                .as_str()
                .map(str::to_owned)
        };
        let warnings = response["warnings"].as_array().into_iter().flatten();
        Self {
            mode: said("mode").unwrap_or_default(),
            changes: said("changes"),
            skipped: said("skipped"),
            warnings: warnings
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_says_what_it_is_and_what_troubles_it() {
        let ready = "[+]certificate ok\n[+]configuration ok, but the reload 5 s ago failed\n\
                     [-]certificates failed: there is no certificate yet\nreadyz check failed\n";
        let metrics = "# HELP x\npodgrace_webhook_build_info{version=\"0.1.0\",os=\"linux\"} 1\n\
                       podgrace_webhook_certificate_expiry_timestamp_seconds 1803349368.0\n";
        let expected = Ops {
            version: Some("0.1.0".into()),
            certificate_until: Timestamp::from_second(1_803_349_368).ok(),
            troubles: vec![
                "configuration: the reload 5 s ago failed".into(),
                "certificates: there is no certificate yet".into(),
            ],
        };
        assert_eq!(Ops::read(ready, metrics), expected);
        assert_eq!(Ops::read("", ""), Ops::default());
    }
}
