//! The one direction of the code: who may use whom, and what the engine may not touch.
//!
//! `docs/architecture.md` draws it; this reads it off the sources, so that the drawing stays true.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The parts of the library, and which others each may use. A part that is not here fails: say where it
/// stands.
const PARTS: [(&str, &[&str]); 14] = [
    // Decides, and knows nobody.
    ("lifecycle", &[]),
    // Knows YAML and JSON, and nothing about pods.
    ("manifests", &[]),
    // Knows where kinds keep their pods.
    ("workload", &[]),
    ("config", &["lifecycle", "workload"]),
    // Bytes to bytes.
    ("admission", &["lifecycle", "workload"]),
    (
        "explain",
        &["config", "lifecycle", "manifests", "report", "workload"],
    ),
    ("audit", &["config", "lifecycle", "manifests", "workload"]),
    // Judges what somebody looked at in a cluster.
    ("doctor", &["certs", "cluster", "lifecycle"]),
    // Prints what others found.
    (
        "report",
        &["audit", "doctor", "explain", "lifecycle", "manifests"],
    ),
    ("certs", &["cluster"]),
    ("cluster", &["lifecycle", "workload"]),
    (
        "server",
        &[
            "admission",
            "certs",
            "cluster",
            "config",
            "lifecycle",
            "workload",
        ],
    ),
    (
        "cli",
        &[
            "admission",
            "audit",
            "certs",
            "cluster",
            "config",
            "doctor",
            "explain",
            "lifecycle",
            "manifests",
            "report",
            "server",
            "workload",
        ],
    ),
    // The binary.
    ("main", &["cli"]),
];

/// What is not for the engine: waiting, files and sockets, clocks, chance, printing, the environment.
const NOT_FOR_THE_ENGINE: [&str; 18] = [
    "async ",
    ".await",
    "tokio",
    "tracing",
    "std::fs",
    "std::io",
    "std::net",
    "std::env",
    "std::thread",
    "std::process",
    "SystemTime",
    "Instant",
    "Zoned::now",
    "Timestamp::now",
    "rand::",
    "println!",
    "dbg!",
    "kube::",
];

/// What answers a request does not wait either, and reads no clock.
const NOT_FOR_ADMISSION: [&str; 10] = [
    "async ",
    ".await",
    "tokio",
    "tracing",
    "std::fs",
    "std::io",
    "std::net",
    "SystemTime",
    "Instant",
    "println!",
];

/// What judges a cluster was told everything, the time too.
const NOT_FOR_THE_DOCTOR: [&str; 10] = [
    "async ", ".await", "tokio", "tracing", "std::fs", "std::io", "std::net", "std::env", "::now(",
    "println!",
];

/// The most lines of one file.
const LINES: usize = 500;

/// A file of the library.
struct Source {
    path: PathBuf,
    /// The part that it belongs to.
    part: String,
    /// Each line of code, without comments, with its number.
    code: Vec<(usize, String)>,
    /// All lines.
    lines: usize,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(Source::read(&root, &path));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 40, "where are the sources?");
    found
}

impl Source {
    fn read(root: &Path, path: &Path) -> Self {
        let inside = path.strip_prefix(root).unwrap();
        let first = inside.iter().next().unwrap().to_str().unwrap();
        let text = fs::read_to_string(path).unwrap();
        let code = text
            .lines()
            .enumerate()
            .map(|(i, line)| (i + 1, without_comment(line).to_owned()))
            .collect();
        Self {
            path: Path::new("src").join(inside),
            part: first.trim_end_matches(".rs").to_owned(),
            code,
            lines: text.lines().count(),
        }
    }

    /// The places of a word, as `file:line: the line`.
    fn places(&self, word: &str) -> Vec<String> {
        let lines = self.code.iter().filter(|(_, line)| line.contains(word));
        lines
            .map(|(number, line)| format!("{}:{number}: {}\n", self.path.display(), line.trim()))
            .collect()
    }
}

/// A line up to its comment. A `//` in a string cuts too much, which here only looks away.
fn without_comment(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

#[test]
fn every_part_uses_only_what_it_may() {
    let may: BTreeMap<&str, &[&str]> = PARTS.into_iter().collect();
    let mut wrong = String::new();
    for source in sources().iter().filter(|s| s.part != "lib") {
        let Some(allowed) = may.get(&*source.part) else {
            panic!("{}: give it its place in PARTS", source.path.display());
        };
        let forbidden = PARTS.iter().map(|(part, _)| *part);
        for other in forbidden.filter(|p| *p != source.part && !allowed.contains(p)) {
            // The binary is another crate and names the library; from inside, `crate` is its name.
            for way in ["crate", "podgrace"] {
                wrong += &source.places(&format!("{way}::{other}")).concat();
            }
        }
        // A list would hide from this test whom it names, and a way up too.
        for hidden in ["use crate::{", "use crate::*", "super::super::super"] {
            wrong += &source.places(hidden).concat();
        }
    }
    assert!(wrong.is_empty(), "against the one direction:\n{wrong}");
}

#[test]
fn the_engine_is_pure_and_whoever_judges_waits_for_nobody() {
    let mut wrong = String::new();
    for source in sources() {
        let words: &[&str] = match &*source.part {
            "lifecycle" => &NOT_FOR_THE_ENGINE,
            "admission" | "workload" => &NOT_FOR_ADMISSION,
            "doctor" => &NOT_FOR_THE_DOCTOR,
            _ => continue,
        };
        for word in words {
            wrong += &source.places(word).concat();
        }
    }
    assert!(wrong.is_empty(), "not here:\n{wrong}");
}

/// A file that is longer wants to be two.
#[test]
fn files_are_short() {
    let long: Vec<String> = sources()
        .iter()
        .filter(|source| source.lines > LINES)
        .map(|source| format!("{}: {} lines", source.path.display(), source.lines))
        .collect();
    assert_eq!(long, [""; 0]);
}

#[test]
fn comments_are_not_code() {
    assert_eq!(without_comment("use a; // not tokio"), "use a; ");
    assert_eq!(without_comment("/// see crate::cli"), "");
}
