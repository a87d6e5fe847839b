//! `podgrace demo`: the real webhook on loopback, asked as an API server would ask it.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::Status;
use super::call::{Client, Reply, review};
use crate::certs::Authority;
use crate::lifecycle::annotations::Said;
use crate::lifecycle::json::{Object, StrMap};
use crate::lifecycle::loss::Others;
use crate::lifecycle::pod::Pod;
use crate::lifecycle::timeline::{Life, life};
use crate::manifests;
use crate::report;
use crate::server::{CertificateSource, Engine, Identity, Options};
use crate::workload::Kinds;

/// Show what the webhook does: the real HTTPS server on loopback, real AdmissionReviews, no cluster.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

/// The name that an API server would ask for.
const NAME: &str = "podgrace.podgrace-system.svc";

/// One thing to show.
struct Scene {
    title: &'static str,
    /// What to notice.
    moral: &'static str,
    namespace: &'static str,
    manifest: &'static str,
}

const SCENES: [Scene; 6] = [
    Scene {
        title: "Spring Boot on port 4000, no probe, no hook, not a word about Podgrace",
        moral: "Only the sleep comes: it is safe for whatever serves. A startup probe on a
guess is not, because a wrong one restarts a pod that worked. So until the
application listens, a rollout still sends it requests that fail. One
annotation on the pod template, or on the Namespace, ends that:

  podgrace.io/profile: spring-boot",
        namespace: "shop",
        manifest: include_str!("cases/spring-boot.yaml"),
    },
    Scene {
        title: "The same with that annotation",
        moral: "Ready now waits for the actuator, and Spring finishes its requests within
the grace period.",
        namespace: "shop",
        manifest: include_str!("cases/spring-boot-profile.yaml"),
    },
    Scene {
        title: "An ordinary Deployment with a livenessProbe",
        moral: "The livenessProbe says how to ask: the startup probe asks the same, every
second instead of every five, and for 150 s instead of 15.",
        namespace: "shop",
        manifest: include_str!("cases/liveness.yaml"),
    },
    Scene {
        title: "A Job: left alone, with the reason",
        moral: "Its restart policy is Never: it is meant to end by itself, and gets nothing.",
        namespace: "shop",
        manifest: include_str!("cases/job.yaml"),
    },
    Scene {
        title: "Audit mode: the label podgrace.io/mode: audit on the pod",
        moral: "The same plan as in 3, told and not carried out.",
        namespace: "shop",
        manifest: include_str!("cases/audit.yaml"),
    },
    Scene {
        title: "A Namespace that opts in for all its pods",
        moral: "The Namespace says startup-probe: readiness and pre-stop-sleep: 10s; the pod
itself says nothing. (Here the demonstration tells the server about the
Namespace; this release's serve --offline knows none.)",
        namespace: "search",
        manifest: include_str!("cases/readiness.yaml"),
    },
];

/// The Namespace of the last scene.
const NAMESPACE: &str = include_str!("cases/namespace.yaml");

pub(super) fn run(_: &Arguments) -> anyhow::Result<Status> {
    tokio::runtime::Runtime::new()
        .context("the runtime does not start")?
        .block_on(show())?;
    Ok(Status::Clean)
}

async fn show() -> anyhow::Result<()> {
    let authority = Authority::new(NAME)?;
    let identity = Identity::from_pem(
        authority.leaf.certificate.as_bytes(),
        authority.leaf.key.as_bytes(),
    )?;
    let mut options = Options::new(
        ([127, 0, 0, 1], 0).into(),
        CertificateSource::Held(Arc::new(identity)),
    );
    options.drain = Duration::ZERO;
    let search = Arc::new(namespace()?);
    let engine = Engine {
        namespaces: Some(Arc::new(move |name| {
            let said = match name {
                "search" => Arc::clone(&search),
                _ => Arc::default(),
            };
            Box::pin(async move { Ok(said) })
        })),
        ..Engine::default()
    };
    let bound = options.bind(engine).await?;
    let address = bound.webhook_address();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(bound.run(
        async {
            // Whether it was told or the demonstration is gone: there is nobody left to serve.
            let _ = stopped.await;
        },
        std::future::pending(),
    ));
    let mut roots = RootCertStore::empty();
    roots.add(authority.ca)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = Client {
        address: address.to_string(),
        name: NAME.to_owned(),
        path: "/mutate?timeout=2s".to_owned(),
        verifier: WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?,
    };
    let mut out = anstream::stdout().lock();
    writeln!(
        out,
        "The webhook serves at https://{address}/mutate, with a CA made for this run.\n\
         Each pod below is sent to it as an API server sends it, over TLS."
    )?;
    for (index, scene) in SCENES.iter().enumerate() {
        let pod = pod(scene)?;
        let review = review(scene.namespace, &pod, false);
        let reply = client.connect().await?.post(&review).await?;
        scene.print(&mut out, index + 1, &pod, &reply)?;
    }
    out.write_all(NEXT.as_bytes())?;
    drop(stop);
    server.await?;
    Ok(())
}

impl Scene {
    fn print(
        &self,
        out: &mut impl std::io::Write,
        number: usize,
        pod: &Value,
        reply: &Reply,
    ) -> anyhow::Result<()> {
        let response = &reply.review["response"];
        if response["allowed"] != true {
            bail!("the webhook turned a pod away: {response}");
        }
        let said = |key: &str| response["auditAnnotations"][key].as_str();
        writeln!(out, "\n{number}. {}\n", self.title)?;
        writeln!(
            out,
            "   POST /mutate   namespace {}   allowed: true, in {:.2} ms",
            self.namespace,
            reply.took.as_secs_f64() * 1000.0
        )?;
        for change in said("changes").into_iter().flat_map(|all| all.split("; ")) {
            let verb = if said("mode") == Some("audit") {
                "would inject"
            } else {
                "added"
            };
            writeln!(out, "   {verb}   {change}")?;
        }
        for skip in said("skipped").into_iter().flat_map(|all| all.split("; ")) {
            writeln!(out, "   left alone   {skip}")?;
        }
        for warning in response["warnings"].as_array().into_iter().flatten() {
            writeln!(out, "   warning   {}", warning.as_str().unwrap_or_default())?;
        }
        if let Some(patch) = response["patch"].as_str() {
            let patch: json_patch::Patch = serde_json::from_slice(&STANDARD.decode(patch)?)?;
            writeln!(out)?;
            for operation in &patch.0 {
                let said = serde_json::to_value(operation)?;
                let (op, value) = (said["op"].as_str().unwrap_or_default(), &said["value"]);
                writeln!(out, "   {op} {}\n       {value}", operation.path())?;
            }
            let mut after = pod.clone();
            json_patch::patch(&mut after, &patch)?;
            writeln!(out)?;
            indent(out, &report::stop(&pod_life(pod)?, &pod_life(&after)?))?;
        }
        writeln!(out)?;
        indent(out, self.moral)
    }
}

fn indent(out: &mut impl std::io::Write, text: &str) -> anyhow::Result<()> {
    for line in text.lines() {
        writeln!(out, "{}", format!("   {line}").trim_end())?;
    }
    Ok(())
}

/// A pod's life, from its JSON.
fn pod_life(pod: &Value) -> anyhow::Result<Life> {
    let json = pod.to_string();
    let Object(pod): Object<Pod<'_>> = serde_json::from_str(&json)?;
    Ok(life(&pod, Others::default()))
}

/// The pod that the scene's workload makes, as the API server shows it: with its defaults.
fn pod(scene: &Scene) -> anyhow::Result<Value> {
    let bytes = scene.manifest.as_bytes();
    let chunks = manifests::split(bytes);
    let document = manifests::read(bytes, chunks.first().context("an empty manifest")?)?;
    let workload = Kinds::default()
        .workloads(document.value())
        .into_iter()
        .next()
        .context("no workload")?;
    let mut pod = workload.pod(document.value()).context("no pod template")?;
    pod["metadata"]["generateName"] = format!("{}-7d4b9c-", workload.name).into();
    for (field, default) in [
        ("restartPolicy", json!("Always")),
        ("terminationGracePeriodSeconds", json!(30)),
    ] {
        if pod["spec"][field].is_null() {
            pod["spec"][field] = default;
        }
    }
    Ok(pod)
}

/// What the Namespace of the last scene says.
fn namespace() -> anyhow::Result<Said> {
    let bytes = NAMESPACE.as_bytes();
    let chunks = manifests::split(bytes);
    let document = manifests::read(bytes, chunks.first().context("an empty manifest")?)?;
    let annotations = &document.value()["metadata"]["annotations"];
    Ok(Said::by_namespace(&StrMap::EMPTY, &annotations.into()))
}

const NEXT: &str = "
What to do next
  On your manifests, changing nothing:   podgrace inject -f DIR -R --diff
  What happens to one of your pods:      podgrace explain -f FILE
  The webhook itself, without a cluster: podgrace serve --offline --tls-cert-file … --tls-key-file …
";
