//! `podgrace audit` of a cluster.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use podgrace::cluster::{AUTOSCALERS, DISRUPTION_BUDGETS, Resource, SERVICES, WORKLOADS};
use podgrace::manifests;
use serde_json::{Value, json};

use super::written::define;
use super::{Outcome, web};
use crate::cluster::{Cluster, WEBHOOKS, arrival};
use crate::pki;
use crate::webhook::program;

/// The same objects from files and from the cluster give the same findings: what the API server writes into them
/// does not matter.
pub(super) async fn like_files(cluster: Arc<Cluster>) -> Outcome {
    let (mut objects, mut findings) = (0, 0);
    // Those that need no configuration are audited at once, the others one by one.
    let mut plain = Vec::new();
    for (number, case) in cases().iter().enumerate() {
        let config = case.join("config.yaml");
        let group = if config.exists() {
            "configured"
        } else {
            "plain"
        };
        let namespace = format!("audited-{group}-{number}");
        let namespace = cluster.namespace(&namespace).await;
        let list = make(&cluster, case, &namespace).await;
        objects += list.len();
        match config.exists() {
            true => findings += alike(&cluster, list, Some((&namespace, &config))).await,
            false => plain.extend(list),
        }
    }
    findings += alike(&cluster, plain, None).await;
    assert!(objects > 150 && findings > 100, "{objects} {findings}");
    Outcome::Passed(format!("{objects} objects, {findings} findings"))
}

/// Makes the objects of a case; those that the API server takes.
async fn make(cluster: &Cluster, case: &Path, namespace: &str) -> Vec<Value> {
    let mut list = Vec::new();
    for object in read(case, namespace) {
        let made = match object["kind"] == "Namespace" {
            true => cluster.merge(NAMESPACES, namespace, &object).await,
            false => match address(&object, namespace) {
                Some(path) => cluster.create(&path, &object, false).await,
                None => continue,
            },
        };
        // Many cases are about what an API server refuses.
        if made.is_accepted() {
            list.push(object);
        }
    }
    list
}

/// Audits objects from a file and where they were made: in all namespaces of the scenario, or in one with a
/// configuration. Returns how many findings both have.
async fn alike(cluster: &Cluster, list: Vec<Value>, only: Option<(&str, &Path)>) -> usize {
    let version = cluster.client().apiserver_version().await;
    let minor = format!("1.{}", version.expect("a version").minor);
    let text = json!({"apiVersion": "v1", "kind": "List", "items": list}).to_string();
    let file = pki::write(&cluster.folder, "audited.json", &text);
    let file = file.display().to_string();
    let of_file = ["-f", &file, "--kube-version", &minor];
    let config = only.map(|(_, config)| config.display().to_string());
    let shared = config
        .as_ref()
        .map_or(vec![], |config| vec!["--config", config]);
    let of_cluster = only.map_or(vec!["-A"], |(namespace, _)| vec!["-n", namespace]);
    let namespaces = only.map_or("podgrace-e2e-audited-plain-", |(namespace, _)| namespace);
    let told = |arguments: [&[&str]; 2]| {
        let report = audit(&cluster.kubeconfig, &arguments.concat());
        told(&report, namespaces)
    };
    let (expected, found) = (told([&of_file, &shared]), told([&of_cluster, &shared]));
    let (only_files, only_cluster) = (&expected - &found, &found - &expected);
    assert!(
        expected == found,
        "{only:?}: of files only {only_files:#?}, of the cluster only {only_cluster:#?}"
    );
    found.len()
}

