//! The API server's side of a webhook: one HTTPS request, as it would send it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use axum::body::{Body, to_bytes};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The most bytes of an answer.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;

/// Where a webhook is, and whether its certificate is believed.
pub(super) struct Client {
    /// What is connected to, `HOST:PORT`.
    pub(super) address: String,
    /// The name that the certificate must have.
    pub(super) name: String,
    /// The path that is posted to.
    pub(super) path: String,
    /// Who judges certificates.
    pub(super) verifier: Arc<dyn ServerCertVerifier>,
}

/// What came back.
pub(super) struct Reply {
    /// The review.
    pub(super) review: Value,
    /// From the request's first byte to the answer's last, without the handshake.
    pub(super) took: Duration,
}

/// A connection whose handshake is over.
pub(super) struct Connection<'c> {
    client: &'c Client,
    tls: TlsStream<TcpStream>,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// When nobody is there, or what is there is not believed.
    pub(super) async fn connect(&self) -> anyhow::Result<Connection<'_>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&self.verifier))
            .with_no_client_auth();
        let tcp = TcpStream::connect(&self.address).await?;
        // Head and body are written apart; the second must not wait for the first to be acknowledged.
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from(self.name.clone())?;
        let connector = TlsConnector::from(Arc::new(config));
        let tls = connector.connect(name, tcp).await?;
        Ok(Connection { client: self, tls })
    }
}

impl Connection<'_> {
    /// The certificates that were shown, the leaf first.
    pub(super) fn certificates(&self) -> &[CertificateDer<'static>] {
        self.tls.get_ref().1.peer_certificates().unwrap_or_default()
    }

    /// Posts a review and waits for the answer.
    ///
    /// # Errors
    /// When none comes, or none of a webhook.
    pub(super) async fn post(self, review: &Value) -> anyhow::Result<Reply> {
        let body = serde_json::to_vec(review)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(self.tls)).await?;
        tokio::spawn(connection);
        let request = Request::post(&self.client.path)
            .header("host", &self.client.name)
            .header("content-type", "application/json")
            .body(Body::from(body))?;
        let began = Instant::now();
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let bytes = to_bytes(Body::new(answer.into_body()), ANSWER_LIMIT).await?;
        let took = began.elapsed();
        if status != StatusCode::OK {
            bail!("the webhook answered {status}");
        }
        let review = serde_json::from_slice(&bytes).context("the answer is not JSON")?;
        Ok(Reply { review, took })
    }
}

/// The review that the API server sends when a controller creates this pod.
pub(super) fn review(namespace: &str, pod: &Value, dry_run: bool) -> Value {
    let resource = json!({"group": "", "version": "v1", "resource": "pods"});
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": resource,
            "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
            "requestResource": resource,
            "namespace": namespace,
            "operation": "CREATE",
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
            "object": pod,
            "oldObject": null,
            "dryRun": dry_run,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
        },
    })
}
