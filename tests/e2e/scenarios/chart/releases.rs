//! Install, upgrade, roll back, uninstall: nothing of what Podgrace itself writes is lost on the way, and no
//! configuration outlives what it points at.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use kube::Api;
use kube::api::{
    ApiResource, DynamicObject, ListParams, Patch, PatchParams, WatchEvent, WatchParams,
};
use serde_json::{Value, json};

use super::{Outcome, without_helm};
use crate::cluster::{Cluster, VALIDATING_WEBHOOKS, WEBHOOKS};
use crate::helm;
use crate::pki;

/// A release on a cluster.
struct Release {
    cluster: Arc<Cluster>,
    /// Also the Namespace's, and that of everything in it.
    name: String,
}

/// Made by one Helm, changed and removed by another or the same.
pub(in super::super) async fn run(cluster: Arc<Cluster>, maker: u8, changer: u8) -> Outcome {
    if let Some(skipped) = without_helm() {
        return skipped;
    }
    if cluster.foreign {
        return Outcome::Skipped("it registers a webhook for every namespace".into());
    }
    let release = Release {
        cluster,
        name: format!("podgrace-{maker}{changer}"),
    };
    release.is_installed(maker).await;
    release.allows_what_is_needed_and_no_more().await;
    let held = release.stand_in().await;

    // Everything changes that may.
    let before = release.deployment().await;
    release
        .upgrade(
            changer,
            &["--set=scope=cluster,mode=audit,webhook.timeoutSeconds=3,warnings.enabled=true"],
        )
        .await;
    let configuration = release.configuration(WEBHOOKS).await;
    let first = &configuration["webhooks"][0];
    assert_eq!(first["timeoutSeconds"], 3);
    assert_eq!(
        first["namespaceSelector"]["matchExpressions"][1]["operator"],
        "NotIn"
    );
    assert!(release.file().await.contains("mode: \"audit\""));
    assert_ne!(
        before["metadata"]["generation"],
        release.deployment().await["metadata"]["generation"]
    );
    release.still_holds(&held).await;

    // The kill switch: no pod is made anew for it.
    let before = release.deployment().await;
    release
        .upgrade(changer, &["--reuse-values", "--set=mode=off"])
        .await;
    assert!(release.file().await.contains("mode: \"off\""));
    assert_eq!(
        before["metadata"]["generation"],
        release.deployment().await["metadata"]["generation"]
    );
    release.still_holds(&held).await;

    release
        .helm(changer, &["rollback", &release.name, "1"])
        .await;
    let configuration = release.configuration(WEBHOOKS).await;
    let first = &configuration["webhooks"][0];
    assert_eq!(first["timeoutSeconds"], 2);
    assert_eq!(
        first["namespaceSelector"]["matchExpressions"][1]["operator"],
        "In"
    );
    assert!(release.file().await.contains("mode: \"enforce\""));
    release.still_holds(&held).await;

    // The kill switch by hand, as the documentation writes it; it is Helm's again with the next upgrade.
    release.patch_file().await;
    assert!(release.file().await.contains("mode: off"));
    let mut arguments = vec!["--reuse-values"];
    if maker == 4 {
        // It applies as an API server does, and leaves to others what others have written since.
        arguments.push("--force-conflicts");
    }
    release.upgrade(changer, &arguments).await;
    assert!(release.file().await.contains("mode: \"enforce\""));

    // Who took the configuration away by hand gets it back; caBundle is for Podgrace to write again.
    release
        .cluster
        .delete(WEBHOOKS, &release.name)
        .await
        .accepted();
    release
        .upgrade(changer, &["--set=warnings.enabled=true"])
        .await;
    let configuration = release.configuration(WEBHOOKS).await;
    assert_eq!(configuration["webhooks"].as_array().map(Vec::len), Some(2));
    assert_eq!(release.secret().await["data"], held.secret);

    let order = release.uninstall(changer).await;
    release.is_gone().await;
    Outcome::Passed(order)
}

/// What Podgrace wrote, or would have.
struct Held {
    secret: Value,
    bundle: Value,
}

impl Release {
    async fn is_installed(&self, major: u8) {
        let chart = helm::chart();
        let chart = chart.to_str().expect("UTF-8");
        let said = self
            .helm(major, &["install", &self.name, chart, "--create-namespace"])
            .await;
        assert!(
            said.contains("kubectl label namespace default podgrace.io/mode=enforce"),
            "{said}"
        );
        let configuration = self.configuration(WEBHOOKS).await;
        for webhook in configuration["webhooks"].as_array().expect("webhooks") {
            let client = &webhook["clientConfig"];
            assert_eq!(client["service"]["name"], *self.name);
            assert_eq!(client["caBundle"], Value::Null);
        }
        assert_eq!(self.secret().await["data"], Value::Null);
        assert_eq!(self.deployment().await["spec"]["replicas"], 2);
    }

