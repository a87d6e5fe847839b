//! The certificate that Podgrace's pods make and keep, and what happens to it in a cluster: it is renewed under
//! load, tools apply the chart's manifests over and over, people delete and empty.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::api::{Patch, PatchParams};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::Outcome;
use super::makers::Makers;
use crate::cluster::{Cluster, WEBHOOKS, arrival, arrival_within, eventually};
use crate::deployed::{Deployed, NAMESPACE, RELEASE};
use crate::helm;
use crate::webhook::program;

const SECRETS: &str = "/api/v1/namespaces/podgrace/secrets";
const SECRET: &str = "podgrace-tls";

/// CA and leaf are renewed by a person, then by themselves, and nothing is turned away meanwhile: not by the API
/// server, which fails closed here, and not by clients that trust what the configuration says at the moment.
pub(super) async fn rotated(cluster: Arc<Cluster>) -> Outcome {
    let own = Deployed::install(
        &cluster,
        &[
            "--set=webhook.failurePolicy=Fail",
            "--set=extraEnv[0].name=PODGRACE_CERTIFICATE_LIFETIME,extraEnv[0].value=1m",
        ],
    )
    .await;
    let namespace = own.enforced("rotated").await;
    let makers = Makers::start(&cluster, &namespace);
    let handshakes = Handshakes::start(&own).await;
    let mut leaf = secret(&cluster, "tls.crt").await.expect("a leaf");
    // What an earlier scenario left may be valid for long; that of the first renewal is not.
    for by_hand in [true, false] {
        if by_hand {
            let said = certs(&cluster, &["rotate", "--certificate-lifetime=1m"]).await;
            assert!(said.contains("the new certificate is served"), "{said}");
        }
        leaf = arrival_within(Duration::from_secs(120), "another leaf", || async {
            secret(&cluster, "tls.crt").await.filter(|new| *new != leaf)
        })
        .await;
        eventually("the old CA is retired", || async {
            let bundle = secret(&cluster, "ca.crt").await;
            bundle.is_some_and(|ca| ca.matches("BEGIN").count() == 1)
        })
        .await;
        let said = certs(&cluster, &["status"]).await;
        assert!(said.ends_with("All is well.\n"), "{said}");
    }
    let shaken = handshakes.stop().await;
    let (with, without) = makers.stop().await;
    assert_eq!(without, 0, "of {with}");
    Outcome::Passed(format!(
        "renewed by certs rotate and by itself under {with} pods and {shaken} handshakes, none failed"
    ))
}

/// What GitOps tools and people do.
pub(super) async fn applied(cluster: Arc<Cluster>) -> Outcome {
    let own = Deployed::install(&cluster, &[]).await;
    // What an earlier scenario left may be valid for a minute: it is replaced first, not in the middle of this one.
    arrival_within(Duration::from_secs(120), "a leaf that lasts", || async {
        let leaf = secret(&cluster, "tls.crt").await?;
        (until(&leaf) > SystemTime::now() + Duration::from_secs(3600)).then_some(())
    })
    .await;
    let namespace = own.enforced("applied").await;
    let rendered = helm::render(4, NAMESPACE, &[]).expect("rendered");
    let mut objects = helm::documents(&rendered).into_iter();
    let manifest = objects
        .find(|object| object["kind"] == "MutatingWebhookConfiguration")
        .expect("a configuration");

    // It applies what is in the repository over and over, which has no caBundle.
    let makers = Makers::start(&cluster, &namespace);
    let before = configuration(&cluster).await["metadata"]["generation"].clone();
    for _ in 0..20 {
        apply(&cluster, &manifest).await;
    }
    makers.all_injected("while it is applied").await;
    let (with, without) = makers.stop().await;
    assert_eq!(without, 0, "of {with}");
    let after = configuration(&cluster).await["metadata"]["generation"].clone();
    assert_eq!(before, after, "nobody writes what another one takes away");

    let mut lags = Vec::new();
    // The bundle is emptied by hand.
    let mut emptied = configuration(&cluster).await;
    for webhook in emptied["webhooks"].as_array_mut().expect("webhooks") {
        let client = webhook["clientConfig"].as_object_mut();
        client.expect("a config").remove("caBundle");
    }
    let emptied = json!({"webhooks": emptied["webhooks"]});
    let since = Instant::now();
    cluster.merge(WEBHOOKS, RELEASE, &emptied).await.accepted();
    own.asked(&namespace).await;
    lags.push(since.elapsed().as_millis());

    // It is deleted, which lets every pod pass, and comes back from the repository.
    cluster.delete(WEBHOOKS, RELEASE).await.accepted();
    let since = Instant::now();
    apply(&cluster, &manifest).await;
    own.asked(&namespace).await;
    lags.push(since.elapsed().as_millis());

    // The Secret is deleted. To make one is no right of Podgrace's: it serves on and says so, and whoever made it makes
    // it again.
    let leaf = secret(&cluster, "tls.crt").await;
    cluster.delete(SECRETS, SECRET).await.accepted();
    let told = arrival("it is said", || async {
        let told = own.told().await;
        let said = "[+]certificates ok, but Secret podgrace-tls does not exist and may not be made by Podgrace: apply \
                    the chart's again (helm upgrade)";
        told.iter()
            .any(|(status, text)| *status == 200 && text.contains(said))
            .then_some(told)
    })
    .await;
    assert!(told.iter().all(|(status, _)| *status == 200), "{told:?}");
    own.asked(&namespace).await;
    let since = Instant::now();
    own.upgrade(&[]).await;
    let restored = arrival("the Secret is whole again", || secret(&cluster, "tls.crt")).await;
    lags.push(since.elapsed().as_millis());
    assert_eq!(Some(restored), leaf, "what is served is kept");
    eventually("nothing is to be said any more", || async {
        let told = own.told().await;
        told.iter()
            .all(|(_, text)| text.contains("[+]certificates ok\n"))
    })
    .await;
    Outcome::Passed(format!(
        "applied 20 times under {with} pods; healed after {lags:?} ms (bundle emptied, configuration made again, Secret \
         made again by Helm)"
    ))
}

