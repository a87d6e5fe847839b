//! Another webhook adds a sidecar, before us or after us.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Outcome, passed, pod};
use crate::another;
use crate::cluster::{Cluster, WEBHOOKS, eventually};
use crate::pki::Authority;
use crate::webhook::{Webhook, registration};

pub(super) async fn run(cluster: Arc<Cluster>) -> Outcome {
    if std::env::var_os("PODGRACE_E2E_HOST").is_some() {
        return Outcome::Skipped("the other webhook listens on loopback only".into());
    }
    let webhook = Webhook::start(&cluster, "inject", None).await;
    let authority = Authority::new("another webhook");
    let address = another::serve(&authority, sidecar).await;
    let mut pods = Vec::new();
    // Configurations are asked in the order of their names.
    for order in ["after", "before"] {
        let namespace = cluster.namespace(&format!("sidecar-{order}")).await;
        let name = match order {
            "after" => "zz.sidecars.example",
            _ => "aa.sidecars.example",
        };
        let other = registration(name, &namespace, &address, &authority.pem);
        cluster.global(WEBHOOKS, other).await;
        eventually("a sidecar", || async {
            let made = cluster.try_pod(&namespace, &pod("web")).await.accepted();
            made["spec"]["containers"]
                .as_array()
                .is_some_and(|c| c.len() == 2)
        })
        .await;
        webhook
            .register_as(&format!("inject-{order}"), &namespace)
            .await;
        let made = cluster.try_pod(&namespace, &pod("web")).await.accepted();
        let containers = made["spec"]["containers"].as_array().expect("containers");
        assert_eq!(containers.len(), 2, "one sidecar, once");
        for container in containers {
            assert!(container["startupProbe"].is_object(), "{container:#}");
            assert_eq!(container["lifecycle"]["preStop"], cluster.sleep(5));
        }
        let grace = made["spec"]["terminationGracePeriodSeconds"].as_i64();
        pods.push((
            grace.expect("a number"),
            made["metadata"]["annotations"].clone(),
        ));
    }
    let [(after, record), (before, _)] = pods.as_slice() else {
        unreachable!("two orders");
    };
    // The second pass cannot know that the grace period was lengthened for the same seconds.
    assert!(after >= before && *after <= before + 5, "{after} {before}");
    assert!(record["podgrace.io/injected"].is_string(), "{record:#}");
    Outcome::Passed(format!("grace period {before} before us, {after} after us"))
}

/// A serving sidecar for a pod that has none.
fn sidecar(pod: &Value) -> Option<Value> {
    let alone = pod["spec"]["containers"].as_array()?.len() == 1;
    alone.then(|| {
        json!([{"op": "add", "path": "/spec/containers/-", "value": {
            "name": "cache",
            "image": "registry.example/cache:1",
            "livenessProbe": {"tcpSocket": {"port": 6379}},
        }}])
    })
}

/// Why each of our patches is applied here before it is sent: `failurePolicy: Ignore` helps nobody whose
/// webhook sends one that does not apply, or that makes something else than a pod.
pub(super) async fn not_ignored(cluster: Arc<Cluster>) -> Outcome {
    if std::env::var_os("PODGRACE_E2E_HOST").is_some() {
        return Outcome::Skipped("the other webhook listens on loopback only".into());
    }
    let authority = Authority::new("a broken webhook");
    let missing_parent: another::Patch =
        |_| Some(json!([{"op": "add", "path": "/spec/nothing/there", "value": 1}]));
    let no_pod: another::Patch =
        |_| Some(json!([{"op": "add", "path": "/spec/containers/0/image", "value": {}}]));
    let no_patch: another::Patch = |_| Some(json!({"not": "a patch"}));
    for (name, patch, status) in [
        ("missing-parent", missing_parent, 500),
        ("no-pod", no_pod, 500),
        // This is ignored by now; 1.29.6 did not.
        (
            "no-patch",
            no_patch,
            if cluster.minor < 30 { 500 } else { 201 },
        ),
    ] {
        let address = another::serve(&authority, patch).await;
        let namespace = cluster.namespace(&format!("broken-{name}")).await;
        let name = format!("{name}.broken.example");
        let other = registration(&name, &namespace, &address, &authority.pem);
        cluster.global(WEBHOOKS, other).await;
        // An API server learns of a configuration a little later.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let reply = cluster.try_pod(&namespace, &pod("web")).await;
        assert_eq!(reply.status, status, "{name}: {}", reply.message());
    }
    passed()
}
