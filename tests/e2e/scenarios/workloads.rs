//! Pods that controllers make.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Outcome, passed, pod, web};
use crate::cluster::{Cluster, arrival, eventually, pods};
use crate::webhook::Webhook;

/// What becomes of a workload's pods.
enum Fate {
    Injected,
    /// All but the startup probe.
    OnlySleep,
    LeftAlone,
}

impl Fate {
    fn holds(&self, pod: &Value, title: &str) {
        let container = &pod["spec"]["containers"][0];
        let (probe, sleep, grace) = match self {
            Self::Injected => (true, true, 35),
            Self::OnlySleep => (false, true, 35),
            Self::LeftAlone => (false, false, 30),
        };
        let title = format!("{title}: {container:#}");
        assert_eq!(container.get("startupProbe").is_some(), probe, "{title}");
        assert_eq!(container.get("lifecycle").is_some(), sleep, "{title}");
        assert_eq!(
            pod["spec"]["terminationGracePeriodSeconds"], grace,
            "{title}"
        );
        let record = pod["metadata"]["annotations"].get("podgrace.io/injected");
        assert_eq!(record.is_some(), probe || sleep, "{title}");
    }
}

/// Each kind, made by kubectl, in a namespace of each mode.
pub(super) async fn modes(cluster: Arc<Cluster>) -> Outcome {
    if !cluster.controllers {
        return Outcome::Skipped("there is no kube-controller-manager".into());
    }
    if cluster.kubectl.is_none() {
        return Outcome::Skipped("there is no kubectl".into());
    }
    let webhook = Webhook::start(&cluster, "modes", None).await;
    // Pods and webhooks by the label that people write.
    let selector = json!({"matchExpressions": [
        {"key": "podgrace-e2e/modes", "operator": "Exists"},
    ]});
    webhook.register_where(selector).await;
    node(&cluster, "podgrace-e2e-modes").await;
    let mut told = Vec::new();
    for mode in ["enforce", "audit", "off"] {
        let labels = json!({"podgrace.io/mode": mode, "podgrace-e2e/modes": "yes"});
        let namespace = cluster
            .labelled_namespace(&format!("modes-{mode}"), labels)
            .await;
        eventually("the API server asks the webhook", || async {
            cluster.try_pod(&namespace, &pod("asked")).await.accepted();
            webhook.calls(&namespace, "asked") > 0
        })
        .await;
        for (kind, fate) in [
            ("Deployment", Fate::Injected),
            ("StatefulSet", Fate::OnlySleep),
            ("DaemonSet", Fate::Injected),
            ("Job", Fate::LeftAlone),
            ("Pod", Fate::Injected),
        ] {
            let name = kind.to_lowercase();
            let object = match kind {
                "Pod" => {
                    let mut pod = pod(&name);
                    pod["metadata"]["labels"] = json!({"app": name});
                    pod
                }
                "Job" => workload(kind, &name, json!({"spec": {"restartPolicy": "Never"}})),
                _ => workload(kind, &name, json!({})),
            };
            let warnings = cluster.create_by_kubectl(&namespace, &object).await;
            let made = first_pod(&cluster, &namespace, &name).await;
            let fate = if mode == "enforce" {
                fate
            } else {
                Fate::LeftAlone
            };
            fate.holds(&made, &format!("{kind} in {mode}"));
            // Of a pod that a controller makes, the controller is told.
            let would = warnings
                .iter()
                .filter(|w| w.contains("podgrace would inject"));
            let expected = if (kind, mode) == ("Pod", "audit") {
                3
            } else {
                0
            };
            assert_eq!(would.count(), expected, "{kind} in {mode}: {warnings:?}");
        }
        if let Some(log) = &cluster.audit_log {
            told.push(format!("{mode} {}", recorded(log, &namespace, mode).await));
        }
    }
    Outcome::Passed(format!(
        "pods in the audit log by mode: {}",
        told.join(", ")
    ))
}

/// How many pods of a namespace the API server's audit log tells of with that mode, those of controllers too. All of
/// them do, so at least five.
async fn recorded(log: &Path, namespace: &str, mode: &str) -> usize {
    arrival(&format!("pods in the audit log as {mode}"), || async {
        let text = std::fs::read_to_string(log).ok()?;
        let events = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let modes = events
            .filter(|event| event["objectRef"]["namespace"] == *namespace)
            .filter(|event| event["annotations"]["modes.podgrace.io/mode"] == mode);
        Some(modes.count()).filter(|count| *count >= 5)
    })
    .await
}