    /// Writes what Podgrace writes when it runs, as it does.
    async fn stand_in(&self) -> Held {
        let bundle = helm::root().join("tests/chart/ca.pem");
        let bundle = std::fs::read_to_string(bundle).expect("a CA");
        let bundle = Value::from(pki::base64(&bundle));
        let params = PatchParams::apply("podgrace");
        let params = PatchParams {
            force: false,
            ..params
        };
        let operations = json!([
            {"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle},
            {"op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": bundle},
        ]);
        let patch = Patch::Json(serde_json::from_value(operations).expect("a patch"));
        self.cluster
            .patch(WEBHOOKS, &self.name, &patch, &params)
            .await
            .accepted();
        let secret = json!({"tls.crt": pki::base64("a leaf"), "tls.key": pki::base64("no key")});
        let patch = Patch::Merge(json!({"data": secret}));
        let name = format!("{}-tls", self.name);
        self.cluster
            .patch(&self.path("secrets"), &name, &patch, &params)
            .await
            .accepted();
        Held { secret, bundle }
    }

    async fn still_holds(&self, held: &Held) {
        assert_eq!(self.secret().await["data"], held.secret);
        let configuration = self.configuration(WEBHOOKS).await;
        for webhook in configuration["webhooks"].as_array().expect("webhooks") {
            assert_eq!(
                webhook["clientConfig"]["caBundle"], held.bundle,
                "{webhook:#}"
            );
        }
    }

    /// As the ServiceAccount of the pods.
    async fn allows_what_is_needed_and_no_more(&self) {
        let tls = format!("{}-tls", self.name);
        let (own, none) = (&*self.name, "");
        let hooks = "admissionregistration.k8s.io/mutatingwebhookconfigurations";
        for (allowed, verb, resource, namespace, name) in [
            (true, "list", "/namespaces", none, none),
            (true, "watch", "/namespaces", none, none),
            (true, "list", "/nodes", none, none),
            (true, "patch", hooks, none, own),
            (true, "watch", hooks, none, own),
            (true, "update", "/secrets", own, &tls),
            (true, "watch", "/secrets", own, &tls),
            (false, "update", hooks, none, own),
            (false, "patch", "/secrets", own, &tls),
            (false, "get", "/nodes", none, "node"),
            (false, "patch", "/namespaces", none, "default"),
            (false, "patch", "/nodes", none, "node"),
            (false, "list", hooks, none, none),
            (false, "patch", hooks, none, "another"),
            (false, "delete", hooks, none, own),
            (false, "create", hooks, none, none),
            (false, "get", "/secrets", own, "another"),
            (false, "list", "/secrets", own, none),
            (false, "create", "/secrets", own, none),
            (false, "get", "/secrets", "default", &tls),
            (false, "create", "/pods", own, none),
            (false, "list", "/pods", none, none),
        ] {
            let (group, resource) = resource.split_once('/').expect("a group");
            let review = json!({"spec": {"user": self.account(), "resourceAttributes": {
                "verb": verb, "group": group, "resource": resource, "namespace": namespace, "name": name,
            }}});
            let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
            let answer = self.cluster.create(path, &review, false).await.accepted();
            assert_eq!(
                answer["status"]["allowed"], allowed,
                "{verb} {resource} {namespace} {name}"
            );
        }
        // By the selector that a watch of one object has.
        for (fields, status) in [(format!("metadata.name={own}"), 200), (String::new(), 403)] {
            let reply = self
                .cluster
                .list_as(&self.account(), WEBHOOKS, &fields)
                .await;
            assert_eq!(reply.status, status, "{}", reply.message());
        }
    }

    fn account(&self) -> String {
        format!("system:serviceaccount:{0}:{0}", self.name)
    }

    /// Removes the release; says in which order, by the revisions of the store.
    async fn uninstall(&self, major: u8) -> String {
        let kinds = [
            (
                "admissionregistration.k8s.io",
                "MutatingWebhookConfiguration",
            ),
            (
                "admissionregistration.k8s.io",
                "ValidatingWebhookConfiguration",
            ),
            ("", "Service"),
            ("apps", "Deployment"),
        ];
        let mut watches = Vec::new();
        for (group, kind) in kinds {
            watches.push(self.watch(group, kind).await);
        }
        self.helm(major, &["uninstall", &self.name]).await;
        let mut order = Vec::new();
        for (mut events, (_, kind)) in watches.into_iter().zip(kinds) {
            // The last deletion: Helm 3 deletes an empty one after the real one.
            let mut revision = 0;
            let mut rest = 1 + usize::from(major == 3 && kind.ends_with("Configuration"));
            while rest > 0 {
                let event = tokio::time::timeout(Duration::from_secs(30), events.next()).await;
                let event = event.unwrap_or_else(|_| panic!("the {kind} stays"));
                let event = event.expect("an event").expect("no error");

                if let WatchEvent::Deleted(object) = event {
                    let version = object.metadata.resource_version.expect("a revision");
                    revision = version.parse().expect("a number");
                    rest -= 1;
                }
            }
            order.push((revision, kind));
        }
        let (configurations, rest): (Vec<(u64, &str)>, _) = order
            .iter()
            .partition(|(_, kind)| kind.ends_with("Configuration"));
        let last = configurations.iter().max().expect("two");
        assert!(
            rest.iter().all(|after: &(u64, &str)| after > last),
            "{order:?}"
        );
        order.sort_unstable();
        let said: Vec<_> = order.iter().map(|(_, kind)| *kind).collect();
        format!("uninstalled in the order {}", said.join(", "))
    }

    async fn watch(
        &self,
        group: &str,
        kind: &str,
    ) -> std::pin::Pin<
        Box<dyn futures::Stream<Item = kube::Result<WatchEvent<DynamicObject>>> + Send>,
    > {
        let resource = ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk(group, "v1", kind));
        let client = self.cluster.client();
        let api: Api<DynamicObject> = if kind.ends_with("Configuration") {
            Api::all_with(client, &resource)
        } else {
            Api::namespaced_with(client, &self.name, &resource)
        };
        let fields = format!("metadata.name={}", self.name);
        let now = api.list(&ListParams::default().fields(&fields)).await;
        let now = now.expect("a list").metadata.resource_version;
        let params = WatchParams::default().fields(&fields);
        let events = api.watch(&params, &now.expect("a revision")).await;
        Box::pin(events.expect("a watch"))
    }

