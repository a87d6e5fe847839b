//! A cluster for the tests of this room: all is well in it, until a test changes something.

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::diagnose;
use super::facts::{Backend, Configured, ConfiguredState, Facts, Ops, Trial};
use super::hooks::{Hook, Target};
use super::namespaces::Namespace;
use super::pods::Census;
use super::report::{Check, Report, Verdict};
use super::trial::pod_to_try;
use crate::certs::{Authority, Names};
use crate::cluster::{Attempt, Cause, Kubelets, PODS, ReadError, Seen, Tried};
use crate::lifecycle::audit::Severity;
use crate::lifecycle::policy::Policy;

/// The time.
pub(super) const NOW: &str = "2026-11-25T12:00:00Z";

/// A CA, in base64.
static BUNDLE: LazyLock<String> = LazyLock::new(|| {
    let now = NOW.parse::<Timestamp>().expect("a time");
    let names = Names::one("podgrace.podgrace.svc");
    let made = Authority::make(&names, now.into(), Duration::from_secs(90 * 86_400));
    STANDARD.encode(made.expect("made").ca_pem)
});

/// A webhook of the chart: `namespaces.podgrace.io`, with `changes` laid over it.
pub(super) fn webhook(changes: &Value) -> Value {
    let mut webhook = json!({
        "name": "namespaces.podgrace.io",
        "clientConfig": {
            "service": {"namespace": "podgrace", "name": "podgrace", "path": "/mutate", "port": 443},
            "caBundle": *BUNDLE,
        },
        "rules": [{
            "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"],
        }],
        "namespaceSelector": {"matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["podgrace", "kube-system"]},
            {"key": "podgrace.io/mode", "operator": "In", "values": ["enforce", "audit"]},
        ]},
        "objectSelector": {"matchExpressions": [
            {"key": "podgrace.io/mode", "operator": "NotIn", "values": ["off"]},
        ]},
        "failurePolicy": "Ignore",
        "reinvocationPolicy": "IfNeeded",
        "timeoutSeconds": 2,
    });
    for (key, value) in changes.as_object().into_iter().flatten() {
        webhook[key] = value.clone();
    }
    webhook
}

/// A configuration that was made before everything else.
pub(super) fn configuration(name: &str, webhooks: &[Value]) -> Value {
    json!({
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name, "creationTimestamp": "2026-11-01T00:00:00Z"},
        "webhooks": webhooks,
    })
}

pub(super) fn namespace(name: &str, labels: Value, annotations: Value) -> Value {
    let mut labels = labels;
    labels["kubernetes.io/metadata.name"] = name.into();
    json!({"metadata": {"name": name, "labels": labels, "annotations": annotations}})
}

/// A pod of a Deployment in namespace `shop`, that would get everything and has nothing.
pub(super) fn pod(created: &str) -> Value {
    json!({
        "metadata": {
            "name": "cart-5d9-x", "namespace": "shop", "creationTimestamp": created,
            "labels": {"pod-template-hash": "5d9"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "cart-5d9", "controller": true}],
        },
        "spec": {"containers": [{
            "name": "web", "ports": [{"containerPort": 80}], "livenessProbe": {"tcpSocket": {"port": 80}},
        }]},
        "status": {"phase": "Running"},
    })
}

/// A permission is missing.
pub(super) fn forbidden() -> ReadError {
    ReadError {
        attempt: Box::new(Attempt {
            verb: "list",
            resource: PODS,
            namespace: None,
            name: None,
        }),
        cause: Cause::Forbidden(Some("jane".into())),
    }
}

impl Facts {
    /// All is well: one release, one namespace that is in, and nobody in it.
    pub(super) fn well() -> Self {
        Self::of(
            &[configuration("podgrace", &[webhook(&json!({}))])],
            &[
                namespace("podgrace", json!({}), json!({})),
                namespace("shop", json!({"podgrace.io/mode": "enforce"}), json!({})),
            ],
            &[],
        )
    }

