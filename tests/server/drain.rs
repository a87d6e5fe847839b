//! Stopping: nothing that a client sends is lost.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use podgrace::server::Stopped;
use rustls::ClientConfig;
use tokio::net::TcpStream;

use crate::answers::held;
use crate::client::{Client, in_time};
use crate::running::{eventually, review, start};

/// Longer than any of these tests runs.
const LONG: Duration = Duration::from_secs(600);

/// What the clients of one load share.
#[derive(Default)]
struct Load {
    /// Answers that came.
    answered: AtomicUsize,
    /// Answers that asked to leave.
    asked_to_leave: AtomicUsize,
    /// Set when load balancers would have heard of the end.
    over: AtomicBool,
}

impl Load {
    async fn request(&self, client: &mut Client) -> io::Result<bool> {
        let answer = client.post("/mutate?timeout=10s", &review("u")).await?;
        answer.allows("u");
        self.answered.fetch_add(1, Ordering::SeqCst);
        let leave = usize::from(answer.closes());
        self.asked_to_leave.fetch_add(leave, Ordering::SeqCst);
        Ok(answer.closes())
    }

    /// Keeps its connection as long as it may, and opens another when asked to leave.
    async fn keep_alive(&self, to: std::net::SocketAddr, config: &ClientConfig, pause: Duration) {
        while !self.over.load(Ordering::SeqCst) {
            let mut client = Client::connect(to, config).await.expect("connected");
            while !self.over.load(Ordering::SeqCst) {
                if self.request(&mut client).await.expect("answered") {
                    break;
                }
                tokio::time::sleep(pause).await;
            }
        }
    }

