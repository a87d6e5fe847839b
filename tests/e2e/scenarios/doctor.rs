//! `podgrace doctor` on a control plane, with a webhook by its address: broken in the ways in which people break
//! it, each told with what mends it, and mended so.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Outcome, web};
use crate::cluster::{Cluster, WEBHOOKS, eventually};
use crate::doctor::{Visit, told};
use crate::pki;
use crate::webhook::Webhook;

/// The configuration, and what the CA's file is called in the folder in which commands are run.
const NAME: &str = "podgrace-e2e-doctor";
const CA_FILE: &str = "ca.crt";

const DEPLOYMENTS: &str = "deployments";

pub(super) async fn run(cluster: Arc<Cluster>) -> Outcome {
    if cluster.foreign {
        return Outcome::Skipped("it breaks whatever webhook there is".into());
    }
    if cluster.kubectl.is_none() || !cluster.controllers {
        return Outcome::Skipped("there is no kubectl, or nothing makes pods".into());
    }
    let patient = Patient::new(&cluster).await;
    patient.is_not_there().await;
    patient.is_registered(&json!({})).await;
    patient.is_well().await;
    patient.namespaces().await;
    patient.pods().await;
    patient.certificates().await;
    patient.settings().await;
    patient.is_switched_off().await;
    patient.is_away().await;
    patient.permissions().await;
    patient.cluster_is_away();
    cluster.delete(WEBHOOKS, NAME).await.accepted();
    patient.webhook.kill();
    Outcome::Passed("told and mended".into())
}

/// A webhook, and a namespace that wants it.
struct Patient {
    cluster: Arc<Cluster>,
    webhook: Webhook,
    namespace: String,
    ca: String,
}

impl Patient {
    async fn new(cluster: &Arc<Cluster>) -> Self {
        let namespace = cluster.namespace("doctor").await;
        let webhook = Webhook::start(cluster, "doctor", None).await;
        let bundle = webhook.client_config()["caBundle"].clone();
        let ca = webhook.ca();
        assert_eq!(bundle, pki::base64(&ca));
        pki::write(&cluster.folder, CA_FILE, &ca);
        Self {
            cluster: Arc::clone(cluster),
            webhook,
            namespace,
            ca,
        }
    }

    fn visit(&self, arguments: &[&str]) -> Visit {
        Visit::pay(&self.cluster, arguments)
    }

    /// Nothing but what is said to be good to know.
    #[track_caller]
    fn is_found_well(&self) -> Visit {
        let visit = self.visit(&[]);
        assert_eq!((visit.code, visit.findings()), (0, vec![]), "{:#}", visit.report);
        visit
    }

    /// Registers the webhook as the chart does, with `changes` laid over each webhook.
    async fn is_registered(&self, changes: &Value) {
        let webhook = |name: &str, operators: [&str; 2]| {
            let mode = |operator: &str, values: Value| {
                json!({"matchExpressions": [{"key": "podgrace.io/mode", "operator": operator, "values": values}]})
            };
            let [of_namespace, of_pod] = operators;
            let of_pods = match of_pod {
                "In" => json!(["enforce", "audit"]),
                _ => json!(["off"]),
            };
            let mut webhook = json!({
                "name": name,
                "clientConfig": self.webhook.client_config(),
                "rules": [{
                    "apiGroups": [""], "apiVersions": ["v1"],
                    "resources": ["pods"], "operations": ["CREATE"], "scope": "Namespaced",
                }],
                "namespaceSelector": mode(of_namespace, json!(["enforce", "audit"])),
                "objectSelector": mode(of_pod, of_pods),
                "failurePolicy": "Ignore",
                "reinvocationPolicy": "IfNeeded",
                "sideEffects": "None",
                "timeoutSeconds": 2,
                "admissionReviewVersions": ["v1"],
            });
            for (key, value) in changes.as_object().into_iter().flatten() {
                webhook[key] = value.clone();
            }
            webhook
        };
        let configuration = json!({"metadata": {"name": NAME}, "webhooks": [
            webhook("namespaces.podgrace.io", ["In", "NotIn"]),
            webhook("pods.podgrace.io", ["NotIn", "In"]),
        ]});
        if self.cluster.get(WEBHOOKS, NAME).await.is_accepted() {
            self.cluster.delete(WEBHOOKS, NAME).await.accepted();
        }
        self.cluster.global(WEBHOOKS, configuration).await;
    }

