//! `podgrace explain` on the manifests under `tests/explain/`, as text, JSON and pictures.
//!
//! `CASE.yaml` is explained into `CASE.txt` and `CASE.json`, with `CASE.config.yaml` as its configuration
//! where there is one. `UPDATE_GOLDEN=1` rewrites both: read the difference before you commit it.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use podgrace::explain::{Explanation, Places, Subject, explain};
use podgrace::lifecycle::json::Object;
use podgrace::lifecycle::plan::{Context, plan};
use podgrace::lifecycle::pod::Pod;
use podgrace::lifecycle::policy::Policy;
use podgrace::report;
use podgrace::workload::Kinds;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explain")
}

fn cases() -> Vec<String> {
    let entries = fs::read_dir(folder()).unwrap();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| Some(name.strip_suffix(".yaml")?.to_owned()))
        .filter(|name| !name.ends_with(".config"))
        .collect();
    names.sort();
    assert!(names.len() >= 12, "cases are missing");
    names
}

fn podgrace(arguments: &[&str]) -> std::process::Output {
    let mut command = Command::cargo_bin("podgrace").unwrap();
    command.env_clear().current_dir(folder()).args(arguments);
    command.output().unwrap()
}

fn explained(case: &str, format: &str) -> String {
    let (file, config) = (format!("{case}.yaml"), format!("{case}.config.yaml"));
    let mut arguments = vec!["explain", "-f", &file, "-o", format];
    if folder().join(&config).exists() {
        arguments.extend(["--config", &config]);
    }
    let output = podgrace(&arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{case}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_case_is_explained_as_expected() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = String::new();
    for case in cases() {
        for (format, extension) in [("text", "txt"), ("json", "json")] {
            let path = folder().join(format!("{case}.{extension}"));
            let told = explained(&case, format);
            let known = fs::read_to_string(&path).unwrap_or_default();
            if update {
                fs::write(&path, told).unwrap();
            } else if told != known {
                let name = format!("tests/explain/{case}.{extension}");
                wrong += &podgrace::manifests::unified_diff(&name, &known, &told);
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "if this is better, UPDATE_GOLDEN=1 takes it:\n{wrong}"
    );
}

#[test]
fn text_fits_a_terminal_and_has_no_colours_in_a_file() {
    for case in cases() {
        for line in explained(&case, "text").lines() {
            let unbroken = line.split_whitespace().any(|word| word.len() > 50);
            assert!(
                line.chars().count() <= report::WIDTH || unbroken,
                "{case}: {line}"
            );
            assert!(!line.contains('\u{1b}'), "{case}: {line}");
        }
    }
}

#[test]
fn every_case_is_a_picture() {
    for case in cases() {
        let picture = explained(&case, "svg");
        let document: Value = serde_json::from_str(&explained(&case, "json")).unwrap();
        well_formed(&picture).unwrap_or_else(|error| panic!("{case}: {error}"));
        let workload = &document["workloads"][0];
        let title = workload["title"].as_str().unwrap();
        assert!(picture.contains(&format!(">{title}<")), "{case}");
        assert!(picture.contains("prefers-color-scheme: dark"), "{case}");
        for life in ["before", "after"] {
            for start in workload[life]["starts"].as_array().unwrap() {
                let name = start["container"].as_str().unwrap();
                assert!(picture.contains(&format!(">{name}<")), "{case}: {name}");
            }
        }
    }
}

#[test]
fn workloads_are_chosen_by_name_or_kind_and_name() {
    let chosen = |names: &[&str]| {
        let files = [
            "explain",
            "-f",
            "spring-boot.yaml",
            "-f",
            "statefulset.yaml",
        ];
        let output = podgrace(&[&files[..], &["-o", "json"], names].concat());
        let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let titles: Vec<String> = document["workloads"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|workload| workload["title"].as_str().unwrap().to_owned())
            .collect();
        (output.status.code(), titles)
    };
    let titles = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        chosen(&[]),
        (Some(0), titles(&["deployment/shop", "statefulset/db"]))
    );
    assert_eq!(chosen(&["shop"]), (Some(0), titles(&["deployment/shop"])));
    assert_eq!(
        chosen(&["StatefulSet/db"]),
        (Some(0), titles(&["statefulset/db"]))
    );
    assert_eq!(chosen(&["deployment/db"]), (Some(2), titles(&[])));
}

#[test]
fn a_picture_is_of_one_workload_and_errors_name_the_file() {
    let output = podgrace(&[
        "explain",
        "-f",
        "spring-boot.yaml",
        "-f",
        "cronjob.yaml",
        "-o",
        "svg",
    ]);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        errors.contains("deployment/shop, cronjob/report"),
        "{errors}"
    );

    let broken = tempfile::tempdir().unwrap();
    let file = broken.path().join("broken.yaml");
    fs::write(&file, "a: 1\n---\nkind: [\n").unwrap();
    let output = podgrace(&[
        "explain",
        "-f",
        "cronjob.yaml",
        "-f",
        file.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("broken.yaml:"), "{errors}");
    // What can be read is still explained.
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.starts_with("cronjob/report"), "{told}");
}

/// Tags that open and close, quoted attributes, escaped text, no negative size.
fn well_formed(xml: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = xml;
    while let Some(start) = rest.find('<') {
        let text = &rest[..start];
        let bare = |part: &str| {
            !["amp;", "lt;", "gt;", "quot;"]
                .iter()
                .any(|entity| part.starts_with(entity))
        };
        if text.split('&').skip(1).any(bare) {
            return Err(format!("a bare & in {text:?}"));
        }
        let end = start + rest[start..].find('>').ok_or("a tag without end")?;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(format!("</{name}> closes nothing"));
            }
            continue;
        }
        let body = tag.trim_end_matches('/');
        let name = body.split_whitespace().next().ok_or("a tag without name")?;
        if !body.matches('"').count().is_multiple_of(2) {
            return Err(format!("an open quote in <{tag}>"));
        }
        for size in ["width", "height"] {
            if body.contains(&format!(r#"{size}="-"#)) {
                return Err(format!("a negative {size} in <{tag}>"));
            }
        }
        if body.contains("NaN") || body.contains("inf\"") {
            return Err(format!("no number in <{tag}>"));
        }
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    if xml.chars().any(|c| c.is_control() && c != '\n') {
        return Err("a control character".to_owned());
    }
    match open.as_slice() {
        [] => Ok(()),
        left => Err(format!("never closed: {left:?}")),
    }
}

fn of_workload(object: &Value) -> Explanation {
    let workload = Kinds::default().workloads(object).remove(0);
    let json = workload.pod(object).unwrap().to_string();
    let Object(pod): Object<Pod<'_>> = serde_json::from_str(&json).unwrap();
    let policy = Policy::default();
    let context = Context {
        policy: &policy,
        namespace: None,
        namespace_said: None,
    };
    let plan = plan(&pod, &context);
    explain(&Subject {
        workload: &workload,
        object: Some(object),
        pod: &pod,
        json: &json,
        context: &context,
        plan: &plan,
        places: &Places::default(),
    })
}

fn numbers() -> impl Strategy<Value = i64> {
    prop_oneof![0..20i64, 0..700i64, Just(i64::from(i32::MAX))]
}

fn probe() -> impl Strategy<Value = Value> {
    let handler = prop_oneof![
        Just(json!({"tcpSocket": {"port": 80}})),
        Just(json!({"httpGet": {"port": "http", "path": "/a&b\u{1b}[31m<"}})),
        Just(json!({"grpc": {"port": 9}})),
        Just(json!({"exec": {"command": ["\"", "\n"]}})),
        Just(json!({})),
    ];
    (handler, prop::array::uniform4(numbers())).prop_map(|(mut probe, n)| {
        for (field, value) in [
            "initialDelaySeconds",
            "periodSeconds",
            "timeoutSeconds",
            "failureThreshold",
        ]
        .iter()
        .zip(n)
        {
            probe[field] = value.into();
        }
        probe
    })
}

fn hook() -> impl Strategy<Value = Value> {
    prop_oneof![
        numbers().prop_map(|n| json!({"sleep": {"seconds": n}})),
        numbers().prop_map(|n| json!({"exec": {"command": ["sleep", n.to_string()]}})),
        Just(json!({"httpGet": {"port": 1}})),
    ]
}

fn container() -> impl Strategy<Value = Value> {
    let maybe = |strategy| prop::option::of(strategy);
    (
        ".{0,30}",
        any::<bool>(),
        prop::array::uniform3(maybe(probe())),
        prop::option::of(hook()),
        any::<bool>(),
    )
        .prop_map(
            |(name, port, [startup, readiness, liveness], hook, sidecar)| {
                let mut container = json!({"name": name});
                if port {
                    container["ports"] = json!([{"containerPort": 80, "name": "http"}]);
                }
                let probes = [
                    ("startupProbe", startup),
                    ("readinessProbe", readiness),
                    ("livenessProbe", liveness),
                ];
                for (field, probe) in probes {
                    if let Some(probe) = probe {
                        container[field] = probe;
                    }
                }
                if let Some(hook) = hook {
                    container["lifecycle"] = json!({"preStop": hook});
                }
                if sidecar {
                    container["restartPolicy"] = "Always".into();
                }
                container
            },
        )
}

fn object() -> impl Strategy<Value = Value> {
    let kinds = prop_oneof![
        Just(("apps/v1", "Deployment")),
        Just(("apps/v1", "StatefulSet")),
        Just(("apps/v1", "DaemonSet")),
        Just(("batch/v1", "Job")),
    ];
    let grace = prop_oneof![
        Just(None),
        (-2..40i64).prop_map(Some),
        Just(Some(600)),
        Just(Some(i64::MAX)),
        Just(Some(i64::MIN)),
    ];
    let annotation = prop_oneof![
        Just("port"),
        Just("readiness"),
        Just("tcp://:80"),
        Just("\u{7}")
    ];
    (
        kinds,
        ".{0,80}",
        prop::collection::vec(container(), 1..4),
        prop::collection::vec(container(), 0..3),
        grace,
        prop::option::of(annotation),
    )
        .prop_map(
            |((version, kind), name, containers, init, grace, annotation)| {
                let mut spec = json!({"containers": containers, "initContainers": init});
                if let Some(grace) = grace {
                    spec["terminationGracePeriodSeconds"] = grace.into();
                }
                let annotations = match annotation {
                    Some(value) => json!({"podgrace.io/startup-probe": value}),
                    None => json!({}),
                };
                json!({
                    "apiVersion": version, "kind": kind, "metadata": {"name": name},
                    "spec": {"template": {"metadata": {"annotations": annotations}, "spec": spec}},
                })
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_pod_can_be_explained(object in object()) {
        let explanation = of_workload(&object);
        let text = anstream::adapter::strip_str(&report::text(&explanation)).to_string();
        prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
        prop_assert!(serde_json::to_string(&report::json(std::slice::from_ref(&explanation))).is_ok());
        well_formed(&report::svg(&explanation)).map_err(TestCaseError::fail)?;
        for life in [&explanation.before, &explanation.after] {
            for ending in life.stops.iter().flat_map(|stop| &stop.containers) {
                prop_assert!(ending.sigterm <= ending.sigterm_at_latest);
                prop_assert!(ending.sigterm_at_latest < ending.sigkill || ending.sigkill == u64::MAX);
            }
        }
    }
}
