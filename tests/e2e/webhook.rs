//! The real `podgrace serve`, as an API server meets it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::cluster::{Cluster, Reply, WEBHOOKS, arrival, eventually};
use crate::pki::{self, Authority};

/// A server that runs until it is dropped.
pub(crate) struct Webhook {
    cluster: Arc<Cluster>,
    name: String,
    authority: Authority,
    /// What it is started with.
    arguments: Vec<String>,
    /// Where it listens, `HOST:PORT`.
    pub(crate) address: String,
    /// Where it tells of itself.
    ops: String,
}

/// Where a server listens and where it tells of itself, by its log.
pub(crate) async fn serving(log: &Path) -> (String, String) {
    arrival("podgrace serves", || async {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let mut lines = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let serving = lines.find(|line| line["message"] == "serving")?;
        let address = |key: &str| serving[key].as_str().map(str::to_owned);
        Some((address("webhook")?, address("ops")?))
    })
    .await
}

/// What is served in plain HTTP at an address: status and text.
pub(crate) async fn get(address: &str, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("http://{address}{path}")).await;
    let answer = answer.expect("an answer");
    (
        answer.status().as_u16(),
        answer.text().await.expect("a text"),
    )
}

impl Webhook {
    /// Starts a server with that configuration file, or none.
    pub(crate) async fn start(cluster: &Arc<Cluster>, name: &str, config: Option<&str>) -> Self {
        let mut more = vec![format!("--kubeconfig={}", cluster.kubeconfig.display())];
        if let Some(config) = config {
            let file = pki::write(&cluster.folder, &configuration_file(name), config);
            more.push(format!("--config={}", file.display()));
        }
        let webhook = Self::start_with(cluster, name, more).await;
        webhook.knows_its_cluster().await;
        webhook
    }

    /// Starts a server with these arguments, beside those that say where it listens and with which certificate.
    pub(crate) async fn start_with(
        cluster: &Arc<Cluster>,
        name: &str,
        more: impl IntoIterator<Item = String>,
    ) -> Self {
        let authority = Authority::new("podgrace-e2e-webhook");
        let host = host();
        let pair = authority.server(&[&host]);
        let (certificate, key) = pair.write(&cluster.folder, name);
        let mut arguments = vec![
            "serve".to_owned(),
            "--log-format=json".to_owned(),
            "--log=info,podgrace=debug".to_owned(),
            "--ops-listen=127.0.0.1:0".to_owned(),
            format!("--tls-cert-file={}", certificate.display()),
            format!("--tls-key-file={}", key.display()),
        ];
        arguments.extend(more);
        let mut webhook = Self {
            cluster: Arc::clone(cluster),
            name: name.to_owned(),
            authority,
            arguments,
            address: format!("{host}:0"),
            ops: String::new(),
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
        let (webhook, ops) = serving(&log).await;
        let port = webhook.rsplit(':').next().unwrap_or_default();
        self.address = format!("{}:{port}", host());
        self.ops = ops;
    }

    /// Waits until it has seen the namespaces and the versions.
    pub(crate) async fn knows_its_cluster(&self) {
        eventually("podgrace serve knows its cluster", || async {
            let (_, text) = self.ready().await;
            !text.contains("ok, but")
        })
        .await;
    }

    /// What it says of itself, check by check.
    pub(crate) async fn ready(&self) -> (u16, String) {
        get(&self.ops, "/readyz?verbose").await
    }

    /// The lines of its metrics that begin so.
    pub(crate) async fn metrics(&self, begin: &str) -> Vec<String> {
        let (_, text) = get(&self.ops, "/metrics").await;
        let lines = text.lines().filter(|line| line.starts_with(begin));
        lines.map(str::to_owned).collect()
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
        let configuration = registration(&name, namespace, &self.address, &self.authority.pem);
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

    /// Has the API server connect anew, as it does for another bundle: this one holds the CA twice.
    pub(crate) async fn register_again(&self) {
        let name = format!("{}.podgrace.io", self.name);
        let mut found = self.cluster.get(WEBHOOKS, &name).await.accepted();
        let client = &mut found["webhooks"][0]["clientConfig"];
        let bundle = format!("{0}{0}", self.authority.pem);
        let once = client["caBundle"] == pki::base64(&self.authority.pem);
        let bundle = if once { &bundle } else { &self.authority.pem };
        client["caBundle"] = pki::base64(bundle).into();
        let change = json!({"webhooks": found["webhooks"]});
        self.cluster
            .merge(WEBHOOKS, &name, &change)
            .await
            .accepted();
    }

    /// Registers it for the pods of every namespace that a selector chooses, and waits for nothing.
    pub(crate) async fn register_where(&self, selector: Value) {
        let name = format!("{}.podgrace.io", self.name);
        let mut configuration = registration(&name, "", &self.address, &self.authority.pem);
        configuration["webhooks"][0]["namespaceSelector"] = selector;
        self.cluster.global(WEBHOOKS, configuration).await;
    }
}

impl Webhook {
    /// The CA of its certificate, in PEM.
    pub(crate) fn ca(&self) -> &str {
        &self.authority.pem
    }

    /// Puts another certificate in the place of its files: one that is valid, or one that has expired.
    pub(crate) fn replace_certificate(&self, valid: bool) {
        let host = host();
        let pair = match valid {
            true => self.authority.server(&[&host]),
            false => self.authority.expired(&[&host]),
        };
        pair.write(&self.cluster.folder, &self.name);
    }

    /// How an API server reaches it, where no Service leads to it.
    pub(crate) fn client_config(&self, path: &str) -> Value {
        json!({"url": format!("https://{}{path}", self.address), "caBundle": pki::base64(&self.authority.pem)})
    }

    /// Writes its configuration file anew; it must have been started with one.
    pub(crate) fn configure(&self, config: &str) {
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
    fn log(&self) -> String {
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