    async fn connection_per_request(&self, to: std::net::SocketAddr, config: &ClientConfig) {
        while !self.over.load(Ordering::SeqCst) {
            let mut client = Client::connect(to, config).await.expect("connected");
            self.request(&mut client).await.expect("answered");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_under_load_loses_no_request() {
    // The drain outlasts the load; its end is another test's.
    let mut running = start(|options, _| options.drain = LONG).await;
    let (load, to) = (Arc::new(Load::default()), running.webhook);
    let mut clients = tokio::task::JoinSet::new();
    for n in 0..8 {
        let (load, config) = (Arc::clone(&load), running.trusting.clone());
        clients.spawn(async move {
            match n {
                0..3 => load.keep_alive(to, &config, Duration::ZERO).await,
                3..6 => {
                    load.keep_alive(to, &config, Duration::from_millis(20))
                        .await
                }
                _ => load.connection_per_request(to, &config).await,
            }
        });
    }
    let answered = |at_least: usize| {
        let load = &load;
        move || async move { load.answered.load(Ordering::SeqCst) >= at_least }
    };
    eventually("load", answered(100)).await;
    assert_eq!(load.asked_to_leave.load(Ordering::SeqCst), 0);

    running.begin_shutdown();
    eventually("not ready", || async {
        running.ops("/readyz").await.status == 503
    })
    .await;
    assert_eq!(running.metric("podgrace_webhook_draining").await, 1.0);
    let before = load.answered.load(Ordering::SeqCst);
    eventually("load while draining", answered(before + 100)).await;
    load.over.store(true, Ordering::SeqCst);
    while let Some(ended) = clients.join_next().await {
        ended.expect("no request was lost");
    }
    assert!(load.asked_to_leave.load(Ordering::SeqCst) >= 100);
    running.stopped.abort();
}

#[tokio::test]
async fn while_draining_all_is_served_and_everybody_asked_to_leave() {
    let mut running = start(|options, _| options.drain = LONG).await;
    let mut used = running.client().await;
    let mut unused = running.client().await;
    let before = used.post("/mutate", &review("u")).await.expect("answered");
    assert!(!before.closes());

    running.begin_shutdown();
    eventually("not ready", || async {
        running.ops("/readyz").await.status == 503
    })
    .await;
    let ready = running.ops("/readyz").await;
    assert!(
        ready.text().contains("[-]shutdown failed: draining"),
        "{}",
        ready.text()
    );
    assert_eq!(running.ops("/livez").await.status, 200);
    let mut new = running.client().await;
    for client in [&mut used, &mut unused, &mut new] {
        let answer = client
            .post("/mutate", &review("u"))
            .await
            .expect("answered");
        answer.allows("u");
        assert!(answer.closes());
        client.ended().await;
    }
}

#[tokio::test]
async fn after_the_drain_idle_connections_end_and_what_has_begun_is_finished() {
    let (lookup, mut asks, leave) = held();
    let mut running = start(|options, engine| {
        options.drain = Duration::ZERO;
        options.finish = LONG;
        engine.namespaces = Some(lookup);
    })
    .await;
    let (mut idle, mut half) = (running.client().await, running.client().await);
    leave.add_permits(1);
    let first = half.post("/mutate", &review("first")).await;
    first.expect("answered").allows("first");
    in_time(asks.recv()).await.expect("it was the first");
    let mut busy = running.client().await;
    let busy = tokio::spawn(async move { busy.post("/mutate", &review("u")).await });
    in_time(asks.recv()).await.expect("it has begun");
    let head = format!(
        "POST /mutate HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n",
        review("h").len()
    );
    half.send(head).await.expect("sent");
    // Over loopback what was sent has arrived, and is read while this is asked.
    running
        .metric_becomes("podgrace_webhook_open_connections", 3.0)
        .await;

    running.begin_shutdown();
    idle.ended().await;
    eventually("a closed listener", || async {
        TcpStream::connect(running.webhook).await.is_err()
    })
    .await;
    leave.add_permits(2);
    let answer = busy.await.expect("no panic").expect("answered");
    answer.allows("u");
    assert!(answer.closes());
    // A request of which only half the head had come is a request too.
    half.send("\r\n".to_owned() + &review("h"))
        .await
        .expect("sent");
    half.response().await.expect("answered").allows("h");
    assert_eq!(
        in_time(running.stopped).await.expect("no panic"),
        Stopped::Drained
    );
}

#[tokio::test]
async fn a_connection_that_came_while_draining_may_send_its_request_after_it() {
    // Should a machine be too slow to connect within one drain, the next is longer.
    for drain in [200, 2_000, 20_000].map(Duration::from_millis) {
        let mut running = start(|options, _| {
            options.drain = drain;
            options.finish = LONG;
        })
        .await;
        running.begin_shutdown();
        eventually("not ready", || async {
            running.ops("/readyz").await.status == 503
        })
        .await;
        let Ok(mut late) = Client::connect(running.webhook, &running.trusting).await else {
            continue;
        };
        eventually("a closed listener", || async {
            TcpStream::connect(running.webhook).await.is_err()
        })
        .await;
        let answer = late.post("/mutate", &review("u")).await.expect("answered");
        answer.allows("u");
        assert!(answer.closes());
        assert_eq!(
            in_time(running.stopped).await.expect("no panic"),
            Stopped::Drained,
            "nothing is left"
        );
        return;
    }
    panic!("never connected within the drain");
}

#[tokio::test]
async fn what_never_finishes_is_cut() {
    let (lookup, mut asks, _leave) = held();
    let mut running = start(|options, engine| {
        options.drain = Duration::ZERO;
        options.finish = Duration::from_millis(50);
        engine.namespaces = Some(lookup);
    })
    .await;
    let mut busy = running.client().await;
    let busy = tokio::spawn(async move { busy.post("/mutate", &review("u")).await });
    in_time(asks.recv()).await.expect("it has begun");
    running.begin_shutdown();
    assert_eq!(
        in_time(running.stopped).await.expect("no panic"),
        Stopped::CutShort(1)
    );
    assert!(busy.await.expect("no panic").is_err());
}

#[tokio::test]
async fn the_second_request_to_stop_ends_it_at_once() {
    let mut running = start(|options, _| options.drain = LONG).await;
    let mut client = running.client().await;
    running.begin_shutdown();
    eventually("not ready", || async {
        running.ops("/readyz").await.status == 503
    })
    .await;
    running
        .abort
        .take()
        .expect("there")
        .send(())
        .expect("heard");
    assert_eq!(
        in_time(running.stopped).await.expect("no panic"),
        Stopped::Aborted
    );
    client.ended().await;
}
