//! What makes a node of a control plane: containerd, kubelet, kube-proxy and scheduler, with one bridge for the
//! pods. Only in a [`crate::capsule`], where addresses and ports are nobody else's.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use kube::Client;
use kube::core::Request;
use serde_json::{Value, json};

use crate::bed::{self, Plane, Programs};
use crate::image::Image;
use crate::processes::Processes;
use crate::{capsule, dockerfile, pki, step};

/// The node's address, which is that of the pods' bridge.
pub(crate) const ADDRESS: &str = "10.244.0.1";

/// The node's name.
pub(crate) const NAME: &str = "podgrace-e2e";

/// How long it may take to be Ready, on a machine that builds something else meanwhile.
const PATIENCE: Duration = Duration::from_secs(180);

const PAUSE: &str = "localhost/podgrace-pause:1";

/// What the chart calls Podgrace's own image where nobody says otherwise.
pub(crate) const PODGRACE: &str = concat!("localhost/podgrace:", env!("CARGO_PKG_VERSION"));

/// A running node.
pub(crate) struct Node {
    folder: PathBuf,
    socket: PathBuf,
    podgrace: OnceLock<Result<(), String>>,
}

impl Node {
    /// Starts its programs and waits until it is Ready.
    pub(crate) async fn start(
        processes: &mut Processes,
        programs: &Programs,
        plane: &Plane<'_>,
        client: &Client,
    ) -> Result<Self, String> {
        let since = Instant::now();
        let node = Self {
            folder: plane.folder.to_owned(),
            socket: plane.folder.join("containerd.sock"),
            podgrace: OnceLock::new(),
        };
        processes.start("containerd", node.containerd()?)?;
        for (name, command) in [
            ("kube-scheduler", scheduler(programs, plane)),
            ("kube-proxy", proxy(programs, plane)),
        ] {
            processes.start(name, command)?;
        }
        while !node
            .ctr()
            .arg("version")
            .output()
            .is_ok_and(|o| o.status.success())
        {
            patience(processes, since, "containerd does not answer").await?;
        }
        node.import(&pause())?;
        let runc = bed::version(Command::new("runc"), "runc version");
        let versions = format!("containerd {}, runc {runc}", node.containerd_version());
        step(&versions, since);

        processes.start("kubelet", kubelet(programs, plane, &node.socket))?;
        while !is_ready(client).await {
            patience(processes, since, "the node does not become Ready").await?;
        }
        step("the node is Ready", since);
        Ok(node)
    }

    /// Makes an image known to the node, which can load none from elsewhere.
    pub(crate) fn import(&self, image: &Image) -> Result<(), String> {
        let archive = image.write(&self.folder).map_err(|why| why.to_string())?;
        let output = self
            .ctr()
            .args(["images", "import"])
            .arg(&archive)
            .output()
            .map_err(|why| format!("ctr does not start: {why}"))?;
        let _ = std::fs::remove_file(archive);
        if output.status.success() {
            return Ok(());
        }
        let why = String::from_utf8_lossy(&output.stderr);
        Err(format!("an image cannot be imported: {}", why.trim()))
    }

    /// The same for Podgrace's own, once.
    pub(crate) fn import_podgrace(&self) -> Result<(), String> {
        let imported = self.podgrace.get_or_init(|| self.import(&podgrace()?));
        imported.clone()
    }

    fn ctr(&self) -> Command {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(&self.socket);
        command.args(["--namespace", "k8s.io"]);
        command
    }

    pub(crate) fn containerd_version(&self) -> String {
        let output = self.ctr().arg("version").output();
        let text = output.map_or_else(|_| Vec::new(), |output| output.stdout);
        let text = String::from_utf8_lossy(&text);
        let mut versions = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Version:"));
        // The client's is the first, the server's the second.
        versions
            .next_back()
            .unwrap_or("of no version")
            .trim()
            .to_owned()
    }

    fn containerd(&self) -> Result<Command, String> {
        let folder = self.folder.display();
        let socket = self.socket.display();
        let plugins = plugins().ok_or("there are no CNI plugins")?;
        let plugins = plugins.display();
        let config = format!(
            r#"version = 2
root = "{folder}/containerd/root"
state = "{folder}/containerd/state"

[grpc]
  address = "{socket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
  # A container's score may only be raised without CAP_SYS_RESOURCE, which a machine may lack.
  restrict_oom_score_adj = true
  sandbox_image = "{PAUSE}"

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{folder}/cni"

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"#
        );
        let cni = self.folder.join("cni");
        std::fs::create_dir_all(&cni).map_err(|why| why.to_string())?;
        let network = json!({
            "cniVersion": "0.4.0",
            "name": "podgrace-e2e",
            "plugins": [{
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": true,
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "dataDir": self.folder.join("addresses"),
                    "ranges": [[{"subnet": "10.244.0.0/24"}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }],
        });
        pki::write(&cni, "10-bridge.conflist", &network.to_string());
        let file = pki::write(&self.folder, "containerd.toml", &config);
        let mut command = Command::new("containerd");
        command.arg("--config").arg(file);
        Ok(command)
    }
}

/// Where CNI plugins are: Debian's place, or everybody else's.
pub(crate) fn plugins() -> Option<PathBuf> {
    let places = ["/usr/lib/cni", "/opt/cni/bin"].map(PathBuf::from);
    places
        .into_iter()
        .find(|place| place.join("bridge").exists())
}

fn scheduler(programs: &Programs, plane: &Plane<'_>) -> Command {
    let mut command = programs.command("kube-scheduler");
    command
        .arg("--kubeconfig")
        .arg(plane.kubeconfig("scheduler", "system:kube-scheduler", None))
        .arg("--leader-elect=false")
        .args(["--secure-port", "0"]);
    command
}

fn proxy(programs: &Programs, plane: &Plane<'_>) -> Command {
    let config = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": plane.kubeconfig("proxy", "system:kube-proxy", None)},
        "hostnameOverride": NAME,
        "mode": "nftables",
        // They are the whole machine's, and not ours to set.
        "conntrack": {"maxPerCore": 0, "min": 0},
    });
    let mut command = programs.command("kube-proxy");
    command.arg("--config");
    command.arg(pki::write(plane.folder, "proxy.yaml", &config.to_string()));
    command
}

