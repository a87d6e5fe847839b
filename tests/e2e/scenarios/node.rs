//! The node itself: real containers, behind a Service.

use std::sync::Arc;

use serde_json::json;

use super::{Outcome, passed};
use crate::cluster::{Cluster, arrival, pods};
use crate::node;

pub(super) async fn runs_pods(cluster: Arc<Cluster>) -> Outcome {
    let image = node::base("localhost/web:test")
        .text("/www/index.html", "it serves\n", 0o644)
        .entrypoint(&[
            "sh",
            "-c",
            "trap 'exit 0' TERM; httpd -f -p 8080 -h /www & wait",
        ]);
    cluster.node().import(&image).expect("imported");
    let namespace = cluster.namespace("runs").await;
    let labels = json!({"app": "web"});
    let service = json!({
        "metadata": {"name": "web"},
        "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
    });
    let services = format!("/api/v1/namespaces/{namespace}/services");
    let service = cluster.create(&services, &service, false).await.accepted();
    let address = service["spec"]["clusterIP"]
        .as_str()
        .expect("an address")
        .to_owned();
    let deployment = json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{
                    "name": "web",
                    "image": "localhost/web:test",
                    "imagePullPolicy": "Never",
                    "ports": [{"containerPort": 8080}],
                    "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
                }]},
            },
        },
    });
    let deployments = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
    cluster
        .create(&deployments, &deployment, false)
        .await
        .accepted();
    arrival("two pods are Ready", || async {
        let stored = cluster.get(&deployments, "web").await.accepted();
        (stored["status"]["readyReplicas"] == 2).then_some(())
    })
    .await;
    let client = reqwest::Client::new();
    let text = arrival("the Service answers", || async {
        let reply = client.get(format!("http://{address}/")).send().await.ok()?;
        reply.text().await.ok()
    })
    .await;
    assert_eq!(text, "it serves\n");
    assert_eq!(cluster.list(&pods(&namespace), "app=web").await.len(), 2);
    passed()
}
