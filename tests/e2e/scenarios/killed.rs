//! The webhook dies while pods are made: none is turned away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::{Outcome, pod};
use crate::cluster::Cluster;
use crate::webhook::{Webhook, is_injected};

pub(super) async fn run(cluster: Arc<Cluster>) -> Outcome {
    let mut webhook = Webhook::start(&cluster, "killed", None).await;
    let namespace = cluster.namespace("killed").await;
    webhook.register(&namespace).await;

    let over = Arc::new(AtomicBool::new(false));
    let (with, without) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut makers = JoinSet::new();
    for _ in 0..4 {
        let (cluster, namespace, over) = (cluster.clone(), namespace.clone(), over.clone());
        let (with, without) = (with.clone(), without.clone());
        makers.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let reply = cluster.try_pod(&namespace, &pod("web")).await;
                assert!(reply.is_accepted(), "{}", reply.message());
                let count = if is_injected(&reply) { &with } else { &without };
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let mut left_alone = Vec::new();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        left_alone.push(without.load(Ordering::Relaxed));
        webhook.kill();
        tokio::time::sleep(Duration::from_millis(700)).await;
        webhook.run().await;
        // Injection is back with the next pod.
        let reply = cluster.try_pod(&namespace, &pod("web")).await;
        assert!(is_injected(&reply), "{:#}", reply.body);
    }
    over.store(true, Ordering::Relaxed);
    while let Some(maker) = makers.join_next().await {
        maker.expect("no pod was turned away");
    }
    let (with, without) = (
        with.load(Ordering::Relaxed),
        without.load(Ordering::Relaxed),
    );
    assert!(with > 0 && without > 0, "{with} {without}");
    assert_eq!(left_alone[0], 0, "while it ran");
    Outcome::Passed(format!(
        "3 × kill -9: {with} pods injected, {without} as they were, none turned away"
    ))
}
