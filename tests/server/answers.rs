//! What is answered, and that something always is.

use std::sync::Arc;

use podgrace::server::{Engine, NamespaceLookup};
use tokio::sync::{Semaphore, mpsc};

use crate::client::in_time;
use crate::running::{review, start};

/// A lookup that tells when it is asked and answers when it is let.
pub(crate) fn held() -> (
    NamespaceLookup,
    mpsc::UnboundedReceiver<String>,
    Arc<Semaphore>,
) {
    let (asked, asks) = mpsc::unbounded_channel();
    let leave = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&leave);
    let lookup: NamespaceLookup = Arc::new(move |name: &str| {
        asked.send(name.to_owned()).expect("a listener");
        let waiting = Arc::clone(&waiting);
        Box::pin(async move {
            waiting.acquire().await.expect("open").forget();
            Ok(Arc::default())
        })
    });
    (lookup, asks, leave)
}

#[tokio::test]
async fn many_requests_go_over_one_connection() {
    let running = start(|_, _| ()).await;
    let mut client = running.client().await;
    for n in 0..200 {
        let uid = format!("uid-{n}");
        let answer = client
            .post("/mutate?timeout=10s", &review(&uid))
            .await
            .expect("answered");
        answer.allows(&uid);
        assert_eq!(answer.headers["content-type"], "application/json");
        assert!(!answer.closes());
        assert!(!answer.headers.contains_key("retry-after"));
    }
    assert_eq!(
        running
            .metric("podgrace_webhook_connections_accepted_total")
            .await,
        1.0
    );
    assert_eq!(
        running
            .metric("podgrace_webhook_latency_seconds_count")
            .await,
        200.0
    );
    assert_eq!(
        running
            .metric("podgrace_webhook_request_size_bytes_count")
            .await,
        200.0
    );
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused_in_one_sentence() {
    let running = start(|_, _| ()).await;
    let mut client = running.client().await;
    let mut refused = vec![(405, client.get("/mutate").await.expect("answered"))];
    assert_eq!(refused[0].1.headers["allow"], "POST");
    for (status, path, body) in [
        (404, "/", ""),
        (404, "/mutate/", ""),
        (400, "/mutate", ""),
        (400, "/mutate", "{}"),
        (400, "/mutate", "no JSON"),
    ] {
        refused.push((status, client.post(path, body).await.expect("answered")));
    }
    for (status, response) in refused {
        assert_eq!(response.status, status);
        assert!(response.headers["content-type"].starts_with("text/plain"));
        let lines: Vec<&str> = response.text().lines().collect();
        assert!(
            matches!(lines[..], [sentence] if !sentence.is_empty()),
            "{lines:?}"
        );
    }
    assert_eq!(
        running
            .metric(r#"podgrace_webhook_responses_total{code="400"}"#)
            .await,
        3.0
    );
    client
        .post("/mutate", &review("u"))
        .await
        .expect("answered")
        .allows("u");
}

#[tokio::test]
async fn the_namespace_is_asked_for_by_its_name() {
    let (lookup, mut asks, leave) = held();
    leave.add_permits(1);
    let running = start(|_, engine: &mut Engine| engine.namespaces = Some(lookup)).await;
    let answered = running.client().await.post("/mutate", &review("u")).await;
    answered.expect("answered").allows("u");
    assert_eq!(in_time(asks.recv()).await.as_deref(), Some("shop"));
}

#[tokio::test]
async fn one_request_too_many_is_allowed_without_a_look() {
    let (lookup, mut asks, leave) = held();
    let running = start(|options, engine| {
        options.requests.in_flight = 1;
        engine.namespaces = Some(lookup);
    })
    .await;
    let (mut first, mut second) = (running.client().await, running.client().await);
    let first = tokio::spawn(async move { first.post("/mutate", &review("first")).await });
    in_time(asks.recv())
        .await
        .expect("the first is being answered");

    for uid in ["second", "third"] {
        let shed = second
            .post("/mutate", &review(uid))
            .await
            .expect("answered");
        shed.allows(uid);
        assert!(shed.json()["response"].get("patch").is_none());
        let warnings = &shed.json()["response"]["warnings"];
        assert!(
            warnings[0]
                .as_str()
                .is_some_and(|w| w.contains("overloaded")),
            "{warnings}"
        );
    }
    let shed = r#"podgrace_webhook_shed_total{reason="overload"}"#;
    assert_eq!(running.metric(shed).await, 2.0);
    assert_eq!(running.metric("podgrace_webhook_in_flight").await, 1.0);

    leave.add_permits(2);
    first
        .await
        .expect("no panic")
        .expect("answered")
        .allows("first");
    second
        .post("/mutate", &review("fourth"))
        .await
        .expect("answered")
        .allows("fourth");
    assert_eq!(running.metric(shed).await, 2.0);
}

#[tokio::test]
async fn an_answer_that_would_come_too_late_is_given_without_a_look() {
    let (lookup, _asks, leave) = held();
    let running = start(|_, engine| engine.namespaces = Some(lookup)).await;
    let mut client = running.client().await;
    let late = client
        .post("/mutate?timeout=100ms", &review("late"))
        .await
        .expect("answered");
    late.allows("late");
    let shed = r#"podgrace_webhook_shed_total{reason="deadline"}"#;
    assert_eq!(running.metric(shed).await, 1.0);

    // Nonsense is no deadline, and neither is one beyond the end of the clock.
    leave.add_permits(2);
    for path in [
        "/mutate?timeout=-1s",
        "/mutate?timeout=9000000000000000000s",
    ] {
        let answered = client.post(path, &review("u")).await;
        answered.expect("answered").allows("u");
    }
    assert_eq!(running.metric(shed).await, 1.0);
}

#[tokio::test]
async fn a_panic_is_answered_and_counted_and_the_connection_lives_on() {
    let lookup: NamespaceLookup = Arc::new(|_: &str| panic!("as this test wants"));
    let running = start(|_, engine| engine.namespaces = Some(lookup)).await;
    let mut client = running.client().await;
    for uid in ["a", "b"] {
        client
            .post("/mutate", &review(uid))
            .await
            .expect("answered")
            .allows(uid);
    }
    let late = client.post("/mutate?timeout=10s", &review("c")).await;
    late.expect("answered").allows("c");
    assert_eq!(running.metric("podgrace_webhook_panics_total").await, 3.0);
    assert_eq!(
        running
            .metric(r#"podgrace_webhook_shed_total{reason="panic"}"#)
            .await,
        3.0
    );
    assert_eq!(running.metric("podgrace_webhook_in_flight").await, 0.0);
}
