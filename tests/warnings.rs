//! Reviews of what makes pods: whoever writes it is told what its pods' creation is warned of, once.

use podgrace::admission::{Answer, Outcome, UnreadReview, WorkloadReview};
use podgrace::lifecycle::annotations::Said;
use podgrace::lifecycle::json::StrMap;
use podgrace::lifecycle::policy::{Mode, Policy};
use podgrace::workload::{CustomKind, Kinds};
use serde_json::{Value, json};

/// A Deployment whose pods get everything, changed by what is laid over it.
fn deployment(change: Value) -> Value {
    let mut object = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop", "namespace": "web"},
        "spec": {"replicas": 2, "template": {
            "metadata": {"labels": {"app": "shop"}},
            "spec": {"containers": [{
                "name": "shop", "ports": [{"containerPort": 80}], "livenessProbe": {"tcpSocket": {"port": 80}},
            }]},
        }},
    });
    merge(&mut object, change);
    object
}

/// A key that is misspelt.
const MISSPELT: &str =
    "podgrace.io/pre-stop-slep is not a setting (did you mean podgrace.io/pre-stop-sleep?)";

fn misspelt() -> Value {
    deployment(annotated(json!({"podgrace.io/pre-stop-slep": "5s"})))
}

/// Annotations on the pod template.
fn annotated(annotations: Value) -> Value {
    json!({"spec": {"template": {"metadata": {"annotations": annotations}}}})
}

fn labelled(mode: &str) -> Value {
    json!({"spec": {"template": {"metadata": {"labels": {"podgrace.io/mode": mode}}}}})
}

fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}

/// A request about an object.
struct Request {
    operation: &'static str,
    object: Value,
    before: Value,
    sub_resource: &'static str,
}

fn created(object: Value) -> Request {
    Request {
        operation: "CREATE",
        object,
        before: Value::Null,
        sub_resource: "",
    }
}

fn updated(before: Value, object: Value) -> Request {
    Request {
        operation: "UPDATE",
        before,
        ..created(object)
    }
}

impl Request {
    fn answer(&self, policy: &Policy, kinds: &Kinds, namespace: Option<&Said>) -> Answer {
        let body = json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": "u-1",
                "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
                "subResource": self.sub_resource,
                "name": "shop",
                "namespace": "web",
                "operation": self.operation,
                "object": self.object,
                "oldObject": self.before,
            },
        });
        let body = body.to_string();
        let review = WorkloadReview::read(body.as_bytes()).expect("a review");
        assert_eq!(review.namespace(), Some("web"));
        review.answer(policy, kinds, namespace)
    }

    /// The outcome and the warnings, by what holds without a configuration.
    fn told(&self) -> (Outcome, Vec<String>) {
        told(&self.answer(&Policy::default(), &Kinds::default(), None))
    }
}

fn response(answer: &Answer) -> Value {
    let mut body: Value = serde_json::from_slice(&answer.body).expect("the answer is JSON");
    assert_eq!(body["kind"], "AdmissionReview");
    let response = body["response"].take();
    assert_eq!(response["allowed"], true);
    assert_eq!(response["uid"], "u-1");
    assert!(response.get("patch").is_none() && response.get("patchType").is_none());
    response
}

fn told(answer: &Answer) -> (Outcome, Vec<String>) {
    let response = response(answer);
    let warnings = response["warnings"].as_array().cloned().unwrap_or_default();
    let texts = warnings.iter().map(|w| w.as_str().expect("text"));
    let texts = texts.map(|text| text.strip_prefix("podgrace").expect("our name"));
    let texts = texts.map(|text| text.trim_start_matches([':', ' ']).to_owned());
    (answer.decision.outcome, texts.collect())
}

fn silent() -> (Outcome, Vec<String>) {
    (Outcome::Silent, Vec::new())
}

fn ignored() -> (Outcome, Vec<String>) {
    (Outcome::Ignored, Vec::new())
}

fn warned(warnings: &[&str]) -> (Outcome, Vec<String>) {
    let warnings = warnings.iter().map(|w| (*w).to_owned());
    (Outcome::Warned, warnings.collect())
}

#[test]
fn what_is_right_is_nothing_to_warn_of() {
    assert_eq!(created(deployment(json!({}))).told(), silent());
}

#[test]
fn what_is_understood_wrongly_is_told_and_what_its_pods_would_get_in_audit_mode() {
    assert_eq!(created(misspelt()).told(), warned(&[MISSPELT]));
    assert_eq!(
        created(deployment(labelled("audit"))).told(),
        warned(&[
            "would inject shop: startupProbe from its livenessProbe, every 1s for up to 150s",
            "would inject shop: preStop sleep 5s",
            "would inject terminationGracePeriodSeconds 30 -> 35",
        ])
    );
    let mut undeclared = deployment(json!({}));
    undeclared["spec"]["template"]["spec"]["containers"][0]["livenessProbe"] =
        json!({"httpGet": {"port": "http"}});
    let (outcome, warnings) = created(undeclared).told();
    assert_eq!((outcome, warnings.len()), (Outcome::Warned, 1));
    assert!(warnings[0].contains("which the container does not declare"));
}

