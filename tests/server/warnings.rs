//! `POST /warn`: whoever writes what makes pods is told something, and nobody is ever turned away.

use std::sync::Arc;

use podgrace::config::Configuration;
use podgrace::lifecycle::annotations::Said;
use podgrace::lifecycle::json::StrMap;
use podgrace::lifecycle::policy::{Mode, Policy};
use podgrace::server::{NamespaceLookup, Unavailable};
use serde_json::Value;

use crate::answers::held;
use crate::client::{Response, in_time};
use crate::running::{Running, review, start, workload_review};

/// The warnings of an answer that allows and patches nothing.
fn warnings(answer: &Response, uid: &str) -> Vec<String> {
    answer.allows(uid);
    let response = &answer.json()["response"];
    assert!(response.get("patch").is_none());
    let warnings = response["warnings"].as_array().into_iter().flatten();
    warnings
        .map(|w| w.as_str().expect("text").to_owned())
        .collect()
}

async fn told(running: &Running, path: &str) -> Vec<String> {
    let mut client = running.client().await;
    let answer = client.post(path, &workload_review("u")).await;
    warnings(&answer.expect("answered"), "u")
}

async fn counted(running: &Running, outcome: &str) -> f64 {
    let series = format!(r#"podgrace_webhook_workloads_total{{outcome="{outcome}"}}"#);
    running.metric(&series).await
}

#[tokio::test]
async fn the_writer_of_a_workload_is_told_and_its_pods_are_not_counted() {
    let said = || {
        let annotations: StrMap<'_> = [("podgrace.io/startup-timeout", "5")].into_iter().collect();
        Ok(Arc::new(Said::by_namespace(&StrMap::EMPTY, &annotations)))
    };
    let lookup: NamespaceLookup = Arc::new(move |name: &str| {
        assert_eq!(name, "shop");
        Box::pin(async move { said() })
    });
    let running = start(|_, engine| engine.namespaces = Some(lookup)).await;
    let warnings = told(&running, "/warn?timeout=2s").await;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("(on the namespace)"), "{warnings:?}");
    assert!(warnings[1].contains("did you mean podgrace.io/pre-stop-sleep?"));

    assert_eq!(counted(&running, "warned").await, 1.0);
    let metrics = running.ops("/metrics").await;
    let pods = metrics
        .text()
        .lines()
        .filter(|line| line.starts_with("podgrace_webhook_requests_total"));
    for line in pods {
        assert!(line.ends_with(" 0"), "{line}");
    }
    // The other question is asked elsewhere, of a server that is the same.
    let mut client = running.client().await;
    let answer = client.post("/mutate", &workload_review("v")).await;
    assert!(is_silent(&answer.expect("answered")));
    let answer = client.post("/warn", &review("w")).await;
    assert!(is_silent(&answer.expect("answered")));
    assert_eq!(counted(&running, "ignored").await, 1.0);
}

fn is_silent(answer: &Response) -> bool {
    answer.json()["response"].get("warnings").is_none()
}

#[tokio::test]
async fn the_kill_switch_and_further_kinds_count_without_a_restart() {
    let mut shared = None;
    let running = start(|_, engine| {
        shared = Some((Arc::clone(&engine.policy), Arc::clone(&engine.kinds)));
    })
    .await;
    let (policy, kinds) = shared.expect("an engine");
    assert_eq!(told(&running, "/warn").await.len(), 1);
    policy.store(Arc::new(Policy {
        mode: Mode::Off,
        ..Policy::default()
    }));
    assert_eq!(told(&running, "/warn").await, [""; 0]);
    policy.store(Arc::default());

    let rollout = workload_review("u")
        .replace("apps/v1", "argoproj.io/v1alpha1")
        .replace("Deployment", "Rollout");
    let mut client = running.client().await;
    let before = client.post("/warn", &rollout).await.expect("answered");
    assert_eq!(warnings(&before, "u"), [""; 0]);
    let text = "apiVersion: podgrace.io/v1alpha1\nkind: PodgraceConfiguration\nworkloads:\n\
                - {group: argoproj.io, kind: Rollout, templates: [spec.template]}\n";
    let configuration = Configuration::parse("podgrace.yaml".as_ref(), text).expect("understood");
    kinds.store(Arc::new(configuration.kinds().clone()));
    let after = client.post("/warn", &rollout).await.expect("answered");
    assert_eq!(warnings(&after, "u").len(), 1);
}

/// Nobody loses anything by it: so it is not even mentioned, and no pod counts as shed.
#[tokio::test]
async fn too_much_too_late_or_with_a_panic_is_allowed_without_a_word() {
    let (lookup, mut asks, leave) = held();
    let running = start(|options, engine| {
        options.requests.in_flight = 1;
        engine.namespaces = Some(lookup);
    })
    .await;
    let mut first = running.client().await;
    let first = tokio::spawn(async move { first.post("/warn", &workload_review("first")).await });
    in_time(asks.recv()).await.expect("it is being answered");
    assert_eq!(told(&running, "/warn").await, [""; 0], "one too many");
    leave.add_permits(1);
    let first = first.await.expect("no panic").expect("answered");
    assert_eq!(warnings(&first, "first").len(), 1);
    assert_eq!(told(&running, "/warn?timeout=100ms").await, [""; 0], "late");
    assert_eq!(counted(&running, "shed").await, 2.0);
    for reason in ["overload", "deadline"] {
        let series = format!(r#"podgrace_webhook_shed_total{{reason="{reason}"}}"#);
        assert_eq!(running.metric(&series).await, 0.0);
    }

    let lookup: NamespaceLookup = Arc::new(|_: &str| panic!("as this test wants"));
    let running = start(|_, engine| engine.namespaces = Some(lookup)).await;
    assert_eq!(told(&running, "/warn").await, [""; 0], "a panic");
    assert_eq!(running.metric("podgrace_webhook_panics_total").await, 1.0);

    let nobody = |_: &str| -> podgrace::server::PendingNamespace {
        Box::pin(async { Err(Unavailable("as this test wants".to_owned())) })
    };
    let running = start(|_, engine| engine.namespaces = Some(Arc::new(nobody))).await;
    assert_eq!(told(&running, "/warn").await, [""; 0], "no namespace");
    assert_eq!(counted(&running, "shed").await, 1.0);
}

#[tokio::test]
async fn what_has_no_uid_is_refused_in_one_sentence() {
    let running = start(|_, _| ()).await;
    let mut client = running.client().await;
    for body in ["", "{}", "no JSON"] {
        let refused = client.post("/warn", body).await.expect("answered");
        assert_eq!(refused.status, 400, "{body}");
        assert_eq!(refused.text().lines().count(), 1, "{body}");
    }
    assert_eq!(client.get("/warn").await.expect("answered").status, 405);
    let odd: Value = serde_json::json!({"request": {"uid": "u", "object": 5}});
    let answer = client.post("/warn", &odd.to_string()).await;
    assert_eq!(warnings(&answer.expect("answered"), "u").len(), 1);
    assert_eq!(counted(&running, "unreadable").await, 1.0);
}
