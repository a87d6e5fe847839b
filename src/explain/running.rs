//! What pods that run now really did, and whether they carry what they would get.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::lifecycle::json::Object;
use crate::lifecycle::loss::Others;
use crate::lifecycle::plan::{Context, plan};
use crate::lifecycle::pod::Pod;
use crate::lifecycle::policy::Mode;
use crate::lifecycle::settings::INJECTED;
use crate::lifecycle::text;
use crate::lifecycle::timeline::{Start, life};

/// A pod that runs, or did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunningPod {
    /// Its name.
    pub name: String,
    /// Its node, once it has one.
    pub node: Option<String>,
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub phase: String,
    /// Why it waits for a node, where it does.
    pub waits: Option<String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Whether it is being deleted.
    pub is_leaving: bool,
    /// What the webhook wrote down that it added.
    pub injected: Option<String>,
    /// What it would get and does not carry.
    pub lacks: Vec<String>,
    /// Why it lacks that.
    pub why: Option<Why>,
    /// Since when it is Ready, where it is.
    pub ready_since: Option<Timestamp>,
    /// How many seconds after the last start of a container in it that was.
    pub ready_after: Option<i64>,
    /// Its containers that run for as long as it does, in its order.
    pub containers: Vec<RunningContainer>,
}

/// What a container did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunningContainer {
    /// Its name.
    pub name: String,
    /// `running`, `waiting` or `terminated`.
    pub state: &'static str,
    /// Why it waits, as `CrashLoopBackOff`.
    pub reason: Option<String>,
    /// When it started.
    pub started: Option<Timestamp>,
    /// How many seconds after its pod was made that was.
    pub started_after: Option<i64>,
    /// Whether it is Ready.
    pub ready: bool,
    /// How often it was restarted.
    pub restarts: i64,
    /// How it ended: now, or before it was restarted.
    pub last_end: Option<End>,
    /// After how many seconds its probes give a start up, as it runs.
    pub given_up_after: Option<u64>,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct End {
    /// `Completed`, `Error`, `OOMKilled`, ….
    pub reason: Option<String>,
    /// Its exit code.
    pub exit_code: i64,
    /// The signal that ended it, said or in the exit code (128 and more).
    pub signal: Option<i64>,
    /// When.
    pub finished: Option<Timestamp>,
    /// How many seconds it had run.
    pub ran: Option<i64>,
}

/// Why a pod lacks what it would get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// No webhook of ours is installed.
    NoWebhook,
    /// Whether one is may not be seen.
    Unknown,
    /// It was made before the webhook was installed.
    BeforeTheWebhook,
    /// The webhook's selectors leave it out.
    NotSelected,
    /// It is only told what it would get.
    ModeAudit,
    /// None of these.
    Missed,
}

/// The webhook of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Webhook {
    /// There is none.
    None,
    /// Whether there is one may not be seen.
    Unknown,
    /// There is one.
    Installed {
        /// Since when.
        since: Option<Timestamp>,
        /// Whether its selectors choose the pod.
        selects: bool,
    },
}

/// What a pod of a cluster did; none where it cannot be read.
pub fn running(pod: &Value, context: &Context<'_>, webhook: Webhook) -> Option<RunningPod> {
    let json = pod.to_string();
    let Object(read) = serde_json::from_str::<Object<Pod<'_>>>(&json).ok()?;
    let plan = plan(&read, context);
    let lacks: Vec<String> = plan.changes.iter().map(text::change).collect();
    let (metadata, status) = (&pod["metadata"], &pod["status"]);
    let created = time(&metadata["creationTimestamp"]);
    let containers: Vec<RunningContainer> = life(&read, Others::default())
        .starts
        .iter()
        .map(|start| container(start, status, created))
        .collect();
    let ready_since = condition(status, "Ready", "True")
        .and_then(|condition| time(&condition["lastTransitionTime"]));
    let last_start = containers.iter().filter_map(|c| c.started).max();
    Some(RunningPod {
        name: word(&metadata["name"]).unwrap_or_default(),
        node: word(&pod["spec"]["nodeName"]),
        phase: word(&status["phase"]).unwrap_or_else(|| "Unknown".to_owned()),
        waits: condition(status, "PodScheduled", "False").and_then(|c| word(&c["message"])),
        created,
        is_leaving: metadata["deletionTimestamp"].is_string(),
        injected: word(&metadata["annotations"][INJECTED]),
        why: (!lacks.is_empty()).then(|| why(plan.mode.value, created, webhook)),
        lacks,
        ready_after: seconds(last_start, ready_since),
        ready_since,
        containers,
    })
}

fn why(mode: Mode, created: Option<Timestamp>, webhook: Webhook) -> Why {
    match webhook {
        Webhook::None => Why::NoWebhook,
        Webhook::Unknown => Why::Unknown,
        Webhook::Installed { selects: false, .. } => Why::NotSelected,
        _ if mode != Mode::Enforce => Why::ModeAudit,
        Webhook::Installed { since, .. } if created < since => Why::BeforeTheWebhook,
        Webhook::Installed { .. } => Why::Missed,
    }
}

