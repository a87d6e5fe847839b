//! Podgrace as real pods behind its Service, and applications whose containers really run.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::makers::Makers;
use super::{Outcome, passed};
use crate::cluster::{Cluster, arrival, eventually, pods};
use crate::deployed::Deployed;
use crate::node;

/// An application that listens after two seconds and says nothing of starting or stopping.
const LATE: &str = "localhost/late:test";

/// It is what the image says: nobody, who can write nothing, and who ends when told to.
pub(super) async fn confined(cluster: Arc<Cluster>) -> Outcome {
    let own = Deployed::install(&cluster, &[]).await;
    for id in own.processes().await {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
        let line = |name: &str| {
            let lines = status.lines().filter_map(|line| line.strip_prefix(name));
            let mut words = lines.map(|rest| rest.split_whitespace().collect::<Vec<_>>());
            words.next_back().unwrap_or_default().join(" ")
        };
        assert_eq!(line("Uid:"), "65532 65532 65532 65532");
        assert_eq!(line("CapBnd:"), "0000000000000000");
        assert_eq!(line("NoNewPrivs:"), "1");
        assert_eq!(line("Seccomp:"), "2", "a filter");
        assert!(line("NSpid:").ends_with(" 1"), "{}", line("NSpid:"));
        let mounts = std::fs::read_to_string(format!("/proc/{id}/mountinfo")).expect("it runs");
        let root = mounts
            .lines()
            .find(|line| line.split(' ').nth(4) == Some("/"));
        let root = root
            .and_then(|line| line.split(' ').nth(5))
            .expect("a root");
        assert!(root.split(',').any(|option| option == "ro"), "{root}");
        // Neither users nor CAs come with the image.
        let root = Path::new("/proc").join(id.to_string()).join("root");
        for absent in ["etc/passwd", "etc/ssl", "bin", "lib", "lib64", "usr"] {
            assert!(!root.join(absent).exists(), "{absent}");
        }
    }

    let before = own.processes().await;
    assert_eq!(before.len(), 2);
    signal("TERM", before[0]);
    let ended = arrival("the container has ended by itself", || async {
        let pods = own.pods().await;
        let statuses = pods
            .iter()
            .map(|pod| &pod["status"]["containerStatuses"][0]);
        let mut ended = statuses.map(|status| status["lastState"]["terminated"].clone());
        ended.find(Value::is_object)
    })
    .await;
    assert_eq!(ended["exitCode"], 0, "{ended:#}");
    own.ready(2).await;
    passed()
}

/// A Deployment's containers carry what was added, wait with traffic until they listen, and sleep before they end.
pub(super) async fn injected(cluster: Arc<Cluster>) -> Outcome {
    let own = Deployed::install(&cluster, &[]).await;
    let namespace = own.enforced("injected").await;
    let image = node::base(LATE).entrypoint(&[
        "sh",
        "-c",
        "trap 'exit 0' TERM; sleep 2; httpd -f -p 8080 -h /tmp & wait",
    ]);
    cluster.node().import(&image).expect("imported");
    let deployments = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
    let workload = late("web", 2);
    cluster
        .create(&deployments, &workload, false)
        .await
        .accepted();

    let client = reqwest::Client::new();
    let mut seen = Vec::new();
    // Ready means that it answers at that moment, for each of the pods.
    arrival("all pods are Ready", || async {
        let pods = cluster.list(&pods(&namespace), "app=web").await;
        pods.iter()
            .filter(|pod| is_ready(pod))
            .nth(1)
            .is_some()
            .then_some(())
    })
    .await;
    for pod in cluster.list(&pods(&namespace), "app=web").await {
        let container = &pod["spec"]["containers"][0];
        assert_eq!(
            container["startupProbe"]["failureThreshold"], 150,
            "{container:#}"
        );
        assert_eq!(
            container["lifecycle"],
            json!({"preStop": {"sleep": {"seconds": 5}}})
        );
        assert_eq!(pod["spec"]["terminationGracePeriodSeconds"], 35);
        let address = pod["status"]["podIP"].as_str().expect("an address");
        let answer = client.get(format!("http://{address}:8080/")).send().await;
        // There is no such page; somebody answers.
        assert_eq!(answer.expect("it listens").status(), 404);
        seen.push(name(&pod));
    }

    let since = Instant::now();
    cluster.delete(&pods(&namespace), &seen[0]).await.accepted();
    eventually("the pod is gone", || async {
        cluster.get(&pods(&namespace), &seen[0]).await.status == 404
    })
    .await;
    let took = since.elapsed();
    assert!(took >= Duration::from_secs(5), "it slept: {took:?}");
    Outcome::Passed(format!(
        "a deleted pod was gone after {:.1} s",
        took.as_secs_f64()
    ))
}

