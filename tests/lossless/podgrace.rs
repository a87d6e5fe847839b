//! Podgrace as its users have it: the chart, by Helm, with the certificates that it makes itself.

use std::sync::Arc;

use crate::cluster::{Cluster, eventually};
use crate::helm::{chart, helm, said};
use crate::node::PODGRACE;
use crate::webhook::is_injected;

pub(crate) struct Podgrace {
    cluster: Arc<Cluster>,
}

impl Podgrace {
    /// Installs the chart and waits until it is asked.
    pub(crate) async fn install(cluster: &Arc<Cluster>) -> Result<Self, String> {
        cluster.node().import_podgrace()?;
        let (repository, tag) = PODGRACE.split_once(':').expect("a tag");
        let mut command = helm(4);
        command.env("KUBECONFIG", &cluster.kubeconfig);
        command.args(["install", "podgrace"]).arg(chart());
        command.args(["--namespace=podgrace-system", "--create-namespace"]);
        command.args(["--wait", "--timeout=3m"]);
        command.arg(format!("--set=image.repository={repository}"));
        command.arg(format!("--set=image.tag={tag},image.pullPolicy=Never"));
        let installed = tokio::task::spawn_blocking(move || said(&mut command)).await;
        installed.expect("no panic")?;
        Ok(Self {
            cluster: Arc::clone(cluster),
        })
    }

    /// Waits until a namespace's pods come back injected.
    pub(crate) async fn asked(&self, namespace: &str) {
        let pod = crate::scenarios::pod("asked");
        eventually("pods come back injected", || async {
            is_injected(&self.cluster.try_pod(namespace, &pod).await)
        })
        .await;
    }
}