    /// Of a release nothing stays but its Namespace.
    async fn is_gone(&self) {
        let selector = format!("app.kubernetes.io/instance={}", self.name);
        let rbac = "/apis/rbac.authorization.k8s.io/v1";
        let global = ["clusterroles", "clusterrolebindings"].map(|kind| format!("{rbac}/{kind}"));
        let own = ["configmaps", "secrets", "serviceaccounts", "services"];
        let own = own.map(|kind| self.path(kind));
        let webhooks = [WEBHOOKS, VALIDATING_WEBHOOKS].map(str::to_owned);
        for path in global.into_iter().chain(own).chain(webhooks) {
            let left = self.cluster.list(&path, &selector).await;
            assert!(left.is_empty(), "{path}: {left:#?}");
        }
        let records = self.cluster.list(&self.path("secrets"), "owner=helm").await;
        assert!(records.is_empty(), "{records:#?}");
        self.cluster
            .delete("/api/v1/namespaces", &self.name)
            .await
            .accepted();
    }

    /// What `kubectl patch --type merge` does.
    async fn patch_file(&self) {
        let file = "apiVersion: podgrace.io/v1alpha1\nkind: PodgraceConfiguration\nmode: off\n";
        let patch = Patch::Merge(json!({"data": {"podgrace.yaml": file}}));
        let params = PatchParams {
            field_manager: Some("kubectl-patch".to_owned()),
            ..PatchParams::default()
        };
        let (path, name) = (self.path("configmaps"), &self.name);
        let reply = self.cluster.patch(&path, name, &patch, &params).await;
        reply.accepted();
    }

    async fn upgrade(&self, major: u8, arguments: &[&str]) {
        let chart = helm::chart();
        let words = ["upgrade", &self.name, chart.to_str().expect("UTF-8")];
        self.helm(major, &[&words, arguments].concat()).await;
    }

    async fn helm(&self, major: u8, arguments: &[&str]) -> String {
        self.cluster.helm(major, &self.name, arguments).await
    }

    fn path(&self, kind: &str) -> String {
        format!("/api/v1/namespaces/{}/{kind}", self.name)
    }

    async fn configuration(&self, path: &str) -> Value {
        self.cluster.get(path, &self.name).await.accepted()
    }

    async fn secret(&self) -> Value {
        let name = format!("{}-tls", self.name);
        self.cluster
            .get(&self.path("secrets"), &name)
            .await
            .accepted()
    }

    async fn deployment(&self) -> Value {
        let path = format!("/apis/apps/v1/namespaces/{}/deployments", self.name);
        self.cluster.get(&path, &self.name).await.accepted()
    }

    /// The configuration file in the ConfigMap.
    async fn file(&self) -> String {
        let map = self
            .cluster
            .get(&self.path("configmaps"), &self.name)
            .await
            .accepted();
        map["data"]["podgrace.yaml"]
            .as_str()
            .expect("a file")
            .to_owned()
    }
}
