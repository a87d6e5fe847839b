//! `podgrace audit` over folders of cases, and held against what the webhook answers for the same pods.
//!
//! `tests/audit/CASE/{input.yaml, config.yaml?, audit.txt, audit.json}`; `UPDATE_GOLDEN=1 cargo test --test audit` rewrites
//! what is expected.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use podgrace::admission::Review;
use podgrace::audit::{Auditor, Looked, Options, Report};
use podgrace::config::Configuration;
use podgrace::lifecycle::annotations::Said;
use podgrace::lifecycle::audit::Rule;
use podgrace::lifecycle::json::{Object, StrMap};
use podgrace::lifecycle::patch;
use podgrace::lifecycle::plan::{Context, plan};
use podgrace::lifecycle::pod::Pod;
use podgrace::lifecycle::policy::{Policy, SleepAction};
use podgrace::manifests::{self, Source};
use podgrace::workload::Kinds;
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
        let mut arguments = vec!["audit", "-f", "input.yaml"];
        if case.join("config.yaml").exists() {
            arguments.extend(["--config", "config.yaml"]);
        }
        let (text, code) = podgrace(&case, &arguments);
        hold(&case.join("audit.txt"), &text);
        arguments.extend(["-o", "json"]);
        let (json, other_code) = podgrace(&case, &arguments);
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
    let none = ["--rule", "grace-zero", "--skip-rule", "grace-zero"];
    assert_eq!(
        code(&[&["audit", "-f", "input.yaml"], &none[..]].concat()),
        2
    );
    assert_eq!(code(&["audit", "-f", "nothing.yaml"]), 2);
    // Without -f it is a cluster: one that nobody has.
    assert_eq!(code(&["audit", "--kubeconfig", "nothing"]), 2);
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

/// What holds for the pods of one file.
#[derive(Default)]
struct Surroundings {
    policy: Policy,
    kinds: Kinds,
    /// A file of one Namespace, where pods go that do not say it themselves.
    namespace: Option<Source>,
    default_namespace: Option<String>,
}

impl Surroundings {
    /// What stands beside an input.
    fn beside(input: &Path) -> Self {
        let beside = |name: &str| input.with_file_name(name);
        let mut surroundings = Self::default();
        if beside("config.yaml").is_file() {
            let configuration = Configuration::load(&beside("config.yaml")).expect("understood");
            surroundings.policy = configuration.policy(SleepAction::Native);
            surroundings.kinds = configuration.kinds().clone();
        }
        if let Ok(bytes) = fs::read(beside("namespace.yaml")) {
            let source = Source {
                name: "namespace.yaml".into(),
                bytes,
            };
            let object = objects(&source).remove(0);
            surroundings.default_namespace = object["metadata"]["name"].as_str().map(str::to_owned);
            surroundings.namespace = Some(source);
        }
        surroundings
    }

    /// What the file's workloads are said to get, one report of the library.
    fn audit(&self, source: &Source) -> Report {
        let mut auditor = Auditor::new(Options {
            policy: self.policy.clone(),
            kinds: self.kinds.clone(),
            default_namespace: self.default_namespace.clone(),
            lives: true,
            ..Options::default()
        });
        for source in self.namespace.iter().chain([source]) {
            auditor.learn(source);
        }
        let part = auditor.judge(source);
        auditor.add(part);
        auditor.finish()
    }

    /// What the webhook answers for a pod, without the record of it; none where it sends no patch.
    fn answer(
        &self,
        pod: &Value,
        namespace: Option<&Value>,
        name: Option<&str>,
    ) -> BTreeSet<String> {
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "1", "operation": "CREATE", "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": name, "object": pod,
        }})
        .to_string();
        let text = |key: &str| {
            namespace
                .map_or(json!({}), |n| n["metadata"][key].clone())
                .to_string()
        };
        let (labels, annotations) = (text("labels"), text("annotations"));
        let read = |text| serde_json::from_str::<Option<StrMap<'_>>>(text).expect("strings");
        let labels = read(&labels).unwrap_or_default();
        let said = Said::by_namespace(&labels, &read(&annotations).unwrap_or_default());
        let answer = Review::read(review.as_bytes())
            .expect("a review")
            .answer(&self.policy, namespace.map(|_| &said));
        let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let Some(patch) = body["response"]["patch"].as_str() else {
            return BTreeSet::new();
        };
        let patch = STANDARD.decode(patch).expect("base64");
        let patch: Vec<Value> = serde_json::from_slice(&patch).expect("a patch");
        let is_record = |path: &Value| path.as_str().is_some_and(|p| p.starts_with("/metadata"));
        let patch = patch
            .iter()
            .filter(|operation| !is_record(&operation["path"]));
        patch.map(Value::to_string).collect()
    }
}

/// All objects of a file, those in lists too.
fn objects(source: &Source) -> Vec<Value> {
    fn collect(object: Value, all: &mut Vec<Value>) {
        match object["items"].as_array() {
            Some(items) => items.iter().for_each(|item| collect(item.clone(), all)),
            None => all.push(object),
        }
    }
    let mut all = Vec::new();
    for chunk in manifests::split(&source.bytes) {
        if let Ok(document) = manifests::read(&source.bytes, &chunk) {
            collect(document.into_value(), &mut all);
        }
    }
    all
}

/// Every manifest of the project's cases.
fn inputs() -> impl Iterator<Item = PathBuf> {
    let not_inputs = ["config.yaml", "namespace.yaml"];
    ["audit", "golden", "manifests", "explain"]
        .into_iter()
        .flat_map(|name| cases(name).into_iter().chain([folder(name)]))
        .flat_map(|case| fs::read_dir(case).into_iter().flatten())
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .filter(move |path| !not_inputs.iter().any(|name| path.ends_with(name)))
}

