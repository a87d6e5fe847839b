//! Whole pods, driven by the folders under `tests/golden/`; its README says how to add one.
//!
//! One walk drives three things from the same files: the library, the admission bytes and the binary. They
//! must agree, each output file must be what is written there, and what comes out must need nothing when it
//! goes in again. `UPDATE_GOLDEN=1` rewrites the outputs: read the difference before you commit it.

#![allow(clippy::unwrap_used)]

#[path = "properties/kubernetes.rs"]
mod kubernetes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{env, fs};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use json_patch::Patch;
use podgrace::admission::{Answer, Outcome, Review, WorkloadReview};
use podgrace::config::Configuration;
use podgrace::lifecycle::annotations::Said;
use podgrace::lifecycle::json::{Object, StrMap};
use podgrace::lifecycle::patch;
use podgrace::lifecycle::plan::{Context, plan};
use podgrace::lifecycle::pod::Pod;
use podgrace::lifecycle::policy::{Mode, Policy, SleepAction};
use podgrace::lifecycle::settings::{INJECTED, Setting};
use podgrace::lifecycle::skip::Skip;
use podgrace::manifests::{self, unified_diff};
use podgrace::workload::{Kinds, Workload, objects};
use serde_json::{Map, Value, json};

/// The files that a case may bring; every other file in its folder is an output.
const INPUTS: [&str; 6] = [
    "input.yaml",
    "input.json",
    "about.txt",
    "namespace.yaml",
    "config.yaml",
    "args",
];

/// The namespace of a case whose files name none.
const NAMESPACE: &str = "default";

/// The uid of every request.
const UID: &str = "705ab4f5-6393-11e8-b7cc-42010a800002";

/// What no small file can bring about, and the test that does.
const TESTED_ELSEWHERE: [(&str, &str); 2] = [
    ("annotations-full", "tests/properties: 262,144 bytes"),
    ("probe-unreadable", "tests/admission.rs: nested too deep"),
];

