//! What scenarios ask of a cluster: our own bed, or the one that somebody gave.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use kube::Client;
use kube::api::{DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams};
use kube::client::Body;
use kube::core::{Request, request};
use serde_json::{Value, json};

use crate::bed::{self, Bed, Kind, Programs};
use crate::node::Node;
use crate::processes::Processes;
use crate::step;

/// The label of whatever we make that belongs to no namespace.
const OURS: &str = "podgrace-e2e";

pub(crate) struct Cluster {
    client: Client,
    pub(crate) processes: Mutex<Processes>,
    pub(crate) folder: PathBuf,
    pub(crate) kubeconfig: PathBuf,
    pub(crate) kubectl: Option<PathBuf>,
    /// What the API server says that it is.
    pub(crate) version: String,
    pub(crate) audit_log: Option<PathBuf>,
    pub(crate) controllers: bool,
    /// What runs containers, in scenarios of a node.
    pub(crate) node: Option<Node>,
    /// It was there before us, and stays.
    pub(crate) foreign: bool,
    /// Its minor version: of 1.37, 37.
    pub(crate) minor: u32,
}

/// What the API server answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The texts of its warnings.
    pub(crate) warnings: Vec<String>,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn is_accepted(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The object, which must have been accepted.
    #[track_caller]
    pub(crate) fn accepted(self) -> Value {
        assert!(self.is_accepted(), "{}: {}", self.status, self.message());
        self.body
    }

    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    /// The warnings that are ours.
    pub(crate) fn our_warnings(&self) -> Vec<&str> {
        let warnings = self.warnings.iter().map(String::as_str);
        warnings.filter(|w| w.contains("podgrace")).collect()
    }
}

impl Cluster {
    /// Somebody's cluster where `KUBECONFIG` is set, else a bed of our own.
    pub(crate) async fn open(folder: &Path) -> Result<Self, String> {
        let since = Instant::now();
        let cluster = match std::env::var_os("KUBECONFIG") {
            Some(kubeconfig) => Self {
                client: bed::connect(Path::new(&kubeconfig)).await?,
                processes: Mutex::new(Processes::new(folder)),
                folder: folder.to_owned(),
                kubeconfig: kubeconfig.into(),
                kubectl: Some("kubectl".into()),
                version: String::new(),
                audit_log: None,
                controllers: true,
                node: None,
                foreign: true,
                minor: 0,
            },
            None => Self::bed(folder, Kind::ControlPlane, &[]).await?,
        };
        cluster.versioned(since).await
    }

    /// A control plane of our own, whose API server has these arguments too.
    pub(crate) async fn with(folder: &Path, more: &[&str]) -> Result<Self, String> {
        let since = Instant::now();
        let bed = Self::bed(folder, Kind::ControlPlane, more).await?;
        bed.versioned(since).await
    }

    /// A whole node of our own; only in a [`crate::capsule`].
    pub(crate) async fn open_node(folder: &Path) -> Result<Self, String> {
        let since = Instant::now();
        Self::bed(folder, Kind::Node, &[])
            .await?
            .versioned(since)
            .await
    }

    async fn bed(folder: &Path, kind: Kind, more: &[&str]) -> Result<Self, String> {
        let programs = Programs::find()?;
        let bed = Bed::start(&programs, folder, kind, more).await?;
        Ok(Self {
            client: bed.client,
            processes: Mutex::new(bed.processes),
            folder: folder.to_owned(),
            kubeconfig: bed.kubeconfig,
            kubectl: programs.own("kubectl"),
            version: String::new(),
            audit_log: Some(bed.audit_log),
            controllers: bed.controllers,
            node: bed.node,
            foreign: false,
            minor: 0,
        })
    }

