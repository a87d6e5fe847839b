//! Who is sent to the webhook, and how often: the chart's configuration, pointed at a server of ours.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Outcome, without_helm};
use crate::cluster::{Cluster, WEBHOOKS, eventually};
use crate::helm;
use crate::scenarios::pod;
use crate::webhook::{Webhook, is_injected};

/// The label of a Namespace, that of a pod, and how often that pod is sent in scope opt-in and in scope cluster.
const SENT: [(&str, &str, usize, usize); 15] = [
    ("enforce", "", 1, 1),
    ("enforce", "enforce", 1, 1),
    ("enforce", "audit", 1, 1),
    ("enforce", "off", 0, 0),
    ("audit", "", 1, 1),
    ("audit", "enforce", 1, 1),
    ("audit", "off", 0, 0),
    ("", "", 0, 1),
    ("", "enforce", 1, 1),
    ("", "audit", 1, 1),
    ("", "off", 0, 0),
    ("off", "", 0, 0),
    ("off", "enforce", 1, 1),
    ("off", "audit", 1, 1),
    ("off", "off", 0, 0),
];

pub(in super::super) async fn run(cluster: Arc<Cluster>) -> Outcome {
    if let Some(skipped) = without_helm() {
        return skipped;
    }
    if cluster.foreign {
        return Outcome::Skipped("it registers a webhook for every namespace".into());
    }
    let mut namespaces = BTreeMap::new();
    for mode in ["enforce", "audit", "", "off"] {
        let labels = if mode.is_empty() {
            json!({})
        } else {
            json!({"podgrace.io/mode": mode})
        };
        let name = format!("selected{}{mode}", if mode.is_empty() { "" } else { "-" });
        namespaces.insert(mode, cluster.labelled_namespace(&name, labels).await);
    }
    // Its own Namespace, opted in by mistake.
    let labels = json!({"podgrace.io/mode": "enforce"});
    let own = cluster.labelled_namespace("selected-own", labels).await;
    for (at, scope) in ["opt-in", "cluster"].into_iter().enumerate() {
        let webhook = Webhook::start(&cluster, &format!("selected-{scope}"), None).await;
        let stream = helm::render(4, &own, &[format!("--set=scope={scope}")]).expect("rendered");
        let mut objects = helm::documents(&stream).into_iter();
        let mut configuration = objects
            .find(|object| object["kind"] == "MutatingWebhookConfiguration")
            .expect("a configuration");
        let each = configuration["webhooks"].as_array_mut().expect("webhooks");
        for hook in each {
            hook["clientConfig"] = webhook.client_config("/mutate");
        }
        cluster.global(WEBHOOKS, configuration).await;
        let first = &namespaces["enforce"];
        eventually("the API server asks the webhook", || async {
            is_injected(&cluster.try_pod(first, &pod("first")).await)
        })
        .await;
        for (of_namespace, of_pod, opt_in, whole) in SENT {
            let namespace = &namespaces[of_namespace];
            let name = format!("pod-{of_pod}-x");
            cluster
                .try_pod(namespace, &labelled(&name, of_pod))
                .await
                .accepted();
            let wanted = [opt_in, whole][at];
            let calls = webhook.calls(namespace, &name);
            assert_eq!(calls, wanted, "{scope}: {of_pod:?} in {of_namespace:?}");
        }
        for namespace in [&*own, "kube-system", "kube-public"] {
            cluster.has_account(namespace).await;
            cluster
                .try_pod(namespace, &labelled("never", "enforce"))
                .await
                .accepted();
            assert_eq!(webhook.calls(namespace, "never"), 0, "{scope}: {namespace}");
        }
        cluster.delete(WEBHOOKS, "podgrace").await.accepted();
        webhook.kill();
    }
    Outcome::Passed(format!(
        "{} kinds of pods in two scopes, none sent twice",
        SENT.len() + 3
    ))
}

fn labelled(name: &str, mode: &str) -> Value {
    let mut pod = pod(name);
    if !mode.is_empty() {
        pod["metadata"]["labels"] = json!({"podgrace.io/mode": mode});
    }
    pod
}
