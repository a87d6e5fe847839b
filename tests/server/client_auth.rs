//! The optional check of client certificates.

use std::io;

use podgrace::server::{BindError, ClientAuth, Engine};

use crate::client::{Client, Response};
use crate::pki::{self, Ca, Pair};
use crate::running::{Running, eventually, options, review, run};

const API_SERVER: &str = "kube-apiserver";

/// The server's CA, the clients' CA, and a server that asks for a certificate.
struct Asking {
    server_ca: Ca,
    client_ca: Ca,
    dir: tempfile::TempDir,
    running: Running,
}

impl Asking {
    async fn new(names: &[&str]) -> Self {
        let (server_ca, client_ca) = (Ca::root(), Ca::root());
        let dir = tempfile::tempdir().expect("a folder");
        let ca = dir.path().join("ca.crt");
        std::fs::write(&ca, client_ca.pem()).expect("written");
        let mut options = options(&server_ca);
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        options.client_auth = Some(ClientAuth { ca, names });
        let running = run(&server_ca, options, Engine::default()).await;
        Self {
            server_ca,
            client_ca,
            dir,
            running,
        }
    }

    /// Under TLS 1.3 a client learns that it was refused only when it reads.
    async fn call(&self, own: Option<&Pair>) -> io::Result<Response> {
        let config = pki::trusting(&self.server_ca, pki::BOTH, own);
        let mut client = Client::connect(self.running.webhook, &config).await?;
        client.post("/mutate", &review("u")).await
    }

    async fn refused_as(&self, reason: &str, times: f64) {
        let series = format!("podgrace_webhook_tls_handshake_errors_total{{reason=\"{reason}\"}}");
        self.running.metric_becomes(&series, times).await;
    }
}

#[tokio::test]
async fn only_a_signed_certificate_with_a_right_name_may_call() {
    let asking = Asking::new(&[API_SERVER, "other"]).await;
    assert!(asking.call(None).await.is_err());
    asking.refused_as("client_certificate_missing", 1.0).await;

    let wrong = asking
        .client_ca
        .leaf("somebody", &["somebody.else"], |_| ());
    assert!(asking.call(Some(&wrong)).await.is_err());
    asking.refused_as("client_certificate_name", 1.0).await;

    let stranger = Ca::root().leaf(API_SERVER, &[API_SERVER], |_| ());
    assert!(asking.call(Some(&stranger)).await.is_err());
    asking.refused_as("client_certificate_invalid", 1.0).await;

    let by_common_name = asking.client_ca.leaf(API_SERVER, &[], |_| ());
    asking
        .call(Some(&by_common_name))
        .await
        .expect("answered")
        .allows("u");
    let by_dns_name = asking.client_ca.leaf("x", &["y", API_SERVER], |_| ());
    asking
        .call(Some(&by_dns_name))
        .await
        .expect("answered")
        .allows("u");
}

#[tokio::test]
async fn without_names_whoever_is_signed_may_call() {
    let asking = Asking::new(&[]).await;
    let anybody = asking.client_ca.leaf("anybody", &[], |_| ());
    asking
        .call(Some(&anybody))
        .await
        .expect("answered")
        .allows("u");
    assert!(asking.call(None).await.is_err());
}

#[tokio::test]
async fn the_ca_is_followed_and_a_broken_one_keeps_the_old() {
    let asking = Asking::new(&[]).await;
    let old = asking.client_ca.leaf("old", &[], |_| ());
    let ca = asking.dir.path().join("ca.crt");
    std::fs::write(&ca, "nonsense").expect("written");
    let failed = r#"podgrace_webhook_client_ca_reloads_total{result="failure"}"#;
    asking.running.metric_becomes(failed, 1.0).await;
    let ready = asking.running.ops("/readyz?verbose").await;
    assert_eq!(ready.status, 200);
    assert!(
        ready.text().contains("[+]client-ca ok, but"),
        "{}",
        ready.text()
    );
    asking.call(Some(&old)).await.expect("answered").allows("u");

    let next = Ca::root();
    std::fs::write(&ca, next.pem()).expect("written");
    let new = next.leaf("new", &[], |_| ());
    eventually("the new CA", || async {
        asking.call(Some(&new)).await.is_ok()
    })
    .await;
    assert!(asking.call(Some(&old)).await.is_err());
}

#[tokio::test]
async fn a_useless_ca_is_told_at_the_start() {
    let (ca, dir) = (Ca::root(), tempfile::tempdir().expect("a folder"));
    let file = dir.path().join("ca.crt");
    std::fs::write(&file, "").expect("written");
    let mut options = options(&ca);
    options.client_auth = Some(ClientAuth {
        ca: file.clone(),
        names: vec![],
    });
    let error = options
        .bind(Engine::default())
        .await
        .err()
        .expect("refused");
    assert!(matches!(error, BindError::ClientCa { .. }), "{error}");
    assert!(
        error.to_string().contains(&*file.to_string_lossy()),
        "{error}"
    );
}
