//! Whatever the chart renders is taken by the API server, strictly.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use kube::api::{Patch, PatchParams, ValidationDirective};
use serde_json::{Value, json};

use super::{Outcome, collection, without_helm};
use crate::cluster::{Cluster, DEFINITIONS};
use crate::helm;

pub(in super::super) async fn run(cluster: Arc<Cluster>) -> Outcome {
    if let Some(skipped) = without_helm() {
        return skipped;
    }
    if !cluster.foreign {
        define(&cluster).await;
    }
    let restricted = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    let namespace = cluster.labelled_namespace("chart", restricted).await;
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut unknown = Vec::new();
    let cases: Vec<helm::Case> = helm::cases().into_iter().chain(helm::ways()).collect();
    for (case, arguments) in &cases {
        let stream = helm::render(4, &namespace, arguments).expect("rendered");
        for mut object in helm::documents(&stream) {
            if object["kind"] == "Pod" {
                // As whom it runs is not made here.
                object["spec"]["serviceAccountName"] = "default".into();
            }
            let kind = object["kind"].as_str().unwrap_or_default().to_owned();
            let reply = would_apply(&cluster, &object).await;
            if cluster.foreign && reply.0 == 404 {
                unknown.push(kind);
                continue;
            }
            assert_eq!(reply, (200, String::new()), "{case}: {object:#}");
            if let Some(pod) = pod(&object) {
                let reply = cluster.try_pod(&namespace, &pod).await;
                assert!(reply.warnings.is_empty(), "{case}: {:?}", reply.warnings);
                reply.accepted();
            }
            *kinds.entry(kind).or_default() += 1;
        }
    }
    // What proves nothing when it is refused too: the check refuses what is wrong.
    let wrong = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "wrong", "namespace": namespace},
        "spec": {"port": []},
    });
    let (status, message) = would_apply(&cluster, &wrong).await;
    assert!(status == 400 || status == 500, "{status} {message}");
    assert!(message.contains("port"), "{message}");
    let checked: usize = kinds.values().sum();
    let cases = cases.len();
    let mut note = format!(
        "{checked} objects of {} kinds in {cases} cases",
        kinds.len()
    );
    if !unknown.is_empty() {
        note += &format!(", {} of kinds that are not here", unknown.len());
    }
    Outcome::Passed(note)
}

/// The kinds of cert-manager and of the Prometheus operator.
async fn define(cluster: &Cluster) {
    let folder = helm::tools().join("crds");
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).expect("make helm") {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("text");
        for definition in helm::documents(&text) {
            let name = definition["metadata"]["name"].as_str().expect("a name");
            names.push(name.to_owned());
            cluster
                .create(DEFINITIONS, &definition, false)
                .await
                .accepted();
        }
    }
    assert_eq!(names.len(), 4, "{names:?}");
    for name in names {
        cluster.serves(&name).await;
    }
}

/// What the API server says to `kubectl apply --server-side --validate=strict --dry-run=server`.
async fn would_apply(cluster: &Cluster, object: &Value) -> (u16, String) {
    let params = PatchParams {
        dry_run: true,
        force: true,
        field_manager: Some("podgrace-e2e".into()),
        field_validation: Some(ValidationDirective::Strict),
    };
    let name = object["metadata"]["name"].as_str().expect("a name");
    let patch = Patch::Apply(object.clone());
    let reply = cluster
        .patch(&collection(object), name, &patch, &params)
        .await;
    let status = if reply.status == 201 {
        200
    } else {
        reply.status
    };
    let warnings = reply.warnings.join("; ");
    (status, format!("{}{warnings}", reply.message()))
}

/// The pod that a Deployment would make, or the one that it is.
fn pod(object: &Value) -> Option<Value> {
    let (metadata, spec) = match object["kind"].as_str()? {
        "Deployment" => {
            let template = &object["spec"]["template"];
            (&template["metadata"], &template["spec"])
        }
        "Pod" => (&object["metadata"], &object["spec"]),
        _ => return None,
    };
    let mut pod =
        json!({"metadata": {"name": "restricted", "labels": metadata["labels"]}, "spec": spec});
    pod["spec"]["serviceAccountName"] = "default".into();
    Some(pod)
}
