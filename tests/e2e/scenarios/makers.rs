//! Clients that ask for pods without a pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::pod;
use crate::cluster::Cluster;
use crate::webhook::is_injected;

/// Four of them, and what became of their pods; they panic where one is turned away.
pub(super) struct Makers {
    over: Arc<AtomicBool>,
    with: Arc<AtomicUsize>,
    without: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
}

impl Makers {
    pub(super) fn start(cluster: &Arc<Cluster>, namespace: &str) -> Self {
        let mut makers = Self {
            over: Arc::default(),
            with: Arc::default(),
            without: Arc::default(),
            tasks: JoinSet::new(),
        };
        for _ in 0..4 {
            let (cluster, namespace) = (Arc::clone(cluster), namespace.to_owned());
            let over = Arc::clone(&makers.over);
            let (with, without) = (Arc::clone(&makers.with), Arc::clone(&makers.without));
            makers.tasks.spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let reply = cluster.try_pod(&namespace, &pod("web")).await;
                    assert!(reply.is_accepted(), "{}", reply.message());
                    let count = if is_injected(&reply) { &with } else { &without };
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        makers
    }

    /// How many were left as they were.
    pub(super) fn without(&self) -> usize {
        self.without.load(Ordering::Relaxed)
    }

    /// Holds for a second that none is left as it was.
    pub(super) async fn all_injected(&self, when: &str) {
        let (before, with) = (self.without(), self.with.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(self.without(), before, "{when}");
        assert!(
            self.with.load(Ordering::Relaxed) > with,
            "{when}: nobody asks"
        );
    }

    /// Ends them; returns how many were injected, and how many not.
    pub(super) async fn stop(mut self) -> (usize, usize) {
        self.over.store(true, Ordering::Relaxed);
        while let Some(maker) = self.tasks.join_next().await {
            maker.expect("no pod was turned away");
        }
        (self.with.load(Ordering::Relaxed), self.without())
    }
}
