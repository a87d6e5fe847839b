//! One side of a row: a namespace with the row's manifests, and what is done to it.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::observe::now;
use super::report::data::{Mark, Side};
use super::report::rows::{Action, Row};
use crate::cluster::{Cluster, pods};
use crate::helm::said;

/// How long an action may take to have its effect: some never have.
const PATIENCE: Duration = Duration::from_secs(180);

pub(crate) struct Place {
    cluster: Arc<Cluster>,
    pub(crate) side: Side,
    pub(crate) namespace: String,
}

impl Place {
    /// Makes the namespace. Those of the two sides differ in the value of one label, and in their names.
    pub(crate) async fn make(cluster: &Arc<Cluster>, row: &Row, side: Side) -> Self {
        let namespace = format!("row-{}-{}", row.id, side.name());
        let annotations: Value = row.namespace.iter().copied().collect();
        let object = json!({"metadata": {
            "name": namespace,
            "labels": {"podgrace.io/mode": side.mode()},
            "annotations": annotations,
        }});
        cluster
            .create("/api/v1/namespaces", &object, false)
            .await
            .accepted();
        Self {
            cluster: Arc::clone(cluster),
            side,
            namespace,
        }
    }

    /// Applies the row's manifests as anybody would.
    pub(crate) async fn apply(&self, row: &Row) {
        let mut command = Command::new(self.cluster.kubectl.as_ref().expect("kubectl"));
        command.env("KUBECONFIG", &self.cluster.kubeconfig);
        command.args(["apply", "--namespace", &self.namespace, "--filename"]);
        command.arg(row.manifest_file());
        let applied = tokio::task::spawn_blocking(move || said(&mut command)).await;
        applied.expect("no panic").unwrap_or_else(|why| panic!("kubectl: {why}"));
    }

    /// The Service's address.
    pub(crate) async fn address(&self) -> String {
        let path = format!("/api/v1/namespaces/{}/services", self.namespace);
        let service = self.cluster.get(&path, "web").await.accepted();
        let address = service["spec"]["clusterIP"].as_str();
        format!("{}:80", address.expect("an address"))
    }

    /// Does what the row does; returns what was done and when it had its effect.
    pub(crate) async fn act(&self, action: Action) -> Vec<Mark> {
        let mut marks = Vec::new();
        let mut mark = |what: &str| {
            marks.push(Mark {
                at: now(),
                what: what.to_owned(),
            });
        };
        match action {
            Action::Rollout => {
                mark("rollout");
                self.restart().await;
                mark(self.settled().await);
            }
            Action::Scale(steps) => {
                for replicas in steps {
                    mark(&format!("scale to {replicas}"));
                    self.merge(json!({"spec": {"replicas": replicas}})).await;
                    mark(self.settled().await);
                }
            }
        }
        marks
    }

    /// As `kubectl rollout restart` does it.
    async fn restart(&self) {
        let annotations = json!({"kubectl.kubernetes.io/restartedAt": now().to_string()});
        let template = json!({"metadata": {"annotations": annotations}});
        self.merge(json!({"spec": {"template": template}})).await;
    }

    async fn merge(&self, change: Value) {
        self.cluster
            .merge(&self.deployments(), "web", &change)
            .await
            .accepted();
    }

    fn deployments(&self) -> String {
        format!("/apis/apps/v1/namespaces/{}/deployments", self.namespace)
    }

    /// Waits until exactly the replicas that are wanted are there and available, all of the newest template.
    pub(crate) async fn settled(&self) -> &'static str {
        let since = Instant::now();
        while !self.is_settled().await {
            if since.elapsed() > PATIENCE {
                return "given up";
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        "settled"
    }

    async fn is_settled(&self) -> bool {
        let stored = self.cluster.get(&self.deployments(), "web").await.accepted();
        let (spec, status) = (&stored["spec"], &stored["status"]);
        let count = |name: &str| status[name].as_u64().unwrap_or(0);
        let wanted = spec["replicas"].as_u64().unwrap_or(1);
        let seen = status["observedGeneration"] == stored["metadata"]["generation"];
        let all = ["replicas", "updatedReplicas", "availableReplicas"];
        // Who leaves is counted by no status.
        seen && all.iter().all(|name| count(name) == wanted)
            && self.pods().await.len() as u64 == wanted
    }

    pub(crate) async fn pods(&self) -> Vec<Value> {
        self.cluster.list(&pods(&self.namespace), "app=web").await
    }

    /// Removes everything, and waits for it.
    pub(crate) async fn remove(self) {
        self.cluster
            .delete("/api/v1/namespaces", &self.namespace)
            .await
            .accepted();
        let since = Instant::now();
        while !self.cluster.list(&pods(&self.namespace), "").await.is_empty() {
            assert!(since.elapsed() < PATIENCE, "pods of {} stay", self.namespace);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
