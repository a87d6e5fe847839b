//! A pod that somebody makes by hand.

use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Outcome, passed, pod};
use crate::cluster::{Cluster, pods};
use crate::webhook::{Webhook, program};

/// It comes back injected, from a dry run and for real, and as `podgrace inject` would have written it.
pub(super) async fn run(cluster: Arc<Cluster>) -> Outcome {
    let webhook = Webhook::start(&cluster, "bare", None).await;
    let namespace = cluster.namespace("bare").await;
    webhook.register(&namespace).await;

    let tried = cluster.try_pod(&namespace, &pod("web")).await;
    assert!(tried.our_warnings().is_empty(), "{:?}", tried.warnings);
    let tried = tried.accepted();
    let made = cluster.create(&pods(&namespace), &pod("web"), false).await;
    made.accepted();
    let stored = cluster.get(&pods(&namespace), "web").await.accepted();
    for pod in [&tried, &stored] {
        let container = &pod["spec"]["containers"][0];
        assert_eq!(
            container["startupProbe"],
            json!({
                "httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"},
                "timeoutSeconds": 2, "periodSeconds": 1, "successThreshold": 1, "failureThreshold": 150,
            })
        );
        assert_eq!(container["lifecycle"], json!({"preStop": cluster.sleep(5)}));
        assert_eq!(pod["spec"]["terminationGracePeriodSeconds"], 35);
        let record = &pod["metadata"]["annotations"]["podgrace.io/injected"];
        let record = record.as_str().expect("a record");
        assert!(record.starts_with("podgrace "), "{record}");
    }

    // The file that `inject` writes becomes the same pod where no webhook is.
    let plain = cluster.namespace("bare-by-file").await;
    let by_file = cluster
        .try_pod(&plain, &injected_file(&pod("web"), cluster.minor))
        .await;
    let without_token = |pod: &Value| {
        let mut spec = pod["spec"].clone();
        // The volume of the token has a name by chance.
        spec["volumes"] = Value::Null;
        spec["containers"][0]["volumeMounts"] = Value::Null;
        spec
    };
    assert_eq!(without_token(&by_file.accepted()), without_token(&tried));
    passed()
}

/// What `podgrace inject` makes of a manifest for that Kubernetes.
fn injected_file(pod: &Value, minor: u32) -> Value {
    let mut command = Command::new(program());
    command.env_clear().args(["inject", "-f", "-"]);
    command.arg(format!("--kube-version=1.{minor}"));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("podgrace");
    let pipe = child.stdin.take().expect("a pipe");
    serde_json::to_writer(pipe, pod).expect("written");
    let output = child.wait_with_output().expect("ended");
    assert!(output.status.success(), "{:?}", output.status);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Whoever makes a pod with kubectl is told what was understood wrongly.
pub(super) async fn warnings(cluster: Arc<Cluster>) -> Outcome {
    if cluster.kubectl.is_none() {
        return Outcome::Skipped("there is no kubectl".into());
    }
    let webhook = Webhook::start(&cluster, "warnings", None).await;
    let namespace = cluster.namespace("warnings").await;
    webhook.register(&namespace).await;

    let mut pod = pod("web");
    pod["metadata"]["annotations"] = json!({
        "podgrace.io/pre-stop-sleep": "soon",
        "podgrace.io/startup-prob": "off",
        "startup-probe.podgrace.io/wbe": "off",
    });
    pod["metadata"]["labels"] = json!({"podgrace.io/mode": "audit"});
    let told = cluster.create_by_kubectl(&namespace, &pod).await;
    for needed in [
        ["podgrace.io/pre-stop-sleep", "soon"],
        ["podgrace.io/startup-prob", "podgrace.io/startup-probe"],
        ["startup-probe.podgrace.io/wbe", "web"],
        ["podgrace would inject", "startupProbe"],
        ["podgrace would inject", "preStop"],
    ] {
        let found = told
            .iter()
            .any(|line| needed.iter().all(|n| line.contains(n)));
        assert!(found, "{needed:?} in {told:#?}");
    }
    let stored = cluster.get(&pods(&namespace), "web").await.accepted();
    assert!(
        stored["spec"]["containers"][0]
            .get("startupProbe")
            .is_none()
    );
    Outcome::Passed(format!("{} lines", told.len()))
}
