//! Pods that controllers make.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Outcome, passed, web};
use crate::cluster::{Cluster, arrival, pods};
use crate::webhook::Webhook;

/// What becomes of a workload's pods.
enum Fate {
    Injected,
    /// All but the startup probe.
    OnlySleep,
    LeftAlone,
}

pub(super) async fn run(cluster: Arc<Cluster>) -> Outcome {
    if !cluster.controllers {
        return Outcome::Skipped("there is no kube-controller-manager".into());
    }
    let webhook = Webhook::start(&cluster, "workloads", None).await;
    let namespace = cluster.namespace("workloads").await;
    webhook.register(&namespace).await;
    // A DaemonSet makes pods for nodes only; whether anybody is there does not matter to it.
    let node = json!({"metadata": {"name": "podgrace-e2e"}});
    cluster.global("/api/v1/nodes", node).await;

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
        let container = &pod["spec"]["containers"][0];
        let (probe, sleep, grace) = match fate {
            Fate::Injected => (true, true, 35),
            Fate::OnlySleep => (false, true, 35),
            Fate::LeftAlone => (false, false, 30),
        };
        let title = format!("{kind} {name}: {container:#}");
        assert_eq!(container.get("startupProbe").is_some(), probe, "{title}");
        assert_eq!(container.get("lifecycle").is_some(), sleep, "{title}");
        assert_eq!(
            pod["spec"]["terminationGracePeriodSeconds"], grace,
            "{title}"
        );
        let record = pod["metadata"]["annotations"].get("podgrace.io/injected");
        assert_eq!(record.is_some(), probe || sleep, "{title}");

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
    json!({"metadata": {"name": name}, "spec": spec})
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
