//! `podgrace explain` of workloads whose pods run.

use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Outcome;
use crate::cluster::{Cluster, WEBHOOKS, arrival, eventually, pods};
use crate::node;
use crate::webhook::{Webhook, program};

const IMAGE: &str = "localhost/explained:test";

/// One that never listens and is killed for it, made before the webhook; and one that serves, made after it.
pub(super) async fn run(cluster: Arc<Cluster>) -> Outcome {
    let image = node::base(IMAGE).text("/www/index.html", "it serves\n", 0o644);
    cluster.node().import(&image).expect("imported");
    let namespace = cluster.namespace("explained").await;
    let deployments = format!("/apis/apps/v1/namespaces/{namespace}/deployments");

    let deaf = deployment("deaf", "sleep 1000 & wait");
    cluster.create(&deployments, &deaf, false).await.accepted();
    arrival("a restart", || async {
        let pods = cluster.list(&pods(&namespace), "app=deaf").await;
        let status = &pods.first()?["status"]["containerStatuses"][0];
        (status["restartCount"].as_i64()? > 0).then_some(())
    })
    .await;
    let webhook = Webhook::start(&cluster, "explained", None).await;
    webhook.register(&namespace).await;
    let serves = "trap 'exit 0' TERM; httpd -f -p 8080 -h /www & wait";
    let shop = deployment("shop", serves);
    cluster.create(&deployments, &shop, false).await.accepted();
    arrival("a pod is Ready", || async {
        let stored = cluster.get(&deployments, "shop").await.accepted();
        (stored["status"]["readyReplicas"] == 1).then_some(())
    })
    .await;

    let deaf = explain(&cluster, &["deploy/deaf", "-n", &namespace]);
    let pod = &deaf["running"][0];
    assert_eq!(pod["why"], "before-the-webhook", "{pod:#}");
    let lacks = pod["lacks"].to_string();
    assert!(lacks.contains("deaf: startupProbe"), "{lacks}");
    let container = &pod["containers"][0];
    let end = &container["lastEnd"];
    assert_eq!((&end["exitCode"], &end["signal"]), (&json!(137), &json!(9)));
    let (ran, given_up) = (&end["ran"], &container["givenUpAfter"]);
    assert!(
        ran.as_i64() >= given_up.as_i64() && *given_up == 2,
        "{container:#}"
    );

    let shop = explain(&cluster, &["deploy", "shop", "-n", &namespace]);
    assert_eq!(shop["running"].as_array().map(Vec::len), Some(1));
    let pod = &shop["running"][0];
    assert_eq!((&pod["lacks"], &pod["why"]), (&json!([]), &Value::Null));
    assert!(
        pod["injected"]
            .as_str()
            .is_some_and(|text| text.contains("startupProbe"))
    );
    assert!(
        pod["readyAfter"].is_i64() && pod["node"].is_string(),
        "{pod:#}"
    );
    let container = &pod["containers"][0];
    assert_eq!(
        (&container["state"], &container["ready"]),
        (&json!("running"), &json!(true))
    );
    assert_eq!(
        (&container["restarts"], &container["lastEnd"]),
        (&json!(0), &Value::Null)
    );

    // The same pod by its own name, of which nothing is left to add.
    let name = pod["name"].as_str().expect("a name");
    let pod = explain(&cluster, &["pod", name, "-n", &namespace]);
    assert_eq!(pod["changes"], json!([]), "{pod:#}");
    assert_eq!(pod["running"][0]["name"], name);

    // The doctor, who comes later, would find both.
    let registered = cluster.delete(WEBHOOKS, "explained.podgrace.io");
    registered.await.accepted();
    let namespaces = "/api/v1/namespaces";
    cluster.delete(namespaces, &namespace).await.accepted();
    eventually("the namespace is gone", || async {
        !cluster.get(namespaces, &namespace).await.is_accepted()
    })
    .await;
    Outcome::Passed(format!(
        "one ended after {ran} s, its probes wait {given_up} s"
    ))
}

fn deployment(name: &str, script: &str) -> Value {
    let labels = json!({"app": name});
    json!({
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    // The shell is process 1 and ignores SIGTERM where it has no trap.
                    "terminationGracePeriodSeconds": 1,
                    "containers": [{
                        "name": name,
                        "image": IMAGE,
                        "imagePullPolicy": "Never",
                        "command": ["sh", "-c", script],
                        "ports": [{"containerPort": 8080}],
                        "livenessProbe": {
                            "tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 2,
                        },
                    }],
                },
            },
        },
    })
}

/// What is said of one workload, with an environment of nothing.
fn explain(cluster: &Cluster, arguments: &[&str]) -> Value {
    let mut command = Command::new(program());
    command
        .env_clear()
        .args(["explain", "-o", "json", "--kubeconfig"]);
    let command = command.arg(&cluster.kubeconfig).args(arguments);
    let output = command.output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {told}");
    let mut document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    document["workloads"][0].take()
}
