//! Podgrace as its users have it: the chart by real Helm, its pods behind its Service, with the certificate that they
//! make themselves, the namespaces that they watch and the versions that they see.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::cluster::{Cluster, arrival, eventually, pods};
use crate::helm;
use crate::webhook::{get, is_injected};

/// The release, and what the chart makes of its name: Deployment, Service, configuration.
pub(crate) const RELEASE: &str = "podgrace";

/// Where it is installed.
pub(crate) const NAMESPACE: &str = "podgrace";

/// The Helm that does it.
const HELM: u8 = 4;

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/podgrace/deployments";

/// The release on a node, which has one: scenarios that run one after another change it by upgrades.
pub(crate) struct Deployed {
    pub(crate) cluster: Arc<Cluster>,
}

impl Deployed {
    /// Installs the chart, or has the release be as if it had been installed just now, with `values` as Helm's
    /// arguments for them and everything else as the chart has it. Waits until all replicas are Ready.
    pub(crate) async fn install(cluster: &Arc<Cluster>, values: &[&str]) -> Self {
        cluster.node().import_podgrace().expect("imported");
        let own = Self {
            cluster: Arc::clone(cluster),
        };
        own.make_namespace().await;
        own.upgrade(values).await;
        own.ready(2).await;
        own
    }

    /// Has Helm make the release what the chart and these values say.
    pub(crate) async fn upgrade(&self, values: &[&str]) {
        let chart = helm::chart();
        let words = [
            "upgrade",
            "--install",
            RELEASE,
            chart.to_str().expect("UTF-8"),
            "--reset-values",
            // What a scenario before this one changed by hand.
            "--force-conflicts",
        ];
        self.helm(&[&words, values].concat()).await;
    }

    /// Its Namespace, at the strictest of Pod Security's levels.
    async fn make_namespace(&self) {
        let namespaces = "/api/v1/namespaces";
        let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        let namespace = json!({"metadata": {"name": NAMESPACE, "labels": labels}});
        if self.cluster.get(namespaces, NAMESPACE).await.status == 404 {
            self.cluster
                .create(namespaces, &namespace, false)
                .await
                .accepted();
        }
    }

    /// Runs Helm on the release's Namespace, as a person would; it must succeed.
    pub(crate) async fn helm(&self, words: &[&str]) -> String {
        self.cluster.helm(HELM, NAMESPACE, words).await
    }

    /// A Namespace whose pods are injected, once they are.
    pub(crate) async fn enforced(&self, name: &str) -> String {
        let labels = json!({"podgrace.io/mode": "enforce"});
        let namespace = self.cluster.labelled_namespace(name, labels).await;
        self.asked(&namespace).await;
        namespace
    }

    /// Waits until a namespace's pods come back injected.
    pub(crate) async fn asked(&self, namespace: &str) {
        eventually("pods come back injected", || async {
            let pod = crate::scenarios::pod("web");
            let reply = self.cluster.try_pod(namespace, &pod).await;
            reply.is_accepted() && is_injected(&reply)
        })
        .await;
    }

    /// Waits until that many replicas and no others are Ready, all of the newest template.
    pub(crate) async fn ready(&self, replicas: u64) {
        arrival(&format!("{replicas} replicas of podgrace"), || async {
            let stored = self.cluster.get(DEPLOYMENTS, RELEASE).await.accepted();
            let status = &stored["status"];
            let count = |name: &str| status[name].as_u64().unwrap_or(0);
            let seen = status["observedGeneration"] == stored["metadata"]["generation"];
            let all = ["replicas", "updatedReplicas", "readyReplicas"];
            (seen && all.iter().all(|name| count(name) == replicas)).then_some(())
        })
        .await;
    }

    /// Its pods, also those that are leaving.
    pub(crate) async fn pods(&self) -> Vec<Value> {
        let selector = "app.kubernetes.io/name=podgrace,app.kubernetes.io/instance=podgrace";
        self.cluster.list(&pods(NAMESPACE), selector).await
    }

    /// Those that are not.
    async fn staying(&self) -> Vec<Value> {
        let mut pods = self.pods().await;
        pods.retain(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        pods
    }

    /// The addresses of its pods.
    pub(crate) async fn addresses(&self) -> Vec<String> {
        let pods = self.staying().await;
        let addresses = pods
            .iter()
            .filter_map(|pod| pod["status"]["podIP"].as_str());
        addresses.map(str::to_owned).collect()
    }

    /// What each of its pods says of itself, check by check.
    pub(crate) async fn told(&self) -> Vec<(u16, String)> {
        let mut told = Vec::new();
        for address in self.addresses().await {
            told.push(get(&format!("{address}:8080"), "/readyz?verbose").await);
        }
        told
    }

    /// The ids of its processes.
    pub(crate) async fn processes(&self) -> Vec<u32> {
        let pods = self.staying().await;
        let statuses = pods
            .iter()
            .map(|pod| &pod["status"]["containerStatuses"][0]);
        let ids = statuses.filter_map(|status| status["containerID"].as_str());
        let ids = ids.filter_map(|id| id.strip_prefix("containerd://"));
        ids.flat_map(crate::node::processes_of).collect()
    }

    pub(crate) async fn scale(&self, replicas: u64) {
        self.change(&json!({"spec": {"replicas": replicas}})).await;
    }

    /// Has every replica replaced, as `kubectl rollout restart` does.
    pub(crate) async fn restart(&self) {
        let now = format!("{:?}", std::time::SystemTime::now());
        let annotations = json!({"kubectl.kubernetes.io/restartedAt": now});
        self.change(&json!({"spec": {"template": {"metadata": {"annotations": annotations}}}}))
            .await;
    }

    async fn change(&self, change: &Value) {
        self.cluster
            .merge(DEPLOYMENTS, RELEASE, change)
            .await
            .accepted();
    }
}