/// What is made by what was read is not told again; -n, -A and -l choose; who may not read something learns what
/// it takes, and the rest is told.
pub(super) async fn chosen(cluster: Arc<Cluster>) -> Outcome {
    if !cluster.controllers {
        return Outcome::Skipped("there is no kube-controller-manager".into());
    }
    let namespace = cluster.namespace("chosen").await;
    let other = cluster.namespace("chosen-other").await;
    for (namespace, name) in [(&namespace, "shop"), (&namespace, "cart"), (&other, "shop")] {
        let deployment = deployment(name);
        let path = address(&deployment, namespace).expect("a kind that we read");
        cluster.create(&path, &deployment, false).await.accepted();
    }
    let bare = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"}, "spec": {"containers": [web()]}});
    let path = address(&bare, &namespace).expect("a kind that we read");
    cluster.create(&path, &bare, false).await.accepted();
    arrival("pods of the Deployments", || async {
        (cluster.list(&path, "app").await.len() == 2).then_some(())
    })
    .await;

    let titles = |arguments: &[&str]| {
        let report = json_of(&audit(&cluster.kubeconfig, arguments));
        let findings = report["findings"].as_array().expect("findings").iter();
        let title = |finding: &Value| {
            let word = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
            assert_eq!(
                (&finding["file"], &finding["line"]),
                (&Value::Null, &Value::Null)
            );
            format!("{}/{}/{}", word("namespace"), word("kind"), word("name"))
        };
        findings.map(title).collect::<BTreeSet<String>>()
    };
    let expected = |names: &[(&str, &str)]| {
        let names = names
            .iter()
            .map(|(namespace, name)| format!("{namespace}/{name}"));
        names.collect::<BTreeSet<String>>()
    };
    assert_eq!(
        titles(&["-n", &namespace]),
        expected(&[
            (&namespace, "Deployment/shop"),
            (&namespace, "Deployment/cart"),
            (&namespace, "Pod/bare")
        ])
    );
    assert_eq!(
        titles(&["-n", &namespace, "-l", "app in (shop)"]),
        expected(&[(&namespace, "Deployment/shop")])
    );
    let everywhere = titles(&["-A", "-l", "app=shop"]);
    let both = expected(&[(&namespace, "Deployment/shop"), (&other, "Deployment/shop")]);
    assert!(both.is_subset(&everywhere), "{everywhere:?}");

    // A kind that only the configuration knows, under a name that nobody could guess.
    define(&cluster, GROUP, "Convoy", "flotilla").await;
    let path = format!("/apis/{GROUP}/v1/namespaces/{other}/flotilla");
    let mut convoy = deployment("fleet");
    convoy["apiVersion"] = format!("{GROUP}/v1").into();
    convoy["kind"] = "Convoy".into();
    cluster.create(&path, &convoy, false).await.accepted();
    let text = format!(
        "apiVersion: podgrace.io/v1alpha1\nkind: PodgraceConfiguration\nworkloads:\n\
         - {{group: {GROUP}, kind: Convoy, templates: [spec.template]}}\n"
    );
    let config = pki::write(&cluster.folder, "convoy.yaml", &text);
    let config = config.display().to_string();
    assert_eq!(
        titles(&["-n", &other, "--config", &config]),
        expected(&[(&other, "Convoy/fleet"), (&other, "Deployment/shop")])
    );

    installed(&cluster, &other).await;
    let report = audit(&cluster.kubeconfig, &["-n", &other, "-l", "app=shop"]);
    let told = stderr(&report);
    assert!(
        told.contains(&format!("counts: configmap/{INSTALLED} in {other}")),
        "{told}"
    );
    let findings = json_of(&report)["findings"].to_string();
    assert!(findings.contains("web: preStop sleep 7s"), "{findings}");

    let reader = reader(&cluster, &namespace).await;
    let report = audit(&reader, &["-n", &namespace]);
    assert_eq!(
        json_of(&report)["summary"]["unreadable"],
        0,
        "{}",
        stderr(&report)
    );
    let other_report = audit(&reader, &["-n", &other]);
    assert_eq!(other_report.status.code(), Some(2));
    let why = stderr(&other_report);
    let expected = format!(
        "has no permission to list deployments.apps in namespace {other}; it takes a Role (kubectl create role NAME \
         -n {other} --verb=list --resource=deployments.apps)"
    );
    assert!(why.contains(&expected), "{why}");
    let nowhere = audit(&cluster.kubeconfig, &["-n", "podgrace-e2e-nowhere"]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(stderr(&nowhere).contains("there is no namespace podgrace-e2e-nowhere"));
    cluster.delete(WEBHOOKS, INSTALLED).await.accepted();
    Outcome::Passed(String::new())
}

/// More objects than a page holds come once each, also when the API server forgets the list meanwhile.
pub(super) async fn paged(cluster: Arc<Cluster>) -> Outcome {
    let namespace = cluster.namespace("paged").await;
    // They make no pods.
    let count = 1_050;
    for first in (0..count).step_by(50) {
        let create = (first..first + 50).map(|number| {
            let mut deployment = deployment(&format!("d{number}"));
            deployment["spec"]["replicas"] = 0.into();
            let path = address(&deployment, &namespace).expect("a kind that we read");
            let cluster = Arc::clone(&cluster);
            async move { cluster.create(&path, &deployment, false).await.accepted() }
        });
        futures::future::join_all(create).await;
    }
    let report = json_of(&audit(&cluster.kubeconfig, &["-n", &namespace]));
    assert_eq!(report["summary"]["workloads"], count);
    assert_eq!(report["summary"]["affected"], count);
    Outcome::Passed(format!("{count} Deployments"))
}

/// What of several is the first by name.
const INSTALLED: &str = "a-podgrace-e2e-installed";
/// The group of a kind of ours.
const GROUP: &str = "audited.e2e.podgrace.io";
const NAMESPACES: &str = "/api/v1/namespaces";

/// The cases whose inputs say all that their findings depend on.
fn cases() -> Vec<PathBuf> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut cases: Vec<PathBuf> = ["audit", "golden"]
        .iter()
        .flat_map(|name| fs::read_dir(tests.join(name)).expect("a folder"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|case| case.join("input.yaml").exists() && !case.join("args").exists())
        .collect();
    cases.sort();
    cases
}

/// The objects of a case, as an API server takes them into that namespace.
fn read(case: &Path, namespace: &str) -> Vec<Value> {
    let mut objects = Vec::new();
    for file in ["namespace.yaml", "input.yaml"] {
        let bytes = fs::read(case.join(file)).unwrap_or_default();
        for chunk in manifests::split(&bytes) {
            if let Ok(document) = manifests::read(&bytes, &chunk) {
                flatten(document.into_value(), &mut objects);
            }
        }
    }
    // Those of several namespaces are not put together into one.
    let stated: BTreeSet<&str> = objects
        .iter()
        .filter_map(|object| match object["kind"] == "Namespace" {
            true => object["metadata"]["name"].as_str(),
            false => object["metadata"]["namespace"].as_str(),
        })
        .collect();
    if stated.len() > 1 {
        return Vec::new();
    }
    objects.retain(|object| {
        let metadata = &object["metadata"];
        // The API server would take its owner for gone, and it with it.
        metadata["name"].is_string() && metadata["ownerReferences"].is_null()
    });
    for object in &mut objects {
        match object["kind"] == "Namespace" {
            true => object["metadata"]["name"] = namespace.into(),
            false => complete(object, namespace),
        }
    }
    objects
}

fn flatten(object: Value, all: &mut Vec<Value>) {
    match object["items"].as_array() {
        Some(items) => items.iter().for_each(|item| flatten(item.clone(), all)),
        None => all.push(object),
    }
}

/// Writes what an API server asks for and no rule reads.
fn complete(object: &mut Value, namespace: &str) {
    object["metadata"]["namespace"] = namespace.into();
    let template = match object["kind"].as_str() {
        Some("Pod") => "",
        Some("PodTemplate") => "/template",
        Some("CronJob") => "/spec/jobTemplate/spec/template",
        _ => "/spec/template",
    };
    let Some(template) = object.pointer_mut(template) else {
        return;
    };
    for list in ["containers", "initContainers"] {
        for container in template["spec"][list].as_array_mut().into_iter().flatten() {
            if container.is_object() && container["image"].is_null() {
                container["image"] = "registry.example/any:1".into();
            }
        }
    }
    let labels = &mut template["metadata"]["labels"];
    if labels["app"].is_null() {
        labels["app"] = "any".into();
    }
    let app = labels["app"].clone();
    let selects = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"];
    if selects.iter().any(|kind| object["kind"] == *kind) && object["spec"]["selector"].is_null() {
        object["spec"]["selector"] = json!({"matchLabels": {"app": app}});
    }
}

/// Where objects of its kind are made.
fn address(object: &Value, namespace: &str) -> Option<String> {
    let around = [SERVICES, AUTOSCALERS, DISRUPTION_BUDGETS];
    let all: Vec<Resource> = WORKLOADS.into_iter().chain(around).collect();
    let is_it = |resource: &&Resource| {
        object["kind"] == *resource.kind && object["apiVersion"] == resource.api_version()
    };
    let resource = all.iter().find(is_it)?;
    let root = match resource.api_version() {
        version if version.contains('/') => format!("/apis/{version}"),
        version => format!("/api/{version}"),
    };
    Some(format!("{root}/namespaces/{namespace}/{}", resource.plural))
}

/// A webhook that asks nobody about anything, with its configuration where the chart puts it.
async fn installed(cluster: &Cluster, namespace: &str) {
    let file = "apiVersion: podgrace.io/v1alpha1\nkind: PodgraceConfiguration\n\
                defaults: {pre-stop-sleep: 7s}\n";
    let path = format!("/api/v1/namespaces/{namespace}/configmaps");
    let map = json!({"metadata": {"name": INSTALLED}, "data": {"podgrace.yaml": file}});
    cluster.create(&path, &map, false).await.accepted();
    let configuration = json!({
        "metadata": {"name": INSTALLED},
        "webhooks": [{
            "name": "namespaces.podgrace.io",
            "clientConfig": {"service": {"name": "podgrace", "namespace": namespace, "path": "/mutate"}},
            "rules": [{
                "apiGroups": [""], "apiVersions": ["v1"],
                "resources": ["pods"], "operations": ["CREATE"], "scope": "Namespaced",
            }],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "podgrace-e2e-nowhere"}},
            "failurePolicy": "Ignore",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }],
    });
    cluster.global(WEBHOOKS, configuration).await;
}

