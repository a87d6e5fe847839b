//! The API server's side of the demonstration: one HTTPS request to the webhook, as it would send it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use axum::body::{Body, to_bytes};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The most bytes of an answer.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;

/// Calls the webhook under the name that its certificate has.
pub(super) struct Client {
    address: SocketAddr,
    name: &'static str,
    tls: TlsConnector,
}

/// What came back.
pub(super) struct Reply {
    /// The review.
    pub(super) review: Value,
    /// From the request's first byte to the answer's last, without the handshake.
    pub(super) took: Duration,
}

impl Client {
    /// A client that trusts nobody but `ca`.
    pub(super) fn new(
        address: SocketAddr,
        name: &'static str,
        ca: CertificateDer<'static>,
    ) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(ca)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            address,
            name,
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    /// Posts the creation of a pod and waits for the answer.
    pub(super) async fn create(&self, namespace: &str, pod: &Value) -> anyhow::Result<Reply> {
        let body = serde_json::to_vec(&review(namespace, pod))?;
        let tcp = TcpStream::connect(self.address).await?;
        // Head and body are written apart; the second must not wait for the first to be acknowledged.
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from(self.name)?;
        let tls = self.tls.connect(name, tcp).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(tls)).await?;
        tokio::spawn(connection);
        let request = Request::post("/mutate?timeout=2s")
            .header("host", self.name)
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
fn review(namespace: &str, pod: &Value) -> Value {
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
            "dryRun": false,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
        },
    })
}
