//! The real `podgrace doctor`, and whoever does what it says.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::helm;
use crate::webhook::program;

/// What it found.
pub(crate) struct Visit {
    /// Its exit code.
    pub(crate) code: i32,
    /// Its document; null where it had none to give.
    pub(crate) report: Value,
    /// What it complained of.
    pub(crate) complaint: String,
}

impl Visit {
    /// Has it look at the cluster.
    pub(crate) fn pay(cluster: &Cluster, arguments: &[&str]) -> Self {
        Self::pay_as(&cluster.kubeconfig, arguments)
    }

    /// The same as whoever that file says.
    pub(crate) fn pay_as(kubeconfig: &Path, arguments: &[&str]) -> Self {
        let output = doctor(kubeconfig)
            .args(["--output=json"])
            .args(arguments)
            .output()
            .expect("podgrace doctor");
        Self {
            code: output.status.code().unwrap_or(-1),
            report: serde_json::from_slice(&output.stdout).unwrap_or_default(),
            complaint: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn checks(&self) -> impl Iterator<Item = &Value> {
        self.report["checks"].as_array().into_iter().flatten()
    }

    /// What it has to say of that code; it must be there.
    #[track_caller]
    pub(crate) fn check(&self, code: &str) -> &Value {
        let found = self.checks().find(|check| check["code"] == code);
        found.unwrap_or_else(|| panic!("no {code}: {}{:#}", self.complaint, self.report))
    }

    /// The message of that code, with its status: `error: …`.
    #[track_caller]
    pub(crate) fn says(&self, code: &str) -> String {
        let check = self.check(code);
        let text = |key: &str| check[key].as_str().unwrap_or_default();
        format!("{}: {}", text("status"), text("message"))
    }

    /// The codes of what is not as it should be, without what is only good to know.
    pub(crate) fn findings(&self) -> Vec<&str> {
        let worth = |check: &&Value| !matches!(check["status"].as_str(), Some("ok" | "note"));
        let codes = self.checks().filter(worth);
        codes.filter_map(|check| check["code"].as_str()).collect()
    }

    /// Of a workload's pods, how many miss something and why.
    #[track_caller]
    pub(crate) fn missed(&self, name: &str) -> Value {
        let workloads = self.report["workloads"].as_array();
        let found = workloads.into_iter().flatten().find(|w| w["name"] == name);
        found.unwrap_or_else(|| panic!("no {name}: {:#}", self.report))["missed"].clone()
    }

    /// Does what it says about that, as a person who copies the lines would; all must go well.
    #[track_caller]
    pub(crate) fn do_as_told(&self, cluster: &Cluster, code: &str) {
        let commands = self.check(code)["commands"].as_array().cloned();
        let lines: Vec<String> = commands
            .into_iter()
            .flatten()
            .filter_map(|line| line.as_str().map(str::to_owned))
            .collect();
        assert!(!lines.is_empty(), "{code} has no command");
        run(cluster, &lines.join("\n"));
    }
}

/// What it says to people.
pub(crate) fn told(cluster: &Cluster, arguments: &[&str]) -> String {
    let output = doctor(&cluster.kubeconfig).args(arguments).output();
    String::from_utf8_lossy(&output.expect("podgrace doctor").stdout).into_owned()
}

fn doctor(kubeconfig: &Path) -> Command {
    let mut command = Command::new(program());
    command.env_clear().env("KUBECONFIG", kubeconfig);
    command.arg("doctor");
    command
}

/// The folder in which commands are run.
pub(crate) fn desk(cluster: &Cluster) -> PathBuf {
    let folder = cluster.folder.join("desk");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Runs lines as somebody types them, with kubectl and Helm at hand; returns what they print.
#[track_caller]
pub(crate) fn run(cluster: &Cluster, lines: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let link = |name: &str, to: &Path| {
        std::os::unix::fs::symlink(to, folder.path().join(name)).expect("a link");
    };
    link("kubectl", cluster.kubectl.as_ref().expect("kubectl"));
    link("helm", &helm::tools().join("helm4"));
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-e", "-o", "pipefail", "-c", lines])
        .current_dir(desk(cluster))
        .env("PATH", format!("{}:{path}", folder.path().display()))
        .env("KUBECONFIG", &cluster.kubeconfig)
        .output()
        .expect("bash");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{lines}\n{told}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
