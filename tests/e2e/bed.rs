//! A control plane on free ports: etcd, API server and controller manager, with throw-away certificates in one
//! folder. Alone it has no kubelet: pods are made and never run. [`crate::node`] makes a whole node of it.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;

use crate::node::{self, Node};
use crate::pki::{self, Authority, Pair};
use crate::processes::Processes;
use crate::step;

/// How long an API server may take to be ready, on a machine that builds something else meanwhile.
const PATIENCE: Duration = Duration::from_secs(120);

/// Audits who makes pods, once each.
const AUDIT_POLICY: &str = r"
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  verbs: [create]
  resources: [{group: '', resources: [pods]}, {group: apps, resources: [deployments]}]
- level: None
";

/// Where the programs are.
pub(crate) struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// `KUBEBUILDER_ASSETS`, else what `make cluster-binary` built.
    pub(crate) fn find() -> Result<Self, String> {
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/cluster");
        let given = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
        let programs = Self {
            folder: given.unwrap_or(built),
        };
        if programs.own("kube-apiserver").is_none() {
            let folder = programs.folder.display();
            return Err(format!(
                "there is no kube-apiserver in {folder}: make cluster-binary"
            ));
        }
        Ok(programs)
    }

    /// A program of that folder, where it is there.
    pub(crate) fn own(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.join(name)).filter(|path| path.exists())
    }

    pub(crate) fn command(&self, name: &str) -> Command {
        Command::new(self.own(name).unwrap_or_else(|| name.into()))
    }
}

/// What is started.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A control plane, on loopback.
    ControlPlane,
    /// With a node that runs containers; only in a [`crate::capsule`].
    Node,
}

/// A running control plane, or a whole node.
pub(crate) struct Bed {
    pub(crate) processes: Processes,
    pub(crate) client: Client,
    pub(crate) kubeconfig: PathBuf,
    pub(crate) audit_log: PathBuf,
    pub(crate) controllers: bool,
    pub(crate) node: Option<Node>,
}

/// What every program of Kubernetes is told: where the API server is, and whom it trusts.
pub(crate) struct Plane<'b> {
    pub(crate) folder: &'b Path,
    pub(crate) authority: &'b Authority,
    pub(crate) ca: &'b Path,
    api: SocketAddr,
}

impl Plane<'_> {
    /// Writes a file by which that user comes in.
    pub(crate) fn kubeconfig(&self, name: &str, user: &str, group: Option<&str>) -> PathBuf {
        let pair = self.authority.client(user, group);
        let name = format!("{name}.kubeconfig");
        kubeconfig(self.folder, &name, self.api, self.authority, &pair)
    }
}

impl Bed {
    /// Starts everything with its files in `folder`, which is removed when the bed is dropped; the API server with
    /// `more` arguments.
    pub(crate) async fn start(
        programs: &Programs,
        folder: &Path,
        kind: Kind,
        more: &[&str],
    ) -> Result<Self, String> {
        for _ in 0..3 {
            match Self::try_start(programs, folder, kind, more).await {
                // Somebody else took one of the ports that were free a moment ago.
                Err(why) if why.contains("address already in use") => {
                    std::fs::create_dir_all(folder).expect("the folder again");
                }
                other => return other,
            }
        }
        Err("the ports that are free are taken at once, three times".into())
    }