#[test]
fn every_case_comes_out_as_expected() {
    let update = env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = String::new();
    for case in cases() {
        let (outputs, disagreement) = case.outputs();
        wrong += &disagreement;
        for (file, new) in &outputs {
            let path = case.folder.join(file);
            let known = fs::read_to_string(&path).unwrap_or_default();
            if known == *new {
                continue;
            }
            match (update, new.is_empty()) {
                (false, _) => wrong += &unified_diff(&format!("{}/{file}", case.name), &known, new),
                (true, true) => fs::remove_file(&path).unwrap(),
                (true, false) => fs::write(&path, new).unwrap(),
            }
        }
        for file in case.files() {
            if !INPUTS.contains(&&*file) && outputs.get(&*file).is_none_or(String::is_empty) {
                wrong += &format!("{}/{file}: nothing reads or writes this file\n", case.name);
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "if this is better, UPDATE_GOLDEN=1 takes it:\n{wrong}"
    );
}

/// What is added must need nothing more, by all three ways.
#[test]
fn a_second_pass_changes_nothing() {
    for case in cases() {
        let mutated = case.inject().stdout;
        let again = case.inject_from(&mutated);
        assert_eq!(again.stdout, mutated, "{}: inject", case.name);
        for made in case.made(mutated.as_bytes()) {
            let title = format!("{}: {}", case.name, made.workload.title());
            assert!(made.patch.is_empty(), "{title}: {:?}", made.patch);
            assert!(made.admitted.patch().is_none(), "{title}: admission");
        }
        for made in case.made(&case.input) {
            let title = format!("{}: {}", case.name, made.workload.title());
            let again = case.admit(&made.workload, made.admitted.patched());
            assert!(again.patch().is_none(), "{title}: the admitted pod");
        }
    }
}

/// Every reason has a case that shows it, and every setting.
#[test]
fn nothing_is_without_a_case() {
    let (mut codes, mut outcomes, mut settings) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for case in cases() {
        for made in case.made(&case.input) {
            let decision = made.admitted.answer.decision;
            codes.extend(decision.skips);
            outcomes.insert(decision.outcome.code());
        }
        let text = String::from_utf8_lossy(&case.input).into_owned();
        settings.extend(
            Setting::ALL
                .map(Setting::name)
                .into_iter()
                .filter(|name| text.contains(&format!("podgrace.io/{name}"))),
        );
    }
    codes.extend(TESTED_ELSEWHERE.map(|(code, _)| code));
    let missing = |all: &[&'static str], seen: &BTreeSet<&str>| -> Vec<&str> {
        let unseen = all.iter().copied().filter(|name| !seen.contains(name));
        unseen.collect()
    };
    assert_eq!(missing(&Skip::CODES, &codes), [""; 0], "reasons");
    let names = Setting::ALL.map(Setting::name);
    assert_eq!(missing(&names, &settings), [""; 0], "settings");
    let expected = [
        Outcome::Injected,
        Outcome::Audited,
        Outcome::Unchanged,
        Outcome::Ignored,
    ];
    assert_eq!(
        missing(&expected.map(Outcome::code), &outcomes),
        [""; 0],
        "outcomes"
    );
}

/// A warning is one short line that a stranger can act on.
#[test]
fn warnings_are_short() {
    for case in cases() {
        for made in case.made(&case.input) {
            for warning in made.admitted.warnings() {
                let length = warning.chars().count();
                assert!(
                    length < 256,
                    "{}: {length} characters: {warning}",
                    case.name
                );
                assert!(warning.starts_with("podgrace"), "{}: {warning}", case.name);
                assert!(!warning.contains('\n'), "{}: {warning}", case.name);
            }
        }
    }
}

/// A folder with an input and what must come out.
struct Case {
    folder: PathBuf,
    name: String,
    /// `input.yaml` or `input.json`.
    file: &'static str,
    input: Vec<u8>,
    /// Arguments for the commands.
    args: Vec<String>,
    policy: Policy,
    /// Where pod templates are looked for.
    kinds: Kinds,
    /// What each Namespace of the case says.
    namespaces: BTreeMap<String, Said>,
    /// The namespace of what names none.
    namespace: String,
}

/// What one workload of a case gets.
struct Made {
    workload: Workload,
    /// The pod or template in the file, with the patch.
    patched: Value,
    patch: Patch,
    /// Its pod's answer.
    admitted: Admitted,
}

/// A pod as the API server sent it, and the answer.
struct Admitted {
    object: Value,
    answer: Answer,
}

/// What a run of the binary left.
struct Run {
    stdout: String,
    stderr: String,
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = fs::read_dir(root).unwrap().map(|e| e.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    assert!(folders.len() >= 150, "cases are missing");
    folders.into_iter().map(Case::read).collect()
}

impl Case {
    fn read(folder: PathBuf) -> Self {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let file = if folder.join("input.json").exists() {
            "input.json"
        } else {
            "input.yaml"
        };
        let input = fs::read(folder.join(file)).unwrap();
        let about = folder.join("about.txt");
        assert!(
            input.starts_with(b"#") || file == "input.json" && about.exists(),
            "{name}: the input begins with a comment that says what it shows"
        );
        let args = fs::read_to_string(folder.join("args")).unwrap_or_default();
        let args: Vec<String> = args.split_whitespace().map(str::to_owned).collect();
        let (policy, kinds) = configured(&folder, &args);
        let mut namespaces = BTreeMap::new();
        learn(
            &fs::read(folder.join("namespace.yaml")).unwrap_or_default(),
            &mut namespaces,
        );
        // As inject: a file of one Namespace says where manifests go that do not say it themselves.
        let namespace = match (option(&args, "--namespace"), namespaces.keys().next()) {
            (Some(name), _) => name.to_owned(),
            (None, Some(name)) if namespaces.len() == 1 => name.clone(),
            _ => NAMESPACE.to_owned(),
        };
        learn(&input, &mut namespaces);
        Self {
            folder,
            name,
            file,
            input,
            args,
            policy,
            kinds,
            namespaces,
            namespace,
        }
    }

    /// Every output file and what must be in it, where an empty one must not be there; and in what the three
    /// ways disagree.
    fn outputs(&self) -> (BTreeMap<String, String>, String) {
        let made = self.made(&self.input);
        let injected = self.inject();
        let disagreement = self.disagreement(&made, &injected.stdout);
        let mut outputs = BTreeMap::from([
            ("patch.json".to_owned(), patches(&made)),
            ("answer.json".to_owned(), answers(&made)),
            ("told.txt".to_owned(), self.told(&self.input, &made)),
            (self.file.replace("input", "mutated"), injected.stdout),
            ("stderr.txt".to_owned(), injected.stderr),
        ]);
        // Long, so only where somebody asked for it by making the file; it must run everywhere.
        let explained = self.podgrace(&["explain", "-f", self.file], b"");
        if self.folder.join("explain.txt").exists() {
            outputs.insert("explain.txt".to_owned(), explained.stdout);
        } else if explained.stdout.is_empty() {
            panic!("{}: explain: {}", self.name, explained.stderr);
        }
        (outputs, disagreement)
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).unwrap();
        let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    /// The library and the admission bytes, on every workload that can be read.
    fn made(&self, manifests: &[u8]) -> Vec<Made> {
        let mut all = Vec::new();
        for chunk in manifests::split(manifests) {
            let Ok(document) = manifests::read(manifests, &chunk) else {
                continue;
            };
            for workload in self.kinds.workloads(document.value()) {
                all.extend(self.make(workload, document.value()));
            }
        }
        all
    }

    fn make(&self, workload: Workload, document: &Value) -> Option<Made> {
        let mut patched = workload.pod(document)?;
        let text = patched.to_string();
        let Object(pod) = serde_json::from_str::<Object<Pod<'_>>>(&text).ok()?;
        let namespace = workload.namespace.as_ref().unwrap_or(&self.namespace);
        let context = Context {
            policy: &self.policy,
            namespace: Some(namespace),
            namespace_said: self.namespaces.get(namespace),
        };
        let plan = plan(&pod, &context);
        let changes = match plan.mode.value {
            Mode::Enforce => plan.changes.as_slice(),
            Mode::Audit | Mode::Off => &[],
        };
        let patch = patch::patch(&pod, changes, None);
        patch::check(&pod, &patch).unwrap();
        let admitted = self.admit(&workload, self.as_sent(&workload, &patched));
        json_patch::patch(&mut patched, &patch).unwrap();
        Some(Made {
            workload,
            patched,
            patch,
            admitted,
        })
    }

    /// What whoever writes the workloads is told: whatever their pods' creation would be warned of.
    fn told(&self, manifests: &[u8], made: &[Made]) -> String {
        let mut told = String::new();
        for chunk in manifests::split(manifests) {
            let Ok(document) = manifests::read(manifests, &chunk) else {
                continue;
            };
            for (_, object) in objects(document.value()) {
                let workloads = self.kinds.workloads(object);
                let Some(workload) = workloads.iter().find(|w| w.kind != "Pod") else {
                    continue;
                };
                let title = workload.title();
                let warnings = warnings(&self.tell(workload, object));
                for made in made.iter().filter(|made| made.workload.title() == title) {
                    for warning in made.admitted.warnings() {
                        assert!(warnings.contains(&warning), "{title}: {warning}");
                    }
                }
                for warning in warnings {
                    told += &format!("{title}: {warning}\n");
                }
            }
        }
        told
    }

    /// The admission bytes of a workload that somebody writes.
    fn tell(&self, workload: &Workload, object: &Value) -> Answer {
        let namespace = workload.namespace.as_ref().unwrap_or(&self.namespace);
        let review = json!({
            "kind": "AdmissionReview",
            "apiVersion": "admission.k8s.io/v1",
            "request": {
                "uid": UID,
                "resource": {"group": "example.com", "version": "v1", "resource": "workloads"},
                "name": workload.name,
                "namespace": namespace,
                "operation": "CREATE",
                "userInfo": {"username": "somebody"},
                "object": object,
                "oldObject": null,
                "dryRun": false,
            },
        });
        let bytes = review.to_string().into_bytes();
        let review = WorkloadReview::read(&bytes).unwrap();
        let said = self.namespaces.get(namespace);
        let answer = review.answer(&self.policy, &self.kinds, said);
        assert!(response(&answer).get("patch").is_none());
        answer
    }

    /// The pod that a workload makes, as the API server sends it: defaults filled in, its controller's marks
    /// on it.
    fn as_sent(&self, workload: &Workload, pod: &Value) -> Value {
        let mut pod = kubernetes::defaulted(pod);
        let metadata = pod["metadata"].as_object_mut().unwrap();
        let owner = match &*workload.kind {
            "Pod" => None,
            "Deployment" => Some("ReplicaSet"),
            "CronJob" => Some("Job"),
            _ => Some(&*workload.owner),
        };
        if let Some(kind) = owner {
            let owner = json!([{
                "apiVersion": "apps/v1", "kind": kind, "name": "owner", "uid": "0", "controller": true,
                "blockOwnerDeletion": true,
            }]);
            metadata.insert("ownerReferences".into(), owner);
            metadata.insert("generateName".into(), format!("{}-", workload.name).into());
        }
        let namespace = workload.namespace.as_ref().unwrap_or(&self.namespace);
        metadata.insert("namespace".into(), namespace.clone().into());
        // The API server leaves out what is empty; `lifecycle: {}` is a pointer and stays.
        for list in ["containers", "initContainers"] {
            let containers = pod["spec"].get_mut(list).and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten() {
                let container = container.as_object_mut().unwrap();
                container.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
                container.insert("imagePullPolicy".into(), "IfNotPresent".into());
            }
        }
        pod["spec"]["dnsPolicy"] = "ClusterFirst".into();
        pod
    }

    /// The admission bytes.
    fn admit(&self, workload: &Workload, object: Value) -> Admitted {
        let namespace = workload.namespace.as_ref().unwrap_or(&self.namespace);
        let review = json!({
            "kind": "AdmissionReview",
            "apiVersion": "admission.k8s.io/v1",
            "request": {
                "uid": UID,
                "kind": {"group": "", "version": "v1", "kind": "Pod"},
                "resource": {"group": "", "version": "v1", "resource": "pods"},
                "name": object["metadata"]["name"],
                "namespace": namespace,
                "operation": "CREATE",
                "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
                "object": object,
                "oldObject": null,
                "dryRun": false,
                "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
            },
        });
        let bytes = review.to_string().into_bytes();
        let review = Review::read(&bytes).unwrap();
        let answer = review.answer(&self.policy, self.namespaces.get(namespace));
        Admitted { object, answer }
    }

    /// The file and its admitted pod get the same, Kubernetes takes it, and `inject` prints it.
    fn disagreement(&self, made: &[Made], mutated: &str) -> String {
        let mut wrong = String::new();
        for made in made {
            let title = format!("{}: {}", self.name, made.workload.title());
            let from_file = self.as_sent(&made.workload, &made.patched);
            let mut admitted = made.admitted.patched();
            forget_record(&mut admitted, &made.admitted.object);
            let admitted = kubernetes::defaulted(&admitted);
            if admitted != from_file {
                wrong += &format!("{title}: the admitted pod is not what the file makes:\n");
                let text = |pod| serde_json::to_string_pretty(pod).unwrap();
                wrong += &unified_diff("pod", &text(&from_file), &text(&admitted));
            }
            if let Err(why) = kubernetes::accepts(&from_file) {
                wrong += &format!("{title}: Kubernetes would refuse this pod: {why}\n");
            }
        }
        let printed: Vec<Value> = manifests::split(mutated.as_bytes())
            .iter()
            .filter_map(|chunk| manifests::read(mutated.as_bytes(), chunk).ok())
            .flat_map(|document| {
                let found = self.kinds.workloads(document.value());
                let pods = found.iter().filter_map(|w| w.pod(document.value()));
                pods.collect::<Vec<Value>>()
            })
            .collect();
        for made in made.iter().filter(|made| !printed.contains(&made.patched)) {
            let title = made.workload.title();
            wrong += &format!("{}: inject prints another {title}\n", self.name);
        }
        wrong
    }

    fn inject(&self) -> Run {
        self.podgrace(&["inject", "-f", self.file], b"")
    }

    fn inject_from(&self, manifests: &str) -> Run {
        self.podgrace(&["inject", "-f", "-"], manifests.as_bytes())
    }

    /// Runs the binary in the case's folder, with nothing of our environment.
    fn podgrace(&self, arguments: &[&str], stdin: &[u8]) -> Run {
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_podgrace"));
        command
            .env_clear()
            .current_dir(&self.folder)
            .args(arguments);
        for (flag, file) in [
            ("--namespace-file", "namespace.yaml"),
            ("--config", "config.yaml"),
        ] {
            if self.folder.join(file).exists() {
                command.args([flag, file]);
            }
        }
        let output = command
            .args(&self.args)
            .write_stdin(stdin)
            .output()
            .unwrap();
        let mut stderr = String::from_utf8(output.stderr).unwrap();
        if !output.status.success() {
            stderr += &format!("exit status {}\n", output.status.code().unwrap());
        }
        Run {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr,
        }
    }
}

impl Admitted {
    fn response(&self) -> Value {
        response(&self.answer)
    }

    fn patch(&self) -> Option<Patch> {
        let response = self.response();
        let bytes = STANDARD.decode(response["patch"].as_str()?).unwrap();
        Some(serde_json::from_slice(&bytes).unwrap())
    }

    fn patched(&self) -> Value {
        let mut pod = self.object.clone();
        if let Some(patch) = self.patch() {
            json_patch::patch(&mut pod, &patch).unwrap();
        }
        pod
    }

    fn warnings(&self) -> Vec<String> {
        warnings(&self.answer)
    }
}

fn response(answer: &Answer) -> Value {
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let response = body["response"].clone();
    assert_eq!(response["allowed"], true);
    assert_eq!(response["uid"], UID);
    assert_eq!(
        response["patch"].is_string(),
        response["patchType"] == "JSONPatch"
    );
    response
}

fn warnings(answer: &Answer) -> Vec<String> {
    let response = response(answer);
    let warnings = response["warnings"].as_array().into_iter().flatten();
    warnings.map(|w| w.as_str().unwrap().to_owned()).collect()
}

/// The configuration of a case as its arguments amend it: those of the binary that a webhook knows too.
fn configured(folder: &Path, args: &[String]) -> (Policy, Kinds) {
    let file = folder.join("config.yaml");
    let configuration = if file.exists() {
        Configuration::load(&file).unwrap()
    } else {
        Configuration::default()
    };
    let known = ["--kube-version", "--namespace"];
    let unknown = args
        .iter()
        .step_by(2)
        .find(|flag| !known.contains(&flag.as_str()));
    assert_eq!(
        unknown,
        None,
        "{}: teach tests/golden.rs this flag",
        folder.display()
    );
    let minor = option(args, "--kube-version").map(|version| {
        let minor = version.split('.').nth(1).unwrap();
        minor.parse().unwrap()
    });
    let action = SleepAction::for_versions(minor.unwrap_or(u32::MAX), None);
    (configuration.policy(action), configuration.kinds().clone())
}

/// The value of `--flag value`.
fn option<'a>(args: &'a [String], flag: &str) -> Option<&'a str> {
    let at = args.iter().position(|arg| arg == flag)?;
    args.get(at + 1).map(String::as_str)
}

/// What the Namespaces in a stream say.
fn learn(stream: &[u8], namespaces: &mut BTreeMap<String, Said>) {
    for chunk in manifests::split(stream) {
        if let Ok(document) = manifests::read(stream, &chunk) {
            learn_object(document.value(), namespaces);
        }
    }
}

fn learn_object(object: &Value, namespaces: &mut BTreeMap<String, Said>) {
    for item in object["items"].as_array().into_iter().flatten() {
        learn_object(item, namespaces);
    }
    if object["kind"] != "Namespace" {
        return;
    }
    let strings = |key: &str| -> StrMap<'_> {
        let map = object["metadata"][key].as_object().into_iter().flatten();
        map.map(|(key, value)| (key.as_str(), value.as_str().unwrap()))
            .collect()
    };
    let said = Said::by_namespace(&strings("labels"), &strings("annotations"));
    let name = object["metadata"]["name"].as_str().unwrap();
    namespaces.entry(name.to_owned()).or_insert(said);
}

