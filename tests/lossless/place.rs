//! One side of a row: a namespace with the row's manifests, and what is done to it.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::observe::now;
use super::report::data::{Mark, Side};
use super::report::rows::{Action, Row};
use crate::cluster::{Cluster, pods};
use crate::helm::said;

/// How long an action may take to have its effect.
const PATIENCE: Duration = Duration::from_secs(180);

/// The same for one that never has it on one side.
const LITTLE_PATIENCE: Duration = Duration::from_secs(45);

/// What is said of an action that has had its effect.
const SETTLED: &str = "settled";

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
        applied
            .expect("no panic")
            .unwrap_or_else(|why| panic!("kubectl: {why}"));
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
            Action::Update(arguments) => {
                mark("rollout");
                let containers = json!([{"name": "web", "args": arguments}]);
                let change = json!({"spec": {"template": {"spec": {"containers": containers}}}});
                self.patch(&Patch::Strategic(change)).await;
                mark(self.settled_within(LITTLE_PATIENCE).await);
            }
            Action::Scale(steps) => {
                for replicas in steps {
                    mark(&format!("scale to {replicas}"));
                    let change = json!({"spec": {"replicas": replicas}});
                    self.patch(&Patch::Merge(change)).await;
                    mark(self.settled().await);
                }
            }
            Action::Delete | Action::DeleteAll | Action::Force => {
                let params = match action {
                    Action::Force => DeleteParams::default().grace_period(0),
                    _ => DeleteParams::default(),
                };
                let all = self.pods().await;
                let count = if action == Action::DeleteAll {
                    all.len()
                } else {
                    1
                };
                mark("delete");
                let deletions = all.iter().take(count).map(|pod| self.delete(pod, &params));
                futures::future::join_all(deletions).await;
                mark(self.settled().await);
            }
            Action::Evict => {
                let pod = self.pods().await.remove(0);
                let name = &pod["metadata"]["name"];
                let path = format!("{}/{}/eviction", pods(&self.namespace), text(name));
                let eviction = json!({
                    "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name},
                });
                mark("evict");
                self.cluster
                    .create(&path, &eviction, false)
                    .await
                    .accepted();
                mark(self.settled().await);
            }
        }
        marks
    }

    /// As `kubectl rollout restart` does it.
    async fn restart(&self) {
        let annotations = json!({"kubectl.kubernetes.io/restartedAt": now().to_string()});
        let template = json!({"metadata": {"annotations": annotations}});
        let change = json!({"spec": {"template": template}});
        self.patch(&Patch::Merge(change)).await;
    }

    async fn patch(&self, patch: &Patch<Value>) {
        let path = self.deployments();
        let params = PatchParams::default();
        let reply = self.cluster.patch(&path, "web", patch, &params).await;
        reply.accepted();
    }

    async fn delete(&self, pod: &Value, params: &DeleteParams) {
        let path = pods(&self.namespace);
        let name = text(&pod["metadata"]["name"]);
        self.cluster
            .delete_with(&path, name, params)
            .await
            .accepted();
    }

    fn deployments(&self) -> String {
        format!("/apis/apps/v1/namespaces/{}/deployments", self.namespace)
    }

    /// Waits until exactly the replicas that are wanted are there and available, all of the newest template.
    async fn settled(&self) -> &'static str {
        self.settled_within(PATIENCE).await
    }

    async fn settled_within(&self, patience: Duration) -> &'static str {
        let since = Instant::now();
        while !self.is_settled().await {
            if since.elapsed() > patience {
                return "given up";
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        SETTLED
    }

    /// Waits until every pod answers: one that nobody holds back is called available long before.
    pub(crate) async fn answers(&self) -> Result<(), String> {
        if self.settled().await != SETTLED {
            return Err(format!("{} never has its pods", self.namespace));
        }
        let client = reqwest::Client::new();
        let since = Instant::now();
        for pod in self.pods().await {
            let address = pod["status"]["podIP"].as_str().unwrap_or_default();
            // Of no such page it knows too.
            let url = format!("http://{address}:8080/live");
            let ask = || client.get(&url).timeout(Duration::from_secs(1)).send();
            while ask().await.is_err() {
                if since.elapsed() > PATIENCE {
                    return Err(format!("a pod of {} never answers", self.namespace));
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        Ok(())
    }

    async fn is_settled(&self) -> bool {
        let stored = self
            .cluster
            .get(&self.deployments(), "web")
            .await
            .accepted();
        let (spec, status) = (&stored["spec"], &stored["status"]);
        let count = |name: &str| status[name].as_u64().unwrap_or(0);
        let wanted = spec["replicas"].as_u64().unwrap_or(1);
        let seen = status["observedGeneration"] == stored["metadata"]["generation"];
        let all = ["replicas", "updatedReplicas", "availableReplicas"];
        if !seen || !all.iter().all(|name| count(name) == wanted) {
            return false;
        }
        // Who leaves is counted by no status, and who was just deleted still counts.
        let pods = self.pods().await;
        let leaves = |pod: &Value| !pod["metadata"]["deletionTimestamp"].is_null();
        pods.len() as u64 == wanted && !pods.iter().any(leaves)
    }

    pub(crate) async fn pods(&self) -> Vec<Value> {
        self.cluster.list(&pods(&self.namespace), "app=web").await
    }

    /// Removes everything, and waits for it. Nobody is served any more, so pods need not take their time.
    pub(crate) async fn remove(self) {
        self.cluster
            .delete("/api/v1/namespaces", &self.namespace)
            .await
            .accepted();
        let since = Instant::now();
        let at_once = DeleteParams::default().grace_period(0);
        let path = pods(&self.namespace);
        loop {
            let left = self.cluster.list(&path, "").await;
            if left.is_empty() {
                return;
            }
            assert!(
                since.elapsed() < PATIENCE,
                "pods of {} stay",
                self.namespace
            );
            for pod in &left {
                // It may be gone by now.
                let name = text(&pod["metadata"]["name"]);
                self.cluster.delete_with(&path, name, &at_once).await;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}