    async fn try_start(
        programs: &Programs,
        folder: &Path,
        kind: Kind,
        more: &[&str],
    ) -> Result<Self, String> {
        let mut processes = match kind {
            Kind::ControlPlane => Processes::new(folder),
            Kind::Node => Processes::in_capsule(folder),
        };
        let [etcd, peers, api] = free_ports();
        let (etcd, peers) = (format!("http://{etcd}"), format!("http://{peers}"));

        let mut command = programs.command("etcd");
        command
            .arg("--data-dir")
            .arg(folder.join("etcd"))
            .args(["--listen-client-urls", &etcd])
            .args(["--advertise-client-urls", &etcd])
            .args(["--listen-peer-urls", &peers])
            .args(["--initial-advertise-peer-urls", &peers])
            .args(["--initial-cluster", &format!("default={peers}")])
            // Whatever it holds is thrown away.
            .arg("--unsafe-no-fsync");
        processes.start("etcd", command).map_err(|why| {
            format!("{why} (Debian has it in etcd-server: apt-get install etcd-server)")
        })?;

        let authority = Authority::new("podgrace-e2e");
        let ca = pki::write(folder, "ca.crt", &authority.pem);
        let serving = authority.server(&[
            "127.0.0.1",
            "localhost",
            "kubernetes.default.svc",
            // The first of the Services' addresses, and the node's.
            "10.96.0.1",
            node::ADDRESS,
        ]);
        let (certificate, key) = serving.write(folder, "serving");
        let accounts = pki::key();
        let accounts_key = pki::write(folder, "accounts.key", &accounts.serialize_pem());
        let accounts_public = pki::write(folder, "accounts.pub", &accounts.public_key_pem());
        let audit_policy = pki::write(folder, "audit-policy.yaml", AUDIT_POLICY);
        let audit_log = folder.join("audit.jsonl");
        let (bind, advertise) = match kind {
            // It may not be loopback. Nobody connects to it: there is no node.
            Kind::ControlPlane => ("127.0.0.1", "192.0.2.1"),
            Kind::Node => ("0.0.0.0", node::ADDRESS),
        };
        let mut command = programs.command("kube-apiserver");
        command
            .args(["--etcd-servers", &etcd])
            .args(["--bind-address", bind])
            .args(["--secure-port", &api.port().to_string()])
            .args(["--advertise-address", advertise])
            .arg("--client-ca-file")
            .arg(&ca)
            .arg("--tls-cert-file")
            .arg(&certificate)
            .arg("--tls-private-key-file")
            .arg(&key)
            .args(["--service-account-issuer", "https://kubernetes.default.svc"])
            .arg("--service-account-key-file")
            .arg(&accounts_public)
            .arg("--service-account-signing-key-file")
            .arg(&accounts_key)
            .args(["--service-cluster-ip-range", "10.96.0.0/16"])
            .args(["--authorization-mode", "Node,RBAC"])
            .arg("--allow-privileged")
            .arg("--audit-policy-file")
            .arg(&audit_policy)
            .arg("--audit-log-path")
            .arg(&audit_log)
            .args(more);
        if kind == Kind::Node {
            let (certificate, key) = authority
                .client("kube-apiserver", Some("system:masters"))
                .write(folder, "kubelet-client");
            command
                .arg("--kubelet-client-certificate")
                .arg(certificate)
                .arg("--kubelet-client-key")
                .arg(key)
                .args(["--kubelet-preferred-address-types", "InternalIP"]);
        }
        processes.start("kube-apiserver", command)?;

        let admin = authority.client("podgrace-e2e", Some("system:masters"));
        let kubeconfig = kubeconfig(folder, "kubeconfig", api, &authority, &admin);
        let client = connect(&kubeconfig).await?;
        let since = Instant::now();
        loop {
            let ready = kube::core::Request::new("").get("readyz", &Default::default());
            if client
                .request_text(ready.expect("a request"))
                .await
                .is_ok_and(|answer| answer == "ok")
            {
                break;
            }
            if let Some(words) = processes.last_words() {
                return Err(words);
            }
            if since.elapsed() > PATIENCE {
                return Err("the API server does not become ready".into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let version = version(programs.command("etcd"), "etcd Version:");
        step(&format!("etcd {version} and API server are ready"), since);

        let plane = Plane {
            folder,
            authority: &authority,
            ca: &ca,
            api,
        };
        let controllers = programs.own("kube-controller-manager").is_some();
        if controllers {
            let mut command = programs.command("kube-controller-manager");
            command
                .arg("--kubeconfig")
                .arg(plane.kubeconfig("controllers", "system:kube-controller-manager", None))
                .arg("--service-account-private-key-file")
                .arg(&accounts_key)
                .arg("--root-ca-file")
                .arg(&ca)
                .arg("--use-service-account-credentials")
                .arg("--leader-elect=false")
                .arg("--allocate-node-cidrs=false")
                // With its 20 a second the workloads of one scenario would be in the way of the next one's.
                .args(["--kube-api-qps", "500", "--kube-api-burst", "1000"])
                // It serves nothing that anybody asks for.
                .args(["--secure-port", "0"]);
            processes.start("kube-controller-manager", command)?;
        }
        let node = match kind {
            Kind::ControlPlane => None,
            Kind::Node => Some(Node::start(&mut processes, programs, &plane, &client).await?),
        };
        Ok(Self {
            processes,
            client,
            kubeconfig,
            audit_log,
            controllers,
            node,
        })
    }
}

/// What a program says behind that word when it is asked for its version.
pub(crate) fn version(mut command: Command, before: &str) -> String {
    let output = command.arg("--version").output();
    let text = output.map_or_else(|_| Vec::new(), |output| output.stdout);
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(before));
    lines.next().unwrap_or("of no version").trim().to_owned()
}

/// A client with that file.
pub(crate) async fn connect(kubeconfig: &Path) -> Result<Client, String> {
    let file = Kubeconfig::read_from(kubeconfig).map_err(|why| why.to_string())?;
    let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .map_err(|why| why.to_string())?;
    Client::try_from(config).map_err(|why| why.to_string())
}

fn kubeconfig(
    folder: &Path,
    name: &str,
    api: SocketAddr,
    authority: &Authority,
    user: &Pair,
) -> PathBuf {
    let file = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "e2e", "cluster": {
            "server": format!("https://{api}"),
            "certificate-authority-data": pki::base64(&authority.pem),
        }}],
        "users": [{"name": "e2e", "user": {
            "client-certificate-data": pki::base64(&user.certificate),
            "client-key-data": pki::base64(&user.key),
        }}],
        "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": "e2e"}}],
        "current-context": "e2e",
    });
    pki::write(folder, name, &format!("{file:#}"))
}

/// Addresses that are free at the moment.
fn free_ports<const N: usize>() -> [SocketAddr; N] {
    let held = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    held.map(|listener| listener.local_addr().expect("an address"))
}
