//! Scenarios on a real API server.
//!
//! `e2e run [PART OF A NAME…]` runs them, `e2e up` and `e2e down` start and end a control plane for people;
//! `tests/cluster/cluster.mk` calls all three. Without such a word, as in `cargo test`, nothing is run.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people, who read what it did"
)]

mod another;
mod bed;
mod cluster;
mod generated;
mod pki;
mod processes;
mod scenarios;
mod webhook;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use bed::{Bed, Programs};
use cluster::Cluster;
use scenarios::Outcome;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["run", names @ ..] => on_runtime(run(names)),
        ["up"] => on_runtime(up()),
        ["down"] => down(),
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

/// Runs the scenarios whose names contain one of `names`, or all.
async fn run(names: &[&str]) -> Result<(), String> {
    let since = Instant::now();
    let folder = tempfile::Builder::new()
        .prefix("podgrace-e2e-")
        .tempdir()
        .map_err(|why| why.to_string())?;
    let cluster = Arc::new(Cluster::open(folder.path()).await?);
    // What a run left behind that was cut short.
    cluster.clean_up().await;
    let mut failed = Vec::new();
    for (name, scenario) in scenarios::ALL {
        if !names.is_empty() && !names.iter().any(|part| name.contains(part)) {
            continue;
        }
        let since = Instant::now();
        // A task of its own, so that a panic is that scenario's alone.
        match tokio::spawn(scenario(Arc::clone(&cluster))).await {
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
        step("everything", since);
        return Ok(());
    }
    let kept = keep_logs(folder.path());
    Err(format!(
        "failed: {}; logs: {}",
        failed.join(", "),
        kept.display()
    ))
}

/// Logs outlive the folder of a run that failed.
fn keep_logs(folder: &Path) -> PathBuf {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e-logs");
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

/// Where the control plane for people keeps its files.
fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/cluster/up")
}

async fn up() -> Result<(), String> {
    let home = home();
    if home.join("pids").exists() {
        return Err("it is up already: make cluster-down".into());
    }
    std::fs::create_dir_all(&home).map_err(|why| why.to_string())?;
    let programs = Programs::find()?;
    let bed = Bed::start(&programs, &home).await?;
    let ids: String = bed
        .processes
        .leave()
        .iter()
        .map(|id| format!("{id}\n"))
        .collect();
    std::fs::write(home.join("pids"), ids).map_err(|why| why.to_string())?;
    println!("export KUBECONFIG={}", bed.kubeconfig.display());
    if let Some(folder) = programs.own("kubectl").as_deref().and_then(Path::parent) {
        println!("export PATH={}:$PATH", folder.display());
    }
    Ok(())
}

fn down() -> Result<(), String> {
    let home = home();
    let ids = std::fs::read_to_string(home.join("pids")).unwrap_or_default();
    for id in ids.lines() {
        // Ids are used again: only what was started with our files is ours to end.
        let command = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&command).contains(&*home.to_string_lossy()) {
            let _ = std::process::Command::new("kill")
                .args(["-KILL", id])
                .status();
        }
    }
    match std::fs::remove_dir_all(&home) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => Err(why.to_string()),
        _ => Ok(()),
    }
}

/// Says what was done and how long it took.
fn step(what: &str, since: Instant) {
    eprintln!("{:7.1} s  {what}", since.elapsed().as_secs_f64());
}
