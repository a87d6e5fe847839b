//! Any bytes as a stream of manifests: cut and read without a panic; an empty patch gives the text back,
//! and the text that a patch gives reads as the value that the patch gives.
//!
//! `cargo +nightly fuzz run manifests fuzz/corpus/manifests fuzz/seeds/manifests`

#![no_main]

use libfuzzer_sys::fuzz_target;
use podgrace::manifests;
use serde_json::json;

fuzz_target!(|bytes: &[u8]| {
    let nothing = json_patch::Patch::default();
    let grows: json_patch::Patch = serde_json::from_value(json!([
        {"op": "add", "path": "/spec/terminationGracePeriodSeconds", "value": 35},
    ]))
    .expect("a patch");
    for chunk in manifests::split(bytes) {
        let Ok(document) = manifests::read(bytes, &chunk) else {
            continue;
        };
        let text = manifests::edit(&document, &nothing).expect("nothing is always possible");
        assert_eq!(text.as_bytes(), &bytes[chunk.range.clone()]);
        let Ok(edited) = manifests::edit(&document, &grows) else {
            continue;
        };
        let mut expected = document.value().clone();
        json_patch::patch(&mut expected, &grows).expect("the edit did it too");
        let edited = edited.into_bytes();
        let [chunk] = manifests::split(&edited).try_into().expect("one document stays one");
        let read = manifests::read(&edited, &chunk).expect("what we write can be read");
        assert_eq!(read.value(), &expected);
    }
});
