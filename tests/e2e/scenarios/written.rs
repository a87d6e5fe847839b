//! Whoever writes a workload with kubectl is told what its pods' creation is warned of: with the configuration
//! that the chart renders, of Kubernetes' own kinds and of one of ours.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use super::chart::without_helm;
use super::{Outcome, web};
use crate::cluster::{Cluster, DEFINITIONS, VALIDATING_WEBHOOKS, eventually};
use crate::webhook::{Webhook, program};
use crate::{helm, pki};

/// The group of our own kinds, and the names under which they are served, which nobody could guess.
const GROUP: &str = "e2e.podgrace.io";
const KINDS: [(&str, &str); 2] = [("Fleet", "armada"), ("Harbour", "moorings")];

/// What a misspelt key on the template is answered with, and what a key on the workload itself.
const MISSPELT: &str = "did you mean podgrace.io/pre-stop-sleep?";
const MISPLACED: &str = "and not on its pod template, where it would count";

pub(super) async fn run(cluster: Arc<Cluster>) -> Outcome {
    if let Some(skipped) = without_helm() {
        return skipped;
    }
    if cluster.foreign {
        return Outcome::Skipped("it registers a webhook for every namespace".into());
    }
    let Some(kubectl) = cluster.kubectl.clone() else {
        return Outcome::Skipped("there is no kubectl".into());
    };
    for (kind, plural) in KINDS {
        define(&cluster, GROUP, kind, plural).await;
    }
    // Before the webhook, which then knows them from the start.
    let mode = |mode: &str| json!({"podgrace.io/mode": mode});
    let enforced = cluster.labelled_namespace("written", mode("enforce")).await;
    let audited = cluster
        .labelled_namespace("written-audit", mode("audit"))
        .await;
    let out = cluster.namespace("written-out").await;
    let entry = json!([{"group": GROUP, "kind": "Fleet", "templates": ["spec.crew.template"]}]);
    let arguments = [
        // This machine may have more to do than answer.
        "--set=warnings.enabled=true,warnings.timeoutSeconds=30".to_owned(),
        format!("--set-json=config.workloads={entry}"),
    ];
    let stream = helm::render(4, "podgrace", &arguments).expect("rendered");
    let objects = helm::documents(&stream);
    let of_kind = |kind: &str| {
        let mut all = objects.iter().filter(|object| object["kind"] == kind);
        all.next().cloned().expect("rendered")
    };
    let file = of_kind("ConfigMap")["data"]["podgrace.yaml"].take();
    let file = file.as_str().expect("a configuration").to_owned();
    let mut writer = Writer {
        webhook: Webhook::start(&cluster, "written", Some(&file)).await,
        folder: tempfile::tempdir().expect("a folder"),
        kubectl,
        cluster,
    };
    let mut configuration = of_kind("ValidatingWebhookConfiguration");
    for hook in configuration["webhooks"].as_array_mut().expect("webhooks") {
        hook["clientConfig"] = writer.webhook.client_config("/warn");
    }
    let cluster = &writer.cluster;
    cluster.global(VALIDATING_WEBHOOKS, configuration).await;

    let kinds = writer.every_kind_is_told_once(&enforced).await;
    writer.what_is_right_is_silent(&enforced).await;
    writer.audit_mode_says_what_would_be(&audited);
    writer.a_template_opts_in(&out);
    writer.updates(&enforced).await;
    writer.a_namespace_counts(&enforced).await;
    writer.the_kill_switch(&enforced, &file).await;
    writer.nobody_answers(&enforced).await;
    writer.the_cluster_is_read(&enforced, &file);
    Outcome::Passed(format!("{kinds} kinds by kubectl"))
}

/// Whoever applies manifests.
struct Writer {
    cluster: Arc<Cluster>,
    webhook: Webhook,
    kubectl: PathBuf,
    folder: tempfile::TempDir,
}

