//! Any bytes: answered with their uid or refused, never a panic; a patch applies to the whole object, and
//! the object that it makes needs nothing more.
//!
//! `cargo +nightly fuzz run admission fuzz/corpus/admission fuzz/seeds/admission`

#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use podgrace::admission::{Answer, Review, WorkloadReview};
use podgrace::lifecycle::policy::Policy;
use podgrace::workload::Kinds;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(review) = WorkloadReview::read(bytes) {
        let answer = review.answer(&Policy::default(), &Kinds::default(), None);
        assert_eq!(response(&answer).get("patch"), None);
    }
    let Some(response) = ask(bytes) else { return };
    // Bytes that a tree cannot hold (numbers beyond f64, half a surrogate) cannot be compared.
    let Ok(mut review) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    assert_eq!(response["uid"], review["request"]["uid"]);
    let Some(patch) = response["patch"].as_str() else {
        return;
    };
    let patch = STANDARD.decode(patch).expect("base64");
    let patch: json_patch::Patch = serde_json::from_slice(&patch).expect("a JSON Patch");
    json_patch::patch(&mut review["request"]["object"], &patch).expect("the patch applies");
    let again = serde_json::to_vec(&review).expect("JSON");
    let again = ask(&again).expect("it was answered before");
    assert_eq!(again.get("patch"), None, "{review:#}");
});

fn ask(bytes: &[u8]) -> Option<Value> {
    Some(response(&Review::read(bytes).ok()?.answer(&Policy::default(), None)))
}

fn response(answer: &Answer) -> Value {
    let mut body: Value = serde_json::from_slice(&answer.body).expect("the answer is JSON");
    let response = body["response"].take();
    assert_eq!(response["allowed"], true);
    assert_eq!(response.get("patch").is_some(), response.get("patchType").is_some());
    response
}
