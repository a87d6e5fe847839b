//! `podgrace audit` over folders of cases, and held against what the webhook answers for the same pods.
//!
//! `tests/audit/CASE/{input.yaml, audit.txt, audit.json}`; `UPDATE_GOLDEN=1 cargo test --test audit` rewrites
//! what is expected.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use podgrace::admission::Review;
use podgrace::audit::{Auditor, Options, Report};
use podgrace::lifecycle::annotations::Said;
use podgrace::lifecycle::audit::Rule;
use podgrace::lifecycle::json::StrMap;
use podgrace::lifecycle::policy::Policy;
use podgrace::manifests::{self, Source};
use podgrace::workload::workloads;
use serde_json::{Value, json};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

fn cases(name: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder(name)) else {
        return Vec::new();
    };
    let mut cases: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    cases
}

/// Runs the command in a folder, with an environment of nothing.
fn podgrace(folder: &Path, arguments: &[&str]) -> (String, i32) {
    let mut command = Command::cargo_bin("podgrace").expect("the binary");
    let output = command
        .env_clear()
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("it runs");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    (stdout, output.status.code().expect("a code"))
}

fn hold(path: &Path, actual: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, actual).expect("written");
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(
        actual,
        expected,
        "{}; UPDATE_GOLDEN=1 rewrites it",
        path.display()
    );
}

#[test]
fn every_case_prints_what_it_should_and_ends_alike_in_every_format() {
    for case in cases("audit") {
        let (text, code) = podgrace(&case, &["audit", "-f", "input.yaml"]);
        hold(&case.join("audit.txt"), &text);
        let (json, other_code) = podgrace(&case, &["audit", "-f", "input.yaml", "-o", "json"]);
        hold(&case.join("audit.json"), &json);
        assert_eq!(code, other_code, "{}", case.display());
        let report: Value = serde_json::from_str(&json).expect("JSON");
        let count = |name: &str| report["summary"][name].as_u64().expect("a number");
        let expected = match (count("unreadable"), count("errors") + count("warnings")) {
            (1.., _) => 2,
            (0, 1..) => 1,
            (0, 0) => 0,
        };
        assert_eq!(code, expected, "{}", case.display());
    }
}

#[test]
fn every_rule_fires_in_its_case_and_not_in_the_one_beside_it() {
    for rule in Rule::names() {
        for (case, expected) in [(rule.to_owned(), true), (format!("{rule}-not"), false)] {
            let path = folder("audit").join(&case).join("audit.json");
            let text = fs::read_to_string(&path).expect("the case");
            let report: Value = serde_json::from_str(&text).expect("JSON");
            let findings = report["findings"].as_array().expect("findings");
            let fires = findings.iter().any(|finding| finding["rule"] == rule);
            assert_eq!(fires, expected, "{case}");
        }
    }
}

#[test]
fn fail_on_and_the_choice_of_rules_decide_the_exit_code() {
    let info = folder("audit/grace-above-autoscaler");
    let code = |arguments: &[&str]| podgrace(&info, arguments).1;
    assert_eq!(code(&["audit", "-f", "input.yaml"]), 0);
    assert_eq!(code(&["audit", "-f", "input.yaml", "--fail-on", "info"]), 1);
    let warning = folder("audit/grace-zero");
    let code = |arguments: &[&str]| podgrace(&warning, arguments).1;
    assert_eq!(
        code(&["audit", "-f", "input.yaml", "--fail-on", "error"]),
        0
    );
    assert_eq!(
        code(&["audit", "-f", "input.yaml", "--skip-rule", "grace-zero"]),
        0
    );
    assert_eq!(
        code(&["audit", "-f", "input.yaml", "--rule", "grace-zero"]),
        1
    );
    assert_eq!(
        code(&["audit", "-f", "input.yaml", "--rule", "nonsense"]),
        2
    );
    assert_eq!(code(&["audit", "-f", "nothing.yaml"]), 2);
    assert_eq!(code(&["audit"]), 2);
}

#[test]
fn rules_are_listed_and_explained() {
    let (list, code) = podgrace(&folder("audit"), &["audit", "rules"]);
    assert_eq!(code, 0);
    for rule in Rule::names() {
        assert!(list.contains(rule), "{rule}");
        let (page, code) = podgrace(&folder("audit"), &["audit", "rules", rule]);
        assert!(
            code == 0 && page.starts_with(&format!("# {rule}\n")),
            "{rule}"
        );
    }
}

