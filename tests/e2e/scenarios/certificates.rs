//! Certificates that the webhook makes and keeps itself. Its configuration fails closed here, so that a
//! handshake that fails turns a pod away and is seen.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use podgrace::certs::Names;
use serde_json::{Value, json};

use super::makers::Makers;
use super::{Outcome, passed, pod};
use crate::cluster::{Cluster, WEBHOOKS, arrival, eventually};
use crate::pki;
use crate::webhook::{get, is_injected, program, serving};

const SECRET: &str = "podgrace-tls";

/// Replicas of one release: one Secret, one configuration with a webhook for each of them.
struct Release {
    cluster: Arc<Cluster>,
    namespace: String,
    name: String,
    lifetime: &'static str,
    /// Where each listens, and where it tells of itself.
    addresses: Vec<(String, String)>,
}

impl Release {
    /// Starts the replicas together, with nothing made for them.
    async fn start(
        cluster: &Arc<Cluster>,
        name: &str,
        replicas: usize,
        lifetime: &'static str,
    ) -> Self {
        let mut release = Self {
            cluster: Arc::clone(cluster),
            namespace: cluster.namespace(name).await,
            name: name.to_owned(),
            lifetime,
            addresses: Vec::new(),
        };
        for replica in 0..replicas {
            release.launch(replica, "127.0.0.1:0");
        }
        for replica in 0..replicas {
            let addresses = release.serving(replica).await;
            release.addresses.push(addresses);
        }
        release
    }

    fn process(&self, replica: usize) -> String {
        format!("{}-{replica}", self.name)
    }

    fn launch(&self, replica: usize, listen: &str) {
        let mut command = Command::new(program());
        command.env_clear().args([
            "serve".to_owned(),
            format!("--kubeconfig={}", self.cluster.kubeconfig.display()),
            format!("--namespace={}", self.namespace),
            format!("--webhook-configuration={}", self.name),
            format!("--certificate-lifetime={}", self.lifetime),
            format!("--tls-secret={SECRET}"),
            "--tls-name=127.0.0.1".to_owned(),
            format!("--listen={listen}"),
            "--ops-listen=127.0.0.1:0".to_owned(),
            "--log-format=json".to_owned(),
        ]);
        let mut processes = self.cluster.processes.lock().expect("no panic");
        let name = self.process(replica);
        processes.start(&name, command).expect("started");
    }

    async fn serving(&self, replica: usize) -> (String, String) {
        let log = {
            let processes = self.cluster.processes.lock().expect("no panic");
            processes.log(&self.process(replica))
        };
        serving(&log).await
    }

    fn kill(&self, replica: usize) {
        let mut processes = self.cluster.processes.lock().expect("no panic");
        processes.kill(&self.process(replica));
    }

