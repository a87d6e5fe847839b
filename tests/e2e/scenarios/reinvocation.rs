//! Another webhook adds a sidecar, before us or after us.

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

use super::{Outcome, pod};
use crate::cluster::{Cluster, WEBHOOKS, eventually};
use crate::pki::{self, Authority};
use crate::webhook::{Webhook, registration};

pub(super) async fn run(cluster: Arc<Cluster>) -> Outcome {
    if std::env::var_os("PODGRACE_E2E_HOST").is_some() {
        return Outcome::Skipped("the other webhook listens on loopback only".into());
    }
    let webhook = Webhook::start(&cluster, "inject", None).await;
    let authority = Authority::new("another webhook");
    let address = serve_sidecars(&authority).await;
    let mut pods = Vec::new();
    // Configurations are asked in the order of their names.
    for order in ["after", "before"] {
        let namespace = cluster.namespace(&format!("sidecar-{order}")).await;
        let name = match order {
            "after" => "zz.sidecars.example",
            _ => "aa.sidecars.example",
        };
        let other = registration(name, &namespace, &address, &authority.pem);
        cluster.global(WEBHOOKS, other).await;
        eventually("a sidecar", || async {
            let made = cluster.try_pod(&namespace, &pod("web")).await.accepted();
            made["spec"]["containers"]
                .as_array()
                .is_some_and(|c| c.len() == 2)
        })
        .await;
        webhook
            .register_as(&format!("inject-{order}"), &namespace)
            .await;
        let made = cluster.try_pod(&namespace, &pod("web")).await.accepted();
        let containers = made["spec"]["containers"].as_array().expect("containers");
        assert_eq!(containers.len(), 2, "one sidecar, once");
        for container in containers {
            assert!(container["startupProbe"].is_object(), "{container:#}");
            assert_eq!(container["lifecycle"]["preStop"]["sleep"]["seconds"], 5);
        }
        let grace = made["spec"]["terminationGracePeriodSeconds"].as_i64();
        pods.push((
            grace.expect("a number"),
            made["metadata"]["annotations"].clone(),
        ));
    }
    let [(after, record), (before, _)] = pods.as_slice() else {
        unreachable!("two orders");
    };
    // The second pass cannot know that the grace period was lengthened for the same seconds.
    assert!(after >= before && *after <= before + 5, "{after} {before}");
    assert!(record["podgrace.io/injected"].is_string(), "{record:#}");
    Outcome::Passed(format!("grace period {before} before us, {after} after us"))
}

/// A webhook that adds a serving sidecar to every pod that has none.
async fn serve_sidecars(authority: &Authority) -> String {
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
                // Connections end when the API server wants it.
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(tls), service_fn(add_sidecar))
                    .await;
            });
        }
    });
    address.to_string()
}

async fn add_sidecar(request: Request<Incoming>) -> Result<Response<axum::body::Body>, Infallible> {
    let body = axum::body::Body::new(request.into_body());
    let body = axum::body::to_bytes(body, usize::MAX)
        .await
        .expect("a body");
    let review: Value = serde_json::from_slice(&body).expect("a review");
    let mut response = json!({"uid": review["request"]["uid"], "allowed": true});
    let containers = &review["request"]["object"]["spec"]["containers"];
    if containers.as_array().is_some_and(|c| c.len() == 1) {
        let patch = json!([{"op": "add", "path": "/spec/containers/-", "value": {
            "name": "cache",
            "image": "registry.example/cache:1",
            "livenessProbe": {"tcpSocket": {"port": 6379}},
        }}]);
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