    /// Waits until the API server knows a changed configuration.
    async fn eventually_well(&self) {
        eventually("all is well", || async { self.visit(&[]).findings().is_empty() }).await;
    }

    /// Waits until it is told that way.
    async fn eventually(&self, code: &str) -> Visit {
        crate::cluster::arrival(code, || async {
            let visit = self.visit(&[]);
            visit.findings().contains(&code).then_some(visit)
        })
        .await
    }

    async fn is_not_there(&self) {
        let visit = self.visit(&[]);
        assert_eq!(visit.code, 1);
        assert_eq!(visit.findings(), ["not-installed"]);
        // A Deployment alone does nothing.
        let deployment = deployment("podgrace", json!({"app.kubernetes.io/name": "podgrace"}));
        let path = self.path(DEPLOYMENTS);
        self.cluster.create(&path, &deployment, false).await.accepted();
        let visit = self.visit(&[]);
        assert_eq!(visit.findings(), ["no-configuration"]);
        let says = visit.says("no-configuration");
        assert!(says.contains(&format!("Deployment {}/podgrace is there", self.namespace)), "{says}");
        self.cluster.delete(&path, "podgrace").await.accepted();
    }

    /// Nobody is in; then one namespace is, by the command that it says.
    async fn is_well(&self) {
        let visit = self.eventually("nobody-in").await;
        assert_eq!(visit.code, 1);
        // That the webhook works is known all the same.
        let says = visit.says("injected");
        assert!(says.contains("with the label podgrace.io/mode=enforce comes back injected"), "{says}");

        let visit = self.visit(&["-n", &self.namespace]);
        assert_eq!(visit.findings(), ["namespace-not-in"]);
        visit.do_as_told(&self.cluster, "namespace-not-in");
        self.eventually_well().await;
        let visit = self.is_found_well();
        let says = visit.says("injected");
        assert!(says.contains(&format!("a pod in {} comes back", self.namespace)), "{says}");
        let text = told(&self.cluster, &[]);
        assert!(text.ends_with("All is well.\n"), "{text}");
        assert!(!text.contains('\u{1b}'), "colours for nobody: {text}");
    }

    async fn namespaces(&self) {
        let other = self.cluster.labelled_namespace("doctor-off", json!({"podgrace.io/mode": "off"})).await;
        let visit = self.visit(&["-n", &other]);
        assert_eq!(visit.findings(), ["namespace-off"]);
        visit.do_as_told(&self.cluster, "namespace-off");
        assert_eq!(self.visit(&["-n", &other]).findings(), [""; 0]);

        // A slip of the pen, which no selector matches.
        let labels = json!({"metadata": {
            "labels": {"podgrace.io/mode": "enforced"},
            "annotations": {"podgrace.io/pre-stop-sleep": "10"},
        }});
        self.cluster.merge("/api/v1/namespaces", &other, &labels).await.accepted();
        let visit = self.visit(&["-n", &other]);
        assert_eq!(visit.findings(), ["namespace-not-in", "says-wrongly", "says-wrongly"]);
        let all = self.visit(&[]);
        assert_eq!(all.findings(), ["says-wrongly", "says-wrongly"]);
        assert!(all.says("says-wrongly").contains("\"enforced\" is not a mode"), "{:#}", all.report);
        visit.do_as_told(&self.cluster, "namespace-not-in");

        // Audit tells, which is as good a proof.
        let change = json!({"metadata": {
            "labels": {"podgrace.io/mode": "audit"},
            "annotations": {"podgrace.io/pre-stop-sleep": null},
        }});
        self.cluster.merge("/api/v1/namespaces", &other, &change).await.accepted();
        eventually("audit mode is told", || async {
            let visit = self.visit(&["-n", &other]);
            visit.findings().is_empty() && visit.says("told").contains("would get")
        })
        .await;
        self.cluster.delete("/api/v1/namespaces", &other).await.accepted();
        eventually("the namespace is gone", || async {
            self.cluster.get("/api/v1/namespaces", &other).await.status == 404
        })
        .await;
        assert_eq!(self.visit(&["-n", &other]).findings(), ["no-namespace"]);
    }

