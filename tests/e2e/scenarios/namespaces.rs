//! What Namespaces say counts: as soon as they say it, from their first pod on, and as last known where the API
//! server is away.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Outcome, pod};
use crate::cable::{Cable, State};
use crate::cluster::{Cluster, Reply, arrival_within, eventually};
use crate::webhook::{Webhook, is_injected};

const NAMESPACES: &str = "/api/v1/namespaces";

/// A changed label or annotation is told by the watch: nothing is asked for, and nothing is waited for.
pub(super) async fn changed(cluster: Arc<Cluster>) -> Outcome {
    let webhook = Webhook::start(&cluster, "namespaces", None).await;
    let namespace = cluster.namespace("namespaces").await;
    webhook.register(&namespace).await;
    let asked = asked_for(&webhook).await;

    let mut lags = Vec::new();
    for seconds in 6..16 {
        let said = json!({"annotations": {"podgrace.io/pre-stop-sleep": format!("{seconds}s")}});
        let hook = cluster.sleep(seconds);
        lags.push(lag(&cluster, &namespace, said, |reply| hook_of(reply) == hook).await);
        for mode in ["audit", "enforce"] {
            let said = json!({"labels": {"podgrace.io/mode": mode}});
            let counts = |reply: &Reply| is_injected(reply) == (mode == "enforce");
            lags.push(lag(&cluster, &namespace, said, counts).await);
        }
    }
    assert_eq!(
        asked_for(&webhook).await,
        asked,
        "it is watched, not asked for"
    );
    lags.sort();
    let (median, most) = (lags[lags.len() / 2], lags[lags.len() - 1]);
    Outcome::Passed(format!(
        "{} changes, and from each to the answer for a pod that it counts for {} ms (median), {} ms at the most",
        lags.len(),
        median.as_millis(),
        most.as_millis()
    ))
}

/// The first pod of a Namespace comes with it, and perhaps before the watch has brought it: then it is asked for.
pub(super) async fn fresh(cluster: Arc<Cluster>) -> Outcome {
    let mut notes = Vec::new();
    for watches in [true, false] {
        let name = if watches { "fresh" } else { "fresh-asked-for" };
        let webhook = if watches {
            Webhook::start(&cluster, name, None).await
        } else {
            let kubeconfig = who_may_not_watch(&cluster).await;
            let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());
            Webhook::start_with(&cluster, name, [kubeconfig]).await
        };
        // For namespaces that are not there yet.
        let label = format!("podgrace-e2e/{name}");
        let first = cluster.namespace(name).await;
        say(&cluster, &first, json!({"labels": {&label: "yes"}})).await;
        webhook
            .register_where(json!({"matchLabels": {&label: "yes"}}))
            .await;
        eventually("the API server asks by the label", || async {
            is_injected(&tried(&cluster, &first).await)
        })
        .await;

        let (before, count) = (asked_for(&webhook).await, 30);
        for number in 0..count {
            let namespace = json!({"metadata": {
                "name": format!("podgrace-e2e-{name}-{number}"),
                "labels": {"app.kubernetes.io/part-of": "podgrace-e2e", &label: "yes"},
                "annotations": {"podgrace.io/pre-stop-sleep": "9s"},
            }});
            let made = cluster
                .create(NAMESPACES, &namespace, false)
                .await
                .accepted();
            let namespace = made["metadata"]["name"].as_str().expect("a name");
            // Without one no pod is made; whether somebody else made it first does not matter.
            let account = json!({"metadata": {"name": "default"}});
            let accounts = format!("{NAMESPACES}/{namespace}/serviceaccounts");
            cluster.create(&accounts, &account, false).await;
            let reply = tried(&cluster, namespace).await;
            assert!(reply.is_accepted(), "{}", reply.message());
            assert_eq!(hook_of(&reply), cluster.sleep(9), "{:?}", reply.warnings);
        }
        let asked = asked_for(&webhook).await - before;
        assert!(watches || asked == count, "{asked} of {count}");
        notes.push(format!("{asked} of {count} asked for"));
        let (status, text) = webhook.ready().await;
        assert_eq!(status, 200, "{text}");
        assert_eq!(text.contains("[+]namespaces ok\n"), watches, "{text}");
    }
    Outcome::Passed(format!(
        "every first pod as its Namespace says; with a watch {}, without {}",
        notes[0], notes[1]
    ))
}

/// A kubeconfig of somebody who may read each Namespace, and neither list nor watch them.
async fn who_may_not_watch(cluster: &Cluster) -> PathBuf {
    let name = "podgrace-e2e-reader";
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let rules = json!([{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}]);
    let role = json!({"metadata": {"name": name}, "rules": rules});
    cluster.global(&format!("{rbac}/clusterroles"), role).await;
    let account = cluster.namespace("reader").await;
    let binding = json!({
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": account}],
    });
    cluster
        .global(&format!("{rbac}/clusterrolebindings"), binding)
        .await;
    cluster.kubeconfig_of_account(&account, "default").await
}