/// Everything that a file's workloads are said to get, one report of the library.
fn audited(source: &Source) -> Report {
    let mut auditor = Auditor::new(Options::default());
    auditor.learn(source);
    let part = auditor.judge(source);
    auditor.add(part);
    auditor.finish()
}

/// What the webhook answers for a pod, without the record of it; none where it sends no patch.
fn answered(pod: &Value, namespace: Option<&Value>, name: Option<&str>) -> BTreeSet<String> {
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "1", "operation": "CREATE", "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": name, "object": pod,
    }})
    .to_string();
    let metadata = |key: &str| {
        namespace
            .map_or(json!({}), |n| n["metadata"][key].clone())
            .to_string()
    };
    let (labels, annotations) = (metadata("labels"), metadata("annotations"));
    let read =
        |text: &'static str| serde_json::from_str::<Option<StrMap<'_>>>(text).expect("strings");
    let (labels, annotations) = (read(labels.leak()), read(annotations.leak()));
    let said = Said::by_namespace(
        &labels.unwrap_or_default(),
        &annotations.unwrap_or_default(),
    );
    let policy = Policy::default();
    let answer = Review::read(review.as_bytes())
        .expect("a review")
        .answer(&policy, namespace.map(|_| &said));
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let Some(patch) = body["response"]["patch"].as_str() else {
        return BTreeSet::new();
    };
    let patch = STANDARD.decode(patch).expect("base64");
    let patch: Vec<Value> = serde_json::from_slice(&patch).expect("a patch");
    patch
        .iter()
        .filter(|operation| {
            !operation["path"]
                .as_str()
                .is_some_and(|p| p.starts_with("/metadata"))
        })
        .map(Value::to_string)
        .collect()
}

#[test]
fn what_pods_lack_is_what_the_webhook_adds_to_them() {
    let mut compared = 0;
    let inputs = ["audit", "golden", "manifests", "explain"]
        .into_iter()
        .flat_map(|name| cases(name).into_iter().chain([folder(name)]))
        .flat_map(|case| fs::read_dir(case).into_iter().flatten())
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"));
    for path in inputs {
        let name = path.display().to_string();
        let source = Source {
            bytes: fs::read(&path).expect("a file"),
            name: name.clone(),
        };
        let report = audited(&source);
        let documents: Vec<Value> = manifests::split(&source.bytes)
            .iter()
            .filter_map(|chunk| Some(manifests::read(&source.bytes, chunk).ok()?.into_value()))
            .collect();
        for document in &documents {
            for workload in workloads(document) {
                let Some(pod) = workload.pod(document) else {
                    continue;
                };
                let index = report.workloads.iter().position(|looked| {
                    (&looked.kind, &looked.name) == (&workload.kind, &workload.name)
                });
                // One that cannot be read has no place in the report.
                let Some(index) = index else { continue };
                if report.workloads[index].mode != "enforce" {
                    continue;
                }
                let namespace = documents.iter().find(|other| {
                    other["kind"] == "Namespace"
                        && other["metadata"]["name"].as_str() == workload.namespace.as_deref()
                        && workload.namespace.is_some()
                });
                let answer = answered(&pod, namespace, workload.namespace.as_deref());
                let found = report
                    .findings
                    .iter()
                    .chain(report.accepted.iter().map(|a| &a.found));
                let told: BTreeSet<String> = found
                    .filter(|found| found.workload == index)
                    .filter_map(|found| found.finding.fix.as_ref())
                    .flat_map(|fix| &fix.patch)
                    .map(|operation| serde_json::to_value(operation).expect("JSON").to_string())
                    .collect();
                assert!(
                    told.is_subset(&answer),
                    "{name}: {}: {told:#?} {answer:#?}",
                    workload.title()
                );
                // A variable that only completes what the profile sets loses nothing where it is missing.
                let untold = answer
                    .difference(&told)
                    .find(|operation| !operation.contains("/env"));
                assert_eq!(untold, None, "{name}: {}", workload.title());
                compared += usize::from(!answer.is_empty());
            }
        }
    }
    assert!(compared >= 20, "only {compared} pods were compared");
}
