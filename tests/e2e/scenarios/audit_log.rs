//! What was done to a pod is in the API server's audit log.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Outcome, passed, pod};
use crate::cluster::{Cluster, arrival};
use crate::webhook::Webhook;

pub(super) async fn run(cluster: Arc<Cluster>) -> Outcome {
    let Some(log) = cluster.audit_log.clone() else {
        return Outcome::Skipped("the cluster's audit log is elsewhere".into());
    };
    let webhook = Webhook::start(&cluster, "audited", None).await;
    let namespace = cluster.namespace("audited").await;
    webhook.register(&namespace).await;

    let mut warned = pod("warned");
    warned["metadata"]["labels"] = json!({"podgrace.io/mode": "audit"});
    for pod in [&pod("web"), &warned] {
        cluster.try_pod(&namespace, pod).await.accepted();
    }
    for (name, mode) in [("web", "enforce"), ("warned", "audit")] {
        let annotations = arrival(&format!("{name} in the audit log"), || async {
            let text = std::fs::read_to_string(&log).ok()?;
            let mut events = text
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok());
            events.find_map(|mut event| {
                let object = &event["objectRef"];
                let ours = object["namespace"] == *namespace && object["name"] == name;
                ours.then(|| event["annotations"].take())
            })
        })
        .await;
        let said = |key: &str| annotations[format!("audited.podgrace.io/{key}")].as_str();
        assert_eq!(said("mode"), Some(mode), "{annotations:#}");
        let changes = said("changes").unwrap_or_default();
        assert!(
            changes.contains("startupProbe") && changes.contains("preStop"),
            "{annotations:#}"
        );
        // The API server's own record of who changed what.
        let patched = annotations
            .as_object()
            .into_iter()
            .flatten()
            .any(|(key, value)| {
                key.starts_with("patch.webhook.admission.k8s.io/")
                    && value.as_str().is_some_and(|v| v.contains("startupProbe"))
            });
        // It is written at the level Request and above only.
        assert!(!patched || mode == "enforce", "{annotations:#}");
    }
    passed()
}
