//! `podgrace audit` over many Deployments, beside other tools on the same files in the same run.
//!
//! `cargo bench --bench audit`; `make peers` builds the others first (kube-score, gator, Kyverno's). Their checks differ, and
//! each does what it does: kube-score its own, gator one constraint and Kyverno one rule about the same fields.

#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often each is run; the quickest run counts, as others are only disturbed.
const RUNS: usize = 5;

fn main() {
    for count in [1_000, 10_000] {
        let folder = tempfile::tempdir().unwrap();
        let input = Input::write(folder.path(), count);
        for (title, files, stream) in [
            (
                format!("{count} Deployments, a file each"),
                &input.files,
                false,
            ),
            (
                format!("{count} Deployments, one stream"),
                &input.stream,
                true,
            ),
        ] {
            println!("\n{title}");
            let mut ours = None;
            for tool in tools(files, &input, stream) {
                let Some(best) = tool.best() else { continue };
                let ours = *ours.get_or_insert(best);
                println!(
                    "  {:<22} {:>7.3} s {:>7.1} MiB   {:>6.1} × the time, {:>5.1} × the memory",
                    tool.name,
                    best.took.as_secs_f64(),
                    best.memory as f64 / 1024.0,
                    best.took.as_secs_f64() / ours.took.as_secs_f64(),
                    best.memory as f64 / ours.memory as f64,
                );
            }
        }
    }
}

/// The same Deployments as files of a folder, and as one.
struct Input {
    files: PathBuf,
    stream: PathBuf,
    /// The files, for a tool that takes no folder.
    names: Vec<PathBuf>,
}

impl Input {
    fn write(folder: &Path, count: usize) -> Self {
        let files = folder.join("files");
        std::fs::create_dir(&files).unwrap();
        let mut all = String::new();
        let mut names = Vec::with_capacity(count);
        for number in 0..count {
            let text = deployment(number);
            let name = files.join(format!("shop-{number}.yaml"));
            std::fs::write(&name, &text).unwrap();
            let _ = write!(all, "---\n{text}");
            names.push(name);
        }
        let stream = folder.join("stream.yaml");
        std::fs::write(&stream, all).unwrap();
        Self {
            files,
            stream,
            names,
        }
    }
}

/// What people write: of four, one lacks everything, one has all, and two something.
fn deployment(number: usize) -> String {
    let probe = "httpGet: {path: /healthz, port: http}\n            periodSeconds: 5\n";
    let mut fields = String::new();
    if !number.is_multiple_of(4) {
        let _ = write!(fields, "          livenessProbe:\n            {probe}");
        let _ = write!(fields, "          readinessProbe:\n            {probe}");
    }
    if number % 4 > 1 {
        fields += "          lifecycle:\n            preStop:\n              sleep:\n                seconds: 5\n";
    }
    if number % 4 > 2 {
        let _ = write!(fields, "          startupProbe:\n            {probe}");
    }
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: shop-{number} # one of many\n  namespace: web\n\
         spec:\n  replicas: 3\n  selector:\n    matchLabels: {{app: shop-{number}}}\n  template:\n    metadata:\n      \
         labels: {{app: shop-{number}}}\n    spec:\n      terminationGracePeriodSeconds: 40\n      containers:\n        \
         - name: shop\n          image: \"registry.example/shop:{number}\"\n          ports:\n            \
         - name: http\n              containerPort: 8080\n          env:\n            \
         - {{name: COLOUR, value: \"blue\"}}\n          resources:\n            \
         requests: {{cpu: 100m, memory: 128Mi}}\n            limits: {{memory: 256Mi}}\n{fields}"
    )
}

struct Tool {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<PathBuf>,
}

/// Podgrace first, then those that are built.
fn tools(input: &Path, all: &Input, is_stream: bool) -> Vec<Tool> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built = |name: &str| root.join("target/tools").join(name);
    let peers = root.join("benches/peers");
    let words = |words: &[&str]| words.iter().map(PathBuf::from).collect::<Vec<_>>();
    let with = |before: &[&str], behind: &[&Path]| {
        let mut arguments = words(before);
        arguments.extend(behind.iter().map(|path| path.to_path_buf()));
        arguments
    };
    let mut tools = vec![
        Tool {
            name: "podgrace audit",
            program: env!("CARGO_BIN_EXE_podgrace").into(),
            arguments: with(&["audit", "--quiet", "-f"], &[input]),
        },
        Tool {
            name: "kube-score",
            program: built("kube-score"),
            arguments: match is_stream {
                true => with(&["score"], &[input]),
                false => [words(&["score"]), all.names.clone()].concat(),
            },
        },
        Tool {
            name: "gator, 1 constraint",
            program: built("gator"),
            arguments: with(
                &["test", "-f"],
                &[&peers.join("gator.yaml"), Path::new("-f"), input],
            ),
        },
        Tool {
            name: "kyverno, 1 rule",
            program: built("kyverno"),
            arguments: with(
                &["apply"],
                &[&peers.join("kyverno.yaml"), Path::new("-r"), input],
            ),
        },
    ];
    for tool in &tools {
        if !tool.program.exists() {
            println!("  {} is not built: make peers", tool.name);
        }
    }
    tools.retain(|tool| tool.program.exists());
    tools
}

#[derive(Clone, Copy)]
struct Measured {
    took: Duration,
    /// KiB.
    memory: u64,
}

impl Tool {
    /// The quickest run, with the most memory of any.
    fn best(&self) -> Option<Measured> {
        let runs: Option<Vec<Measured>> = (0..RUNS).map(|_| self.run()).collect();
        let runs = runs?;
        Some(Measured {
            took: runs.iter().map(|run| run.took).min()?,
            memory: runs.iter().map(|run| run.memory).max()?,
        })
    }

    /// Runs it once; none where it did not do its work.
    fn run(&self) -> Option<Measured> {
        let began = Instant::now();
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut memory = 0;
        // The kernel keeps the most that there was, and forgets it with the process.
        let status = loop {
            memory = most_memory(child.id()).max(memory);
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let took = began.elapsed();
        // 1 is that something was found.
        if !matches!(status.code(), Some(0 | 1)) {
            println!("  {} failed: {status}", self.name);
            return None;
        }
        Some(Measured { took, memory })
    }
}

/// VmHWM of /proc/PID/status, in KiB.
fn most_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let mut lines = status.lines();
    lines
        .find_map(|line| {
            line.strip_prefix("VmHWM:")?
                .trim()
                .strip_suffix(" kB")?
                .parse()
                .ok()
        })
        .unwrap_or(0)
}
