//! What must hold on a real API server, one file for each story.

mod audit_log;
mod bare;
mod certificates;
mod chart;
mod corners;
mod deployed;
mod invariants;
mod killed;
mod makers;
mod node;
mod plugin;
mod reinvocation;
mod workloads;
mod written;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::cluster::Cluster;

/// How a scenario ended that did not panic.
pub(crate) enum Outcome {
    /// With a note on what was counted, or none.
    Passed(String),
    /// Why it could not be tried.
    Skipped(String),
}

pub(crate) type Scenario = fn(Arc<Cluster>) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What a control plane is enough for.
pub(crate) const ALL: &[(&str, Scenario)] = &[
    ("a bare pod", |c| Box::pin(bare::run(c))),
    ("kubectl sees warnings", |c| Box::pin(bare::warnings(c))),
    ("a plugin of kubectl", |c| Box::pin(plugin::run(c))),
    ("pods of workloads", |c| Box::pin(workloads::run(c))),
    ("the audit log", |c| Box::pin(audit_log::run(c))),
    ("another webhook's sidecar", |c| {
        Box::pin(reinvocation::run(c))
    }),
    ("what Ignore does not cover", |c| {
        Box::pin(reinvocation::not_ignored(c))
    }),
    ("the webhook is killed", |c| Box::pin(killed::run(c))),
    ("the chart's manifests", |c| {
        Box::pin(chart::manifests::run(c))
    }),
    ("the chart's selectors", |c| {
        Box::pin(chart::selectors::run(c))
    }),
    ("who writes a workload is told", |c| {
        Box::pin(written::run(c))
    }),
    ("the chart by Helm 4", |c| {
        Box::pin(chart::releases::run(c, 4, 4))
    }),
    ("the chart by Helm 3", |c| {
        Box::pin(chart::releases::run(c, 3, 3))
    }),
    ("the chart from Helm 3 to Helm 4", |c| {
        Box::pin(chart::releases::run(c, 3, 4))
    }),
    ("certificates are made", |c| Box::pin(certificates::made(c))),
    ("certificates are renewed", |c| {
        Box::pin(certificates::renewed(c))
    }),
    ("certificates are healed", |c| {
        Box::pin(certificates::healed(c))
    }),
    ("no API server at the start", |c| {
        Box::pin(certificates::unreachable(c))
    }),
    ("corners", |c| Box::pin(corners::run(c))),
    ("generated pods", |c| Box::pin(invariants::run(c))),
];

/// What needs real containers. They share one node, and run where it runs: its addresses are theirs.
pub(crate) const NODE: &[(&str, Scenario)] = &[
    ("a node runs pods", |c| Box::pin(node::runs_pods(c))),
    ("podgrace in a pod", |c| Box::pin(deployed::confined(c))),
    ("containers of a Deployment", |c| {
        Box::pin(deployed::injected(c))
    }),
    ("podgrace's pods are killed", |c| {
        Box::pin(deployed::killed(c))
    }),
    ("no replica is left", |c| Box::pin(deployed::cold_start(c))),
    ("podgrace is switched off", |c| {
        Box::pin(deployed::switched(c))
    }),
    ("podgrace is restarted", |c| {
        Box::pin(deployed::restarted(c))
    }),
];

fn passed() -> Outcome {
    Outcome::Passed(String::new())
}

/// A container that serves and says when it is alive.
fn web() -> Value {
    json!({
        "name": "web",
        "image": "registry.example/web:1",
        "ports": [{"name": "http", "containerPort": 8080}],
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "timeoutSeconds": 2},
    })
}

/// A pod of that one container.
pub(crate) fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [web()]},
    })
}