    async fn versioned(self, since: Instant) -> Result<Self, String> {
        let version = self.client.apiserver_version().await;
        let version = version.map_err(|why| format!("the cluster does not answer: {why}"))?;
        step(&format!("Kubernetes {}", version.git_version), since);
        let minor = version.minor.trim_end_matches('+').parse();
        let minor = minor.map_err(|_| format!("Kubernetes 1.{}?", version.minor))?;
        Ok(Self {
            version: version.git_version,
            minor,
            ..self
        })
    }

    /// How an API server of this version takes a sleep of so many seconds.
    pub(crate) fn sleep(&self, seconds: u32) -> Value {
        match self.minor {
            ..30 => json!({"exec": {"command": ["sleep", seconds.to_string()]}}),
            _ => json!({"sleep": {"seconds": seconds}}),
        }
    }

    /// What runs containers; scenarios of a node have it.
    pub(crate) fn node(&self) -> &Node {
        self.node.as_ref().expect("a scenario of a node")
    }

    async fn send(&self, request: Result<hyper::Request<Vec<u8>>, request::Error>) -> Reply {
        let request = request.expect("a request").map(Body::from);
        let response = self.client.send(request).await;
        let response = response.expect("the API server answers");
        let status = response.status().as_u16();
        let texts = response.headers().get_all("warning").iter();
        let warnings = texts
            .map(|text| warning(&String::from_utf8_lossy(text.as_bytes())))
            .collect();
        let body = response.into_body().collect_bytes().await.expect("a body");
        Reply {
            status,
            warnings,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        }
    }

    /// Creates an object, or has the API server say what it would create.
    pub(crate) async fn create(&self, path: &str, object: &Value, dry_run: bool) -> Reply {
        let params = PostParams {
            dry_run,
            ..PostParams::default()
        };
        let bytes = serde_json::to_vec(object).expect("a value is JSON");
        self.send(Request::new(path).create(&params, bytes)).await
    }

    /// What the API server would make of a pod.
    pub(crate) async fn try_pod(&self, namespace: &str, pod: &Value) -> Reply {
        self.create(&pods(namespace), pod, true).await
    }

    pub(crate) async fn get(&self, path: &str, name: &str) -> Reply {
        self.send(Request::new(path).get(name, &GetParams::default()))
            .await
    }

