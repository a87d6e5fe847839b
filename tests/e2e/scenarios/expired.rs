//! A certificate in files that has expired.

use std::sync::Arc;
use std::time::SystemTime;

use super::{Outcome, passed, pod};
use crate::cluster::{Cluster, eventually};
use crate::webhook::{Webhook, is_injected};

/// Nobody renews the files: API servers refuse what has expired, pods are made as they are, and it is said. New files
/// count without a restart.
pub(super) async fn run(cluster: Arc<Cluster>) -> Outcome {
    let webhook = Webhook::start(&cluster, "expired", None).await;
    let namespace = cluster.namespace("expired").await;
    webhook.register(&namespace).await;
    let tried = || async { cluster.try_pod(&namespace, &pod("web")).await };
    for valid in [false, true] {
        webhook.replace_certificate(valid);
        eventually("it is said, or no more", || async {
            let (status, text) = webhook.ready().await;
            assert_eq!(status, 200, "{text}");
            text.contains("[+]certificate ok, but it has expired") != valid
        })
        .await;
        // A connection that is open goes on; this takes it away.
        webhook.register_again().await;
        eventually("pods come back as they are, or injected", || async {
            let reply = tried().await;
            assert!(reply.is_accepted(), "{}", reply.message());
            is_injected(&reply) == valid
        })
        .await;
        let expiry = webhook
            .metrics("podgrace_webhook_certificate_expiry_timestamp_seconds ")
            .await;
        let seconds = expiry[0]
            .rsplit(' ')
            .next()
            .and_then(|n| n.parse::<f64>().ok());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.expect("after 1970").as_secs_f64();
        assert_eq!(seconds.expect("a number") > now, valid, "{expiry:?}");
    }
    let refused = webhook
        .metrics(
            "podgrace_webhook_tls_handshake_errors_total{reason=\"server_certificate_refused\"} ",
        )
        .await;
    assert!(!refused[0].ends_with(" 0"), "{refused:?}");
    passed()
}
