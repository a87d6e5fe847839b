//! A control plane or a whole node that stays, for people.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::bed::{Bed, Kind, Programs};
use crate::capsule::{self, ip};
use crate::node;
use crate::processes::Processes;

/// Where it keeps its files.
fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/cluster/up")
}

/// Makes that place, which nobody may use yet.
fn make_home() -> Result<PathBuf, String> {
    let home = home();
    if home.join("pids").exists() {
        return Err("it is up already: make cluster-down".into());
    }
    std::fs::create_dir_all(&home).map_err(|why| why.to_string())?;
    Ok(home)
}

pub(crate) async fn up() -> Result<(), String> {
    let home = make_home()?;
    let programs = Programs::find()?;
    let bed = Bed::start(&programs, &home, Kind::ControlPlane, &[]).await?;
    leave(bed.processes, &home)?;
    tell(&programs, &bed.kubeconfig);
    Ok(())
}

/// Starts a node in a capsule, and a cable from there to here.
pub(crate) async fn node_up() -> Result<(), String> {
    capsule::check()?;
    let home = make_home()?;
    let programs = Programs::find()?;
    let mut processes = Processes::new(&home);
    let words = ["node-stay".as_ref(), home.as_os_str()];
    processes.start("node", capsule::command(&home, words)?)?;
    let ready = home.join("ready");
    while !ready.exists() {
        if let Some(words) = processes.last_words() {
            return Err(words);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let inside = processes
        .id("node")
        .and_then(child_of)
        .ok_or("the node is gone")?;
    let address = cable(inside)?;
    let kubeconfig = outside(&home, &address)?;
    leave(processes, &home)?;
    tell(&programs, &kubeconfig);
    Ok(())
}

/// What runs in the capsule for it.
pub(crate) async fn stay(home: &Path) -> Result<(), String> {
    let programs = Programs::find()?;
    let _bed = Bed::start(&programs, home, Kind::Node, &[]).await?;
    std::fs::write(home.join("ready"), "").map_err(|why| why.to_string())?;
    std::future::pending().await
}

/// Writes our image as an archive that container runtimes load.
pub(crate) fn image(file: &Path) -> Result<(), String> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|why| why.to_string())?;
    let written = node::podgrace()?
        .write(folder)
        .map_err(|why| why.to_string())?;
    std::fs::rename(written, file).map_err(|why| why.to_string())?;
    println!("{} holds {}", file.display(), node::PODGRACE);
    Ok(())
}

fn leave(processes: Processes, home: &Path) -> Result<(), String> {
    let ids = processes.leave();
    let ids: String = ids.iter().map(|id| format!("{id}\n")).collect();
    std::fs::write(home.join("pids"), ids).map_err(|why| why.to_string())
}

fn tell(programs: &Programs, kubeconfig: &Path) {
    println!("export KUBECONFIG={}", kubeconfig.display());
    if let Some(folder) = programs.own("kubectl").as_deref().and_then(Path::parent) {
        println!("export PATH={}:$PATH", folder.display());
    }
}

/// The first process of the namespaces, by the id that it has out here.
fn child_of(id: u32) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// Lays a pair of network devices from here into the namespaces of a process, with routes to pods and Services;
/// returns the address at the other end. It goes when the namespaces go.
fn cable(inside: u32) -> Result<String, String> {
    for number in 1..255 {
        let name = format!("podgrace{number}");
        let (here, there) = (format!("10.245.{number}.1"), format!("10.245.{number}.2"));
        let id = inside.to_string();
        let peer = ["type", "veth", "peer", "name", "outside", "netns", &id];
        // The name is taken where another node is up.
        if ip(&[&["link", "add", &name], &peer[..]].concat(), None).is_err() {
            continue;
        }
        ip(
            &["address", "add", &format!("{here}/30"), "dev", &name],
            None,
        )?;
        ip(&["link", "set", &name, "up"], None)?;
        ip(
            &["address", "add", &format!("{there}/30"), "dev", "outside"],
            Some(inside),
        )?;
        ip(&["link", "set", "outside", "up"], Some(inside))?;
        for network in ["10.96.0.0/16", "10.244.0.0/24"] {
            if let Err(why) = ip(&["route", "add", network, "via", &there], None) {
                eprintln!("no route to {network} of this node, as something has it already: {why}");
            }
        }
        return Ok(there);
    }
    Err("no network device can be made to the node (ip link add … type veth)".into())
}

/// The kubeconfig for programs out here.
fn outside(home: &Path, address: &str) -> Result<PathBuf, String> {
    let text = std::fs::read_to_string(home.join("kubeconfig")).map_err(|why| why.to_string())?;
    let mut file: Value = serde_json::from_str(&text).map_err(|why| why.to_string())?;
    let cluster = &mut file["clusters"][0]["cluster"];
    let server = cluster["server"].as_str().unwrap_or_default();
    cluster["server"] = server.replace("127.0.0.1", address).into();
    // The certificate does not know this address.
    cluster["tls-server-name"] = "localhost".into();
    Ok(crate::pki::write(
        home,
        "outside.kubeconfig",
        &format!("{file:#}"),
    ))
}

pub(crate) fn down() -> Result<(), String> {
    let home = home();
    let ids = std::fs::read_to_string(home.join("pids")).unwrap_or_default();
    for id in ids.lines() {
        // Ids are used again: only what was started with our files is ours to end.
        let command = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&command).contains(&*home.to_string_lossy()) {
            let _ = Command::new("kill").args(["-KILL", id]).status();
        }
    }
    // With nothing to start it removes the folder and the control groups, as soon as nobody uses them.
    drop(Processes::new(&home));
    match home.exists() {
        true => Err(format!("{} cannot be removed yet", home.display())),
        false => Ok(()),
    }
}
