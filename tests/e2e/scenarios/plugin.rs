//! The same program as a plugin of kubectl.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::{Outcome, passed, pod};
use crate::cluster::Cluster;
use crate::webhook::program;

pub(super) async fn run(cluster: Arc<Cluster>) -> Outcome {
    let Some(kubectl) = cluster.kubectl.clone() else {
        return Outcome::Skipped("there is no kubectl".into());
    };
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = folder.path().join("kubectl-podgrace");
    std::os::unix::fs::symlink(program(), &plugin).expect("a link");
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", folder.path().display());
    let run = |words: &[&str]| kubectl_with(&kubectl, &path, &cluster.kubeconfig, words);

    let listed = run(&["plugin", "list"]);
    assert!(listed.contains(&*plugin.to_string_lossy()), "{listed}");
    let help = run(&["podgrace", "inject", "--help"]);
    assert!(help.contains("Usage: kubectl podgrace inject"), "{help}");
    let injected = run(&["podgrace", "inject", "-f", "-"]);
    assert!(injected.contains("startupProbe"), "{injected}");
    assert!(injected.contains("preStop"), "{injected}");
    passed()
}

/// What kubectl prints with that PATH, and a pod to read.
fn kubectl_with(kubectl: &Path, path: &str, kubeconfig: &Path, words: &[&str]) -> String {
    let mut child = Command::new(kubectl)
        .args(words)
        .env("PATH", path)
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl");
    let pipe = child.stdin.take().expect("a pipe");
    // Not every command reads it.
    let _ = serde_json::to_writer(pipe, &pod("web"));
    let output = child.wait_with_output().expect("ended");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {told}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