fn kubelet(programs: &Programs, plane: &Plane<'_>, socket: &Path) -> Command {
    let group = format!("/{}", capsule::control_group(plane.folder));
    let config = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": plane.ca},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": group,
        "failCgroupV1": false,
        "failSwapOn": false,
        "containerRuntimeEndpoint": format!("unix://{}", socket.display()),
        "volumePluginDir": plane.folder.join("kubelet/volume-plugins"),
        // What is imported is gone for good once it is collected, and nobody waits for a disk to fill up.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "memory.available": "50Mi", "nodefs.available": "1%", "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        "maxPods": 200,
    });
    let user = format!("system:node:{NAME}");
    let mut command = programs.command("kubelet");
    command
        // When it ended a hook, sent SIGTERM and saw the exit is read from its log.
        .env("TZ", "UTC")
        .arg("--v=3")
        .arg("--config")
        .arg(pki::write(
            plane.folder,
            "kubelet.yaml",
            &config.to_string(),
        ))
        .arg("--kubeconfig")
        .arg(plane.kubeconfig("kubelet", &user, Some("system:nodes")))
        .arg("--root-dir")
        .arg(plane.folder.join("kubelet"))
        .arg("--cert-dir")
        .arg(plane.folder.join("kubelet/pki"))
        .args(["--node-ip", ADDRESS])
        .args(["--hostname-override", NAME]);
    command
}

/// The program that holds a pod's network while its containers come and go.
fn pause() -> Image {
    base(PAUSE).entrypoint(&["sh", "-c", "trap 'exit 0' TERM; sleep 2147483647 & wait"])
}

/// Podgrace's image, as the Dockerfile makes it.
pub(crate) fn podgrace() -> Result<Image, String> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/static/podgrace");
    let program = std::env::var_os("PODGRACE_E2E_BINARY").map_or(built, PathBuf::from);
    let bytes = std::fs::read(&program).unwrap_or_default();
    if !is_static(&bytes) {
        let program = program.display();
        return Err(format!(
            "{program} is no static program, as an image needs: make static"
        ));
    }
    dockerfile::image(PODGRACE, &program)
}

/// Whether a 64-bit ELF file needs no other program to load its libraries: it has no header of the kind PT_INTERP.
fn is_static(file: &[u8]) -> bool {
    let number = |at: usize, width: usize| {
        let bytes = file.get(at..at + width)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
        )
    };
    let headers = (|| Some((number(32, 8)?, number(54, 2)?, number(56, 2)?)))();
    file.starts_with(b"\x7fELF\x02\x01")
        && headers.is_some_and(|(start, size, count)| {
            (0..count).all(|index| number(start + index * size, 4) != Some(3))
        })
}

/// The processes of a container, by its id.
pub(crate) fn processes_of(container: &str) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id: &u32| {
        let groups = std::fs::read_to_string(format!("/proc/{id}/cgroup"));
        groups.is_ok_and(|groups| groups.contains(container))
    })
    .collect()
}

/// An image with a shell, its common commands and nothing else.
pub(crate) fn base(reference: &str) -> Image {
    let busybox = capsule::in_path("busybox").expect("busybox, as was checked");
    let image = Image::new(reference)
        .file("/bin/busybox", &busybox, 0o755)
        .folder("/tmp")
        .env("PATH", "/bin");
    ["sh", "sleep", "httpd", "wget", "cat", "ls", "env"]
        .iter()
        .fold(image, |image, name| {
            image.link(&format!("/bin/{name}"), "busybox")
        })
}

async fn is_ready(client: &Client) -> bool {
    let request = Request::new("/api/v1/nodes").get(NAME, &Default::default());
    let node = client.request::<Value>(request.expect("a request")).await;
    let conditions = node
        .ok()
        .and_then(|node| node["status"]["conditions"].as_array().cloned());
    conditions
        .into_iter()
        .flatten()
        .any(|c| c["type"] == "Ready" && c["status"] == "True")
}

async fn patience(processes: &mut Processes, since: Instant, what: &str) -> Result<(), String> {
    if let Some(words) = processes.last_words() {
        return Err(words);
    }
    if since.elapsed() > PATIENCE {
        return Err(what.to_owned());
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    Ok(())
}
