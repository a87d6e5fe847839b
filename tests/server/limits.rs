//! Bounds: what is too large, too slow or too much.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::client::Client;
use crate::pki::NAME;
use crate::running::{Running, eventually, padded_review, review, start};

/// Long enough to be over, short enough to wait for several times.
const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_body_over_the_bound_is_413_stated_or_not_and_the_connection_lives_on() {
    let running = start(|options, _| options.requests.body = 10_000).await;
    let mut client = running.client().await;
    let large = padded_review("large", 100_000);
    let refused = client.post("/mutate", &large).await.expect("answered");
    assert_eq!(refused.status, 413);
    assert!(refused.text().contains("10000"), "{}", refused.text());

    client
        .send(format!(
            "POST /mutate HTTP/1.1\r\nhost: {NAME}\r\ntransfer-encoding: chunked\r\n\r\n"
        ))
        .await
        .expect("sent");
    for chunk in large.as_bytes().chunks(1000) {
        let chunk = [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
        client.send(chunk).await.expect("sent");
    }
    client.send("0\r\n\r\n").await.expect("sent");
    assert_eq!(client.response().await.expect("answered").status, 413);

    client
        .post("/mutate", &review("small"))
        .await
        .expect("answered")
        .allows("small");
    assert_eq!(
        running
            .metric(r#"podgrace_webhook_responses_total{code="413"}"#)
            .await,
        2.0
    );
}

#[tokio::test]
async fn a_review_of_megabytes_is_read() {
    let running = start(|_, _| ()).await;
    let large = padded_review("large", 3 * 1024 * 1024);
    let answered = running.client().await.post("/mutate", &large).await;
    answered.expect("answered").allows("large");
}

#[tokio::test]
async fn a_slow_handshake_is_cut() {
    let running = start(|options, _| options.connections.handshake = SHORT).await;
    let mut silent = TcpStream::connect(running.webhook)
        .await
        .expect("connected");
    assert_eq!(silent.read(&mut [0; 1]).await.expect("an end"), 0);
    let series = r#"podgrace_webhook_tls_handshake_errors_total{reason="timeout"}"#;
    running.metric_becomes(series, 1.0).await;
}

#[tokio::test]
async fn a_slow_head_is_cut_and_a_quiet_connection_is_not() {
    let running = start(|options, _| options.connections.header = SHORT).await;
    let mut quiet = running.client().await;
    let mut slow = running.client().await;
    slow.send("POST /mut").await.expect("sent");
    slow.ended().await;
    let series = r#"podgrace_webhook_connections_cut_total{reason="header"}"#;
    running.metric_becomes(series, 1.0).await;

    // Before its first request and between two: quiet for longer than a head may take.
    for uid in ["a", "b"] {
        quiet
            .post("/mutate", &review(uid))
            .await
            .expect("answered")
            .allows(uid);
        tokio::time::sleep(2 * SHORT).await;
    }
    // A head that follows others is timed from its own first byte.
    quiet.send("POST").await.expect("sent");
    quiet.ended().await;
    running.metric_becomes(series, 2.0).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_the_end() {
    let running = start(|options, _| options.connections.idle = SHORT).await;
    running.client().await.ended().await;
}

#[tokio::test]
async fn a_slow_body_is_408_and_the_end() {
    let running = start(|options, _| options.requests.body_time = SHORT).await;
    let mut slow = running.client().await;
    let head = format!("POST /mutate HTTP/1.1\r\nhost: {NAME}\r\ncontent-length: 100\r\n\r\n{{");
    slow.send(head).await.expect("sent");
    let refused = slow.response().await.expect("answered");
    assert_eq!(refused.status, 408);
    assert!(refused.closes());
    slow.ended().await;
    assert_eq!(running.metric("podgrace_webhook_in_flight").await, 0.0);
}

#[tokio::test]
async fn one_connection_too_many_is_refused_until_another_leaves() {
    let running = start(|options, _| options.connections.connections = 2).await;
    let mut first = running.client().await;
    let second = running.client().await;
    assert!(
        Client::connect(running.webhook, &running.trusting)
            .await
            .is_err()
    );
    running
        .metric_becomes("podgrace_webhook_connections_refused_total", 1.0)
        .await;
    assert_eq!(
        running.metric("podgrace_webhook_open_connections").await,
        2.0
    );
    first
        .post("/mutate", &review("u"))
        .await
        .expect("answered")
        .allows("u");

    drop(second);
    eventually("room", || async {
        Client::connect(running.webhook, &running.trusting)
            .await
            .is_ok()
    })
    .await;
}

/// A client whose request is under way and of whose body nothing has come.
async fn begun(running: &Running, length: usize) -> Client {
    let mut client = running.client().await;
    let head = format!("POST /mutate HTTP/1.1\r\nhost: {NAME}\r\ncontent-length: {length}\r\n\r\n");
    client.send(head).await.expect("sent");
    running
        .metric_becomes("podgrace_webhook_in_flight", 1.0)
        .await;
    client
}

#[tokio::test]
async fn who_has_only_begun_to_send_keeps_nobody_from_being_looked_at() {
    let running = start(|options, _| options.requests.in_flight = 1).await;
    let _begun = begun(&running, 100).await;
    let answered = running.client().await.post("/mutate", &review("u")).await;
    let answered = answered.expect("answered");
    answered.allows("u");
    assert_eq!(answered.json()["response"].get("warnings"), None);
}

#[tokio::test]
async fn large_bodies_wait_for_each_other_and_small_ones_for_nobody() {
    let running = start(|options, _| {
        options.requests.body = 100_000;
        options.requests.bodies = 0;
    })
    .await;
    let first = begun(&running, 99_000).await;
    let mut second = running.client().await;
    let large = padded_review("large", 90_000);
    let waiting = tokio::spawn(async move { second.post("/mutate", &large).await });
    let small = running.client().await.post("/mutate", &review("u")).await;
    small.expect("answered").allows("u");
    tokio::time::sleep(2 * SHORT).await;
    assert!(!waiting.is_finished(), "the first has the room");
    drop(first);
    let answered = waiting.await.expect("no panic").expect("answered");
    answered.allows("large");
}