/// A DaemonSet makes pods for nodes only; whether anybody is there does not matter to it.
async fn node(cluster: &Cluster, name: &str) {
    let node = json!({"metadata": {"name": name}});
    cluster.global("/api/v1/nodes", node).await;
}

pub(super) async fn run(cluster: Arc<Cluster>) -> Outcome {
    if !cluster.controllers {
        return Outcome::Skipped("there is no kube-controller-manager".into());
    }
    let webhook = Webhook::start(&cluster, "workloads", None).await;
    let namespace = cluster.namespace("workloads").await;
    webhook.register(&namespace).await;
    node(&cluster, "podgrace-e2e").await;

    let ready_when_alive =
        json!({"httpGet": {"path": "/healthz", "port": "http"}, "timeoutSeconds": 2});
    for (kind, name, change, fate) in [
        ("Deployment", "web", json!({}), Fate::Injected),
        ("ReplicaSet", "set", json!({}), Fate::Injected),
        ("ReplicationController", "old", json!({}), Fate::Injected),
        ("DaemonSet", "daemon", json!({}), Fate::Injected),
        // Its peers may need to find it before it is Ready.
        ("StatefulSet", "quorum", json!({}), Fate::OnlySleep),
        // Ready already means alive.
        (
            "StatefulSet",
            "store",
            json!({"spec": {"containers": [{"readinessProbe": ready_when_alive}]}}),
            Fate::Injected,
        ),
        (
            "StatefulSet",
            "asked",
            json!({"metadata": {"annotations": {"podgrace.io/startup-probe": "liveness"}}}),
            Fate::Injected,
        ),
        (
            "Job",
            "once",
            json!({"spec": {"restartPolicy": "Never"}}),
            Fate::LeftAlone,
        ),
        (
            "Deployment",
            "audited",
            json!({"metadata": {"labels": {"podgrace.io/mode": "audit"}}}),
            Fate::LeftAlone,
        ),
        (
            "Deployment",
            "off",
            json!({"metadata": {"labels": {"podgrace.io/mode": "off"}}}),
            Fate::LeftAlone,
        ),
    ] {
        let path = match kind {
            "Job" => format!("/apis/batch/v1/namespaces/{namespace}/jobs"),
            "ReplicationController" => {
                format!("/api/v1/namespaces/{namespace}/replicationcontrollers")
            }
            _ => format!(
                "/apis/apps/v1/namespaces/{namespace}/{}s",
                kind.to_lowercase()
            ),
        };
        let workload = workload(kind, name, change);
        cluster.create(&path, &workload, false).await.accepted();
        let pod = first_pod(&cluster, &namespace, name).await;
        let title = format!("{kind} {name}");
        fate.holds(&pod, &title);

        // The template is nobody's but its owner's.
        let stored = cluster.get(&path, name).await.accepted();
        let template = &stored["spec"]["template"]["spec"];
        assert_eq!(template["terminationGracePeriodSeconds"], 30, "{title}");
        assert!(template["containers"][0].get("startupProbe").is_none());
    }
    passed()
}

/// A workload of [`web`], its template changed by `change`.
fn workload(kind: &str, name: &str, change: Value) -> Value {
    let labels = json!({"app": name});
    let mut template = json!({
        "metadata": {"labels": labels},
        "spec": {"containers": [web()]},
    });
    merge(&mut template, change);
    let mut spec = json!({"template": template});
    match kind {
        "Job" => {}
        "ReplicationController" => spec["selector"] = labels,
        _ => spec["selector"] = json!({"matchLabels": labels}),
    }
    if kind == "StatefulSet" {
        spec["serviceName"] = name.into();
    }
    let version = match kind {
        "Job" => "batch/v1",
        "ReplicationController" => "v1",
        _ => "apps/v1",
    };
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// Lays one value over another, lists place by place.
fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (Value::Array(base), Value::Array(over)) => {
            for (base, over) in base.iter_mut().zip(over) {
                merge(base, over);
            }
        }
        (base, over) => *base = over,
    }
}

async fn first_pod(cluster: &Cluster, namespace: &str, app: &str) -> Value {
    let selector = format!("app={app}");
    arrival(&format!("a pod of {app}"), || async {
        cluster.list(&pods(namespace), &selector).await.pop()
    })
    .await
}
