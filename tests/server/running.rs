//! A server that runs for one test.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use podgrace::server::{CertificateSource, Engine, Identity, Options, Stopped};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::{Client, Response};
use crate::pki::{self, Ca};

pub(crate) struct Running {
    pub(crate) webhook: SocketAddr,
    pub(crate) ops: SocketAddr,
    /// A client that trusts the server.
    pub(crate) trusting: ClientConfig,
    pub(crate) shutdown: Option<oneshot::Sender<()>>,
    pub(crate) abort: Option<oneshot::Sender<()>>,
    pub(crate) stopped: JoinHandle<Stopped>,
}

/// Options for loopback with a certificate of `ca`, and files looked at often.
pub(crate) fn options(ca: &Ca) -> Options {
    let pair = ca.server();
    let identity = Identity::from_pem(pair.chain.as_bytes(), pair.key.as_bytes()).expect("a pair");
    with_certificate(CertificateSource::Held(Arc::new(identity)))
}

pub(crate) fn with_certificate(certificate: CertificateSource) -> Options {
    let mut options = Options::new(any_port(), certificate);
    options.ops_listen = Some(any_port());
    options.poll_files = Duration::from_millis(10);
    options
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Runs a server as it comes, but for what `change` changes.
pub(crate) async fn start(change: impl FnOnce(&mut Options, &mut Engine)) -> Running {
    let ca = Ca::root();
    let (mut options, mut engine) = (options(&ca), Engine::default());
    change(&mut options, &mut engine);
    run(&ca, options, engine).await
}

pub(crate) async fn run(ca: &Ca, options: Options, engine: Engine) -> Running {
    let bound = options.bind(engine).await.expect("bound");
    let (webhook, ops) = (bound.webhook_address(), bound.ops_address());
    let (shutdown, told) = oneshot::channel();
    let (abort, told_again) = oneshot::channel();
    let heard = |told: oneshot::Receiver<()>| async move { told.await.unwrap_or(()) };
    Running {
        webhook,
        ops: ops.expect("ops"),
        trusting: pki::trusting(ca, pki::BOTH, None),
        shutdown: Some(shutdown),
        abort: Some(abort),
        stopped: tokio::spawn(bound.run(heard(told), heard(told_again))),
    }
}

impl Running {
    pub(crate) async fn client(&self) -> Client {
        let connected = Client::connect(self.webhook, &self.trusting).await;
        connected.expect("connected")
    }

    pub(crate) async fn ops(&self, path: &str) -> Response {
        let tcp = TcpStream::connect(self.ops).await.expect("connected");
        Client::over(tcp).get(path).await.expect("answered")
    }

    pub(crate) fn begin_shutdown(&mut self) {
        let shutdown = self.shutdown.take().expect("not asked before");
        shutdown.send(()).expect("heard");
    }

    /// The value of one series, labels as they are printed.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let text = self.ops("/metrics").await;
        let line = text.text().lines().find_map(|l| l.strip_prefix(series));
        let value = line.and_then(|value| value.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no {series} in:\n{}", text.text()))
    }

    /// Waits for a series to reach a value: what happens at the other end of a connection is
    /// counted a little after it is seen at this one.
    pub(crate) async fn metric_becomes(&self, series: &str, value: f64) {
        eventually(series, || async { self.metric(series).await == value }).await;
    }
}

/// Waits for something, for longer than any machine should need.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..3000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never came true: {what}");
}

/// The review of a pod's creation.
pub(crate) fn review(uid: &str) -> String {
    padded_review(uid, 0)
}

/// The same, larger by `padding` bytes.
pub(crate) fn padded_review(uid: &str, padding: usize) -> String {
    serde_json::json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": uid,
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "shop",
            "operation": "CREATE",
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
            "object": {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "generateName": "web-",
                    "namespace": "shop",
                    "annotations": {"padding": "x".repeat(padding)},
                },
                "spec": {
                    "terminationGracePeriodSeconds": 30,
                    "containers": [{"name": "web", "image": "web"}],
                },
            },
            "oldObject": null,
            "dryRun": false,
        },
    })
    .to_string()
}

/// The review of a Deployment's creation, one of whose template's annotations is misspelt.
pub(crate) fn workload_review(uid: &str) -> String {
    serde_json::json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": uid,
            "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
            "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
            "name": "web",
            "namespace": "shop",
            "operation": "CREATE",
            "userInfo": {"username": "somebody"},
            "object": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "web", "namespace": "shop"},
                "spec": {"template": {
                    "metadata": {"annotations": {"podgrace.io/pre-stop-slep": "5s"}},
                    "spec": {"containers": [{"name": "web", "image": "web"}]},
                }},
            },
            "oldObject": null,
            "dryRun": false,
        },
    })
    .to_string()
}
