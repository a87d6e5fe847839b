//! The real `podgrace serve`, as an API server meets it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::cluster::{Cluster, Reply, WEBHOOKS, arrival, eventually};
use crate::pki::{self, Authority};

/// A server that runs until it is dropped.
pub(crate) struct Webhook {
    cluster: Arc<Cluster>,
    name: String,
    ca: String,
    /// What it is started with.
    arguments: Vec<String>,
    /// Where it listens, `HOST:PORT`.
    pub(crate) address: String,
}

impl Webhook {
    /// Starts a server with that configuration file, or none.
    pub(crate) async fn start(cluster: &Arc<Cluster>, name: &str, config: Option<&str>) -> Self {
        Self::start_with(cluster, name, config, "--offline".to_owned()).await
    }

    /// The same of a server that reads its cluster: what Namespaces say counts.
    pub(crate) async fn start_reading(cluster: &Arc<Cluster>, name: &str, config: &str) -> Self {
        let kubeconfig = format!("--kubeconfig={}", cluster.kubeconfig.display());
        Self::start_with(cluster, name, Some(config), kubeconfig).await
    }

    async fn start_with(
        cluster: &Arc<Cluster>,
        name: &str,
        config: Option<&str>,
        reads: String,
    ) -> Self {
        let authority = Authority::new("podgrace-e2e-webhook");
        let host = host();
        let pair = authority.server(&[&host]);
        let folder = &cluster.folder;
        let (certificate, key) = pair.write(folder, name);
        let mut arguments = vec![
            "serve".to_owned(),
            reads,
            "--log-format=json".to_owned(),
            "--log=debug".to_owned(),
            "--ops-listen=127.0.0.1:0".to_owned(),
            format!("--tls-cert-file={}", certificate.display()),
            format!("--tls-key-file={}", key.display()),
        ];
        if let Some(config) = config {
            let file = pki::write(folder, &configuration_file(name), config);
            arguments.push(format!("--config={}", file.display()));
        }
        let mut webhook = Self {
            cluster: Arc::clone(cluster),
            name: name.to_owned(),
            ca: authority.pem,
            arguments,
            address: format!("{host}:0"),
        };
        webhook.run().await;
        webhook
    }

    /// Starts the server, again where it listened before.
    pub(crate) async fn run(&mut self) {
        let listen = match self.address.strip_prefix("127.0.0.1:") {
            Some(_) => self.address.clone(),
            // Whoever comes from elsewhere comes by any address of this machine.
            None => format!("0.0.0.0:{}", self.address.rsplit(':').next().unwrap_or("0")),
        };
        let mut command = Command::new(program());
        command.env_clear().args(&self.arguments);
        command.arg(format!("--listen={listen}"));
        let log = {
            let mut processes = self.cluster.processes.lock().expect("no panic");
            processes.start(&self.name, command).expect("started");
            processes.log(&self.name)
        };
        let port = arrival("podgrace serves", || async {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let mut lines = text
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let serving = lines.find(|line| line["message"] == "serving")?;
            let address = serving["webhook"].as_str()?;
            Some(address.rsplit(':').next()?.to_owned())
        })
        .await;
        self.address = format!("{}:{port}", host());
    }

    pub(crate) fn kill(&self) {
        let mut processes = self.cluster.processes.lock().expect("no panic");
        processes.kill(&self.name);
    }

    /// Registers it for the pods of a namespace, as our chart does, and waits until the API server asks it.
    pub(crate) async fn register(&self, namespace: &str) {
        self.register_as(&self.name, namespace).await;
    }

    /// The same, under another name.
    pub(crate) async fn register_as(&self, name: &str, namespace: &str) {
        self.register_pod(name, namespace, &probe()).await;
    }

    /// The same in a namespace that does not take every pod; `pod` is called `registered`.
    pub(crate) async fn register_pod(&self, name: &str, namespace: &str, pod: &Value) {
        let name = format!("{name}.podgrace.io");
        let configuration = registration(&name, namespace, &self.address, &self.ca);
        self.cluster.global(WEBHOOKS, configuration).await;
        let log = {
            let processes = self.cluster.processes.lock().expect("no panic");
            processes.log(&self.name)
        };
        // Whatever it answers, it says of whom.
        let said = format!("{namespace}/registered");
        eventually("the API server asks the webhook", || async {
            self.cluster.try_pod(namespace, pod).await.accepted();
            std::fs::read_to_string(&log).is_ok_and(|text| text.contains(&said))
        })
        .await;
    }
}

impl Webhook {
    /// How an API server reaches it, where no Service leads to it.
    pub(crate) fn client_config(&self, path: &str) -> Value {
        json!({"url": format!("https://{}{path}", self.address), "caBundle": pki::base64(&self.ca)})
    }

    /// Writes its configuration file anew.
    pub(crate) fn reconfigure(&self, config: &str) {
        pki::write(
            &self.cluster.folder,
            &configuration_file(&self.name),
            config,
        );
    }

    /// How often it was asked about a pod, or about a workload as `deployments/web`.
    pub(crate) fn calls(&self, namespace: &str, name: &str) -> usize {
        self.log()
            .matches(&format!(" {namespace}/{name}: "))
            .count()
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        let log = {
            let processes = self.cluster.processes.lock().expect("no panic");
            processes.log(&self.name)
        };
        std::fs::read_to_string(log).unwrap_or_default()
    }
}

fn configuration_file(name: &str) -> String {
    format!("{name}.yaml")
}

/// A configuration of one webhook on the creation of a namespace's pods.
pub(crate) fn registration(name: &str, namespace: &str, address: &str, ca: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "webhooks": [{
            "name": name,
            "clientConfig": {
                "url": format!("https://{address}/mutate"),
                "caBundle": pki::base64(ca),
            },
            "rules": [{
                "apiGroups": [""], "apiVersions": ["v1"],
                "resources": ["pods"], "operations": ["CREATE"], "scope": "Namespaced",
            }],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "failurePolicy": "Ignore",
            "reinvocationPolicy": "IfNeeded",
            "sideEffects": "None",
            "timeoutSeconds": 2,
            "admissionReviewVersions": ["v1"],
        }],
    })
}

/// A pod that is only there to be asked about.
fn probe() -> Value {
    json!({
        "metadata": {"name": "registered"},
        "spec": {"containers": [{"name": "web", "image": "web:1", "ports": [{"containerPort": 80}]}]},
    })
}

/// By which address an API server reaches this machine.
fn host() -> String {
    std::env::var("PODGRACE_E2E_HOST").unwrap_or_else(|_| "127.0.0.1".into())
}

/// The binary under test: the one that cargo built beside this, or another.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("PODGRACE_E2E_BINARY")
        .map_or_else(|| env!("CARGO_BIN_EXE_podgrace").into(), PathBuf::from)
}

/// A pod with a webhook's patch in it, and one without.
pub(crate) fn is_injected(reply: &Reply) -> bool {
    reply.body["metadata"]["annotations"]["podgrace.io/injected"].is_string()
}