    /// Registers every replica, without a bundle, as manifests in a repository would.
    async fn register(&self) {
        let webhooks: Vec<Value> = (self.addresses.iter().enumerate())
            .map(|(replica, (address, _))| {
                json!({
                    "name": format!("replica-{replica}.podgrace.io"),
                    "clientConfig": {"url": format!("https://{address}/mutate")},
                    "rules": [{
                        "apiGroups": [""], "apiVersions": ["v1"],
                        "resources": ["pods"], "operations": ["CREATE"],
                    }],
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}},
                    "failurePolicy": "Fail",
                    "sideEffects": "None",
                    "timeoutSeconds": 5,
                    "admissionReviewVersions": ["v1"],
                })
            })
            .collect();
        let configuration = json!({"metadata": {"name": self.name}, "webhooks": webhooks});
        self.cluster.global(WEBHOOKS, configuration).await;
        self.works().await;
    }

    /// Waits until every webhook is called and trusted.
    async fn works(&self) {
        eventually("every replica is trusted", || async {
            let reply = self.cluster.try_pod(&self.namespace, &pod("web")).await;
            reply.is_accepted() && is_injected(&reply)
        })
        .await;
    }

    async fn bundles(&self) -> Vec<String> {
        let configuration = self.cluster.get(WEBHOOKS, &self.name).await.accepted();
        let webhooks = configuration["webhooks"].as_array().cloned();
        let bundles = webhooks.into_iter().flatten();
        bundles
            .map(|webhook| {
                webhook["clientConfig"]["caBundle"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect()
    }

    fn secrets(&self) -> String {
        format!("/api/v1/namespaces/{}/secrets", self.namespace)
    }

    /// A key of the Secret, decoded.
    async fn secret(&self, key: &str) -> Option<String> {
        let secret = self.cluster.get(&self.secrets(), SECRET).await;
        let text = secret.body["data"][key].as_str()?.to_owned();
        String::from_utf8(STANDARD.decode(text).ok()?).ok()
    }

    /// The Secret once the key is there and holds something else.
    async fn changed(&self, key: &str, old: &str) -> String {
        arrival("the Secret changes", || async {
            self.secret(key)
                .await
                .filter(|new| new != old && !new.is_empty())
        })
        .await
    }

    async fn metric(&self, replica: usize, line: &str) -> f64 {
        let (_, text) = get(&self.addresses[replica].1, "/metrics").await;
        let found = text
            .lines()
            .find_map(|l| l.strip_prefix(line))
            .unwrap_or("0");
        found.trim().parse().expect("a number")
    }

    /// How often a step was done, by all replicas together.
    async fn steps(&self, step: &str) -> f64 {
        let mut sum = 0.0;
        for replica in 0..self.addresses.len() {
            let line = format!("podgrace_certificate_steps_total{{step=\"{step}\"}}");
            sum += self.metric(replica, &line).await;
        }
        sum
    }

    fn end(self) {
        for replica in 0..self.addresses.len() {
            self.kill(replica);
        }
    }
}

/// Three replicas and no Secret: one of them makes it, all serve it.
pub(super) async fn made(cluster: Arc<Cluster>) -> Outcome {
    let release = Release::start(&cluster, "certificates-made", 3, "2160h").await;
    release.register().await;
    assert_eq!(release.steps("make").await, 1.0, "one of them makes it");
    let bundles = release.bundles().await;
    assert!(
        bundles.iter().all(|bundle| *bundle == bundles[0]),
        "{bundles:?}"
    );
    let ca = release.secret("ca.crt").await.expect("a bundle");
    assert_eq!(bundles[0], pki::base64(&ca));
    // Nothing is kept that could sign another.
    let secret = cluster.get(&release.secrets(), SECRET).await.accepted();
    let keys: Vec<&String> = secret["data"].as_object().expect("data").keys().collect();
    assert_eq!(keys, ["ca.crt", "changed-at", "tls.crt", "tls.key"]);
    release.end();
    passed()
}

/// CA and leaf are renewed twice while pods are made: no handshake fails.
pub(super) async fn renewed(cluster: Arc<Cluster>) -> Outcome {
    let release = Release::start(&cluster, "certificates-renewed", 2, "30s").await;
    release.register().await;
    let makers = Makers::start(&cluster, &release.namespace);
    let mut leaf = release.secret("tls.crt").await.expect("a leaf");
    for _ in 0..2 {
        let next = release.changed("next.crt", &leaf).await;
        assert!(
            release
                .secret("ca.crt")
                .await
                .is_some_and(|ca| ca.matches("BEGIN").count() == 2)
        );
        leaf = release.changed("tls.crt", &leaf).await;
        assert_eq!(leaf, next, "what was staged is served");
        eventually("the old CA is retired", || async {
            release
                .secret("ca.crt")
                .await
                .is_some_and(|ca| ca.matches("BEGIN").count() == 1)
        })
        .await;
    }
    makers.all_injected("after two renewals").await;
    let (with, without) = makers.stop().await;
    assert_eq!(without, 0);
    let made = release.steps("make").await;
    assert_eq!(made, 1.0, "renewals are no emergencies");
    release.end();
    Outcome::Passed(format!(
        "CA and leaf renewed twice under {with} pods, none turned away"
    ))
}

/// What people and GitOps tools do to the objects is healed.
pub(super) async fn healed(cluster: Arc<Cluster>) -> Outcome {
    let release = Release::start(&cluster, "certificates-healed", 2, "2160h").await;
    release.register().await;
    let leaf = release.secret("tls.crt").await.expect("a leaf");
    let mut lags = Vec::new();
    let mut healed = |since: Instant| lags.push(since.elapsed().as_millis());

    // The bundle is emptied by hand.
    let mut configuration = cluster.get(WEBHOOKS, &release.name).await.accepted();
    for webhook in configuration["webhooks"].as_array_mut().expect("webhooks") {
        webhook["clientConfig"]
            .as_object_mut()
            .expect("a config")
            .remove("caBundle");
    }
    let emptied = json!({"webhooks": configuration["webhooks"]});
    let since = Instant::now();
    cluster
        .merge(WEBHOOKS, &release.name, &emptied)
        .await
        .accepted();
    release.works().await;
    healed(since);

    // The configuration is deleted and made again from a repository.
    cluster.delete(WEBHOOKS, &release.name).await.accepted();
    let since = Instant::now();
    release.register().await;
    healed(since);

    // The Secret is deleted: the same certificate is written back.
    let since = Instant::now();
    cluster.delete(&release.secrets(), SECRET).await.accepted();
    let restored = release.changed("tls.crt", "").await;
    healed(since);
    assert_eq!(restored, leaf, "what is served is kept");

    // It is emptied, as by a tool that applies the chart's manifest; and it is filled with rubbish.
    for rubbish in [
        json!({"data": null}),
        json!({"data": {"tls.crt": pki::base64("rubbish"), "ca.crt": null}}),
    ] {
        cluster
            .merge(&release.secrets(), SECRET, &rubbish)
            .await
            .accepted();
        eventually("the Secret is whole again", || async {
            release.secret("tls.crt").await.as_deref() == Some(&leaf)
                && release.secret("ca.crt").await.is_some()
        })
        .await;
    }
    release.works().await;

    // Nobody ran when it was filled with a certificate that is for another name, or when it expired.
    let addresses = release.addresses.clone();
    let other = pki::Authority::new("other");
    let pair = other.server(&["other.example"]);
    let names = Names::all(["127.0.0.1".to_owned()]);
    let lifetime = Duration::from_secs(3600);
    let expired =
        podgrace::certs::Authority::make(&names, SystemTime::now() - lifetime * 2, lifetime)
            .expect("a certificate");
    for (certificate, key, ca) in [
        (pair.certificate, pair.key, other.pem),
        (expired.leaf.certificate, expired.leaf.key, expired.ca_pem),
    ] {
        for replica in 0..2 {
            release.kill(replica);
        }
        let data = json!({"data": {
            "tls.crt": pki::base64(&certificate),
            "tls.key": pki::base64(&key),
            "ca.crt": pki::base64(&ca),
        }});
        cluster
            .merge(&release.secrets(), SECRET, &data)
            .await
            .accepted();
        for (replica, (webhook, _)) in addresses.iter().enumerate() {
            release.launch(replica, webhook);
            release.serving(replica).await;
        }
        release.works().await;
        assert_ne!(
            release.secret("tls.crt").await.as_deref(),
            Some(&*certificate)
        );
    }
    let note = format!(
        "healed after {lags:?} ms (bundle emptied, configuration made again, Secret deleted)"
    );
    release.end();
    Outcome::Passed(note)
}

/// A start without an API server: alive, not ready, and says why.
pub(super) async fn unreachable(cluster: Arc<Cluster>) -> Outcome {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = nobody.local_addr().expect("an address");
    drop(nobody);
    let file = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "nobody",
        "clusters": [{"name": "nobody", "cluster": {"server": format!("https://{address}")}}],
        "users": [{"name": "nobody", "user": {}}],
        "contexts": [{"name": "nobody", "context": {"cluster": "nobody", "user": "nobody"}}],
    });
    let kubeconfig = pki::write(&cluster.folder, "nobody.kubeconfig", &file.to_string());
    let release = Release {
        cluster: Arc::clone(&cluster),
        namespace: "default".into(),
        name: "certificates-unreachable".into(),
        lifetime: "2160h",
        addresses: Vec::new(),
    };
    let mut command = Command::new(program());
    command.env_clear().args([
        "serve",
        "--listen=127.0.0.1:0",
        "--ops-listen=127.0.0.1:0",
        "--log-format=json",
    ]);
    command.arg(format!("--kubeconfig={}", kubeconfig.display()));
    let process = release.process(0);
    cluster
        .processes
        .lock()
        .expect("no panic")
        .start(&process, command)
        .expect("started");
    let (_, ops) = release.serving(0).await;
    let text = arrival("it says why it is not ready", || async {
        let (status, text) = get(&ops, "/readyz").await;
        (status == 503 && text.contains("refused")).then_some(text)
    })
    .await;
    assert!(
        text.contains("[-]certificates failed: there is no certificate yet"),
        "{text}"
    );
    assert!(text.contains("[+]api-server ok, but"), "{text}");
    assert_eq!(get(&ops, "/livez").await.0, 200);
    tokio::time::sleep(Duration::from_millis(200)).await;
    release.kill(0);
    passed()
}
