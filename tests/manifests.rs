//! Reading and editing manifests, driven by the files under `tests/manifests/`.
//!
//! A case is a folder with an `input` file (`.yaml` or `.json`), a `patch.json` that is applied
//! to each document in it, and the `expected` file. A document that the patch cannot be written
//! into stays as it was; what is said about it is in `errors.txt`. `UPDATE_GOLDEN=1` rewrites
//! `expected` and `errors.txt`: read the difference before you commit it.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use podgrace::manifests::{self, Format, Source, Sources, unified_diff};
use serde_json::{Value, json};

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests");
    let entries = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    cases.sort();
    cases
}

/// Applies a patch to every document, as `inject` does.
fn edit_stream(input: &[u8], patch: &json_patch::Patch) -> (String, String) {
    let (mut text, mut errors) = (String::new(), String::new());
    for chunk in manifests::split(input) {
        let edited = manifests::read(input, &chunk)
            .map_err(|error| error.to_string())
            .and_then(|document| {
                manifests::edit(&document, patch).map_err(|error| error.to_string())
            });
        match edited {
            Ok(edited) => text += &edited,
            Err(error) => {
                errors += &error;
                errors.push('\n');
                text += std::str::from_utf8(&input[chunk.range]).unwrap();
            }
        }
    }
    (text, errors)
}

#[test]
fn every_case_is_edited_as_expected() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = String::new();
    let cases = cases();
    assert!(cases.len() >= 25, "cases are missing");
    for case in &cases {
        let extension = if case.join("input.json").exists() {
            "json"
        } else {
            "yaml"
        };
        let input = fs::read(case.join("input").with_extension(extension)).unwrap();
        let patch = fs::read(case.join("patch.json")).unwrap();
        let patch = serde_json::from_slice(&patch).unwrap();
        let (text, errors) = edit_stream(&input, &patch);
        let results = [
            (case.join("expected").with_extension(extension), text),
            (case.join("errors.txt"), errors),
        ];
        for (path, result) in results {
            let known = fs::read_to_string(&path).unwrap_or_default();
            if known == result {
                continue;
            }
            if !update {
                let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap();
                wrong += &unified_diff(&name.display().to_string(), &known, &result);
            } else if result.is_empty() {
                fs::remove_file(&path).unwrap();
            } else {
                fs::write(&path, result).unwrap();
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "if this is better, UPDATE_GOLDEN=1 takes it:\n{wrong}"
    );
}

/// Whatever the golden files say: of what was there, comments and all, only text is gone that an
/// added thing took the place of, which in these cases is a scalar, a null or empty brackets.
#[test]
fn nothing_is_lost() {
    let word = |text: &str| -> Vec<String> {
        let separators = |c: char| c.is_whitespace() || "{}[],".contains(c);
        let words = text.split(separators).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    };
    for case in cases() {
        let extension = if case.join("input.json").exists() {
            "json"
        } else {
            "yaml"
        };
        let input = fs::read_to_string(case.join("input").with_extension(extension)).unwrap();
        let patch = fs::read(case.join("patch.json")).unwrap();
        let patch = serde_json::from_slice(&patch).unwrap();
        let (text, _) = edit_stream(input.as_bytes(), &patch);
        let mut written = word(&text).into_iter();
        for word in word(&input) {
            let replaced = matches!(word.as_str(), "30" | "null" | "~");
            assert!(
                replaced || written.any(|other| other == word),
                "{}: {word:?} is gone or moved",
                case.display()
            );
        }
    }
}