fn container(start: &Start, status: &Value, created: Option<Timestamp>) -> RunningContainer {
    let statuses = ["containerStatuses", "initContainerStatuses"];
    let status = statuses
        .iter()
        .filter_map(|list| status[*list].as_array())
        .flatten()
        .find(|status| status["name"] == *start.container)
        .unwrap_or(&Value::Null);
    let state = &status["state"];
    let (name, now) = ["running", "terminated", "waiting"]
        .into_iter()
        .map(|name| (name, &state[name]))
        .find(|(_, state)| state.is_object())
        .unwrap_or(("waiting", &Value::Null));
    let started = time(&now["startedAt"]);
    let ends = [&state["terminated"], &status["lastState"]["terminated"]];
    RunningContainer {
        name: start.container.clone(),
        state: name,
        reason: word(&now["reason"]),
        started,
        started_after: seconds(created, started),
        ready: status["ready"] == true,
        restarts: status["restartCount"].as_i64().unwrap_or(0),
        last_end: ends.into_iter().find(|end| end.is_object()).map(end),
        given_up_after: start.given_up_after,
    }
}

fn end(terminated: &Value) -> End {
    let exit_code = terminated["exitCode"].as_i64().unwrap_or(0);
    let said = terminated["signal"].as_i64().filter(|signal| *signal > 0);
    let (started, finished) = (
        time(&terminated["startedAt"]),
        time(&terminated["finishedAt"]),
    );
    End {
        reason: word(&terminated["reason"]),
        exit_code,
        // 128 and the signal's number is what runtimes tell of a process that a signal ended.
        signal: said.or((129..=192).contains(&exit_code).then_some(exit_code - 128)),
        finished,
        ran: seconds(started, finished),
    }
}

fn condition<'v>(status: &'v Value, kind: &str, is: &str) -> Option<&'v Value> {
    let conditions = status["conditions"].as_array()?;
    conditions
        .iter()
        .find(|condition| condition["type"] == kind && condition["status"] == is)
}

fn word(value: &Value) -> Option<String> {
    value
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// Whole seconds from one moment to a later one.
fn seconds(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<i64> {
    let seconds = to?.duration_since(from?).as_secs();
    (seconds >= 0).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::lifecycle::policy::Policy;

    fn told(pod: &Value, webhook: Webhook) -> RunningPod {
        let policy = Policy::default();
        let context = Context {
            policy: &policy,
            namespace: Some("web"),
            namespace_said: None,
        };
        running(pod, &context, webhook).expect("a pod")
    }

    fn pod() -> Value {
        json!({
            "metadata": {"name": "shop-1", "creationTimestamp": "2026-11-25T10:00:00Z"},
            "spec": {"nodeName": "node", "containers": [{
                "name": "shop", "ports": [{"containerPort": 80}],
                "livenessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 5},
            }]},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-25T10:00:31Z"}],
                "containerStatuses": [{
                    "name": "shop", "ready": true, "restartCount": 1,
                    "state": {"running": {"startedAt": "2026-11-25T10:00:20Z"}},
                    "lastState": {"terminated": {
                        "exitCode": 137, "reason": "Error",
                        "startedAt": "2026-11-25T10:00:02Z", "finishedAt": "2026-11-25T10:00:19Z",
                    }},
                }],
            },
        })
    }

    #[test]
    fn what_a_pod_did_stands_beside_what_it_lacks() {
        let pod = told(&pod(), Webhook::None);
        assert_eq!((pod.ready_after, pod.why), (Some(11), Some(Why::NoWebhook)));
        assert_eq!(pod.lacks.len(), 3, "{:?}", pod.lacks);
        let shop = &pod.containers[0];
        assert_eq!((shop.started_after, shop.restarts), (Some(20), 1));
        assert_eq!(shop.given_up_after, Some(15));
        let end = shop.last_end.as_ref().expect("an end");
        assert_eq!(
            (end.exit_code, end.signal, end.ran),
            (137, Some(9), Some(17))
        );
    }

    #[test]
    fn why_it_lacks_something_is_told_apart() {
        let installed = |since: &str, selects| Webhook::Installed {
            since: since.parse().ok(),
            selects,
        };
        for (webhook, why) in [
            (Webhook::Unknown, Why::Unknown),
            (
                installed("2026-11-25T11:00:00Z", true),
                Why::BeforeTheWebhook,
            ),
            (installed("2026-11-25T09:00:00Z", true), Why::Missed),
            (installed("2026-11-25T09:00:00Z", false), Why::NotSelected),
        ] {
            assert_eq!(told(&pod(), webhook).why, Some(why));
        }
        let mut audited = pod();
        audited["metadata"]["labels"] = json!({"podgrace.io/mode": "audit"});
        let webhook = installed("2026-11-25T09:00:00Z", true);
        assert_eq!(told(&audited, webhook).why, Some(Why::ModeAudit));
        audited["metadata"]["labels"] = json!({"podgrace.io/mode": "off"});
        assert_eq!(told(&audited, webhook).why, None);
    }

    #[test]
    fn a_pod_that_waits_says_for_what() {
        let waiting = json!({
            "metadata": {"name": "shop-1"},
            "spec": {"containers": [{"name": "shop"}]},
            "status": {"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"},
            ]},
        });
        let pod = told(&waiting, Webhook::None);
        assert_eq!(pod.waits.as_deref(), Some("0/3 nodes are available"));
        assert_eq!(
            (pod.containers[0].state, pod.ready_since),
            ("waiting", None)
        );
    }
}
