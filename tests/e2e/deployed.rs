//! Podgrace as pods behind its Service, as its users have it.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;
use serde_json::{Value, json};

use crate::cluster::{Cluster, WEBHOOKS, arrival, eventually, pods};
use crate::pki::{self, Authority};
use crate::webhook::is_injected;

/// How long it serves on after SIGTERM: longer than a Service takes to send nobody any more.
const DRAIN_SECONDS: u32 = 3;

/// Two replicas in a namespace of their own.
pub(crate) struct Deployed {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) namespace: String,
    name: String,
    ca: String,
}

impl Deployed {
    /// Makes everything but the webhook configuration, and waits until all replicas are Ready. `name` must not be
    /// that of another one.
    pub(crate) async fn install(cluster: &Arc<Cluster>, name: &str) -> Self {
        cluster.node().import_podgrace().expect("imported");
        // The strictest of Pod Security's levels.
        let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        let namespace = format!("{name}-system");
        let namespace = cluster.labelled_namespace(&namespace, labels).await;
        let authority = Authority::new("podgrace-e2e-deployed");
        let pair = authority.server(&[&format!("podgrace.{namespace}.svc")]);
        let secret = json!({
            "metadata": {"name": "podgrace-tls"},
            "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": pair.certificate, "tls.key": pair.key},
        });
        let own = Self {
            cluster: Arc::clone(cluster),
            namespace,
            name: name.to_owned(),
            ca: authority.pem,
        };
        for (path, object) in [
            (own.path("/api/v1", "secrets"), secret),
            (own.path("/api/v1", "services"), service()),
            (own.path("/api/v1", "configmaps"), configuration("enforce")),
            (own.deployments(), deployment()),
        ] {
            cluster.create(&path, &object, false).await.accepted();
        }
        own.ready(2).await;
        own
    }

    /// Registers the Service as webhook for a namespace's pods, and waits until it is asked.
    pub(crate) async fn register(&self, namespace: &str, failure_policy: &str) {
        let name = format!("{namespace}.podgrace.io");
        let configuration = json!({
            "metadata": {"name": name},
            "webhooks": [{
                "name": name,
                "clientConfig": {
                    "service": {"name": "podgrace", "namespace": self.namespace, "path": "/mutate"},
                    "caBundle": pki::base64(&self.ca),
                },
                "rules": [{
                    "apiGroups": [""], "apiVersions": ["v1"],
                    "resources": ["pods"], "operations": ["CREATE"], "scope": "Namespaced",
                }],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "failurePolicy": failure_policy,
                "reinvocationPolicy": "IfNeeded",
                "sideEffects": "None",
                "timeoutSeconds": 2,
                "admissionReviewVersions": ["v1"],
            }],
        });
        self.cluster.global(WEBHOOKS, configuration).await;
        self.asked(namespace).await;
    }

    /// Waits until a namespace's pods come back injected.
    pub(crate) async fn asked(&self, namespace: &str) {
        eventually("pods come back injected", || async {
            let pod = crate::scenarios::pod("web");
            let reply = self.cluster.try_pod(namespace, &pod).await;
            reply.is_accepted() && is_injected(&reply)
        })
        .await;
    }

    /// Waits until that many replicas and no others are Ready, all of the newest template.
    pub(crate) async fn ready(&self, replicas: u64) {
        let deployments = self.deployments();
        arrival(&format!("{replicas} replicas of podgrace"), || async {
            let stored = self.cluster.get(&deployments, "podgrace").await.accepted();
            let status = &stored["status"];
            let count = |name: &str| status[name].as_u64().unwrap_or(0);
            let seen = status["observedGeneration"] == stored["metadata"]["generation"];
            let all = ["replicas", "updatedReplicas", "readyReplicas"];
            (seen && all.iter().all(|name| count(name) == replicas)).then_some(())
        })
        .await;
    }

    /// Its pods, also those that are leaving.
    pub(crate) async fn pods(&self) -> Vec<Value> {
        self.cluster
            .list(&pods(&self.namespace), "app=podgrace")
            .await
    }

    /// The ids of its processes.
    pub(crate) async fn processes(&self) -> Vec<u32> {
        let pods = self.pods().await;
        let statuses = pods
            .iter()
            .map(|pod| &pod["status"]["containerStatuses"][0]);
        let ids = statuses.filter_map(|status| status["containerID"].as_str());
        let ids = ids.filter_map(|id| id.strip_prefix("containerd://"));
        ids.flat_map(crate::node::processes_of).collect()
    }

    pub(crate) async fn scale(&self, replicas: u64) {
        let change = json!({"spec": {"replicas": replicas}});
        self.cluster
            .merge(&self.deployments(), "podgrace", &change)
            .await
            .accepted();
    }

    /// Has every replica replaced, as `kubectl rollout restart` does.
    pub(crate) async fn restart(&self) {
        let annotations = json!({"podgrace-e2e/restarted": "yes"});
        let change = json!({"spec": {"template": {"metadata": {"annotations": annotations}}}});
        self.cluster
            .merge(&self.deployments(), "podgrace", &change)
            .await
            .accepted();
    }

    /// Writes another mode into its ConfigMap. A pod whose metadata changes is looked at by the kubelet at once, which
    /// otherwise brings a changed ConfigMap within a minute or two.
    pub(crate) async fn switch(&self, mode: &str) {
        let path = self.path("/api/v1", "configmaps");
        let change = configuration(mode);
        let reply = self.cluster.merge(&path, "podgrace", &change).await;
        reply.accepted();
        for pod in self.pods().await {
            let name = pod["metadata"]["name"].as_str().expect("a name");
            let change = json!({"metadata": {"annotations": {"hurry": mode}}});
            let path = pods(&self.namespace);
            self.cluster.merge(&path, name, &change).await.accepted();
        }
    }

    /// What each of its pods logged.
    pub(crate) async fn logs(&self) -> Vec<String> {
        let api: Api<Pod> = Api::namespaced(self.cluster.client(), &self.namespace);
        let mut logs = Vec::new();
        for pod in self.pods().await {
            let name = pod["metadata"]["name"].as_str().expect("a name");
            logs.extend(api.logs(name, &LogParams::default()).await);
        }
        logs
    }

    /// A namespace for pods, registered.
    pub(crate) async fn namespace_with(&self, failure_policy: &str) -> String {
        let name = format!("{}-{}", self.name, failure_policy.to_lowercase());
        let namespace = self.cluster.namespace(&name).await;
        self.register(&namespace, failure_policy).await;
        namespace
    }

    fn deployments(&self) -> String {
        self.path("/apis/apps/v1", "deployments")
    }

    fn path(&self, group: &str, kind: &str) -> String {
        format!("{group}/namespaces/{}/{kind}", self.namespace)
    }
}