    /// The same with these configurations, namespaces and pods.
    pub(super) fn of(configurations: &[Value], namespaces: &[Value], pods: &[Value]) -> Self {
        let hooks = Hook::all(configurations, None);
        let ours: Vec<&Hook> = hooks.iter().filter(|hook| hook.is_ours).collect();
        let policy = Policy::default();
        let read = namespaces.iter().map(|n| Namespace::of(n, &ours, &policy));
        let mine = ours.iter().map(|hook| (*hook).clone()).collect();
        let mut census = Census::new(mine, policy.clone(), read);
        pods.iter().for_each(|pod| census.add(pod));
        let targets: std::collections::BTreeSet<Target> =
            ours.iter().map(|hook| hook.target.clone()).collect();
        let backends = targets.into_iter().map(backend).collect();
        Self {
            now: NOW.parse().expect("a time"),
            kubectl: "kubectl".into(),
            explain: "podgrace explain".into(),
            seen: Seen {
                server: 37,
                kubelets: Kubelets::Oldest(37),
            },
            hooks: Ok(hooks),
            validating: Ok(Vec::new()),
            unregistered: Vec::new(),
            backends,
            policy,
            configured: Some(Configured {
                title: "configmap/podgrace in podgrace".into(),
                edit: Some("kubectl -n podgrace edit configmap podgrace".into()),
                state: Ok(ConfiguredState::Read),
            }),
            namespaces: Ok(namespaces.to_vec()),
            asked_for: None,
            trial: Some(trial(
                &json!({"podgrace.io/injected": "podgrace 0.1.0: everything"}),
            )),
            census,
            unread_pods: Vec::new(),
            controllers: Default::default(),
            labelled: Default::default(),
        }
    }

    pub(super) fn report(&self) -> Report {
        diagnose(self)
    }

    /// The codes of what is not as it should be.
    pub(super) fn findings(&self) -> Vec<&'static str> {
        let checks = self.report().checks.into_iter();
        let found = checks.filter(|check| {
            !matches!(
                check.verdict,
                Verdict::Well | Verdict::Found(Severity::Info)
            )
        });
        found.map(|check| check.code).collect()
    }

    /// What is said of that code; it must be said.
    #[track_caller]
    pub(super) fn check(&self, code: &str) -> Check {
        let report = self.report();
        let found = report.checks.iter().find(|check| check.code == code);
        found
            .unwrap_or_else(|| panic!("no {code}: {report:#?}"))
            .clone()
    }
}

/// A trial in namespace `shop` from which the pod comes back with these annotations.
pub(super) fn trial(annotations: &Value) -> Trial {
    let pod = pod_to_try("web:1", false);
    let mut came = pod.clone();
    came["metadata"]["annotations"] = annotations.clone();
    Trial {
        namespace: "shop".into(),
        pod,
        is_by_itself: false,
        tried: Ok(Tried {
            pod: came,
            warnings: Vec::new(),
        }),
        asked: None,
        calls: None,
    }
}

/// A release of the chart of which both replicas are ready.
fn backend(target: Target) -> Backend {
    let labels = json!({"app": "podgrace"});
    let mut backend = Backend::new(target);
    backend.service = Ok(Some(json!({"spec": {
        "selector": labels,
        "ports": [{"name": "webhook", "port": 443}, {"name": "ops", "port": 8080}],
    }})));
    backend.slices = Ok(vec![json!({"endpoints": [
        {"conditions": {"ready": true}}, {"conditions": {}},
    ]})]);
    backend.deployments = Ok(vec![json!({
        "metadata": {
            "name": "podgrace", "namespace": "podgrace",
            "annotations": {"meta.helm.sh/release-name": "podgrace"},
        },
        "spec": {"replicas": 2, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "podgrace", "image": "podgrace:1", "args": ["serve"]}]},
        }},
        "status": {"readyReplicas": 2},
    })]);
    backend.pods = Ok(vec![
        json!({"spec": {"containers": [{"image": "podgrace:1"}]}}),
    ]);
    backend.ops = Some(Ok(Ops {
        version: Some(env!("CARGO_PKG_VERSION").into()),
        certificate_until: "2027-02-01T00:00:00Z".parse().ok(),
        troubles: Vec::new(),
    }));
    backend
}
