//! A pod that is tried by server-side dry run, and what came back.

use serde_json::{Value, json};

use super::facts::{Facts, Trial};
use super::hooks::Hook;
use super::namespaces::labelled;
use super::report::{Check, Report, Topic};
use super::settings::set;
use super::why_not::why_not;
use crate::cluster::{Cause, Tried};
use crate::lifecycle::settings::INJECTED;

pub(super) const TOPIC: Topic = Topic::DryRun;

/// What warnings of audit mode begin with.
const TOLD: &str = "podgrace would inject ";

/// A pod that gets something wherever Podgrace works, and that Pod Security's strictest level and quotas take.
/// `image` is one that the cluster's policies are known to take. `by_itself` says that it wants to be in.
pub fn pod_to_try(image: &str, by_itself: bool) -> Value {
    let mut labels = json!({"app.kubernetes.io/name": "podgrace-doctor"});
    for (key, value) in by_itself.then(labelled).into_iter().flatten() {
        labels[key] = value.into();
    }
    let size = json!({"cpu": "10m", "memory": "16Mi"});
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "podgrace-doctor-", "labels": labels},
        "spec": {
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{
                "name": "web",
                "image": image,
                "ports": [{"name": "http", "containerPort": 8080}],
                "livenessProbe": {"httpGet": {"path": "/", "port": "http"}},
                "resources": {"requests": size, "limits": size},
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]},
                },
            }],
        },
    })
}

/// What came of it.
pub(super) enum Came<'t> {
    /// It has our record.
    Injected(&'t str),
    /// Whoever makes it is told what it would get.
    Told(Vec<&'t str>),
    /// As it was sent.
    Untouched,
}

pub(super) fn came(tried: &Tried) -> Came<'_> {
    if let Some(record) = tried.pod["metadata"]["annotations"][INJECTED].as_str() {
        return Came::Injected(record);
    }
    let told = tried
        .warnings
        .iter()
        .filter_map(|warning| warning.strip_prefix(TOLD));
    let told: Vec<&str> = told.collect();
    match told.is_empty() {
        true => Came::Untouched,
        false => Came::Told(told),
    }
}

impl Trial {
    /// Whether the API server got an answer of the webhook.
    pub fn is_proof(&self) -> bool {
        let came = self.tried.as_ref().map(came);
        matches!(came, Ok(Came::Injected(_) | Came::Told(_)))
    }
}

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    let Some(trial) = &facts.trial else { return };
    let namespace = &trial.namespace;
    let who = match trial.is_by_itself {
        true => format!("a pod in {namespace} with the label podgrace.io/mode=enforce"),
        false => format!("a pod in {namespace}"),
    };
    let tried = match &trial.tried {
        Ok(tried) => tried,
        Err(error) => {
            return report.add(match &error.cause {
                Cause::Refused(status) => refused(facts, &who, &status.message),
                _ => Check::unseen(TOPIC, error),
            });
        }
    };
    let check = match came(tried) {
        Came::Injected(record) => Check::well(
            TOPIC,
            "injected",
            format!("{who} comes back injected: {record}"),
        ),
        Came::Told(told) => Check::well(
            TOPIC,
            "told",
            format!(
                "{who} comes back as it is, with warnings, as its mode is audit: would get {}",
                told.join("; ")
            ),
        ),
        Came::Untouched => why_not(facts, trial, &who, report.is_distrusted()),
    };
    report.add(check);
}

/// The pod was turned away.
fn refused(facts: &Facts, who: &str, message: &str) -> Check {
    let ours: Vec<&Hook> = facts.ours().collect();
    let named = ours
        .iter()
        .find(|hook| message.contains(&format!("\"{}\"", hook.name)));
    if let Some(hook) = named {
        return Check::error(
            TOPIC,
            "turned-away",
            format!("{who} is turned away, as every pod there is now: {message}"),
        )
        .advise(
            "Its failurePolicy is Fail. Mend what is above; until then, pods are made without the webhook where that \
             says Ignore:",
        )
        .run(set(facts, hook, &ours, "failurePolicy", "\"Ignore\""));
    }
    Check::warning(
        TOPIC,
        "trial-refused",
        format!("{who} is turned away, by something else than Podgrace: {message}"),
    )
    .advise("So whether pods come back injected is not known. Try it in another namespace: podgrace doctor -n NAME")
}
