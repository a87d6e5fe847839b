//! The webhook dies while pods are made: none is turned away.

use std::sync::Arc;
use std::time::Duration;

use super::makers::Makers;
use super::{Outcome, pod};
use crate::cluster::Cluster;
use crate::webhook::{Webhook, is_injected};

pub(super) async fn run(cluster: Arc<Cluster>) -> Outcome {
    let mut webhook = Webhook::start(&cluster, "killed", None).await;
    let namespace = cluster.namespace("killed").await;
    webhook.register(&namespace).await;

    let makers = Makers::start(&cluster, &namespace);
    for round in 0..3 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        if round == 0 {
            assert_eq!(makers.without(), 0, "while it ran");
        }
        webhook.kill();
        tokio::time::sleep(Duration::from_millis(700)).await;
        webhook.run().await;
        // Injection is back with the next pod.
        let reply = cluster.try_pod(&namespace, &pod("web")).await;
        assert!(is_injected(&reply), "{:#}", reply.body);
    }
    let (with, without) = makers.stop().await;
    assert!(with > 0 && without > 0, "{with} {without}");
    Outcome::Passed(format!(
        "3 × kill -9: {with} pods injected, {without} as they were, none turned away"
    ))
}
