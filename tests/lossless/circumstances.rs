//! What else goes on while pods are replaced: with Podgrace, or beside it.

use std::time::Duration;

use serde_json::json;

use super::images::SHELL;
use super::report::rows::Circumstance;
use crate::cluster::{Cluster, eventually};
use crate::deployed::Deployed;

/// The replicas that the chart has by itself.
const REPLICAS: u64 = 2;

/// How often something happens.
const EVERY: Duration = Duration::from_secs(2);

/// A namespace of processes that take all the processor that they can get.
const HOGS: &str = "hogs";

/// Has every sleep written as a command.
const AS_COMMAND: &[&str] = &["--set=config.sleepAction=exec"];

/// Makes what lasts for a whole row.
pub(crate) async fn begin(podgrace: &Deployed, circumstance: Circumstance) {
    match circumstance {
        Circumstance::PodgraceIsAway => {
            podgrace.scale(0).await;
            alone(podgrace, 0).await;
        }
        Circumstance::ExecSleep => anew(podgrace, AS_COMMAND).await,
        Circumstance::BusyNode => hogs(&podgrace.cluster).await,
        Circumstance::Usual | Circumstance::PodgraceRolls | Circumstance::PodgraceIsKilled => {}
    }
}

/// Ends it.
pub(crate) async fn end(podgrace: &Deployed, circumstance: Circumstance) {
    match circumstance {
        Circumstance::PodgraceIsAway => podgrace.scale(REPLICAS).await,
        Circumstance::ExecSleep => anew(podgrace, &[]).await,
        Circumstance::BusyNode => {
            let reply = podgrace.cluster.delete("/api/v1/namespaces", HOGS);
            reply.await.accepted();
        }
        Circumstance::Usual | Circumstance::PodgraceRolls | Circumstance::PodgraceIsKilled => {}
    }
    alone(podgrace, REPLICAS).await;
}

/// Does what happens again and again, until this is dropped.
pub(crate) async fn meanwhile(podgrace: &Deployed, circumstance: Circumstance) -> ! {
    loop {
        match circumstance {
            Circumstance::PodgraceRolls => {
                podgrace.restart().await;
                podgrace.ready(REPLICAS).await;
            }
            Circumstance::PodgraceIsKilled => {
                if let Some(id) = podgrace.processes().await.first() {
                    // It may have ended by itself.
                    let id = id.to_string();
                    let _ = std::process::Command::new("kill")
                        .args(["-KILL", &id])
                        .status();
                }
            }
            _ => {}
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// The release with these values, and with no replica that was started with others.
async fn anew(podgrace: &Deployed, values: &[&str]) {
    Deployed::install(&podgrace.cluster, values).await;
    podgrace.restart().await;
    alone(podgrace, REPLICAS).await;
}

/// Waits until that many replicas are Ready, and no other is left that would answer too.
async fn alone(podgrace: &Deployed, replicas: u64) {
    podgrace.ready(replicas).await;
    eventually("no other replica is left", || async {
        podgrace.pods().await.len() as u64 == replicas
    })
    .await;
}

async fn hogs(cluster: &Cluster) {
    let namespace = json!({"metadata": {"name": HOGS}});
    let reply = cluster.create("/api/v1/namespaces", &namespace, false);
    reply.await.accepted();
    let path = format!("/apis/apps/v1/namespaces/{HOGS}/deployments");
    let labels = json!({"app": HOGS});
    let object = json!({
        "metadata": {"name": HOGS},
        "spec": {
            "replicas": 4,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"terminationGracePeriodSeconds": 0, "containers": [{
                    "name": HOGS, "image": SHELL, "imagePullPolicy": "Never",
                    "command": ["sh", "-c", "while :; do :; done"],
                }]},
            },
        },
    });
    cluster.create(&path, &object, false).await.accepted();
    eventually("the node is busy", || async {
        let stored = cluster.get(&path, HOGS).await.accepted();
        stored["status"]["readyReplicas"] == 4
    })
    .await;
}
