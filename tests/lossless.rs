//! What was measured on real containers, held against what is said of it: the pictures, and what `podgrace explain`
//! predicts for the same manifests.
//!
//! `make lossless` measures. `UPDATE_LOSSLESS=1` draws the pictures anew.

#![allow(clippy::unwrap_used)]

#[path = "lossless/report/mod.rs"]
mod report;

use std::fs;
use std::path::Path;

use report::data::Results;
use report::picture::{self, picture};
use report::prediction::contradictions;
use report::rows::ROWS;

#[test]
fn every_row_has_results_of_its_manifests() {
    let mut wrong = String::new();
    for row in ROWS {
        match Results::read(row.id) {
            None => wrong += &format!("row {} was never measured\n", row.id),
            Some(results) if results.manifest != row.digest() => {
                wrong += &format!("row {} was measured with other manifests\n", row.id);
            }
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "make lossless SCENARIO=ROW:\n{wrong}");
}

#[test]
fn explain_predicts_what_was_measured() {
    let program = Path::new(env!("CARGO_BIN_EXE_podgrace"));
    let mut wrong = Vec::new();
    for row in ROWS {
        if let Some(results) = Results::read(row.id) {
            wrong.extend(contradictions(program, row, &results));
        }
    }
    assert!(
        wrong.is_empty(),
        "explain and the cluster differ:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn pictures_show_the_results() {
    let update = std::env::var_os("UPDATE_LOSSLESS").is_some();
    let mut stale = Vec::new();
    for row in ROWS {
        let drawn = Results::read(row.id).and_then(|results| picture(row, &results));
        let drawn = drawn.unwrap_or_default();
        let file = picture::file(row);
        if update && !drawn.is_empty() {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, drawn).unwrap();
        } else if fs::read_to_string(&file).unwrap_or_default() != drawn {
            stale.push(row.id);
        }
    }
    assert_eq!(
        stale, [""; 0],
        "UPDATE_LOSSLESS=1 cargo test --test lossless"
    );
}
