//! Certificates that change under a running server.

use std::os::unix::fs::symlink;
use std::path::Path;

use podgrace::server::{CertificateSource, Engine};

use crate::client::Client;
use crate::pki::{Ca, Pair};
use crate::running::{Running, eventually, review, run, with_certificate};

const FAILED: &str = r#"podgrace_webhook_certificate_reloads_total{result="failure"}"#;
const LOADED: &str = r#"podgrace_webhook_certificate_reloads_total{result="success"}"#;

async fn following(ca: &Ca, dir: &Path) -> Running {
    let options = with_certificate(CertificateSource::Files {
        certificate: dir.join("tls.crt"),
        key: dir.join("tls.key"),
    });
    run(ca, options, Engine::default()).await
}

/// Publishes files as kubelet does: a folder for each version, a link to the newest that is renamed
/// into place, and links through that one which never change.
fn publish(pair: &Pair, dir: &Path, version: &str) {
    let folder = dir.join(version);
    std::fs::create_dir(&folder).expect("a folder");
    pair.write(&folder);
    symlink(version, dir.join("..data_tmp")).expect("linked");
    std::fs::rename(dir.join("..data_tmp"), dir.join("..data")).expect("renamed");
    for file in ["tls.crt", "tls.key"] {
        // There from the second version on.
        let _ = symlink(Path::new("..data").join(file), dir.join(file));
    }
}

#[tokio::test]
async fn a_symlink_swap_is_seen_while_a_keep_alive_client_goes_on() {
    let (ca, dir) = (Ca::root(), tempfile::tempdir().expect("a folder"));
    publish(&ca.server(), dir.path(), "..1");
    let running = following(&ca, dir.path()).await;
    let mut staying = running.client().await;
    let first = staying.leaf();

    publish(&ca.server(), dir.path(), "..2");
    std::fs::remove_dir_all(dir.path().join("..1")).expect("removed");
    eventually("another certificate", || async {
        running.client().await.leaf() != first
    })
    .await;
    for uid in ["a", "b", "c"] {
        staying
            .post("/mutate", &review(uid))
            .await
            .expect("answered")
            .allows(uid);
    }
    running.metric_becomes(LOADED, 1.0).await;
    assert_eq!(running.metric(FAILED).await, 0.0);
}

#[tokio::test]
async fn a_broken_pair_keeps_the_old_one_and_is_told_until_a_good_one_comes() {
    let (ca, dir) = (Ca::root(), tempfile::tempdir().expect("a folder"));
    ca.server().write(dir.path());
    let running = following(&ca, dir.path()).await;
    let first = running.client().await.leaf();
    let ready = running.ops("/readyz?verbose").await;
    assert!(
        ready.text().contains("[+]certificate ok\n"),
        "{}",
        ready.text()
    );

    // A key that belongs to another certificate.
    std::fs::write(dir.path().join("tls.key"), ca.server().key).expect("written");
    running.metric_becomes(FAILED, 1.0).await;
    assert_eq!(
        running
            .metric("podgrace_webhook_certificate_last_reload_successful")
            .await,
        0.0
    );
    let ready = running.ops("/readyz?verbose").await;
    assert_eq!(ready.status, 200, "the old pair serves");
    assert!(
        ready.text().contains("[+]certificate ok, but"),
        "{}",
        ready.text()
    );
    assert!(ready.text().contains("does not belong"), "{}", ready.text());
    assert_eq!(running.client().await.leaf(), first);

    // No certificate at all.
    std::fs::write(dir.path().join("tls.crt"), "nonsense").expect("written");
    running.metric_becomes(FAILED, 2.0).await;
    assert_eq!(running.client().await.leaf(), first);

    // No file at all.
    std::fs::remove_file(dir.path().join("tls.crt")).expect("removed");
    running.metric_becomes(FAILED, 3.0).await;
    assert_eq!(running.client().await.leaf(), first);

    ca.server().write(dir.path());
    eventually("a good pair", || async {
        running.client().await.leaf() != first
    })
    .await;
    let ready = running.ops("/readyz?verbose").await;
    assert!(
        ready.text().contains("[+]certificate ok\n"),
        "{}",
        ready.text()
    );
    assert_eq!(
        running
            .metric("podgrace_webhook_certificate_last_reload_successful")
            .await,
        1.0
    );
}

#[tokio::test]
async fn an_expired_pair_is_served_and_told() {
    let (ca, dir) = (Ca::root(), tempfile::tempdir().expect("a folder"));
    ca.expired().write(dir.path());
    let running = following(&ca, dir.path()).await;
    // Midnight of 1 January 2021.
    let series = "podgrace_webhook_certificate_expiry_timestamp_seconds";
    assert_eq!(running.metric(series).await, 1_609_459_200.0);
    let ready = running.ops("/readyz?verbose").await;
    assert_eq!(ready.status, 200);
    assert!(
        ready
            .text()
            .contains("[+]certificate ok, but it has expired"),
        "{}",
        ready.text()
    );
    assert!(
        Client::connect(running.webhook, &running.trusting)
            .await
            .is_err()
    );

    ca.server().write(dir.path());
    eventually("a good pair", || async {
        Client::connect(running.webhook, &running.trusting)
            .await
            .is_ok()
    })
    .await;
    assert!(running.metric(series).await > 1_609_459_200.0);
}