#[test]
fn what_pods_lack_is_what_the_webhook_adds_to_them() {
    let mut compared = 0;
    for path in inputs() {
        let name = path.display().to_string();
        let bytes = fs::read(&path).expect("a file");
        let source = Source {
            bytes,
            name: name.clone(),
        };
        let surroundings = Surroundings::beside(&path);
        let report = surroundings.audit(&source);
        // What is known already counts before what the input says.
        let mut all = surroundings.namespace.as_ref().map_or(Vec::new(), objects);
        all.extend(objects(&source));
        let kinds = &surroundings.kinds;
        for (object, workload) in all
            .iter()
            .flat_map(|o| kinds.workloads(o).into_iter().map(move |w| (o, w)))
        {
            let Some(pod) = workload.pod(object) else {
                continue;
            };
            let is_it =
                |looked: &Looked| (&looked.kind, &looked.name) == (&workload.kind, &workload.name);
            // One that cannot be read has no place in the report; of two of one name only the first is told apart.
            let mut places = (0..report.workloads.len()).filter(|i| is_it(&report.workloads[*i]));
            let (Some(index), None) = (places.next(), places.next()) else {
                continue;
            };
            let looked = &report.workloads[index];
            if looked.mode != "enforce" {
                continue;
            }
            let in_namespace = looked.namespace.as_deref();
            let namespace = in_namespace.and_then(|name| {
                all.iter()
                    .find(|o| o["kind"] == "Namespace" && o["metadata"]["name"] == name)
            });
            let answer = surroundings.answer(&pod, namespace, in_namespace);
            let found = report.findings.iter();
            let found = found.chain(report.accepted.iter().map(|a| &a.found));
            let told: BTreeSet<String> = found
                .filter(|found| found.workload == index)
                .filter_map(|found| found.finding.fix.as_ref())
                .flat_map(|fix| &fix.patch)
                .map(|operation| serde_json::to_value(operation).expect("JSON").to_string())
                .collect();
            let title = workload.title();
            assert!(
                told.is_subset(&answer),
                "{name}: {title}: {told:#?} {answer:#?}"
            );
            // A variable that only completes what the profile sets loses nothing where it is missing.
            let mut untold = answer.difference(&told);
            assert_eq!(
                untold.find(|o| !o.contains("/env")),
                None,
                "{name}: {title}"
            );
            let lives = looked.lives.as_ref().expect("asked for");
            let is_spring_only = answer.iter().all(|o| o.contains("/env"));
            assert_eq!(
                lives.before == lives.after,
                is_spring_only,
                "{name}: {title}"
            );
            compared += usize::from(!answer.is_empty());
        }
    }
    assert!(compared >= 100, "only {compared} pods were compared");
}

/// An object with what its pods get, and with an annotation on their template before.
fn injected(object: &Value, surroundings: &Surroundings, annotation: Option<&str>) -> Value {
    let mut object = object.clone();
    let said = surroundings.namespace.as_ref().map(|source| {
        let namespace = objects(source).remove(0);
        let metadata = &namespace["metadata"];
        let (labels, annotations) = (&metadata["labels"], &metadata["annotations"]);
        Said::by_namespace(&labels.into(), &annotations.into())
    });
    for workload in surroundings.kinds.workloads(&object) {
        if let Some(line) = annotation {
            let (key, value) = line.split_once(": ").expect("KEY: VALUE");
            let template = object.pointer_mut(&workload.template).expect("a template");
            template["metadata"]["annotations"][key] = value.into();
        }
        let json = workload.pod(&object).expect("a pod").to_string();
        let Object(pod) = serde_json::from_str::<Object<Pod<'_>>>(&json).expect("a pod");
        let context = Context {
            policy: &surroundings.policy,
            namespace: workload
                .namespace
                .as_deref()
                .or(surroundings.default_namespace.as_deref()),
            namespace_said: said.as_ref(),
        };
        let patch = patch::patch(&pod, &plan(&pod, &context).changes, None);
        let template = object.pointer_mut(&workload.template).expect("a template");
        json_patch::patch(template, &patch).expect("it applies");
    }
    object
}

/// What is said to be mended by itself, or by an annotation, is found no more when that is done.
#[test]
fn what_is_said_to_end_a_finding_ends_it() {
    let (mut by_itself, mut by_annotation) = (0, 0);
    for path in inputs() {
        let name = path.display().to_string();
        let surroundings = Surroundings::beside(&path);
        let bytes = fs::read(&path).expect("a file");
        for object in objects(&Source {
            name: name.clone(),
            bytes,
        }) {
            let audit = |object: &Value| {
                let bytes = object.to_string().into_bytes();
                surroundings.audit(&Source {
                    name: name.clone(),
                    bytes,
                })
            };
            let report = audit(&object);
            // Where nothing is added, nothing is said to be.
            if report.workloads.len() != 1 || report.workloads[0].mode != "enforce" {
                continue;
            }
            for found in &report.findings {
                let fix = found.finding.fix.clone().unwrap_or_default();
                if !fix.is_injected() && fix.annotation.is_none() {
                    continue;
                }
                let annotation = fix.annotation.as_deref().filter(|_| !fix.is_injected());
                let after = audit(&injected(&object, &surroundings, annotation));
                let fingerprint = report.fingerprint(found);
                let mut left = after.findings.iter().map(|found| after.fingerprint(found));
                assert!(
                    !left.any(|other| other == fingerprint),
                    "{name}: {fingerprint}: {fix:#?}"
                );
                match annotation {
                    Some(_) => by_annotation += 1,
                    None => by_itself += 1,
                }
            }
        }
    }
    assert!(
        by_itself >= 100 && by_annotation >= 10,
        "only {by_itself} and {by_annotation}"
    );
}
