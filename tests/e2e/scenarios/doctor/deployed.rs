//! `podgrace doctor` on a whole node, on the chart that real Helm installed, and `helm test` of it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::A_SECOND;
use crate::cluster::{Cluster, WEBHOOKS, arrival, eventually};
use crate::deployed::{Deployed, NAMESPACE, RELEASE};
use crate::doctor::{Visit, run, told};
use crate::helm;
use crate::node;
use crate::scenarios::Outcome;

/// An application that listens at once and says when it is alive.
const WEB: &str = "localhost/doctor-web:test";

/// Well, then broken as people do it, each time told, mended as told, and well again.
pub(in super::super) async fn run_all(cluster: Arc<Cluster>) -> Outcome {
    let namespace = "podgrace-e2e-doctor-node";
    let test = format!("--set=test.namespace={namespace}");
    let own = Deployed::install(&cluster, &["--set=config.margin=5s", &test]).await;
    assert_eq!(own.enforced("doctor-node").await, namespace);
    let image = node::base(WEB).entrypoint(&["httpd", "-f", "-p", "8080", "-h", "/tmp"]);
    cluster.node().import(&image).expect("imported");
    let patient = Patient {
        cluster,
        own,
        namespace: namespace.to_owned(),
    };
    patient.make("cart", &patient.namespace).await;
    let visit = patient.eventually(&[]).await;
    assert_eq!(visit.code, 0);
    assert!(
        visit
            .says("replicas")
            .contains("2 of 2 replicas of Deployment podgrace/podgrace")
    );
    assert!(
        visit
            .says("certificate")
            .contains("the API server takes it, until 20")
    );
    let text = told(&patient.cluster, &[]);
    assert!(text.contains("All is well"), "{text}");
    patient.helm_test(true).await;

    patient.with_the_permissions_of_the_docs().await;
    patient.gone().await;
    patient.without_replicas().await;
    patient.distrusted().await;
    patient.switched_off().await;
    patient.too_early().await;
    Outcome::Passed(format!(
        "broken in 6 ways, mended as told: {}",
        visit.says("injected")
    ))
}

struct Patient {
    cluster: Arc<Cluster>,
    own: Deployed,
    namespace: String,
}

impl Patient {
    /// Waits until these are the findings.
    async fn eventually(&self, findings: &[&str]) -> Visit {
        super::eventually(&self.cluster, findings).await
    }