impl Writer {
    /// Applies an object; returns what of ours kubectl shows.
    fn apply(&self, namespace: &str, object: &Value, more: &[&str]) -> Vec<String> {
        let file = pki::write(self.folder.path(), "applied.json", &object.to_string());
        let file = file.to_str().expect("UTF-8");
        let arguments = ["apply", "--namespace", namespace, "-f", file];
        self.run(&[&arguments, more].concat())
    }

    fn run(&self, arguments: &[&str]) -> Vec<String> {
        let output = Command::new(&self.kubectl)
            .arg("--kubeconfig")
            .arg(&self.cluster.kubeconfig)
            .args(["--cache-dir".as_ref(), self.folder.path().as_os_str()])
            .args(arguments)
            .output()
            .expect("kubectl");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {told}");
        let lines = told
            .lines()
            .filter_map(|line| line.strip_prefix("Warning: "));
        let ours = lines.filter(|line| line.starts_with("podgrace"));
        ours.map(str::to_owned).collect()
    }

    async fn every_kind_is_told_once(&self, namespace: &str) -> usize {
        let first = mistaken("Deployment", "first");
        eventually("the API server asks the webhook", || async {
            !self
                .apply(namespace, &first, &["--dry-run=server"])
                .is_empty()
        })
        .await;
        let kinds = [
            "Deployment",
            "StatefulSet",
            "DaemonSet",
            "ReplicaSet",
            "ReplicationController",
            "Job",
            "CronJob",
            "Fleet",
        ];
        for kind in kinds {
            let object = mistaken(kind, "web");
            for more in [&["--dry-run=server"] as &[&str], &[]] {
                let told = self.apply(namespace, &object, more);
                let [misspelt, misplaced] = told.as_slice() else {
                    panic!("{kind} {more:?}: {told:?}");
                };
                assert!(
                    misspelt.ends_with(&format!("({MISSPELT})")),
                    "{kind}: {misspelt}"
                );
                assert!(misplaced.ends_with(MISPLACED), "{kind}: {misplaced}");
            }
            let told = self.apply(namespace, &object, &[]);
            assert!(told.is_empty(), "{kind}, which did not change: {told:?}");
        }
        // Nothing that a dry run says is there.
        let stored = self.cluster.get(&deployments(namespace), "first").await;
        assert_eq!(stored.status, 404);
        // Of the same group, and not in the configuration.
        assert!(
            self.apply(namespace, &mistaken("Harbour", "web"), &[])
                .is_empty()
        );
        assert_eq!(self.webhook.calls(namespace, "moorings/web"), 0);
        assert!(self.webhook.calls(namespace, "armada/web") > 0);
        kinds.len()
    }

