//! A webhook that is not ours: HTTPS on loopback, and a patch or none for each pod.

use std::convert::Infallible;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::pki::{self, Authority};

/// The patch for a pod.
pub(crate) type Patch = fn(&Value) -> Option<Value>;

/// Serves that patch until the test ends; returns the address.
pub(crate) async fn serve(authority: &Authority, patch: Patch) -> String {
    let pair = authority.server(&["127.0.0.1"]);
    let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes());
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.expect("PEM")], key.expect("PEM"))
        .expect("a pair");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(tls) = acceptor.accept(tcp).await else {
                    return;
                };
                let answers = service_fn(move |request| answer(request, patch));
                // Connections end when the API server wants it.
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(tls), answers)
                    .await;
            });
        }
    });
    address.to_string()
}

async fn answer(
    request: Request<Incoming>,
    patch: Patch,
) -> Result<Response<axum::body::Body>, Infallible> {
    let body = axum::body::Body::new(request.into_body());
    let body = axum::body::to_bytes(body, usize::MAX)
        .await
        .expect("a body");
    let review: Value = serde_json::from_slice(&body).expect("a review");
    let mut response = json!({"uid": review["request"]["uid"], "allowed": true});
    if let Some(patch) = patch(&review["request"]["object"]) {
        response["patchType"] = "JSONPatch".into();
        response["patch"] = pki::base64(patch.to_string()).into();
    }
    let answer = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": response,
    });
    Ok(Response::new(answer.to_string().into()))
}