    pub(crate) async fn list(&self, path: &str, selector: &str) -> Vec<Value> {
        let params = ListParams::default().labels(selector);
        let mut list = self.send(Request::new(path).list(&params)).await.accepted();
        match list["items"].take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        }
    }

    /// Lays a value over an object that is there.
    pub(crate) async fn merge(&self, path: &str, name: &str, change: &Value) -> Reply {
        let params = PatchParams::default();
        self.send(Request::new(path).patch(name, &params, &Patch::Merge(change)))
            .await
    }

    /// The same as somebody else, as far as a field selector reaches.
    pub(crate) async fn list_as(&self, user: &str, path: &str, fields: &str) -> Reply {
        let params = ListParams::default().fields(fields);
        let mut request = Request::new(path).list(&params);
        if let Ok(request) = &mut request {
            let user = user.parse().expect("a header");
            request.headers_mut().insert("impersonate-user", user);
        }
        self.send(request).await
    }

    pub(crate) async fn patch(
        &self,
        path: &str,
        name: &str,
        patch: &Patch<Value>,
        params: &PatchParams,
    ) -> Reply {
        self.send(Request::new(path).patch(name, params, patch))
            .await
    }

    /// The same for a ServiceAccount.
    pub(crate) async fn kubeconfig_of_account(&self, namespace: &str, account: &str) -> PathBuf {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let token = self.create(&path, &json!({}), false).await.accepted();
        self.kubeconfig_of(&format!("{namespace}-{account}"), &token["status"]["token"])
    }

    /// For what these functions do not do.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    pub(crate) async fn delete(&self, path: &str, name: &str) -> Reply {
        self.delete_with(path, name, &DeleteParams::default()).await
    }

    pub(crate) async fn delete_with(&self, path: &str, name: &str, params: &DeleteParams) -> Reply {
        self.send(Request::new(path).delete(name, params)).await
    }

    /// Makes a namespace in which pods can be made.
    pub(crate) async fn namespace(&self, name: &str) -> String {
        self.labelled_namespace(name, json!({})).await
    }

    pub(crate) async fn labelled_namespace(&self, name: &str, mut labels: Value) -> String {
        let name = format!("podgrace-e2e-{name}");
        labels["app.kubernetes.io/part-of"] = OURS.into();
        let namespace = json!({"metadata": {"name": name, "labels": labels}});
        self.create("/api/v1/namespaces", &namespace, false)
            .await
            .accepted();
        self.has_account(&name).await;
        name
    }

    /// Waits for the ServiceAccount without which no pod is made in a namespace, or makes it where nobody else does.
    pub(crate) async fn has_account(&self, namespace: &str) {
        let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        if !self.controllers {
            let account = json!({"metadata": {"name": "default"}});
            // It may have been made before.
            self.create(&accounts, &account, false).await;
        }
        eventually("the default ServiceAccount", || async {
            self.get(&accounts, "default").await.is_accepted()
        })
        .await;
    }

    /// Makes something that belongs to no namespace.
    pub(crate) async fn global(&self, path: &str, mut object: Value) -> Value {
        object["metadata"]["labels"]["app.kubernetes.io/part-of"] = OURS.into();
        self.create(path, &object, false).await.accepted()
    }

    /// Waits until the kind of that definition is served.
    pub(crate) async fn serves(&self, definition: &str) {
        eventually(&format!("{definition} is served"), || async {
            let definition = self.get(DEFINITIONS, definition).await.body;
            let conditions = definition["status"]["conditions"].as_array().cloned();
            let mut conditions = conditions.unwrap_or_default().into_iter();
            conditions.any(|it| it["type"] == "Established" && it["status"] == "True")
        })
        .await;
    }

    /// Removes what we made, where it would be left behind.
    pub(crate) async fn clean_up(&self) {
        if !self.foreign {
            return;
        }
        let rbac = "/apis/rbac.authorization.k8s.io/v1";
        for path in [
            WEBHOOKS,
            &format!("{rbac}/clusterrolebindings"),
            &format!("{rbac}/clusterroles"),
            "/api/v1/nodes",
            PRIORITY_CLASSES,
            "/api/v1/namespaces",
        ] {
            let selector = format!("app.kubernetes.io/part-of={OURS}");
            for object in self.list(path, &selector).await {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                self.delete(path, name).await;
            }
            eventually("what we made is gone", || async {
                self.list(path, &selector).await.is_empty()
            })
            .await;
        }
    }
}

pub(crate) const WEBHOOKS: &str =
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
pub(crate) const VALIDATING_WEBHOOKS: &str =
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
pub(crate) const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
pub(crate) const PRIORITY_CLASSES: &str = "/apis/scheduling.k8s.io/v1/priorityclasses";

pub(crate) fn pods(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods")
}

/// The text of a Warning header: `299 - "text"`.
fn warning(header: &str) -> String {
    let quoted = header.splitn(3, ' ').nth(2).unwrap_or(header);
    serde_json::from_str(quoted).unwrap_or_else(|_| quoted.to_owned())
}

/// Waits for something, for longer than any machine should need.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    arrival(what, || {
        let held = holds();
        async { held.await.then_some(()) }
    })
    .await;
}

/// Waits for something that is looked at then.
pub(crate) async fn arrival<T, F: Future<Output = Option<T>>>(
    what: &str,
    look: impl FnMut() -> F,
) -> T {
    arrival_within(Duration::from_secs(60), what, look).await
}

/// The same for something that takes its time by itself.
pub(crate) async fn arrival_within<T, F: Future<Output = Option<T>>>(
    patience: Duration,
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(since.elapsed() < patience, "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