/// The whole file, as the documentation writes it.
fn configuration(mode: &str) -> Value {
    let file =
        format!("apiVersion: podgrace.io/v1alpha1\nkind: PodgraceConfiguration\nmode: {mode}\n");
    json!({"metadata": {"name": "podgrace"}, "data": {"podgrace.yaml": file}})
}

fn service() -> Value {
    json!({
        "metadata": {"name": "podgrace"},
        "spec": {
            "selector": {"app": "podgrace"},
            "ports": [{"name": "webhook", "port": 443, "targetPort": "webhook"}],
        },
    })
}

/// As the chart writes it, with files for certificates.
fn deployment() -> Value {
    json!({
        "metadata": {"name": "podgrace"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "podgrace"}},
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": {"app": "podgrace"}},
                "spec": {
                    "automountServiceAccountToken": false,
                    "enableServiceLinks": false,
                    "securityContext": {
                        "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [{
                        "name": "podgrace",
                        "image": crate::node::PODGRACE,
                        "imagePullPolicy": "Never",
                        "args": [
                            "serve", "--offline", "--config=/config/podgrace.yaml",
                            "--tls-cert-file=/tls/tls.crt", "--tls-key-file=/tls/tls.key",
                            format!("--drain-time={DRAIN_SECONDS}s"),
                        ],
                        "ports": [
                            {"name": "webhook", "containerPort": 10250},
                            {"name": "ops", "containerPort": 8080},
                        ],
                        "startupProbe": {
                            "httpGet": {"path": "/livez", "port": "ops"},
                            "periodSeconds": 1, "failureThreshold": 60,
                        },
                        "livenessProbe": {"httpGet": {"path": "/livez", "port": "ops"}},
                        "readinessProbe": {
                            "httpGet": {"path": "/readyz", "port": "ops"},
                            "periodSeconds": 2, "failureThreshold": 1,
                        },
                        "securityContext": {
                            "readOnlyRootFilesystem": true,
                            "allowPrivilegeEscalation": false,
                            "capabilities": {"drop": ["ALL"]},
                        },
                        "volumeMounts": [
                            {"name": "tls", "mountPath": "/tls", "readOnly": true},
                            {"name": "config", "mountPath": "/config", "readOnly": true},
                        ],
                    }],
                    "volumes": [{
                        "name": "tls",
                        "secret": {"secretName": "podgrace-tls", "defaultMode": 0o440},
                    }, {
                        "name": "config",
                        "configMap": {"name": "podgrace"},
                    }],
                },
            },
        },
    })
}