fn deployment(name: &str) -> Value {
    let labels = json!({"app": name});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [web()]}},
        },
    })
}

/// Runs the audit as that kubeconfig's user, with an environment of nothing.
fn audit(kubeconfig: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.env_clear().args(["audit", "-o", "json"]);
    if !arguments.contains(&"-f") {
        command.arg("--kubeconfig").arg(kubeconfig);
    }
    command.args(arguments).output().expect("it runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json_of(output: &Output) -> Value {
    let text = &output.stdout;
    serde_json::from_slice(text).unwrap_or_else(|why| panic!("{why}: {}", stderr(output)))
}

/// What a report tells of namespaces whose names start so: everything but where it stands in a file, and what is written
/// there already.
fn told(output: &Output, namespaces: &str) -> BTreeSet<String> {
    let report = json_of(output);
    let all = |list: &Value| -> Vec<Value> { list.as_array().expect("a list").clone() };
    let mut findings = all(&report["findings"]);
    findings.extend(all(&report["summary"]["acceptedFindings"]));
    findings.retain(|finding| {
        let name = finding["namespace"].as_str().or(finding["name"].as_str());
        name.is_some_and(|name| name.starts_with(namespaces))
    });
    for finding in &mut findings {
        for key in ["file", "line", "column"] {
            finding[key] = Value::Null;
        }
        for key in ["yaml", "patch"] {
            if let Some(fix) = finding["fix"].as_object_mut() {
                fix.remove(key);
            }
        }
    }
    findings.iter().map(Value::to_string).collect()
}

/// The kubeconfig of a user who may see that namespace and nothing else.
async fn reader(cluster: &Cluster, namespace: &str) -> PathBuf {
    let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
    let account = json!({"metadata": {"name": "reader"}});
    cluster.create(&accounts, &account, false).await.accepted();
    let bindings =
        format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings");
    let binding = json!({
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": namespace}],
    });
    cluster.create(&bindings, &binding, false).await.accepted();
    let request =
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let token = cluster
        .create(&format!("{accounts}/reader/token"), &request, false)
        .await
        .accepted();

    let text = fs::read_to_string(&cluster.kubeconfig).expect("a kubeconfig");
    let chunks = manifests::split(text.as_bytes());
    let document = manifests::read(text.as_bytes(), &chunks[0]).expect("YAML");
    let mut kubeconfig = document.into_value();
    for user in kubeconfig["users"].as_array_mut().into_iter().flatten() {
        user["user"] = json!({"token": token["status"]["token"]});
    }
    pki::write(
        &cluster.folder,
        "reader.kubeconfig",
        &kubeconfig.to_string(),
    )
}