    async fn what_is_right_is_silent(&self, namespace: &str) {
        let told = self.apply(namespace, &workload("Deployment", "right", &json!({})), &[]);
        assert!(told.is_empty(), "{told:?}");
        assert_eq!(self.webhook.calls(namespace, "deployments/right"), 1);
        // What its pods get is in the audit log all the same.
        let Some(log) = &self.cluster.audit_log else {
            return;
        };
        eventually("the Deployment in the audit log", || async {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            let is_it = |line: &str| {
                line.contains(r#""name":"right""#)
                    && line.contains(r#""workloads.podgrace.io/changes":"web: "#)
            };
            text.lines().any(is_it)
        })
        .await;
    }

    fn audit_mode_says_what_would_be(&self, namespace: &str) {
        let told = self.apply(namespace, &workload("Deployment", "web", &json!({})), &[]);
        let [probe, sleep, grace] = told.as_slice() else {
            panic!("{told:?}");
        };
        assert!(probe.starts_with("podgrace would inject web: startupProbe"));
        assert!(sleep.starts_with("podgrace would inject web: preStop"));
        assert!(grace.contains("30 -> 35"));
    }

    /// In a Namespace that is not in, only workloads are asked about whose template says otherwise.
    fn a_template_opts_in(&self, namespace: &str) {
        for kind in ["Deployment", "CronJob", "Fleet"] {
            let told = self.apply(namespace, &mistaken(kind, "out"), &[]);
            assert!(told.is_empty(), "{kind}: {told:?}");
            for (mode, count) in [("audit", 4), ("enforce", 1), ("off", 0)] {
                let keys = json!({
                    "labels": {"podgrace.io/mode": mode}, "annotations": {"podgrace.io/pre-stop-slep": "5s"},
                });
                let mut object = workload(kind, &format!("in-{mode}"), &keys);
                if kind == "CronJob" {
                    // A pod of a Job may start again too.
                    let spec = &mut object["spec"]["jobTemplate"]["spec"]["template"]["spec"];
                    spec["containers"][0]["restartPolicy"] = "Always".into();
                }
                let told = self.apply(namespace, &object, &[]);
                assert_eq!(told.len(), count, "{kind} {mode}: {told:?}");
            }
        }
        for name in ["deployments/out", "cronjobs/out", "armada/out"] {
            assert_eq!(self.webhook.calls(namespace, name), 0, "{name}");
        }
        assert_eq!(self.webhook.calls(namespace, "deployments/in-off"), 0);
    }

    /// What changes no template is no news, and parts of an object are not even asked about.
    async fn updates(&self, namespace: &str) {
        let (name, title) = ("changed", "deployments/changed");
        self.apply(namespace, &mistaken("Deployment", name), &[]);
        let before = self.webhook.calls(namespace, title);
        let named = ["--namespace", namespace, "deployment/changed"];
        let told = self.run(&[&["scale", "--replicas=3"], &named[..]].concat());
        assert!(told.is_empty(), "{told:?}");
        let status = format!("{name}/status");
        let change = json!({"status": {"observedGeneration": 7}});
        let path = deployments(namespace);
        self.cluster.merge(&path, &status, &change).await.accepted();
        assert_eq!(
            self.webhook.calls(namespace, title),
            before,
            "scale and status"
        );

        let told = self.run(&[&["label"], &named[..], &["team=web"]].concat());
        assert!(told.is_empty(), "{told:?}");
        assert_eq!(self.webhook.calls(namespace, title), before + 1, "a label");
        let told = self.run(
            &[
                &["set", "image"],
                &named[..],
                &["web=registry.example/web:2"],
            ]
            .concat(),
        );
        assert_eq!(told.len(), 2, "another image: {told:?}");
        let told = self.run(
            &[
                &["annotate"],
                &named[..],
                &["podgrace.io/profile=spring-boot"],
            ]
            .concat(),
        );
        assert!(
            told.iter().any(|line| line.ends_with(MISPLACED)),
            "{told:?}"
        );

        // What a controller makes has an owner; one whose owner is not there is soon gone again.
        let mut made = mistaken("ReplicaSet", "made");
        made["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": "0", "controller": true,
        }]);
        let told = self.apply(namespace, &made, &["--dry-run=server"]);
        assert!(told.is_empty(), "{told:?}");
        assert_eq!(self.webhook.calls(namespace, "replicasets/made"), 0);
        assert!(self.webhook.calls(namespace, "replicasets/web") > 0);
    }

    /// What is wrong with a Namespace, whoever writes its workloads is told, as is a pod's maker.
    async fn a_namespace_counts(&self, namespace: &str) {
        let key = "podgrace.io/startup-timeout";
        self.run(&["annotate", "namespace", namespace, &format!("{key}=5")]);
        let right = workload("Deployment", "namespaced", &json!({}));
        eventually("the annotation counts", || async {
            let told = self.apply(namespace, &right, &["--dry-run=server"]);
            told.iter()
                .any(|line| line.contains(&format!("{key} (on the namespace)")))
        })
        .await;
        self.run(&["annotate", "namespace", namespace, &format!("{key}-")]);
    }

