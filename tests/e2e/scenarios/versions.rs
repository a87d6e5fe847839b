//! How sleeps are written, by the versions that are seen.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Outcome, pod};
use crate::cluster::{Cluster, arrival_within, eventually};
use crate::webhook::{Webhook, is_injected};

const NODES: &str = "/api/v1/nodes";

/// What an API server takes, and each way of saying how sleeps are to be written.
pub(super) async fn stated(cluster: Arc<Cluster>) -> Outcome {
    let native = json!({"sleep": {"seconds": 5}});
    let exec = json!({"exec": {"command": ["sleep", "5"]}});
    let takes_native = cluster.minor >= 30;

    // Why it must be negotiated at all.
    let plain = cluster.namespace("versions-plain").await;
    let mut sleeping = pod("web");
    sleeping["spec"]["containers"][0]["lifecycle"] = json!({"preStop": native});
    let reply = cluster.try_pod(&plain, &sleeping).await;
    assert_eq!(reply.is_accepted(), takes_native, "{}", reply.message());
    let mut notes = Vec::new();
    if !takes_native {
        assert!(
            reply.message().contains("must specify a handler type"),
            "{}",
            reply.message()
        );
        notes.push("a pod with a native sleep is rejected".to_owned());
    }

    for (form, hook) in [
        ("auto", Some(cluster.sleep(5))),
        ("exec", Some(exec)),
        ("native", Some(native)),
        ("off", None),
    ] {
        let name = format!("versions-{form}");
        let arguments = [
            format!("--kubeconfig={}", cluster.kubeconfig.display()),
            format!("--sleep-action={form}"),
        ];
        let webhook = Webhook::start_with(&cluster, &name, arguments).await;
        webhook.knows_its_cluster().await;
        let namespace = cluster.namespace(&name).await;
        if form == "native" && !takes_native {
            // Whoever states it is believed, also where it is wrong.
            webhook
                .register_pod(&name, &namespace, &never_ending())
                .await;
            let reply = cluster.try_pod(&namespace, &pod("web")).await;
            assert_eq!(reply.status, 422, "{:#}", reply.body);
            continue;
        }
        webhook.register(&namespace).await;
        let reply = cluster.try_pod(&namespace, &pod("web")).await;
        let container = &reply.body["spec"]["containers"][0];
        assert!(
            container["startupProbe"].is_object(),
            "{form}: {container:#}"
        );
        let is = container.get("lifecycle").map(|l| l["preStop"].clone());
        assert_eq!(is, hook, "{form}");
        notes.push(format!(
            "{form}: {}",
            hook.map_or_else(|| "none".to_owned(), |h| h.to_string())
        ));
    }
    Outcome::Passed(notes.join(", "))
}

/// A pod that is left alone in any case.
fn never_ending() -> Value {
    let mut pod = pod("registered");
    pod["metadata"]["labels"] = json!({"podgrace.io/mode": "off"});
    pod
}

/// A node with an old kubelet comes and goes; nobody restarts anything.
pub(super) async fn nodes(cluster: Arc<Cluster>) -> Outcome {
    if cluster.minor < 30 {
        return Outcome::Skipped("sleeps are never native here".into());
    }
    if cluster.foreign {
        return Outcome::Skipped("on real nodes pods would get the worse sleep meanwhile".into());
    }
    let webhook = Webhook::start(&cluster, "nodes", None).await;
    let namespace = cluster.namespace("nodes").await;
    webhook.register(&namespace).await;
    let mut notes = Vec::new();
    for (kubelet, hook, word) in [
        (
            Some("v1.29.6"),
            json!({"exec": {"command": ["sleep", "5"]}}),
            "exec",
        ),
        (None, cluster.sleep(5), "native"),
    ] {
        match kubelet {
            Some(version) => old_node(&cluster, version).await,
            None => {
                cluster.delete(NODES, OLD).await.accepted();
            }
        }
        let since = Instant::now();
        // The nodes are looked at every 30 s.
        arrival_within(Duration::from_secs(90), word, || async {
            let reply = cluster.try_pod(&namespace, &pod("web")).await;
            assert!(is_injected(&reply), "{}", reply.message());
            (reply.body["spec"]["containers"][0]["lifecycle"]["preStop"] == hook).then_some(())
        })
        .await;
        let oldest = kubelet.map_or("none", |_| "1.29");
        let server = cluster.minor;
        let begin = format!(
            "podgrace_sleep_action{{action=\"{word}\",apiserver=\"1.{server}\",oldest_kubelet=\"{oldest}\"}} 1"
        );
        assert_eq!(webhook.metrics("podgrace_sleep_action").await, [begin]);
        notes.push(format!(
            "{word} after {:.0} s",
            since.elapsed().as_secs_f64()
        ));
    }
    Outcome::Passed(format!(
        "a kubelet 1.29 came and went: {}",
        notes.join(", ")
    ))
}

const OLD: &str = "podgrace-e2e-old";

async fn old_node(cluster: &Cluster, kubelet: &str) {
    cluster
        .global(NODES, json!({"metadata": {"name": OLD}}))
        .await;
    let status = json!({"status": {"nodeInfo": {"kubeletVersion": kubelet}}});
    let name = format!("{OLD}/status");
    cluster.merge(NODES, &name, &status).await.accepted();
}

/// The version that an API server acts as counts, not that of its program.
pub(super) async fn emulated(cluster: Arc<Cluster>) -> Outcome {
    if cluster.foreign {
        return Outcome::Skipped("it needs an API server of its own".into());
    }
    // Three minor versions back is what an API server can be told to act as.
    let Some(minor) = cluster.minor.checked_sub(3).filter(|minor| *minor >= 31) else {
        return Outcome::Skipped("API servers act as another version from 1.34 on".into());
    };
    let folder = tempfile::tempdir().expect("a folder");
    let version = format!("--emulated-version=1.{minor}");
    let other = Cluster::with(folder.path(), &[&version])
        .await
        .expect("it starts");
    let other = Arc::new(other);
    let webhook = Webhook::start(&other, "emulated", None).await;
    let namespace = other.namespace("emulated").await;
    webhook.register(&namespace).await;
    eventually("the emulated version is seen", || async {
        let label = format!("apiserver=\"1.{minor}\"");
        let lines = webhook.metrics("podgrace_sleep_action").await;
        lines.len() == 1 && lines[0].contains(&label)
    })
    .await;
    let reply = other.try_pod(&namespace, &pod("web")).await.accepted();
    let hook = &reply["spec"]["containers"][0]["lifecycle"]["preStop"];
    assert_eq!(*hook, other.sleep(5));
    Outcome::Passed(format!(
        "1.{} that acts as 1.{minor} is taken for 1.{minor}",
        other.minor
    ))
}