/// Applies an object as GitOps tools do.
async fn apply(cluster: &Cluster, object: &Value) {
    let params = PatchParams::apply("gitops").force();
    let patch = Patch::Apply(object.clone());
    cluster
        .patch(WEBHOOKS, RELEASE, &patch, &params)
        .await
        .accepted();
}

async fn configuration(cluster: &Cluster) -> Value {
    cluster.get(WEBHOOKS, RELEASE).await.accepted()
}

/// A key of the Secret, decoded.
async fn secret(cluster: &Cluster, key: &str) -> Option<String> {
    let secret = cluster.get(SECRETS, SECRET).await;
    let text = secret.body["data"][key].as_str()?.to_owned();
    String::from_utf8(STANDARD.decode(text).ok()?).ok()
}

/// When a certificate expires.
fn until(certificate: &str) -> SystemTime {
    let (_, pem) = x509_parser::pem::parse_x509_pem(certificate.as_bytes()).expect("PEM");
    let not_after = pem.parse_x509().expect("a certificate").validity.not_after;
    let seconds = u64::try_from(not_after.timestamp()).expect("after 1970");
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// What `podgrace certs` says to a person; it must succeed.
async fn certs(cluster: &Cluster, words: &[&str]) -> String {
    let mut command = Command::new(program());
    command.env_clear().env("KUBECONFIG", &cluster.kubeconfig);
    command.arg("certs").args(words);
    command.args(["--namespace", NAMESPACE]);
    let said = tokio::task::spawn_blocking(move || helm::said(&mut command)).await;
    said.expect("no panic")
        .unwrap_or_else(|why| panic!("certs: {why}"))
}

/// A client that shakes hands with each pod again and again, and trusts what the configuration says just then. API
/// servers keep their connections, so that few of theirs are new.
struct Handshakes {
    over: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Handshakes {
    async fn start(own: &Deployed) -> Self {
        let (over, count) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let pods = own.addresses().await;
        let cluster = Arc::clone(&own.cluster);
        let (ends, counted) = (Arc::clone(&over), Arc::clone(&count));
        let task = tokio::spawn(async move {
            while !ends.load(Ordering::Relaxed) {
                let found = configuration(&cluster).await;
                let client = client(&found["webhooks"][0]["clientConfig"]);
                for address in &pods {
                    let tcp = TcpStream::connect((&**address, 10250)).await;
                    let name = ServerName::try_from("podgrace.podgrace.svc").expect("a name");
                    let shaken = client.connect(name, tcp.expect("it listens")).await;
                    shaken.unwrap_or_else(|why| panic!("{address}: {why}"));
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Self { over, count, task }
    }

    async fn stop(self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        self.task.await.expect("every handshake was taken");
        self.count.load(Ordering::Relaxed)
    }
}

/// Who trusts the bundle of a webhook and nobody else.
fn client(webhook: &Value) -> TlsConnector {
    let bundle = webhook["caBundle"].as_str().expect("a bundle");
    let bundle = STANDARD.decode(bundle).expect("base64");
    let mut roots = RootCertStore::empty();
    for ca in CertificateDer::pem_slice_iter(&bundle) {
        roots.add(ca.expect("PEM")).expect("a CA");
    }
    let config = ClientConfig::builder().with_root_certificates(roots);
    TlsConnector::from(Arc::new(config.with_no_client_auth()))
}