#[test]
fn what_only_the_workload_shows_is_told_too() {
    let object = deployment(json!({
        "metadata": {"annotations": {"podgrace.io/profile": "spring-boot"}},
        "spec": {"progressDeadlineSeconds": 60},
    }));
    assert_eq!(
        created(object).told(),
        warned(&[
            "a start may take 150s with the startupProbe, and progressDeadlineSeconds calls the rollout failed after \
             60s without Ready",
            "podgrace.io/profile is on the deployment and not on its pod template, where it would count",
        ])
    );
}

#[test]
fn a_namespace_counts_as_it_does_for_pods() {
    let kinds = Kinds::default();
    let said = |key: &str, labels: &[(&str, &str)]| {
        let annotations = [(key, "5")].into_iter().collect();
        Said::by_namespace(&labels.iter().copied().collect(), &annotations)
    };
    let ask = |said: &Said| {
        let request = created(deployment(json!({})));
        told(&request.answer(&Policy::default(), &kinds, Some(said)))
    };
    let (outcome, warnings) = ask(&said("podgrace.io/pre-stop-sleep", &[]));
    assert_eq!((outcome, warnings.len()), (Outcome::Warned, 1));
    assert!(warnings[0].contains("(on the namespace)"), "{warnings:?}");
    let audit = said("other", &[("podgrace.io/mode", "audit")]);
    assert_eq!(ask(&audit).1.len(), 3);
    let off = said("podgrace.io/pre-stop-sleep", &[("podgrace.io/mode", "off")]);
    assert_eq!(ask(&off), silent());
}

#[test]
fn an_update_is_news_only_where_its_template_changed() {
    let other_image = json!({"spec": {"template": {"metadata": {"labels": {"version": "2"}}}}});
    let scaled = json!({"spec": {"replicas": 9}, "status": {"replicas": 9}});
    let changed = |change: &Value| {
        let mut object = misspelt();
        merge(&mut object, change.clone());
        object
    };
    assert_eq!(updated(misspelt(), misspelt()).told(), silent());
    assert_eq!(updated(misspelt(), changed(&scaled)).told(), silent());
    let now = updated(misspelt(), changed(&other_image)).told();
    assert_eq!(now, warned(&[MISSPELT]));
    // What stands on the workload itself is news when it comes, and not afterwards.
    let misplaced = json!({"metadata": {"annotations": {"podgrace.io/profile": "spring-boot"}}});
    let (_, warnings) = updated(misspelt(), changed(&misplaced)).told();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    let again = updated(changed(&misplaced), changed(&misplaced)).told();
    assert_eq!(again, silent());
    // Nothing is known of what it was.
    assert_eq!(updated(json!(5), misspelt()).told(), warned(&[MISSPELT]));
}

#[test]
fn nobody_is_told_who_wants_nothing_to_do_with_it() {
    let everything = deployment(json!({
        "metadata": {"annotations": {"podgrace.io/profile": "spring-boot"}},
        "spec": {"template": {"metadata": {
            "labels": {"podgrace.io/mode": "enforce"}, "annotations": {"podgrace.io/pre-stop-sleep": "5"},
        }}},
    }));
    assert_eq!(created(everything.clone()).told().1.len(), 2);
    let off = Policy {
        mode: Mode::Off,
        ..Policy::default()
    };
    let answer = created(everything).answer(&off, &Kinds::default(), None);
    assert_eq!(told(&answer), silent(), "the kill switch");
    let mut opted_out = misspelt();
    merge(&mut opted_out, labelled("off"));
    assert_eq!(created(opted_out).told(), silent());
    // Who means to be in, and says so in the wrong place, is not out.
    let out = Said::by_namespace(
        &[("podgrace.io/mode", "off")].into_iter().collect(),
        &StrMap::EMPTY,
    );
    let means_to = deployment(json!({"metadata": {"labels": {"podgrace.io/mode": "enforce"}}}));
    let answer = created(means_to).answer(&Policy::default(), &Kinds::default(), Some(&out));
    assert_eq!(
        told(&answer),
        warned(&[
            "podgrace.io/mode is on the deployment and not on its pod template, where it would count"
        ])
    );
}

#[test]
fn only_what_people_write_and_what_makes_pods_is_looked_at() {
    let owned = json!({"metadata": {"ownerReferences": [{"kind": "Rollout", "name": "a", "controller": true}]}});
    let mut replica_set = misspelt();
    replica_set["kind"] = "ReplicaSet".into();
    assert_eq!(created(replica_set.clone()).told(), warned(&[MISSPELT]));
    merge(&mut replica_set, owned);
    assert_eq!(created(replica_set).told(), ignored());

    for (operation, sub_resource) in [
        ("UPDATE", "scale"),
        ("UPDATE", "status"),
        ("DELETE", ""),
        ("CONNECT", ""),
    ] {
        let request = Request {
            operation,
            sub_resource,
            ..created(misspelt())
        };
        assert_eq!(request.told(), ignored(), "{operation} {sub_resource}");
    }
    let template = &misspelt()["spec"]["template"];
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"], "spec": template["spec"]});
    assert_eq!(created(pod).told(), ignored());
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"annotations": {"podgrace.io/x": "y"}}});
    assert_eq!(created(service).told(), ignored());
}

