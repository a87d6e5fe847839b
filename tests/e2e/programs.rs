//! Other programs that come to a cluster: Helm, kubectl, and whoever has a kubeconfig.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::helm;
use crate::pki;

impl Cluster {
    /// Runs Helm of that major version on a Namespace, as a person would; it must succeed. Returns what it says.
    pub(crate) async fn helm(&self, major: u8, namespace: &str, words: &[&str]) -> String {
        let mut command = helm::helm(major);
        command.args(words).args(["--namespace", namespace]);
        command.env("KUBECONFIG", &self.kubeconfig);
        let said = tokio::task::spawn_blocking(move || helm::said(&mut command)).await;
        said.expect("no panic")
            .unwrap_or_else(|why| panic!("Helm {major}: {why}"))
    }

    /// Has kubectl, which must be there, make an object; returns what it warns of.
    pub(crate) async fn create_by_kubectl(&self, namespace: &str, object: &Value) -> Vec<String> {
        let file = pki::write(&self.folder, "by-kubectl.json", &object.to_string());
        let mut command = Command::new(self.kubectl.as_ref().expect("kubectl"));
        command.env("KUBECONFIG", &self.kubeconfig);
        command.args(["create", "--namespace", namespace, "--filename"]);
        command.arg(file).arg("--cache-dir").arg(&self.folder);
        let output = tokio::task::spawn_blocking(move || command.output()).await;
        let output = output.expect("no panic").expect("kubectl");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        let warnings = told
            .lines()
            .filter_map(|line| line.strip_prefix("Warning: "));
        warnings.map(str::to_owned).collect()
    }

    /// Writes a kubeconfig by which whoever has that token comes in.
    pub(crate) fn kubeconfig_of(&self, name: &str, token: &Value) -> PathBuf {
        self.kubeconfig_with(name, |file| {
            file["users"][0]["user"] = json!({"token": token})
        })
    }

    /// Writes a kubeconfig like ours, with a change.
    pub(crate) fn kubeconfig_with(&self, name: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
        let text = std::fs::read_to_string(&self.kubeconfig).expect("a kubeconfig");
        let mut file: Value = serde_saphyr::from_str(&text).expect("YAML");
        change(&mut file);
        let name = format!("{name}.kubeconfig");
        pki::write(&self.folder, &name, &file.to_string())
    }
}