    /// One line, without a restart, and here too.
    async fn the_kill_switch(&self, namespace: &str, file: &str) {
        let off = file.replace(r#"mode: "enforce""#, r#"mode: "off""#);
        assert_ne!(off, file);
        let object = mistaken("Deployment", "switched");
        for (file, is_told) in [(&*off, false), (file, true)] {
            self.webhook.configure(file);
            eventually("the configuration counts", || async {
                let told = self.apply(namespace, &object, &["--dry-run=server"]);
                told.is_empty() != is_told
            })
            .await;
        }
    }

    /// Everything is taken while no webhook is there, without a word.
    async fn nobody_answers(&mut self, namespace: &str) {
        self.webhook.kill();
        let object = mistaken("Deployment", "unheard");
        let told = self.apply(namespace, &object, &[]);
        assert!(told.is_empty(), "{told:?}");
        let path = deployments(namespace);
        self.cluster.get(&path, "unheard").await.accepted();
        self.webhook.run().await;
        eventually("it is asked again", || async {
            let object = mistaken("Deployment", "heard");
            !self
                .apply(namespace, &object, &["--dry-run=server"])
                .is_empty()
        })
        .await;
    }

    /// Commands that read the cluster find the kind under the name that nobody could guess.
    fn the_cluster_is_read(&self, namespace: &str, file: &str) {
        let file = pki::write(self.folder.path(), "podgrace.yaml", file);
        let podgrace = |arguments: &[&str]| {
            let output = Command::new(program())
                .env_clear()
                .args(arguments)
                .arg("--kubeconfig")
                .arg(&self.cluster.kubeconfig)
                .args(["--namespace", namespace, "--config"])
                .arg(&file)
                .output()
                .expect("podgrace");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            (String::from_utf8_lossy(&output.stdout).into_owned(), said)
        };
        let (table, said) = podgrace(&["audit"]);
        assert!(
            table.contains("fleet/web") && table.contains("deployment/web"),
            "{table}{said}"
        );
        assert!(!table.contains("harbour/web"), "{table}");
        for name in ["fleet/web", "armada/web", "fleet.e2e.podgrace.io/web"] {
            let (explanation, said) = podgrace(&["explain", name]);
            assert!(
                explanation.contains("fleet/web"),
                "{name}: {explanation}{said}"
            );
        }
        let (_, said) = podgrace(&["explain", "harbour/web"]);
        assert!(said.contains("the configuration's workloads"), "{said}");
    }
}

fn deployments(namespace: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/deployments")
}

/// A workload with a misspelt key in its template and a key of its own.
fn mistaken(kind: &str, name: &str) -> Value {
    let keys = json!({"annotations": {"podgrace.io/pre-stop-slep": "5s"}});
    let mut object = workload(kind, name, &keys);
    object["metadata"]["annotations"] = json!({"podgrace.io/shutdown-timeout": "20s"});
    object
}

/// A workload of [`web`], with these labels and annotations on its template.
fn workload(kind: &str, name: &str, keys: &Value) -> Value {
    let mut template = json!({
        "metadata": {"labels": {"app": name}, "annotations": keys["annotations"]},
        "spec": {"containers": [web()]},
    });
    for (key, value) in keys["labels"].as_object().into_iter().flatten() {
        template["metadata"]["labels"][key] = value.clone();
    }
    let selector = json!({"matchLabels": {"app": name}});
    let (version, spec) = match kind {
        "Job" | "CronJob" => {
            template["spec"]["restartPolicy"] = "Never".into();
            let job = json!({"template": template});
            match kind {
                "Job" => ("batch/v1", job),
                _ => (
                    "batch/v1",
                    json!({"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job}}),
                ),
            }
        }
        "ReplicationController" => (
            "v1",
            json!({"selector": {"app": name}, "template": template}),
        ),
        "Fleet" | "Harbour" => (
            "e2e.podgrace.io/v1",
            json!({"crew": {"template": template}}),
        ),
        "StatefulSet" => (
            "apps/v1",
            json!({"selector": selector, "serviceName": name, "template": template}),
        ),
        _ => (
            "apps/v1",
            json!({"selector": selector, "template": template}),
        ),
    };
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// Has the API server serve a kind whose objects may say anything.
pub(super) async fn define(cluster: &Cluster, group: &str, kind: &str, plural: &str) {
    let name = format!("{plural}.{group}");
    let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let definition = json!({
        "metadata": {"name": name},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
            "scope": "Namespaced",
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": anything}}},
            }],
        },
    });
    cluster.global(DEFINITIONS, definition).await;
    cluster.serves(&name).await;
}
