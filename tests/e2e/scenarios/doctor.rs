//! `podgrace doctor` on a control plane, with a webhook by its address: broken in the ways in which people break
//! it, each told with what mends it, and mended so.

pub(super) mod deployed;
mod patient;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Outcome, passed, pod, web};
use crate::cluster::{self, Cluster, WEBHOOKS, pods};
use crate::doctor::{Visit, told};
use crate::pki;
use patient::Patient;

const NAMESPACES: &str = "/api/v1/namespaces";

/// The clusters' clock, as objects keep it: whole seconds.
const A_SECOND: Duration = Duration::from_millis(1500);

/// For how long a finding may stay away: a kubelet takes up to two minutes to bring a changed ConfigMap.
const PATIENCE: Duration = Duration::from_secs(180);

/// Waits until these are the findings: API servers learn of a changed configuration by a watch.
async fn eventually(cluster: &Cluster, findings: &[&str]) -> Visit {
    let since = Instant::now();
    loop {
        let visit = Visit::pay(cluster, &[]);
        if visit.findings() == findings {
            return visit;
        }
        assert!(
            since.elapsed() < PATIENCE,
            "never {findings:?}: {}{:#}",
            visit.complaint,
            visit.report
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Why it cannot be tried here.
fn skipped(cluster: &Cluster) -> Option<Outcome> {
    let why = if cluster.foreign {
        "it breaks whatever webhook there is"
    } else if cluster.kubectl.is_none() || !cluster.controllers {
        "there is no kubectl, or nothing makes pods"
    } else {
        return None;
    };
    Some(Outcome::Skipped(why.into()))
}

/// Not there, there, and wanted by nobody; then by a namespace, by the command that it says.
pub(super) async fn installed(cluster: Arc<Cluster>) -> Outcome {
    if let Some(skipped) = skipped(&cluster) {
        return skipped;
    }
    let visit = Visit::pay(&cluster, &[]);
    assert_eq!((visit.code, visit.findings()), (1, vec!["not-installed"]));

    // A Deployment alone does nothing.
    let patient = Patient::new(&cluster, "doctor-installed").await;
    let path = patient.deployments();
    let labels = json!({"app.kubernetes.io/name": "podgrace"});
    cluster
        .create(&path, &deployment("pg", labels), false)
        .await
        .accepted();
    let visit = Visit::pay(&cluster, &[]);
    assert_eq!(visit.findings(), ["no-configuration"]);
    let says = visit.says("no-configuration");
    assert!(
        says.contains(&format!("Deployment {}/pg is there", patient.namespace)),
        "{says}"
    );
    cluster.delete(&path, "pg").await.accepted();

    patient.register(&json!({})).await;
    // That the webhook works is known all the same.
    let visit = patient.eventually(&["nobody-in"]).await;
    let says = visit.says("injected");
    assert!(
        says.contains("with the label podgrace.io/mode=enforce comes back injected"),
        "{says}"
    );
    let visit = patient.visit_own();
    assert_eq!(
        (visit.code, visit.findings()),
        (1, vec!["namespace-not-in"])
    );
    visit.do_as_told(&cluster, "namespace-not-in");
    let visit = patient.eventually(&[]).await;
    assert_eq!(visit.code, 0);
    let says = visit.says("injected");
    assert!(
        says.contains(&format!("a pod in {} comes back", patient.namespace)),
        "{says}"
    );
    let text = told(&cluster, &[]);
    assert!(text.ends_with("All is well.\n"), "{text}");
    assert!(!text.contains('\u{1b}'), "colours for nobody: {text}");
    patient.leave().await;
    passed()
}

/// What namespaces say, and say wrongly.
pub(super) async fn namespaces(cluster: Arc<Cluster>) -> Outcome {
    if let Some(skipped) = skipped(&cluster) {
        return skipped;
    }
    let patient = Patient::well(&cluster, "doctor-namespaces").await;
    let off = json!({"podgrace.io/mode": "off"});
    let other = cluster.labelled_namespace("doctor-off", off).await;
    let visit = Visit::pay(&cluster, &["-n", &other]);
    assert_eq!(visit.findings(), ["namespace-off"]);
    visit.do_as_told(&cluster, "namespace-off");
    assert_eq!(Visit::pay(&cluster, &["-n", &other]).findings(), [""; 0]);

    // A slip of the pen, which no selector matches.
    let change = json!({"metadata": {
        "labels": {"podgrace.io/mode": "enforced"},
        "annotations": {"podgrace.io/pre-stop-sleep": "10"},
    }});
    cluster.merge(NAMESPACES, &other, &change).await.accepted();
    let visit = Visit::pay(&cluster, &["-n", &other]);
    assert_eq!(
        visit.findings(),
        ["namespace-not-in", "says-wrongly", "says-wrongly"]
    );
    let all = Visit::pay(&cluster, &[]);
    assert_eq!(all.findings(), ["says-wrongly", "says-wrongly"]);
    let says = all.says("says-wrongly");
    assert!(
        says.contains(&other) && says.contains("\"enforced\" is not a mode"),
        "{says}"
    );
    visit.do_as_told(&cluster, "namespace-not-in");

    // Audit tells, which is as good a proof.
    let change = json!({"metadata": {
        "labels": {"podgrace.io/mode": "audit"},
        "annotations": {"podgrace.io/pre-stop-sleep": null},
    }});
    cluster.merge(NAMESPACES, &other, &change).await.accepted();
    // The webhook here knows no namespaces, and patches.
    let visit = Visit::pay(&cluster, &["-n", &other]);
    assert_eq!(visit.findings(), [""; 0]);
    assert!(visit.says("namespace-in").ends_with(": audit"));

    cluster.delete(NAMESPACES, &other).await.accepted();
    cluster::eventually("the namespace is gone", || async {
        cluster.get(NAMESPACES, &other).await.status == 404
    })
    .await;
    let visit = Visit::pay(&cluster, &["-n", &other]);
    assert_eq!(visit.code, 2);
    assert!(
        visit.complaint.contains("there is no namespace"),
        "{}",
        visit.complaint
    );
    patient.leave().await;
    passed()
}

/// Pods that were made too early, or while nobody answered.
pub(super) async fn missed(cluster: Arc<Cluster>) -> Outcome {
    if let Some(skipped) = skipped(&cluster) {
        return skipped;
    }
    let mut patient = Patient::well(&cluster, "doctor-missed").await;
    let early = cluster.namespace("doctor-early").await;
    let path = format!("/apis/apps/v1/namespaces/{early}/deployments");
    cluster
        .create(&path, &deployment("cart", json!({})), false)
        .await
        .accepted();
    cluster::eventually("the pod is made", || async {
        !cluster.list(&pods(&early), "app=cart").await.is_empty()
    })
    .await;
    tokio::time::sleep(A_SECOND).await;
    let label = json!({"metadata": {"labels": {"podgrace.io/mode": "enforce"}}});
    cluster.merge(NAMESPACES, &early, &label).await.accepted();
    let visit = Visit::pay(&cluster, &[]);
    assert_eq!(
        (visit.code, visit.findings()),
        (1, vec!["missed", "workload-missed"])
    );
    assert_eq!(visit.missed("cart"), json!({"before-label": 1}));
    let restart = format!("kubectl -n {early} rollout restart deployment/cart");
    assert_eq!(visit.report["restart"], json!([restart]));
    assert!(told(&cluster, &[]).contains(&restart));
    // Whoever wants to know only whether it works; another selector, another namespace.
    assert_eq!(Visit::pay(&cluster, &["--fail-on=error"]).code, 0);
    assert_eq!(
        Visit::pay(&cluster, &["-l", "app=other"]).findings(),
        [""; 0]
    );
    assert_eq!(patient.visit_own().findings(), [""; 0]);

    visit.do_as_told(&cluster, "workload-missed");
    // No kubelet makes the new pod Ready, so the old one stays; of two pods one has it.
    cluster::arrival("the new pod has what it should", || async {
        let visit = Visit::pay(&cluster, &[]);
        let workload = visit.report["workloads"][0].clone();
        (workload["pods"] == 2 && workload["missed"] == json!({"before-label": 1})).then_some(())
    })
    .await;
    cluster.delete(NAMESPACES, &early).await.accepted();
    patient.eventually(&[]).await;

    // Past a webhook that is away.
    let own = pods(&patient.namespace);
    patient.webhook.kill();
    cluster.create(&own, &pod("alone"), false).await.accepted();
    patient.webhook.run().await;
    let visit = patient.eventually(&["missed", "workload-missed"]).await;
    assert_eq!(visit.missed("alone"), json!({"unanswered": 1}));
    assert_eq!(visit.report["restart"], json!([]), "nobody makes it again");
    let advice = visit.check("workload-missed")["advice"].as_str();
    assert!(
        advice.is_some_and(|advice| advice.contains("delete it")),
        "{advice:?}"
    );
    // A configuration that was made anew is younger than the pod.
    tokio::time::sleep(A_SECOND).await;
    patient.register(&json!({})).await;
    let visit = patient.eventually(&["missed", "workload-missed"]).await;
    assert_eq!(visit.missed("alone"), json!({"before-webhook": 1}));
    patient.leave().await;
    passed()
}

/// A certificate that the API server does not take.
pub(super) async fn certificates(cluster: Arc<Cluster>) -> Outcome {
    if let Some(skipped) = skipped(&cluster) {
        return skipped;
    }
    let patient = Patient::well(&cluster, "doctor-certificates").await;
    let other = pki::Authority::new("other");
    for (bundle, code) in [
        (Value::Null, "ca-bundle-empty"),
        (pki::base64("nonsense").into(), "ca-bundle-unreadable"),
        (pki::base64(&other.pem).into(), "ca-bundle-other"),
    ] {
        patient.carries(&bundle).await;
        let visit = patient.eventually(&[code, "distrusted"]).await;
        let says = visit.says(code);
        assert!(
            says.contains("(namespaces.podgrace.io, pods.podgrace.io)"),
            "{says}"
        );
        visit.do_as_told(&cluster, code);
        patient.eventually(&[]).await;
    }
    patient.webhook.replace_certificate(false);
    // Connections that are open go on; a changed bundle ends them.
    let visit = patient.eventually(&["certificate-expired"]).await;
    let says = visit.says("certificate-expired");
    assert!(says.contains("only those that are open go on"), "{says}");
    let twice = format!("{}{}", patient.webhook.ca(), other.pem);
    patient.carries(&pki::base64(twice).into()).await;
    let visit = patient
        .eventually(&["certificate-expired", "distrusted"])
        .await;
    let says = visit.says("certificate-expired");
    assert!(says.contains("the certificate expired on 20"), "{says}");
    patient.webhook.replace_certificate(true);
    patient.eventually(&[]).await;
    patient.leave().await;
    passed()
}

/// Switched off, away, dangerous, doubled.
pub(super) async fn settings(cluster: Arc<Cluster>) -> Outcome {
    if let Some(skipped) = skipped(&cluster) {
        return skipped;
    }
    let mut patient = Patient::well(&cluster, "doctor-settings").await;
    // By the webhook's own word, as its file is not in the cluster.
    patient.configure("off");
    let visit = patient.eventually(&["mode-off"]).await;
    assert!(
        visit
            .says("mode-off")
            .contains("the webhook answers that its mode is off")
    );
    patient.configure("enforce");
    patient.eventually(&[]).await;

    patient.webhook.kill();
    let visit = patient.eventually(&["address-silent", "unreachable"]).await;
    let says = visit.says("unreachable");
    assert!(
        says.contains("which failurePolicy Ignore hides") && says.contains("refused"),
        "{says}"
    );
    patient.register(&json!({"failurePolicy": "Fail"})).await;
    let visit = patient.eventually(&["address-silent", "turned-away"]).await;
    assert!(
        visit
            .says("turned-away")
            .contains("as every pod there is now")
    );
    visit.do_as_told(&cluster, "turned-away");
    patient.eventually(&["address-silent", "unreachable"]).await;
    patient.webhook.run().await;

    patient
        .register(&json!({"timeoutSeconds": 20, "reinvocationPolicy": "Never"}))
        .await;
    let later = json!({"metadata": {"name": "zz-sidecars"}, "webhooks": [{
        "name": "sidecars.example.com",
        "clientConfig": patient.webhook.client_config("/mutate"),
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}],
        "namespaceSelector": {"matchLabels": {"nobody": "has-it"}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }]});
    cluster.global(WEBHOOKS, later).await;
    let visit = patient.eventually(&["timeout-long", "not-reinvoked"]).await;
    assert!(
        visit
            .says("not-reinvoked")
            .contains("zz-sidecars (sidecars.example.com)")
    );
    visit.do_as_told(&cluster, "timeout-long");
    visit.do_as_told(&cluster, "not-reinvoked");
    patient.eventually(&[]).await;
    cluster.delete(WEBHOOKS, "zz-sidecars").await.accepted();

    // Both take every namespace.
    patient.register(&json!({"namespaceSelector": {}})).await;
    patient.eventually(&["sent-twice"]).await;
    patient.leave().await;
    passed()
}

/// Somebody who may do nothing, and who may only make pods.
pub(super) async fn permissions(cluster: Arc<Cluster>) -> Outcome {
    if let Some(skipped) = skipped(&cluster) {
        return skipped;
    }
    let patient = Patient::well(&cluster, "doctor-permissions").await;
    let namespace = &patient.namespace;
    let nobody = cluster.kubeconfig_of_account(namespace, "default").await;
    let visit = Visit::pay_as(&nobody, &[]);
    assert_eq!(
        (visit.code, visit.findings()),
        (1, vec!["forbidden"; 3]),
        "{:#}",
        visit.report
    );
    let says = visit.says("forbidden");
    assert!(
        says.contains("no permission to list mutatingwebhookconfigurations"),
        "{says}"
    );
    assert!(
        says.contains("kubectl create clusterrole NAME --verb=list"),
        "{says}"
    );

    crate::doctor::run(
        &cluster,
        &format!(
            "kubectl -n {namespace} create role maker --verb=create --resource=pods\n\
         kubectl -n {namespace} create rolebinding maker --role=maker --serviceaccount={namespace}:default"
        ),
    );
    let visit = Visit::pay_as(&nobody, &["-n", namespace]);
    assert!(visit.says("injected").contains("comes back injected"));
    patient.leave().await;
    passed()
}

/// There is no cluster, or none that knows us.
pub(super) async fn nowhere(cluster: Arc<Cluster>) -> Outcome {
    let away = cluster.kubeconfig_with("away", |file| {
        file["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1".into();
    });
    let stranger = cluster.kubeconfig_of("stranger", &"of nobody".into());
    for (path, why) in [
        (away, "https://127.0.0.1:1/ does not answer: "),
        (stranger, "does not know who we are (401)"),
    ] {
        let visit = Visit::pay_as(&path, &[]);
        assert_eq!(visit.code, 2);
        assert!(visit.complaint.contains(why), "{}", visit.complaint);
    }
    passed()
}

/// One container that could have everything.
fn deployment(name: &str, mut labels: Value) -> Value {
    labels["app"] = name.into();
    json!({
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [web()]},
            },
        },
    })
}