/// The API server calls us, and we do not reach it: what was known serves, it is said, and it passes.
pub(super) async fn away(cluster: Arc<Cluster>) -> Outcome {
    if cluster.foreign {
        return Outcome::Skipped("the way to the API server is not ours to cut".into());
    }
    let cable = Cable::lay(&cluster, "away").await;
    let kubeconfig = format!("--kubeconfig={}", cable.kubeconfig.display());
    let webhook = Webhook::start_with(&cluster, "away", [kubeconfig.clone()]).await;
    webhook.knows_its_cluster().await;
    let namespace = cluster.namespace("away").await;
    webhook.register(&namespace).await;

    let mut notes = Vec::new();
    for (state, word, known, next) in [
        (State::Cut, "cut off", 7, 8),
        (State::Mute, "without a word", 8, 9),
    ] {
        let sleep = |seconds: u32| json!({"annotations": {"podgrace.io/pre-stop-sleep": format!("{seconds}s")}});
        say(&cluster, &namespace, sleep(known)).await;
        eventually("the annotation counts", || async {
            hook_of(&tried(&cluster, &namespace).await) == cluster.sleep(known)
        })
        .await;

        cable.set(state);
        let since = Instant::now();
        say(&cluster, &namespace, sleep(next)).await;
        let unknown = cluster.namespace(&format!("away-{known}")).await;
        webhook
            .register_as(&format!("away-{known}"), &unknown)
            .await;
        let mut served = 0;
        // A look that gets no answer is given up after 10 s, and there is one every 30 s.
        arrival_within(Duration::from_secs(60), "it is said", || async {
            let (status, text) = webhook.ready().await;
            assert_eq!(status, 200, "nothing fails closed: {text}");
            (text.contains("[+]api-server ok, but it has not answered for")
                && text.contains("what was known then holds"))
            .then_some(())
        })
        .await;
        let said = since.elapsed();
        assert_eq!(
            webhook.metrics("podgrace_apiserver_reachable ").await,
            ["podgrace_apiserver_reachable 0"]
        );
        for _ in 0..20 {
            let reply = tried(&cluster, &namespace).await;
            assert_eq!(hook_of(&reply), cluster.sleep(known), "{}", reply.message());
            served += 1;
        }
        // What an unknown Namespace says may be that its pods are to be left alone.
        let reply = tried(&cluster, &unknown).await;
        assert!(
            reply.is_accepted() && !is_injected(&reply),
            "{:#}",
            reply.body
        );
        assert!(
            reply.our_warnings().is_empty()
                && reply
                    .warnings
                    .iter()
                    .any(|w| w.contains("Podgrace could not")),
            "{:?}",
            reply.warnings
        );

        let since = Instant::now();
        cable.set(State::Whole);
        // A watch that says nothing is begun anew after a minute.
        arrival_within(
            Duration::from_secs(100),
            "what was changed meanwhile counts",
            || async {
                let reply = tried(&cluster, &namespace).await;
                (hook_of(&reply) == cluster.sleep(next)).then_some(())
            },
        )
        .await;
        eventually("pods of the unknown Namespace are injected", || async {
            is_injected(&tried(&cluster, &unknown).await)
        })
        .await;
        webhook.knows_its_cluster().await;
        assert_eq!(
            webhook.metrics("podgrace_apiserver_reachable ").await,
            ["podgrace_apiserver_reachable 1"]
        );
        notes.push(format!(
            "{word}: said after {:.1} s, {served} pods by what was known, back {:.1} s after",
            said.as_secs_f64(),
            since.elapsed().as_secs_f64()
        ));
    }

    // It knows nothing but the configuration: ready, as its certificate is in files, and pods are left alone.
    cable.set(State::Cut);
    let blind = Webhook::start_with(&cluster, "away-blind", [kubeconfig]).await;
    let namespace = cluster.namespace("away-blind").await;
    blind.register(&namespace).await;
    let reply = tried(&cluster, &namespace).await;
    assert!(
        reply.is_accepted() && !is_injected(&reply),
        "{:#}",
        reply.body
    );
    assert_eq!(blind.ready().await.0, 200);
    cable.set(State::Whole);
    blind.knows_its_cluster().await;
    assert!(is_injected(&tried(&cluster, &namespace).await));
    Outcome::Passed(notes.join("; "))
}

/// From the request that has a Namespace say something to the answer for the first pod for which it counts. Pods
/// are tried one after another without a pause.
async fn lag(
    cluster: &Cluster,
    namespace: &str,
    said: Value,
    counts: impl Fn(&Reply) -> bool,
) -> Duration {
    let since = Instant::now();
    say(cluster, namespace, said).await;
    while !counts(&tried(cluster, namespace).await) {
        assert!(since.elapsed() < Duration::from_secs(60), "it never counts");
    }
    since.elapsed()
}

/// Has a Namespace say something.
async fn say(cluster: &Cluster, namespace: &str, metadata: Value) {
    let change = json!({"metadata": metadata});
    cluster
        .merge(NAMESPACES, namespace, &change)
        .await
        .accepted();
}

async fn tried(cluster: &Cluster, namespace: &str) -> Reply {
    cluster.try_pod(namespace, &pod("web")).await
}

fn hook_of(reply: &Reply) -> Value {
    reply.body["spec"]["containers"][0]["lifecycle"]["preStop"].clone()
}

/// How many Namespaces it has asked for.
async fn asked_for(webhook: &Webhook) -> u64 {
    let begin = "podgrace_namespace_lookups_total{result=\"fetched\"} ";
    let lines = webhook.metrics(begin).await;
    let number = lines[0].strip_prefix(begin);
    number.and_then(|n| n.parse().ok()).expect("a number")
}
