//! The chart, rendered by real Helm: what it makes of its values, and which values it refuses.
//!
//! What needs Helm is ignored by `cargo test` alone: `make chart-test` builds Helm 4 and Helm 3 and runs it. The
//! scenarios in `tests/e2e/scenarios/chart` install the chart into a real API server.

#![allow(clippy::unwrap_used)]

mod certs;
mod helm;
mod observed;
mod post_renderer;
mod refused;

use std::fs;

use helm::{cases, chart, documents, render, root, said};
use podgrace::config::Configuration;
use podgrace::manifests::unified_diff;

/// One case is written out; of every other stands there what is different in it.
const WRITTEN_OUT: [&str; 2] = ["opt-in.enforce.self-managed", "everything"];

/// `UPDATE_GOLDEN=1` rewrites the expected files: read the difference before you commit it.
#[test]
#[ignore = "needs Helm: make chart-test"]
fn is_rendered_as_expected() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let folder = root().join("tests/chart/golden");
    let base = rendered(4, &cases()[0].1).concat();
    let mut wrong = String::new();
    let mut files = Vec::new();
    for (name, arguments) in cases() {
        let by = |major| {
            let mut documents = rendered(major, &arguments);
            documents.sort();
            documents.concat()
        };
        wrong += &unified_diff(&format!("{name}: Helm 4 and Helm 3"), &by(4), &by(3));
        let made = rendered(4, &arguments).concat();
        let (file, text) = if WRITTEN_OUT.contains(&&*name) {
            (format!("{name}.yaml"), made)
        } else {
            (
                format!("{name}.diff"),
                without_lines(&unified_diff("", &base, &made)),
            )
        };
        let path = folder.join(&file);
        let known = fs::read_to_string(&path).unwrap_or_default();
        if update {
            fs::write(path, text).unwrap();
        } else {
            wrong += &unified_diff(&file, &known, &text);
        }
        files.push(file);
    }
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(files.contains(&name), "{name}: no case makes it");
    }
    assert!(
        wrong.is_empty(),
        "if this is better, make chart-golden takes it:\n{wrong}"
    );
}

/// The documents as text. The two Helms differ in the blank lines between them, which mean nothing, and in
/// the place of kinds that Helm 3 does not know, webhook configurations among them.
fn rendered(major: u8, arguments: &[String]) -> Vec<String> {
    let stream = render(major, "podgrace", arguments).unwrap();
    let texts = stream.split("\n---\n");
    texts
        .map(|text| format!("---\n{}\n", text.trim_start_matches("---\n").trim_end()))
        .collect()
}

/// Where in the file a difference stands is of no use, and changes with every line before it.
fn without_lines(diff: &str) -> String {
    let lines = diff.lines().skip(2);
    let lines = lines.map(|line| if line.starts_with("@@") { "@@" } else { line });
    lines.map(|line| format!("{line}\n")).collect()
}

/// Hooks for Helm 3 alone are made where there is a cluster; who applies rendered manifests gets none of them.
#[test]
#[ignore = "needs Helm: make chart-test"]
fn has_one_object_of_each_name() {
    for major in [3, 4] {
        for (case, arguments) in cases() {
            let mut seen = Vec::new();
            for document in documents(&render(major, "podgrace", &arguments).unwrap()) {
                let metadata = &document["metadata"];
                let name = format!(
                    "{} {}/{}",
                    document["kind"], metadata["namespace"], metadata["name"]
                );
                assert!(!seen.contains(&name), "{case}, Helm {major}: {name} twice");
                seen.push(name);
            }
            assert!(seen.len() > 10, "{case}: {seen:?}");
        }
    }
}

#[test]
#[ignore = "needs Helm: make chart-test"]
fn passes_the_strict_linters() {
    for major in [3, 4] {
        for (case, arguments) in cases() {
            let mut lint = helm::helm(major);
            lint.args(["lint", "--strict"])
                .arg(chart())
                .args(&arguments);
            said(&mut lint).unwrap_or_else(|why| panic!("{case}, Helm {major}: {why}"));
        }
    }
}

/// The server reads the file strictly; a word that YAML takes for a boolean arrives as the word.
#[test]
#[ignore = "needs Helm: make chart-test"]
fn makes_configuration_that_the_server_takes() {
    let mut read = 0;
    for (case, mut arguments) in cases() {
        arguments.push("--set=config.profiles.mine.grace-period=false,config.margin=7s".to_owned());
        arguments
            .push("--set=config.defaults.startup-probe=false,config.sleepAction=false".to_owned());
        for document in documents(&render(4, "podgrace", &arguments).unwrap()) {
            let Some(text) = document["data"]["podgrace.yaml"].as_str() else {
                continue;
            };
            Configuration::parse("podgrace.yaml".as_ref(), text)
                .unwrap_or_else(|why| panic!("{case}: {why}\n{text}"));
            assert!(text.contains("startup-probe: \"off\""), "{text}");
            read += 1;
        }
    }
    assert_eq!(read, cases().len());
}
