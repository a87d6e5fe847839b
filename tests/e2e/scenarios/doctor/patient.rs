//! A webhook that is registered as the chart does it, and a namespace that wants it.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::cluster::{Cluster, WEBHOOKS};
use crate::doctor::{Visit, desk};
use crate::pki;
use crate::webhook::Webhook;

/// The configuration.
pub(super) const NAME: &str = "podgrace-e2e-doctor";

/// What the CA's file is called in the folder in which commands are run.
const CA_FILE: &str = "ca.crt";

pub(super) struct Patient {
    cluster: Arc<Cluster>,
    pub(super) webhook: Webhook,
    pub(super) namespace: String,
}

impl Patient {
    /// A webhook that nobody calls, and a namespace that says nothing.
    pub(super) async fn new(cluster: &Arc<Cluster>, name: &str) -> Self {
        let configuration = configuration("enforce");
        let webhook = Webhook::start(cluster, name, Some(&configuration)).await;
        pki::write(&desk(cluster), CA_FILE, webhook.ca());
        Self {
            cluster: Arc::clone(cluster),
            webhook,
            namespace: cluster.namespace(name).await,
        }
    }

    /// The same, registered, and the namespace in.
    pub(super) async fn well(cluster: &Arc<Cluster>, name: &str) -> Self {
        let patient = Self::new(cluster, name).await;
        let label = json!({"metadata": {"labels": {"podgrace.io/mode": "enforce"}}});
        let namespace = cluster.merge("/api/v1/namespaces", &patient.namespace, &label);
        namespace.await.accepted();
        patient.register(&json!({})).await;
        patient.eventually(&[]).await;
        patient
    }

    /// Where its namespace's Deployments are.
    pub(super) fn deployments(&self) -> String {
        format!("/apis/apps/v1/namespaces/{}/deployments", self.namespace)
    }

    /// What is found in its namespace.
    pub(super) fn visit_own(&self) -> Visit {
        Visit::pay(&self.cluster, &["-n", &self.namespace])
    }

    /// Waits until these are the findings.
    pub(super) async fn eventually(&self, findings: &[&str]) -> Visit {
        super::eventually(&self.cluster, findings).await
    }

    /// Registers the webhook, with `changes` laid over both of the chart's.
    pub(super) async fn register(&self, changes: &Value) {
        let wanted = json!(["enforce", "audit"]);
        let webhook = |name: &str, of_namespaces: Value, of_pods: Value| {
            let mut webhook = json!({
                "name": name,
                "clientConfig": self.webhook.client_config("/mutate"),
                "rules": [{
                    "apiGroups": [""], "apiVersions": ["v1"],
                    "resources": ["pods"], "operations": ["CREATE"], "scope": "Namespaced",
                }],
                "namespaceSelector": of_namespaces,
                "objectSelector": of_pods,
                "failurePolicy": "Ignore",
                "reinvocationPolicy": "IfNeeded",
                "sideEffects": "None",
                "timeoutSeconds": 2,
                "admissionReviewVersions": ["v1"],
            });
            for (key, value) in changes.as_object().into_iter().flatten() {
                webhook[key] = value.clone();
            }
            webhook
        };
        let webhooks = [
            webhook(
                "namespaces.podgrace.io",
                mode("In", &wanted),
                mode("NotIn", &json!(["off"])),
            ),
            webhook(
                "pods.podgrace.io",
                mode("NotIn", &wanted),
                mode("In", &wanted),
            ),
        ];
        self.unregister().await;
        let configuration = json!({"metadata": {"name": NAME}, "webhooks": webhooks});
        self.cluster.global(WEBHOOKS, configuration).await;
    }

    async fn unregister(&self) {
        if self.cluster.get(WEBHOOKS, NAME).await.is_accepted() {
            self.cluster.delete(WEBHOOKS, NAME).await.accepted();
        }
    }

    /// Has both webhooks carry that bundle.
    pub(super) async fn carries(&self, bundle: &Value) {
        let stored = self.cluster.get(WEBHOOKS, NAME).await.accepted();
        let mut webhooks = stored["webhooks"].clone();
        for webhook in webhooks.as_array_mut().expect("webhooks") {
            webhook["clientConfig"]["caBundle"] = bundle.clone();
        }
        let change = json!({"webhooks": webhooks});
        let changed = self.cluster.merge(WEBHOOKS, NAME, &change);
        changed.await.accepted();
    }

    /// Rewrites the webhook's configuration file.
    pub(super) fn configure(&self, mode: &str) {
        self.webhook.configure(&configuration(mode));
    }

    /// Leaves nothing that the next one would find.
    pub(super) async fn leave(self) {
        self.unregister().await;
        self.webhook.kill();
        let namespace = &self.namespace;
        self.cluster
            .delete("/api/v1/namespaces", namespace)
            .await
            .accepted();
    }
}

fn configuration(mode: &str) -> String {
    format!("apiVersion: podgrace.io/v1alpha1\nkind: PodgraceConfiguration\nmode: \"{mode}\"\n")
}

fn mode(operator: &str, values: &Value) -> Value {
    json!({"matchExpressions": [{"key": "podgrace.io/mode", "operator": operator, "values": values}]})
}