    /// Pods that were made too early.
    async fn pods(&self) {
        let early = self.cluster.namespace("doctor-early").await;
        let path = format!("/apis/apps/v1/namespaces/{early}/deployments");
        self.cluster.create(&path, &deployment("cart", json!({})), false).await.accepted();
        let pods = crate::cluster::pods(&early);
        eventually("the pod is made", || async { !self.cluster.list(&pods, "app=cart").await.is_empty() }).await;
        // Times are kept in whole seconds.
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        let label = json!({"metadata": {"labels": {"podgrace.io/mode": "enforce"}}});
        self.cluster.merge("/api/v1/namespaces", &early, &label).await.accepted();
        let visit = self.visit(&[]);
        assert_eq!(visit.findings(), ["missed", "workload-missed"]);
        let workload = &visit.report["workloads"][0];
        assert_eq!(workload["name"], "cart");
        assert_eq!(workload["missed"], json!({"before-label": 1}), "{workload:#}");
        let restart = format!("kubectl -n {early} rollout restart deployment/cart");
        assert_eq!(visit.report["restart"], json!([restart]));
        assert!(told(&self.cluster, &[]).contains(&restart));
        // Whoever wants to know only whether it works.
        assert_eq!(self.visit(&["--fail-on=error"]).code, 0);
        // Another selector, another namespace: not looked at.
        assert_eq!(self.visit(&["-l", "app=other"]).findings(), [""; 0]);
        assert_eq!(self.visit(&["-n", &self.namespace]).findings(), [""; 0]);

        visit.do_as_told(&self.cluster, "workload-missed");
        // No kubelet makes the new pod Ready, so the old one stays; of two pods one has it.
        eventually("the new pod has what it should", || async {
            let visit = self.visit(&[]);
            let workload = &visit.report["workloads"][0];
            workload["pods"] == 2 && workload["missed"] == json!({"before-label": 1})
        })
        .await;
        self.cluster.delete("/api/v1/namespaces", &early).await.accepted();
        self.eventually_well().await;

        // The configuration was made anew, and is younger than the pods.
        let path = self.path(DEPLOYMENTS);
        self.cluster.create(&path, &deployment("old", json!({})), false).await.accepted();
        let pods = crate::cluster::pods(&self.namespace);
        eventually("the pod is made", || async { !self.cluster.list(&pods, "app=old").await.is_empty() }).await;
        // It has what it should; one that was made past the webhook has not.
        self.is_found_well();
        self.cluster.delete(&path, "old").await.accepted();
        self.webhook.kill();
        let pod = json!({"metadata": {"name": "alone"}, "spec": {"containers": [web()]}});
        self.cluster.create(&pods, &pod, false).await.accepted();
        let mut again = self.restarted().await;
        let visit = self.eventually("workload-missed").await;
        assert_eq!(visit.report["workloads"][0]["missed"], json!({"unanswered": 1}));
        assert_eq!(visit.report["restart"], json!([]));
        assert!(visit.check("workload-missed")["advice"].as_str().is_some_and(|a| a.contains("delete it")));
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        self.is_registered(&json!({})).await;
        let visit = self.eventually("workload-missed").await;
        assert_eq!(visit.report["workloads"][0]["missed"], json!({"before-webhook": 1}));
        self.cluster.delete(&pods, "alone").await.accepted();
        self.eventually_well().await;
        again.run_again = false;
    }

    async fn certificates(&self) {
        let patch = |bundle: Value| {
            let mut configuration = json!({"webhooks": []});
            configuration["webhooks"] = bundle;
            configuration
        };
        let other = pki::Authority::new("other");
        for (bundle, code) in [
            (Value::Null, "ca-bundle-empty"),
            (pki::base64("nonsense").into(), "ca-bundle-unreadable"),
            (pki::base64(&other.pem).into(), "ca-bundle-other"),
        ] {
            let mut webhooks = self.cluster.get(WEBHOOKS, NAME).await.accepted()["webhooks"].clone();
            for webhook in webhooks.as_array_mut().expect("webhooks") {
                webhook["clientConfig"]["caBundle"] = bundle.clone();
            }
            let reply = self.cluster.merge(WEBHOOKS, NAME, &patch(webhooks)).await;
            if !reply.is_accepted() {
                // Newer API servers refuse what is no certificate.
                assert_eq!(code, "ca-bundle-unreadable", "{}", reply.message());
                continue;
            }
            let visit = self.eventually("distrusted").await;
            assert_eq!(visit.findings(), [code, "distrusted"]);
            assert!(visit.says(code).contains("namespaces.podgrace.io, pods.podgrace.io"));
            visit.do_as_told(&self.cluster, code);
            self.eventually_well().await;
        }
    }
}
