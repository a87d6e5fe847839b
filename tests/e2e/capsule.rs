//! What keeps a node apart from the machine that it runs on: namespaces of its own for processes, mounts and
//! network.
//!
//! A node leaves much behind: containers, mounts, a bridge, packet filter rules, network namespaces. All of it
//! stands in namespaces whose first process is ours. When that dies, however it dies, the kernel ends every
//! process in them and takes the rest away. Several nodes run beside each other, and beside a machine's own
//! containerd. What is left to remove is the folder and the control groups: [`crate::processes`] sees to that.

use std::collections::hash_map::DefaultHasher;
use std::ffi::OsStr;
use std::hash::{Hash as _, Hasher as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::node;

/// The first process: makes the place ready, runs its command, and is a parent to whatever lost its own.
const INIT: &str = r#"
set -e
folder=$1 address=$2
shift 2
mount --make-rshared /
# Paths that containerd, CNI plugins and the kubelet cannot be told to leave.
for place in /run/containerd /run/netns /var/lib/cni /var/lib/kubelet /var/log; do
    mkdir -p "$place"
    mount -t tmpfs podgrace-e2e "$place"
done
# The kubelet sets these for the whole machine. It finds in these files what it wants.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    name=${setting%%=*}
    file=$folder/sysctl-$(echo "$name" | tr / -)
    echo "${setting##*=}" >"$file"
    [ ! -e "/proc/sys/$name" ] || mount --bind "$file" "/proc/sys/$name"
done
ip link set lo up
ip link add cni0 type bridge
ip address add "$address/24" dev cni0
ip link set cni0 up
# Services: where a packet goes is looked up before it is sent to a pod instead.
ip route add 10.96.0.0/16 dev cni0
echo 1 >/proc/sys/net/ipv4/ip_forward
# Without it an answer from pod to pod passes by the rules that its request went through.
[ ! -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
set +e
"$@"
exit $?
"#;

/// The programs that a node needs beside Kubernetes' own, with Debian's package of each.
const PROGRAMS: &[(&str, &str)] = &[
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("runc", "runc"),
    ("nft", "nftables"),
    ("iptables", "iptables"),
    ("ip", "iproute2"),
    ("busybox", "busybox-static"),
    ("unshare", "util-linux"),
];

/// A command that runs this program in a capsule, with these words.
pub(crate) fn command<W: AsRef<OsStr>>(
    folder: &Path,
    words: impl IntoIterator<Item = W>,
) -> Result<Command, String> {
    make_control_groups(folder)?;
    let own = std::env::current_exe().map_err(|why| why.to_string())?;
    let mut command = unshare();
    command
        .args(["sh", "-c", INIT, "init"])
        .arg(folder)
        .arg(node::ADDRESS)
        .arg(own)
        .args(words);
    Ok(command)
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "--pid", "--fork", "--kill-child"]);
    command.arg("--mount-proc");
    command
}

/// Says in one line why this machine cannot run a node, if it cannot.
pub(crate) fn check() -> Result<(), String> {
    if std::fs::metadata("/proc/self").map_or(0, |own| own.uid()) != 0 {
        return Err("a node needs root: namespaces, mounts and control groups".into());
    }
    let packages = missing(PROGRAMS.iter().filter(|(name, _)| in_path(name).is_none()));
    if !packages.is_empty() {
        return Err(format!(
            "a node needs more programs (Debian: apt-get install {packages})"
        ));
    }
    if node::plugins().is_none() {
        return Err(
            "a node needs CNI plugins in /usr/lib/cni or /opt/cni/bin (Debian: apt-get install \
             containernetworking-plugins)"
                .into(),
        );
    }
    let tried = unshare()
        .args(["ip", "link", "add", "cni0", "type", "bridge"])
        .output()
        .map_err(|why| format!("unshare does not start: {why}"))?;
    if !tried.status.success() {
        let why = String::from_utf8_lossy(&tried.stderr);
        return Err(format!(
            "a node needs namespaces and a bridge, which this machine does not permit: {}",
            why.trim()
        ));
    }
    Ok(())
}

fn missing<'p>(programs: impl Iterator<Item = &'p (&'p str, &'p str)>) -> String {
    let mut packages: Vec<&str> = programs.map(|(_, package)| *package).collect();
    packages.dedup();
    packages.join(" ")
}

pub(crate) fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(name));
    places.find(|place| place.is_file())
}

/// Runs `ip`, here or in the network namespace of a process.
pub(crate) fn ip(words: &[&str], inside: Option<u32>) -> Result<(), String> {
    let mut command = match inside {
        None => Command::new("ip"),
        Some(id) => {
            let mut command = Command::new("nsenter");
            command.args(["--target", &id.to_string(), "--net", "ip"]);
            command
        }
    };
    let output = command
        .args(words)
        .output()
        .map_err(|why| format!("ip: {why}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// The name of the control groups of a node in that folder.
pub(crate) fn control_group(folder: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    folder.hash(&mut hasher);
    format!("podgrace-e2e-{:016x}", hasher.finish())
}

/// Makes the group below which the kubelet makes those of the pods: it refuses one that is not there.
fn make_control_groups(folder: &Path) -> Result<(), String> {
    let root = Path::new("/sys/fs/cgroup");
    let name = control_group(folder);
    let mut parents = Vec::new();
    if root.join("cgroup.controllers").exists() {
        parents.push(root.to_owned());
    } else {
        // The first version: a tree for each controller, some under two names.
        for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                parents.push(entry.path());
            }
        }
    }
    for parent in parents {
        let group = parent.join(&name);
        match std::fs::create_dir(&group) {
            Err(why) if why.kind() != std::io::ErrorKind::AlreadyExists => {
                let parent = parent.display();
                return Err(format!(
                    "a node needs control groups; none can be made in {parent}: {why}"
                ));
            }
            _ => {}
        }
        // Beside programs that are in no group, a group counts as one program: all pods together as much as one
        // compiler that somebody runs meanwhile. As many as 16, in the words of either version.
        for (file, weight) in [("cpu.shares", "16384"), ("cpu.weight", "1600")] {
            let file = group.join(file);
            if file.exists() {
                let _ = std::fs::write(file, weight);
            }
        }
    }
    Ok(())
}
