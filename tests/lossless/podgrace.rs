//! Podgrace as its users have it: the chart, by Helm, with the certificates that it makes itself. And what can happen
//! to it, or beside it, while somebody else's pods are replaced.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use kube::api::Patch;
use serde_json::{Value, json};

use super::observe::now;
use super::report::rows::Circumstance;
use crate::cluster::{Cluster, arrival, eventually, pods};
use crate::helm::{chart, helm, said};
use crate::node::{self, PODGRACE};
use crate::webhook::is_injected;

/// The release's name and, with `-system`, its Namespace.
const RELEASE: &str = "podgrace";
const NAMESPACE: &str = "podgrace-system";
const REPLICAS: u64 = 2;

/// How often something happens to it.
const EVERY: Duration = Duration::from_secs(2);

/// A Deployment that takes all the processor that it can get.
const HOGS: &str = "hogs";

pub(crate) struct Podgrace {
    cluster: Arc<Cluster>,
}

impl Podgrace {
    /// Installs the chart.
    pub(crate) async fn install(cluster: &Arc<Cluster>) -> Result<Self, String> {
        cluster.node().import_podgrace()?;
        let own = Self {
            cluster: Arc::clone(cluster),
        };
        own.helm("install", "native").await?;
        Ok(own)
    }

    /// Installs or upgrades, with that way to write sleeps.
    async fn helm(&self, word: &str, sleep_action: &str) -> Result<(), String> {
        let (repository, tag) = PODGRACE.split_once(':').expect("a tag");
        let mut command = helm(4);
        command.env("KUBECONFIG", &self.cluster.kubeconfig);
        command.args([word, RELEASE]).arg(chart());
        command.args(["--namespace", NAMESPACE, "--create-namespace"]);
        command.args(["--wait", "--timeout=3m"]);
        command.arg(format!("--set=image.repository={repository}"));
        command.arg(format!("--set=image.tag={tag},image.pullPolicy=Never"));
        command.arg(format!("--set=config.sleepAction={sleep_action}"));
        let installed = tokio::task::spawn_blocking(move || said(&mut command)).await;
        installed.expect("no panic")?;
        Ok(())
    }

    /// Waits until a namespace's pods come back injected.
    pub(crate) async fn asked(&self, namespace: &str) {
        let pod = crate::scenarios::pod("asked");
        eventually("pods come back injected", || async {
            is_injected(&self.cluster.try_pod(namespace, &pod).await)
        })
        .await;
    }

    /// Makes what lasts for a whole row.
    pub(crate) async fn before(&self, circumstance: Circumstance) -> Result<(), String> {
        match circumstance {
            Circumstance::PodgraceIsAway => self.scale(0).await,
            Circumstance::ExecSleep => self.sleeps("exec").await?,
            Circumstance::BusyNode => self.hogs(4).await,
            Circumstance::Usual | Circumstance::PodgraceRolls | Circumstance::PodgraceIsKilled => {}
        }
        Ok(())
    }

    /// Ends it.
    pub(crate) async fn after(&self, circumstance: Circumstance) -> Result<(), String> {
        match circumstance {
            Circumstance::PodgraceIsAway => self.scale(REPLICAS).await,
            Circumstance::ExecSleep => self.sleeps("native").await?,
            Circumstance::BusyNode => self.hogs(0).await,
            Circumstance::PodgraceRolls | Circumstance::PodgraceIsKilled => {
                self.ready(REPLICAS).await
            }
            Circumstance::Usual => {}
        }
        Ok(())
    }

    /// Does what happens again and again, until this is dropped.
    pub(crate) async fn meanwhile(&self, circumstance: Circumstance) -> ! {
        loop {
            match circumstance {
                Circumstance::PodgraceRolls => {
                    self.restart().await;
                    self.ready(REPLICAS).await;
                }
                Circumstance::PodgraceIsKilled => self.kill_one().await,
                _ => {}
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn kill_one(&self) {
        let pods = self.cluster.list(&pods(NAMESPACE), "").await;
        let statuses = pods
            .iter()
            .map(|pod| &pod["status"]["containerStatuses"][0]);
        let running = statuses.filter(|status| status["state"]["running"].is_object());
        let ids = running.filter_map(|status| status["containerID"].as_str());
        let mut ids = ids.filter_map(|id| id.strip_prefix("containerd://"));
        for id in ids.next().map(node::processes_of).unwrap_or_default() {
            // It may have ended by itself.
            let _ = Command::new("kill")
                .args(["-KILL", &id.to_string()])
                .status();
        }
    }

    async fn restart(&self) {
        let annotations = json!({"kubectl.kubernetes.io/restartedAt": now().to_string()});
        let template = json!({"metadata": {"annotations": annotations}});
        self.patch(json!({"spec": {"template": template}})).await;
    }

    async fn scale(&self, replicas: u64) {
        self.patch(json!({"spec": {"replicas": replicas}})).await;
        self.ready(replicas).await;
    }

    /// Changes the way to write sleeps, and waits until nobody writes them in another.
    async fn sleeps(&self, action: &str) -> Result<(), String> {
        self.helm("upgrade", action).await?;
        self.restart().await;
        self.ready(REPLICAS).await;
        Ok(())
    }

    async fn patch(&self, change: Value) {
        let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments");
        let (patch, params) = (Patch::Merge(change), Default::default());
        let reply = self.cluster.patch(&path, RELEASE, &patch, &params).await;
        reply.accepted();
    }

    /// Waits until that many replicas are there, all Ready, and no other pod.
    async fn ready(&self, replicas: u64) {
        let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments");
        arrival("podgrace's replicas", || async {
            let stored = self.cluster.get(&path, RELEASE).await.accepted();
            let status = &stored["status"];
            let seen = status["observedGeneration"] == stored["metadata"]["generation"];
            let all = ["replicas", "updatedReplicas", "readyReplicas"];
            let count = |name: &str| status[name].as_u64().unwrap_or(0);
            let pods = self.cluster.list(&pods(NAMESPACE), "").await;
            (seen
                && all.iter().all(|name| count(name) == replicas)
                && pods.len() as u64 == replicas)
                .then_some(())
        })
        .await;
    }

    /// That many processes that never wait, in a namespace of their own.
    async fn hogs(&self, count: u32) {
        if count == 0 {
            let reply = self.cluster.delete("/api/v1/namespaces", HOGS).await;
            reply.accepted();
            return;
        }
        let namespace = json!({"metadata": {"name": HOGS}});
        let reply = self.cluster.create("/api/v1/namespaces", &namespace, false);
        reply.await.accepted();
        let path = format!("/apis/apps/v1/namespaces/{HOGS}/deployments");
        let labels = json!({"app": HOGS});
        let object = json!({
            "metadata": {"name": HOGS},
            "spec": {
                "replicas": count,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"terminationGracePeriodSeconds": 0, "containers": [{
                        "name": HOGS, "image": super::images::SHELL, "imagePullPolicy": "Never",
                        "command": ["sh", "-c", "while :; do :; done"],
                    }]},
                },
            },
        });
        self.cluster.create(&path, &object, false).await.accepted();
        eventually("the node is busy", || async {
            let stored = self.cluster.get(&path, HOGS).await.accepted();
            stored["status"]["readyReplicas"] == count
        })
        .await;
    }
}