/// The replicas are killed in turn while pods are made: none is turned away, and injection comes back.
pub(super) async fn killed(cluster: Arc<Cluster>) -> Outcome {
    let own = Deployed::install(&cluster, &[]).await;
    let namespace = own.enforced("killed-pods").await;
    let makers = Makers::start(&cluster, &namespace);
    makers.all_injected("while all run").await;
    let mut killed = 0;
    for all in [false, true] {
        let mut ids = own.processes().await;
        ids.truncate(if all { 2 } else { 1 });
        for id in ids {
            signal("KILL", id);
            killed += 1;
        }
        eventually("they run again", || async {
            own.processes().await.len() == 2
        })
        .await;
        own.ready(2).await;
        own.asked(&namespace).await;
        // A Service needs about a second to know it.
        tokio::time::sleep(Duration::from_secs(2)).await;
        makers.all_injected("once they are back").await;
    }
    let (with, without) = makers.stop().await;
    Outcome::Passed(format!(
        "{killed} × kill -9: {with} pods injected, {without} as they were, none turned away"
    ))
}

/// No replica is left: with Ignore pods are made as they are, with Fail they wait; either way the cluster heals.
pub(super) async fn cold_start(cluster: Arc<Cluster>) -> Outcome {
    let own = Deployed::install(&cluster, &[]).await;
    let namespace = own.enforced("cold").await;
    without_replicas(&own).await;
    make_late(&cluster, &namespace, "lenient").await;
    let made = arrival("a pod without podgrace", || async {
        cluster.list(&pods(&namespace), "app=lenient").await.pop()
    })
    .await;
    assert!(!carries_both(&made), "{made:#}");

    let own = Deployed::install(&cluster, &["--set=webhook.failurePolicy=Fail"]).await;
    own.asked(&namespace).await;
    without_replicas(&own).await;
    make_late(&cluster, &namespace, "strict").await;
    let replica_sets = format!("/apis/apps/v1/namespaces/{namespace}/replicasets");
    arrival("the pod is turned away", || async {
        let sets = cluster.list(&replica_sets, "app=strict").await;
        let conditions = sets.first()?["status"]["conditions"].as_array()?.clone();
        conditions
            .iter()
            .any(|c| c["type"] == "ReplicaFailure")
            .then_some(())
    })
    .await;
    // Its own namespace asks nobody, so that it comes back whatever the policy.
    own.scale(2).await;
    own.ready(2).await;
    let made = arrival("the pod that waited", || async {
        cluster.list(&pods(&namespace), "app=strict").await.pop()
    })
    .await;
    assert!(carries_both(&made), "{made:#}");
    passed()
}

async fn without_replicas(own: &Deployed) {
    own.scale(0).await;
    eventually("no replica is left", || async {
        own.pods().await.is_empty()
    })
    .await;
}

async fn make_late(cluster: &Cluster, namespace: &str, name: &str) {
    let deployments = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
    cluster
        .create(&deployments, &late(name, 1), false)
        .await
        .accepted();
}

/// Every replica is replaced while pods are made.
pub(super) async fn restarted(cluster: Arc<Cluster>) -> Outcome {
    let own = Deployed::install(&cluster, &[]).await;
    let namespace = own.enforced("restarted").await;
    let before: Vec<String> = own.pods().await.iter().map(name).collect();
    let makers = Makers::start(&cluster, &namespace);
    makers.all_injected("before").await;
    own.restart().await;
    own.ready(2).await;
    eventually("the old replicas are gone", || async {
        let pods = own.pods().await;
        !pods.iter().any(|pod| before.contains(&name(pod)))
    })
    .await;
    makers.all_injected("once it is back").await;
    let (with, without) = makers.stop().await;
    assert_eq!(without, 0, "of {with} pods that were made meanwhile");
    Outcome::Passed(format!("{with} pods made meanwhile, every one injected"))
}

fn carries_both(pod: &Value) -> bool {
    let container = &pod["spec"]["containers"][0];
    container.get("startupProbe").is_some() && container.get("lifecycle").is_some()
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let mut all = conditions.into_iter().flatten();
    all.any(|c| c["type"] == "Ready" && c["status"] == "True")
}

fn name(pod: &Value) -> String {
    pod["metadata"]["name"].as_str().expect("a name").to_owned()
}

/// A Deployment of [`LATE`] with a liveness probe that would kill it nowhere near its start.
fn late(name: &str, replicas: u32) -> Value {
    let labels = json!({"app": name});
    json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{
                    "name": "web",
                    "image": LATE,
                    "imagePullPolicy": "Never",
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "livenessProbe": {"tcpSocket": {"port": "http"}},
                }]},
            },
        },
    })
}

fn signal(name: &str, id: u32) {
    let status = std::process::Command::new("kill")
        .args([&format!("-{name}"), &id.to_string()])
        .status();
    assert!(status.expect("kill").success(), "{name} to {id}");
}