/// Takes out the record that only an admitted pod gets, and the parent that was made for it.
fn forget_record(pod: &mut Value, before: &Value) {
    let metadata = pod["metadata"].as_object_mut().unwrap();
    if let Some(annotations) = metadata
        .get_mut("annotations")
        .and_then(Value::as_object_mut)
        && before["metadata"]["annotations"].get(INJECTED).is_none()
    {
        annotations.shift_remove(INJECTED);
        if before["metadata"].get("annotations").is_none() {
            metadata.shift_remove("annotations");
        }
    }
}

/// One operation a line.
fn patches(made: &[Made]) -> String {
    let of_one = |made: &Made| {
        let title = Value::from(made.workload.title());
        let operations: Vec<String> = made
            .patch
            .iter()
            .map(|operation| format!("\n    {}", serde_json::to_string(operation).unwrap()))
            .collect();
        format!(
            "  {{\"workload\": {title}, \"patch\": [{}]}}",
            operations.join(",")
        )
    };
    let all: Vec<String> = made.iter().map(of_one).collect();
    format!("[\n{}\n]\n", all.join(",\n"))
}

fn answers(made: &[Made]) -> String {
    let of_one = |made: &Made| {
        let decision = &made.admitted.answer.decision;
        let response = made.admitted.response();
        let mut answer = Map::from_iter([
            ("workload".to_owned(), made.workload.title().into()),
            ("outcome".to_owned(), decision.outcome.code().into()),
            ("skips".to_owned(), decision.skips.clone().into()),
            ("warnings".to_owned(), made.admitted.warnings().into()),
        ]);
        answer.insert(
            "auditAnnotations".into(),
            response["auditAnnotations"].clone(),
        );
        Value::Object(answer)
    };
    let all: Value = made.iter().map(of_one).collect();
    serde_json::to_string_pretty(&all).unwrap() + "\n"
}