#[test]
fn every_kind_that_makes_pods_is_looked_at() {
    let template = misspelt()["spec"]["template"].clone();
    for (version, kind, spec) in [
        ("apps/v1", "Deployment", json!({"template": template})),
        ("apps/v1", "StatefulSet", json!({"template": template})),
        ("apps/v1", "DaemonSet", json!({"template": template})),
        ("apps/v1", "ReplicaSet", json!({"template": template})),
        ("v1", "ReplicationController", json!({"template": template})),
        ("batch/v1", "Job", json!({"template": template})),
        (
            "batch/v1",
            "CronJob",
            json!({"jobTemplate": {"spec": {"template": template}}}),
        ),
    ] {
        let object =
            json!({"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, "spec": spec});
        assert_eq!(created(object).told(), warned(&[MISSPELT]), "{kind}");
    }
}

#[test]
fn a_custom_kind_is_looked_at_where_it_is_configured() {
    let mut rollout = misspelt();
    rollout["apiVersion"] = "argoproj.io/v1alpha1".into();
    rollout["kind"] = "Rollout".into();
    assert_eq!(created(rollout.clone()).told(), ignored());
    let kinds = Kinds::new(vec![CustomKind {
        group: "argoproj.io".into(),
        kind: "Rollout".into(),
        templates: vec!["/spec/template".into(), "/spec/other".into()],
        reference: Some("/spec/workloadRef".into()),
        owner: None,
    }]);
    let ask = |object: &Value| {
        let request = created(object.clone());
        told(&request.answer(&Policy::default(), &kinds, None))
    };
    assert_eq!(ask(&rollout), warned(&[MISSPELT]));
    // What is wrong in two templates is two mistakes of the same words, and said once.
    rollout["spec"]["other"] = rollout["spec"]["template"].clone();
    assert_eq!(ask(&rollout), warned(&[MISSPELT]));
    rollout["spec"] = json!({"workloadRef": {"name": "shop"}});
    assert_eq!(ask(&rollout), ignored());
    rollout["spec"] = json!({});
    let (outcome, warnings) = ask(&rollout);
    assert_eq!(outcome, Outcome::Unreadable);
    assert_eq!(
        warnings,
        ["rollout/shop: it has no pod template; nothing is known of its pods"]
    );
}

#[test]
fn whatever_carries_a_uid_is_answered_and_the_rest_is_refused_in_a_sentence() {
    for object in [
        json!(null),
        json!("text"),
        json!([]),
        deployment(json!({"spec": {"template": {"spec": {"containers": 5}}}})),
        deployment(json!({"spec": {"template": {"metadata": {"labels": {"app": 5}}}}})),
        deployment(json!({"spec": {"template": null}})),
    ] {
        let (outcome, warnings) = created(object.clone()).told();
        assert_eq!(outcome, Outcome::Unreadable, "{object}");
        assert_eq!(warnings.len(), 1, "{object}: {warnings:?}");
    }
    for body in [
        r#"{"request":{"uid":"u-1"}}"#.to_owned(),
        r#"{"request":{"uid":"u-1","operation":7,"object":{}}}"#.to_owned(),
        format!(
            r#"{{"request":{{"uid":"u-1","object":{}}}}}"#,
            "[".repeat(300) + &"]".repeat(300)
        ),
    ] {
        let review = WorkloadReview::read(body.as_bytes()).expect("a review");
        let answer = review.answer(&Policy::default(), &Kinds::default(), None);
        assert_eq!(answer.decision.outcome, Outcome::Unreadable, "{body}");
        response(&answer);
    }
    for body in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"request":{}}"#,
        r#"{"request":{"uid":""}}"#,
    ] {
        let why = WorkloadReview::read(body.as_bytes()).expect_err("it cannot be answered");
        assert!(!why.0.is_empty() && !why.0.contains('\n'), "{body}: {why}");
    }
}

#[test]
fn what_is_shed_is_allowed_without_a_word() {
    let body = r#"{"request":{"uid":"u-1","operation":"CREATE","object":{}}}"#;
    let answer = UnreadReview::read(body.as_bytes())
        .expect("a review")
        .shed();
    assert_eq!(told(&answer), (Outcome::Shed, Vec::new()));
}

#[test]
fn the_audit_log_and_the_log_line_tell_what_its_pods_get() {
    let request = created(deployment(json!({})));
    let answer = request.answer(&Policy::default(), &Kinds::default(), None);
    let changes = "shop: startupProbe from its livenessProbe, every 1s for up to 150s; shop: preStop sleep 5s; \
                   terminationGracePeriodSeconds 30 -> 35";
    assert_eq!(
        response(&answer)["auditAnnotations"],
        json!({"mode": "enforce", "changes": changes})
    );
    assert_eq!(
        answer.decision.summary,
        format!("CREATE web/deployments/shop: silent: {changes}")
    );
}
