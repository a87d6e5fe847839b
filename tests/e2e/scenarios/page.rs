//! The pages that say how to install Podgrace are run as a reader runs them: every command of a console block, in
//! order, on a cluster that has nothing of it yet. What a page shows below a command must be what it prints; `…` on a
//! page stands for anything, on a line of its own for any lines.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use super::Outcome;
use crate::cluster::{Cluster, eventually};
use crate::deployed::{NAMESPACE, RELEASE};
use crate::helm;
use crate::node;
use crate::webhook::program;

/// One command of a page, and what it shows below it.
struct Step {
    line: usize,
    command: String,
    shown: Vec<String>,
}

/// Who follows the pages.
struct Reader {
    cluster: Arc<Cluster>,
    /// What stands in their PATH first.
    programs: PathBuf,
}

pub(super) async fn run(cluster: Arc<Cluster>) -> Outcome {
    let Some(kubectl) = cluster.kubectl.clone() else {
        return Outcome::Skipped("there is no kubectl".into());
    };
    let programs = cluster.folder.join("programs");
    std::fs::create_dir_all(&programs).expect("a folder");
    for (name, program) in [
        ("helm", helm::tools().join("helm4")),
        ("kubectl", kubectl),
        ("podgrace", program()),
        ("kubectl-podgrace", program()),
    ] {
        let _ = std::os::unix::fs::symlink(program, programs.join(name));
    }
    let node = cluster.node();
    node.import_podgrace().expect("imported");
    // What others would pull.
    node.import(&node::base("docker.io/library/busybox:stable"))
        .expect("imported");

    let reader = Reader { cluster, programs };
    // Scenarios before this one may have left it.
    reader
        .follow("helm uninstall podgrace --namespace podgrace --ignore-not-found --wait")
        .await;
    reader
        .follow("kubectl delete namespace podgrace shop --ignore-not-found")
        .await;
    // What whoever reads the README has.
    reader.follow("kubectl create namespace shop").await;
    reader
        .follow("kubectl -n shop apply -f docs/examples/hello.yaml")
        .await;
    let mut notes = Vec::new();
    for (page, only_marked) in [
        ("README.md", true),
        ("docs/install.md", false),
        ("certs/files/README.md", false),
    ] {
        let text = std::fs::read_to_string(helm::root().join(page)).expect("a page");
        let steps = steps(&text, only_marked);
        assert!(!steps.is_empty(), "{page}: nothing is run");
        for step in &steps {
            let printed = reader.follow(&step.command).await;
            if step.command.starts_with("helm install") {
                // Nodes know a Service a second or so after its pods are Ready. No reader is quicker.
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
            let printed: Vec<&str> = printed.lines().collect();
            assert!(
                is_shown(&step.shown, &printed),
                "{page}:{}: $ {}\nprints\n{}\nand the page shows\n{}",
                step.line,
                step.command,
                printed.join("\n"),
                step.shown.join("\n")
            );
        }
        notes.push(format!("{} commands of {page}", steps.len()));
        if only_marked {
            reader
                .follow("helm uninstall podgrace --namespace podgrace --wait")
                .await;
            reader
                .follow("kubectl delete namespace podgrace shop")
                .await;
        }
    }
    reader.has_left_nothing().await;
    Outcome::Passed(notes.join(", "))
}

impl Reader {
    /// Runs a command in a clone's folder; it must succeed. Returns what a terminal would show.
    async fn follow(&self, command: &str) -> String {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!("exec 2>&1; {command}")])
            .current_dir(helm::root())
            .env("PATH", format!("{}:{path}", self.programs.display()))
            .env("HOME", &self.cluster.folder)
            .env("KUBECONFIG", &self.cluster.kubeconfig);
        let output = tokio::task::spawn_blocking(move || shell.output()).await;
        let output = output.expect("no panic").expect("a shell");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "$ {command}\n{printed}");
        printed
    }

    /// The last page ends with an uninstall.
    async fn has_left_nothing(&self) {
        let selector = format!("app.kubernetes.io/instance={RELEASE}");
        for path in [
            crate::cluster::WEBHOOKS,
            crate::cluster::VALIDATING_WEBHOOKS,
            "/apis/rbac.authorization.k8s.io/v1/clusterroles",
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        ] {
            let left = self.cluster.list(path, &selector).await;
            assert!(left.is_empty(), "{path}: {left:#?}");
        }
        eventually("its Namespace is gone", || async {
            let reply = self.cluster.get("/api/v1/namespaces", NAMESPACE).await;
            reply.status == 404
        })
        .await;
    }
}

/// The commands of a page's console blocks: of those behind `<!-- in a cluster -->`, or of all but those behind
/// `<!-- not run: … -->`.
fn steps(text: &str, only_marked: bool) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut before, mut inside) = ("", false);
    for (at, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            let is_meant = if only_marked {
                before == "<!-- in a cluster -->"
            } else {
                !before.starts_with("<!-- not run: ")
            };
            inside = !inside && line == "```console" && is_meant;
        } else if inside {
            let goes_on = steps
                .last()
                .is_some_and(|s| s.command.ends_with('\\') && s.shown.is_empty());
            match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push(Step {
                    line: at + 1,
                    command: command.to_owned(),
                    shown: Vec::new(),
                }),
                (None, Some(step)) if goes_on => step.command += &format!("\n{line}"),
                (None, Some(step)) => step.shown.push(line.to_owned()),
                (None, None) => panic!("line {}: no command before it", at + 1),
            }
        }
        before = line;
    }
    steps
}

/// Whether a page's lines stand for these.
fn is_shown(shown: &[String], printed: &[&str]) -> bool {
    match (shown.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((line, rest)), _) if line == "…" => {
            (0..=printed.len()).any(|from| is_shown(rest, &printed[from..]))
        }
        (Some((line, rest)), Some((first, others))) => {
            matches(&words(line), &words(first)) && is_shown(rest, others)
        }
        _ => false,
    }
}

/// Columns are as wide as what is in them.
fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a line is the other one, with `…` for anything.
fn matches(shown: &str, printed: &str) -> bool {
    match shown.split_once('…') {
        None => shown == printed,
        Some((before, after)) => printed.strip_prefix(before).is_some_and(|rest| {
            let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            ends.into_iter().any(|at| matches(after, &rest[at..]))
        }),
    }
}
