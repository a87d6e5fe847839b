//! What must hold on a real API server, one file for each story.

mod audit_log;
mod audited;
mod bare;
mod certificates;
mod chart;
mod corners;
mod deployed;
mod doctor;
mod expired;
mod explained;
mod invariants;
mod kept;
mod killed;
mod makers;
mod namespaces;
mod node;
mod page;
mod plugin;
mod reinvocation;
mod switched;
mod versions;
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
    // First, while no other webhook is registered: it looks at all of them.
    ("the doctor before and after the installation", |c| {
        Box::pin(doctor::installed(c))
    }),
    ("the doctor on namespaces", |c| {
        Box::pin(doctor::namespaces(c))
    }),
    ("the doctor on pods that were missed", |c| {
        Box::pin(doctor::missed(c))
    }),
    ("the doctor on certificates", |c| {
        Box::pin(doctor::certificates(c))
    }),
    ("the doctor on settings", |c| Box::pin(doctor::settings(c))),
    ("the doctor without permission", |c| {
        Box::pin(doctor::permissions(c))
    }),
    ("the doctor without a cluster", |c| {
        Box::pin(doctor::nowhere(c))
    }),
    ("a bare pod", |c| Box::pin(bare::run(c))),
    ("kubectl sees warnings", |c| Box::pin(bare::warnings(c))),
    ("a plugin of kubectl", |c| Box::pin(plugin::run(c))),
    ("pods of workloads", |c| Box::pin(workloads::run(c))),
    ("workloads in each mode", |c| Box::pin(workloads::modes(c))),
    ("the audit log", |c| Box::pin(audit_log::run(c))),
    ("audited by choice", |c| Box::pin(audited::chosen(c))),
    ("audited like its files", |c| {
        Box::pin(audited::like_files(c))
    }),
    ("audited page by page", |c| Box::pin(audited::paged(c))),
    ("another webhook's sidecar", |c| {
        Box::pin(reinvocation::run(c))
    }),
    ("what Ignore does not cover", |c| {
        Box::pin(reinvocation::not_ignored(c))
    }),
    ("the webhook is killed", |c| Box::pin(killed::run(c))),
    ("a Namespace changes", |c| Box::pin(namespaces::changed(c))),
    ("pods of a new Namespace", |c| {
        Box::pin(namespaces::fresh(c))
    }),
    ("the sleep as stated", |c| Box::pin(versions::stated(c))),
    ("the sleep by an emulated version", |c| {
        Box::pin(versions::emulated(c))
    }),
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
    ("certificates are healed", |c| {
        Box::pin(certificates::healed(c))
    }),
    ("certificates expire", |c| Box::pin(expired::run(c))),
    ("no API server at the start", |c| {
        Box::pin(certificates::unreachable(c))
    }),
    ("corners", |c| Box::pin(corners::run(c))),
    ("generated pods", |c| Box::pin(invariants::run(c))),
];

/// The same, for those that mostly wait. They have a control plane of their own, beside the others.
pub(crate) const BESIDE: &[(&str, Scenario)] = &[
    ("certificates are renewed", |c| {
        Box::pin(certificates::renewed(c))
    }),
    ("the API server is away", |c| Box::pin(namespaces::away(c))),
    ("the sleep by the nodes", |c| Box::pin(versions::nodes(c))),
];

/// What needs real containers. They share one node, and run where it runs: its addresses are theirs.
pub(crate) const NODE: &[(&str, Scenario)] = &[
    ("a node runs pods", |c| Box::pin(node::runs_pods(c))),
    ("explained beside what pods did", |c| {
        Box::pin(explained::run(c))
    }),
    ("the pages on installing", |c| Box::pin(page::run(c))),
    ("podgrace in a pod", |c| Box::pin(deployed::confined(c))),
    // Before other scenarios have made pods past a webhook that was away.
    ("the doctor and the chart", |c| {
        Box::pin(doctor::deployed::run_all(c))
    }),
    ("containers of a Deployment", |c| {
        Box::pin(deployed::injected(c))
    }),
    ("podgrace's pods are killed", |c| {
        Box::pin(deployed::killed(c))
    }),
    ("no replica is left", |c| Box::pin(deployed::cold_start(c))),
    ("podgrace is restarted", |c| {
        Box::pin(deployed::restarted(c))
    }),
    ("podgrace's certificate is renewed", |c| {
        Box::pin(kept::rotated(c))
    }),
    ("podgrace's manifests are applied", |c| {
        Box::pin(kept::applied(c))
    }),
    ("podgrace is switched off", |c| Box::pin(switched::off(c))),
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
