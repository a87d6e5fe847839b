//! Namespaces that are in, out, or misunderstood.

use serde_json::json;

use super::super::testing::{configuration, namespace, webhook};
use super::*;

fn facts(namespaces: &[Value], asked_for: Option<&str>) -> Facts {
    let pods = webhook(&json!({
        "name": "pods.podgrace.io",
        "namespaceSelector": {"matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["podgrace", "kube-system"]},
            {"key": MODE_LABEL, "operator": "NotIn", "values": ["enforce", "audit"]},
        ]},
        "objectSelector": {"matchExpressions": [
            {"key": MODE_LABEL, "operator": "In", "values": ["enforce", "audit"]},
        ]},
    }));
    let configuration = configuration("podgrace", &[webhook(&json!({})), pods]);
    let mut facts = Facts::of(&[configuration], namespaces, &[]);
    facts.asked_for = asked_for.map(str::to_owned);
    facts
}

fn with_mode(name: &str, mode: &str) -> Value {
    namespace(name, json!({MODE_LABEL: mode}), json!({}))
}

#[test]
fn who_asks_for_a_namespace_learns_why_it_is_not_in_and_how_it_gets_in() {
    let enforce = "kubectl label namespace shop podgrace.io/mode=enforce";
    for (object, code, command) in [
        (
            namespace("shop", json!({}), json!({})),
            "namespace-not-in",
            enforce.to_owned(),
        ),
        (
            with_mode("shop", "on"),
            "namespace-not-in",
            format!("{enforce} --overwrite"),
        ),
        (
            with_mode("shop", "off"),
            "namespace-off",
            format!("{enforce} --overwrite"),
        ),
    ] {
        let facts = facts(&[object], Some("shop"));
        assert_eq!(facts.check(code).commands, [command]);
    }
    let system = facts(
        &[namespace("kube-system", json!({}), json!({}))],
        Some("kube-system"),
    );
    assert_eq!(system.findings(), ["namespace-excluded"]);
    let mut alone = facts(&[with_mode("shop", "enforce")], Some("shop"));
    alone.policy.excluded_namespaces = vec!["sh*".into()];
    assert_eq!(alone.findings(), ["namespace-left-alone"]);
}

#[test]
fn what_namespaces_say_in_vain_is_told() {
    let annotated = namespace(
        "quiet",
        json!({}),
        json!({"podgrace.io/pre-stop-sleep": "9s"}),
    );
    let wrong = namespace(
        "wrong",
        json!({MODE_LABEL: "enforce"}),
        json!({"podgrace.io/profile": "aws"}),
    );
    let facts = facts(&[with_mode("shop", "audit"), annotated, wrong], None);
    assert_eq!(facts.findings(), ["says-wrongly"]);
    assert!(
        facts
            .check("says-wrongly")
            .message
            .contains("\"aws\" is not a profile")
    );
    assert!(
        facts
            .check("settings-unheard")
            .message
            .starts_with("annotated, but not in: quiet")
    );
    let told = facts.check("namespaces").message;
    assert_eq!(told, "enforce (1): wrong; audit (1): shop; not in (1)");
}

#[test]
fn a_pod_is_tried_where_it_tells_most() {
    let read = |facts: &Facts| -> Vec<Namespace> {
        let ours: Vec<&Hook> = facts.ours().collect();
        let objects = facts.namespaces.iter().flatten();
        objects
            .map(|object| Namespace::of(object, &ours, &facts.policy))
            .collect()
    };
    let mut ending = with_mode("a-ending", "enforce");
    ending["status"] = json!({"phase": "Terminating"});
    let plain = || namespace("default", json!({}), json!({}));
    let all = facts(
        &[
            ending,
            with_mode("b", "audit"),
            with_mode("c", "enforce"),
            plain(),
        ],
        None,
    );
    assert_eq!(choose(&read(&all), None), Some(("c", false)));
    assert_eq!(choose(&read(&all), Some("b")), Some(("b", false)));
    assert_eq!(
        choose(&read(&all), Some("default")),
        Some(("default", true))
    );
    let nobody = facts(&[namespace("aaa", json!({}), json!({})), plain()], None);
    assert_eq!(choose(&read(&nobody), None), Some(("default", true)));
    let system = facts(&[namespace("kube-system", json!({}), json!({}))], None);
    assert_eq!(choose(&read(&system), Some("kube-system")), None);
}
