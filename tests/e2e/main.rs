//! Scenarios on a real API server.
//!
//! `e2e run [PART OF A NAME…]` runs them, `e2e lossless [ROW…]` measures what requests are lost, `e2e up`,
//! `e2e node-up` and `e2e down` start and end a control plane or a whole node for people, and `e2e image FILE` writes
//! our image; `tests/cluster/cluster.mk` calls them. Without such a word, as in `cargo test`, nothing is run.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people, who read what it did"
)]

mod another;
mod bed;
mod cable;
mod capsule;
mod cluster;
mod deployed;
mod dockerfile;
mod doctor;
mod generated;
#[path = "../chart/helm.rs"]
mod helm;
mod image;
#[path = "../lossless/mod.rs"]
mod lossless;
mod node;
mod people;
mod pki;
mod processes;
mod programs;
mod scenarios;
mod webhook;

use std::ffi::OsStr;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::Cluster;
use processes::Processes;
use scenarios::{Outcome, Scenario};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["run", names @ ..] => on_runtime(run(names)),
        // What these two do is done in a capsule, which others make for them.
        ["node-run", folder, names @ ..] => on_runtime(run_node(Path::new(folder), names)),
        ["lossless", rows @ ..] => on_runtime(lossless(rows)),
        ["lossless-run", folder, rows @ ..] => on_runtime(run_lossless(Path::new(folder), rows)),
        ["node-stay", folder] => on_runtime(people::stay(Path::new(folder))),
        ["up"] => on_runtime(people::up()),
        ["node-up"] => on_runtime(people::node_up()),
        ["down"] => people::down(),
        ["image", file] => people::image(Path::new(file)),
        // Test runners ask for a list of tests: there is none that they could run.
        words => {
            if !words.contains(&"--list") {
                println!("e2e: skipped, as it needs a Kubernetes control plane: make e2e");
            }
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("e2e: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Runs to the end or to an interrupt; what was started ends with what is dropped here.
fn on_runtime(work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().map_err(|why| why.to_string())?;
    runtime.block_on(async {
        let mut end = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
            .map_err(|why| why.to_string())?;
        tokio::select! {
            result = work => result,
            _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
            _ = end.recv() => Err("ended".into()),
        }
    })
}

/// Runs the scenarios whose names contain one of `names`, or all: those of a control plane, then those of a node.
async fn run(names: &[&str]) -> Result<(), String> {
    let since = Instant::now();
    let (mut all, mut beside) = (
        chosen(scenarios::ALL, names),
        chosen(scenarios::BESIDE, names),
    );
    if std::env::var_os("KUBECONFIG").is_some() {
        all.append(&mut beside);
    }
    let (all, beside) = tokio::join!(run_plane("e2e", &all), run_plane("beside", &beside));
    let mut failed: Vec<String> = all.err().into_iter().chain(beside.err()).collect();
    if !chosen(scenarios::NODE, names).is_empty() {
        match std::env::var("PODGRACE_E2E_NODE").as_deref() {
            _ if std::env::var_os("KUBECONFIG").is_some() => {
                step(
                    "scenarios of a node: SKIPPED, on a cluster that is not ours",
                    since,
                );
            }
            Ok("skip") => step(
                "scenarios of a node: SKIPPED, as PODGRACE_E2E_NODE says",
                since,
            ),
            _ => failed.extend(in_capsule("node-run", names).await.err()),
        }
    }
    if !failed.is_empty() {
        return Err(failed.join("\n     "));
    }
    step("everything", since);
    Ok(())
}

/// Those whose names contain one of `names`, or all.
fn chosen(all: &[(&'static str, Scenario)], names: &[&str]) -> Vec<(&'static str, Scenario)> {
    let is_meant = |name: &str| names.is_empty() || names.iter().any(|part| name.contains(part));
    all.iter()
        .filter(|(name, _)| is_meant(name))
        .copied()
        .collect()
}

/// Where programs keep their files; they are gone when the program that has it is.
fn folder() -> Result<tempfile::TempDir, String> {
    let mut builder = tempfile::Builder::new();
    builder
        .prefix("podgrace-e2e-")
        .tempdir()
        .map_err(|why| why.to_string())
}

/// Runs scenarios, where there are any, on a control plane of their own.
async fn run_plane(logs: &str, chosen: &[(&str, Scenario)]) -> Result<(), String> {
    if chosen.is_empty() {
        return Ok(());
    }
    let folder = folder()?;
    let cluster = Arc::new(Cluster::open(folder.path()).await?);
    run_on(&cluster, logs, chosen).await
}

async fn run_on(
    cluster: &Arc<Cluster>,
    logs: &str,
    chosen: &[(&str, Scenario)],
) -> Result<(), String> {
    // What a run left behind that was cut short.
    cluster.clean_up().await;
    let mut failed = Vec::new();
    for (name, scenario) in chosen {
        let since = Instant::now();
        // A task of its own, so that a panic is that scenario's alone.
        match tokio::spawn(scenario(Arc::clone(cluster))).await {
            Ok(Outcome::Passed(note)) if note.is_empty() => step(name, since),
            Ok(Outcome::Passed(note)) => step(&format!("{name}: {note}"), since),
            Ok(Outcome::Skipped(why)) => step(&format!("{name}: SKIPPED, {why}"), since),
            Err(_) => {
                step(&format!("{name}: FAILED"), since);
                failed.push(*name);
            }
        }
    }
    cluster.clean_up().await;
    if failed.is_empty() {
        return Ok(());
    }
    let kept = keep_logs(&cluster.folder, logs);
    let failed = failed.join(", ");
    Err(format!("failed: {failed}; logs: {}", kept.display()))
}

/// Runs this program again where a node can be, with a word for what it does there.
async fn in_capsule(word: &str, rest: &[&str]) -> Result<(), String> {
    capsule::check().map_err(|why| {
        format!("{why}; PODGRACE_E2E_NODE=skip leaves out the scenarios that need one")
    })?;
    let folder = folder()?;
    let mut processes = Processes::new(folder.path());
    let words = [OsStr::new(word), folder.path().as_os_str()];
    let rest = rest.iter().map(OsStr::new);
    let command = capsule::command(folder.path(), words.into_iter().chain(rest))?;
    processes.spawn("node", command)?;
    loop {
        match processes.ended("node") {
            Some(status) if status.success() => return Ok(()),
            // It has said why.
            Some(_) => return Err(format!("{word} failed")),
            None => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Measures what requests are lost.
async fn lossless(rows: &[&str]) -> Result<(), String> {
    lossless::check(rows)?;
    in_capsule("lossless-run", rows).await
}

async fn run_lossless(folder: &Path, rows: &[&str]) -> Result<(), String> {
    let run = lossless::run(folder, rows).await;
    run.map_err(|why| format!("{why}; logs: {}", keep_logs(folder, "lossless").display()))
}

async fn run_node(folder: &Path, names: &[&str]) -> Result<(), String> {
    // Its own, so that programs can be started; the folder's end is the business of whoever is outside.
    let cluster = Arc::new(Cluster::open_node(folder).await?);
    run_on(&cluster, "node", &chosen(scenarios::NODE, names)).await
}

/// Logs outlive the folder of a run that failed, in a folder of that name.
fn keep_logs(folder: &Path, name: &str) -> PathBuf {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("e2e-logs")
        .join(name);
    let _ = std::fs::remove_dir_all(&kept);
    let _ = std::fs::create_dir_all(&kept);
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.ends_with(".log") || text.ends_with(".jsonl") {
            let _ = std::fs::copy(entry.path(), kept.join(name));
        }
    }
    kept
}

/// Says what was done and how long it took.
fn step(what: &str, since: Instant) {
    eprintln!("{:7.1} s  {what}", since.elapsed().as_secs_f64());
}
