//! `podgrace inject` between Helm and the cluster, by the words of `docs/ci/helm.md`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::helm::{documents, helm, root, said};

/// A chart as `helm create` makes it comes out of a post-renderer as `inject` makes it, whichever Helm runs it.
#[test]
#[ignore = "needs Helm: make chart-test"]
fn injects() {
    let (folder, chart) = created();
    let plain = said(template(4, &chart).args(["--set=livenessProbe.periodSeconds=7"])).unwrap();
    let file = folder.path().join("plain.yaml");
    fs::write(&file, &plain).unwrap();
    let injected = said(Command::new(program()).args(["inject", "-f"]).arg(&file)).unwrap();
    let deployment = documents(&injected)
        .into_iter()
        .find(|document| document["kind"] == "Deployment")
        .unwrap();
    let spec = &deployment["spec"]["template"]["spec"];
    assert_eq!(spec["terminationGracePeriodSeconds"], 35, "{injected}");
    assert_ne!(documents(&plain), documents(&injected));

    for (major, words) in [
        (4, vec!["--post-renderer=podgrace"]),
        (
            3,
            vec![
                "--post-renderer=podgrace",
                "--post-renderer-args=inject",
                "--post-renderer-args=-f",
                "--post-renderer-args=-",
            ],
        ),
    ] {
        let mut command = template(major, &chart);
        command.args(["--set=livenessProbe.periodSeconds=7"]);
        command.args(words);
        let rendered = said(&mut command).unwrap();
        assert_eq!(sorted(&rendered), sorted(&injected), "Helm {major}");
    }
}

/// What fails is Helm's failure, which then applies nothing. Helm 4 keeps the reason to itself.
#[test]
#[ignore = "needs Helm: make chart-test"]
fn fails_where_inject_does() {
    let (_folder, chart) = created();
    let mut command = template(4, &chart);
    command.stdin(Stdio::null());
    command.args([
        "--post-renderer=podgrace",
        "--post-renderer-args=--mode=maybe",
    ]);
    let why = said(&mut command).unwrap_err();
    assert!(
        why.contains("plugin \"podgrace\" exited with error"),
        "{why}"
    );
}

/// A chart as `helm create` makes it, in a folder of its own.
fn created() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let chart = folder.path().join("shop");
    said(helm(4).arg("create").arg(&chart)).unwrap();
    (folder, chart)
}

/// Renders it, with `podgrace` at hand, and for Helm 4 the plugin, whose file Helm 3 does not understand.
fn template(major: u8, chart: &Path) -> Command {
    let mut command = helm(major);
    command.args(["template", "shop"]).arg(chart);
    command.env("PATH", program().parent().unwrap());
    if major == 4 {
        command.env("HELM_PLUGINS", root().join("docs/examples/helm-plugin"));
    }
    command
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_podgrace"))
}

/// The objects in an order of their own: the two Helms differ in theirs.
fn sorted(stream: &str) -> Vec<String> {
    let mut texts: Vec<String> = documents(stream).iter().map(ToString::to_string).collect();
    texts.sort();
    texts
}