    /// Makes a Deployment of one pod, and waits until that is Ready.
    async fn make(&self, name: &str, namespace: &str) {
        let labels = json!({"app": name});
        let deployment = json!({
            "metadata": {"name": name},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{
                        "name": "web",
                        "image": WEB,
                        "imagePullPolicy": "Never",
                        "ports": [{"name": "http", "containerPort": 8080}],
                        "livenessProbe": {"tcpSocket": {"port": "http"}},
                    }]},
                },
            },
        });
        let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
        self.cluster
            .create(&path, &deployment, false)
            .await
            .accepted();
        eventually("the pod is Ready", || async {
            let stored = self.cluster.get(&path, name).await.accepted();
            stored["status"]["readyReplicas"] == 1
        })
        .await;
    }

    /// `helm test`, which must go well or must not. Helm 3 would rewrite the release as one of its own.
    async fn helm_test(&self, goes_well: bool) {
        let mut command = helm::helm(4);
        command.args(["test", RELEASE, "--namespace", NAMESPACE]);
        command.env("KUBECONFIG", &self.cluster.kubeconfig);
        let said = tokio::task::spawn_blocking(move || helm::said(&mut command)).await;
        let said = said.expect("no panic");
        if said.is_ok() != goes_well {
            let logs = run(&self.cluster, "kubectl -n podgrace logs podgrace-test");
            panic!("helm test: {said:?}\n{logs}");
        }
    }

    /// The roles of the page are enough: nothing is left unseen.
    async fn with_the_permissions_of_the_docs(&self) {
        let page = std::fs::read_to_string(helm::root().join("docs/doctor.md")).expect("the page");
        let (_, behind) = page.split_once("<!-- permissions").expect("the mark");
        let (_, behind) = behind.split_once("```yaml\n").expect("a block");
        let (roles, _) = behind.split_once("```").expect("its end");
        let namespace = &self.namespace;
        let roles = roles.replace("namespace: shop", &format!("namespace: {namespace}"));
        let account = format!("--serviceaccount={namespace}:doctor");
        run(
            &self.cluster,
            &format!(
                "kubectl apply -f - <<'EOF'\n{roles}EOF\n\
                 kubectl -n {namespace} create serviceaccount doctor\n\
                 kubectl create clusterrolebinding podgrace-doctor --clusterrole=podgrace-doctor {account}\n\
                 kubectl -n {NAMESPACE} create rolebinding podgrace-doctor --role=podgrace-doctor {account}\n\
                 kubectl -n {namespace} create rolebinding podgrace-doctor-pods --role=podgrace-doctor-pods {account}"
            ),
        );
        let kubeconfig = self
            .cluster
            .kubeconfig_of_account(namespace, "doctor")
            .await;
        let visit = Visit::pay_as(&kubeconfig, &[]);
        assert_eq!(
            (visit.code, visit.findings()),
            (0, vec![]),
            "{}{:#}",
            visit.complaint,
            visit.report
        );
    }

    /// The configuration and the Service are deleted.
    async fn gone(&self) {
        self.cluster.delete(WEBHOOKS, RELEASE).await.accepted();
        let visit = self.eventually(&["no-configuration"]).await;
        let says = visit.says("no-configuration");
        assert!(
            says.contains("Deployment podgrace/podgrace is there"),
            "{says}"
        );
        self.helm_test(false).await;
        visit.do_as_told(&self.cluster, "no-configuration");
        self.eventually(&[]).await;

        let services = format!("/api/v1/namespaces/{NAMESPACE}/services");
        self.cluster.delete(&services, RELEASE).await.accepted();
        let visit = self.eventually(&["service-missing", "unreachable"]).await;
        visit.do_as_told(&self.cluster, "service-missing");
        self.eventually(&[]).await;
    }

    async fn without_replicas(&self) {
        self.own.scale(0).await;
        let visit = self.eventually(&["no-endpoints", "unreachable"]).await;
        let says = visit.says("no-endpoints");
        assert!(
            says.contains("Deployment podgrace/podgrace is scaled to 0"),
            "{says}"
        );
        let says = visit.says("unreachable");
        assert!(
            says.contains("no endpoints available for service"),
            "{says}"
        );
        visit.do_as_told(&self.cluster, "no-endpoints");
        self.own.ready(2).await;
        self.eventually(&[]).await;
    }

    /// Nobody may mend the bundle, and it is emptied.
    async fn distrusted(&self) {
        let bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
        let binding = self.cluster.get(bindings, RELEASE).await.accepted();
        self.cluster.delete(bindings, RELEASE).await.accepted();
        let stored = self.cluster.get(WEBHOOKS, RELEASE).await.accepted();
        let mut webhooks = stored["webhooks"].clone();
        for webhook in webhooks.as_array_mut().expect("webhooks") {
            webhook["clientConfig"]["caBundle"] = Value::Null;
        }
        let change = json!({"webhooks": webhooks});
        let emptied = arrival("the bundle stays empty", || async {
            // API servers may remember the permission for a while.
            let changed = self.cluster.merge(WEBHOOKS, RELEASE, &change);
            changed.await.accepted();
            tokio::time::sleep(A_SECOND).await;
            let visit = Visit::pay(&self.cluster, &[]);
            let codes = visit.findings();
            (codes.contains(&"ca-bundle-empty") && codes.contains(&"distrusted")).then_some(visit)
        })
        .await;
        emptied.do_as_told(&self.cluster, "ca-bundle-empty");
        eventually("pods come back injected", || async {
            let visit = Visit::pay(&self.cluster, &["--fail-on=error"]);
            visit.code == 0 && visit.says("injected").contains("comes back injected")
        })
        .await;
        let binding = json!({
            "metadata": {"name": RELEASE, "labels": binding["metadata"]["labels"], "annotations": binding["metadata"]["annotations"]},
            "roleRef": binding["roleRef"],
            "subjects": binding["subjects"],
        });
        self.cluster
            .create(bindings, &binding, false)
            .await
            .accepted();
        self.eventually(&[]).await;
    }

    /// The kill switch, by Helm.
    async fn switched_off(&self) {
        let chart = helm::chart();
        let words = [
            "upgrade",
            RELEASE,
            chart.to_str().expect("UTF-8"),
            "--reuse-values",
        ];
        self.own
            .helm(&[&words[..], &["--force-conflicts", "--set=mode=off"]].concat())
            .await;
        let visit = Visit::pay(&self.cluster, &[]);
        let says = visit.says("mode-off");
        assert!(
            says.contains("configmap/podgrace in podgrace says mode: off, the kill switch"),
            "{says}"
        );
        assert_eq!(visit.code, 1);
        self.own
            .helm(&[&words[..], &["--force-conflicts", "--set=mode=enforce"]].concat())
            .await;
        // The kubelet brings it when it will.
        self.eventually(&[]).await;
    }

    /// A workload that was there before its namespace was in.
    async fn too_early(&self) {
        let early = self.cluster.namespace("doctor-node-early").await;
        self.make("early", &early).await;
        let visit = Visit::pay(&self.cluster, &["-n", &early]);
        assert_eq!(visit.findings(), ["namespace-not-in"]);
        tokio::time::sleep(A_SECOND).await;
        visit.do_as_told(&self.cluster, "namespace-not-in");
        let visit = self.eventually(&["missed", "workload-missed"]).await;
        assert_eq!(visit.missed("early"), json!({"before-label": 1}));
        // It works all the same.
        self.helm_test(true).await;
        visit.do_as_told(&self.cluster, "workload-missed");
        self.eventually(&[]).await;
    }
}
