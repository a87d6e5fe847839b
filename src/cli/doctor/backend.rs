//! Looking at what a webhook points at.

use serde_json::Value;

use super::handshake;
use crate::cluster::{DEPLOYMENTS, ENDPOINT_SLICES, PODS, Reader, SECRETS, SERVICES, Scope};
use crate::doctor::{Backend, Looked, Ops, Served, Target};

/// The port on which a replica tells of itself, as the chart calls it.
const OPS: &str = "ops";

pub(super) async fn backend(reader: &Reader, errands: &Reader, target: &Target) -> Backend {
    let mut backend = Backend::new(target.clone());
    match target {
        Target::Service {
            namespace, name, ..
        } => {
            service(reader, errands, namespace, name, &mut backend).await;
        }
        Target::Url(url) => {
            backend.served = Served::Handshake(handshake::shake(url).await);
        }
    }
    backend
}

async fn service(
    reader: &Reader,
    errands: &Reader,
    namespace: &str,
    name: &str,
    backend: &mut Backend,
) {
    let within = |selector: Option<String>| Scope {
        namespace: Some(namespace.to_owned()),
        selector,
    };
    backend.service = reader.get(&SERVICES, Some(namespace), name).await;
    backend.deployments = reader.list(&DEPLOYMENTS, &within(None)).all().await;
    if let Ok(Some(service)) = &backend.service {
        let of_service = format!("kubernetes.io/service-name={name}");
        backend.slices = reader
            .list(&ENDPOINT_SLICES, &within(Some(of_service)))
            .all()
            .await;
        if let Some(selector) = selector(service) {
            backend.pods = reader.list(&PODS, &within(Some(selector))).all().await;
        }
        let mut ports = service["spec"]["ports"].as_array().into_iter().flatten();
        if ports.any(|port| port["name"] == OPS) && backend.has_endpoint() {
            backend.ops = Some(ops(errands, namespace, name).await);
        }
    }
    let secret = backend.installation().and_then(|own| own.secret());
    if let Some(secret) = secret {
        let looked = reader.get(&SECRETS, Some(namespace), &secret).await;
        backend.served = Served::Secret(secret, looked);
    }
}

/// The selector of a Service, as lists take it.
fn selector(service: &Value) -> Option<String> {
    let pairs = service["spec"]["selector"].as_object()?;
    let pairs = pairs
        .iter()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")));
    Some(pairs.collect::<Vec<_>>().join(","))
}

async fn ops(errands: &Reader, namespace: &str, name: &str) -> Looked<Ops> {
    let port = format!("{name}:{OPS}");
    let ready = errands
        .ask_service(namespace, &port, "/readyz?verbose", None)
        .await?;
    let metrics = errands
        .ask_service(namespace, &port, "/metrics", None)
        .await?;
    Ok(Ops::read(&ready, &metrics))
}
