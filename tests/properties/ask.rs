//! Asking for one pod, bytes to bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use podgrace::admission::{Answer, Decision, Review, WorkloadReview};
use podgrace::lifecycle::annotations::Said;
use podgrace::lifecycle::policy::Policy;
use podgrace::workload::Kinds;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::dice::{self, Dice};
use super::{pods, says};

pub(super) const UID: &str = "3f4a-ü\"\\";

/// A pod, and everything else that decides about it.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) pod: Value,
    pub(super) namespace: Option<Said>,
    pub(super) policy: Policy,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#}\n{:?}\n{:?}", self.pod, self.namespace, self.policy)
    }
}

pub(super) fn cases() -> impl Strategy<Value = Case> {
    dice::rolls().prop_map(|rolls| {
        let mut dice = Dice::new(&rolls);
        Case {
            namespace: says::namespace(&mut dice),
            policy: says::policy(&mut dice),
            pod: pods::pod(&mut dice),
        }
    })
}

/// An answer, taken apart.
pub(super) struct Reply {
    pub(super) body: Vec<u8>,
    pub(super) patch: Option<json_patch::Patch>,
    pub(super) warnings: Vec<String>,
    pub(super) decision: Decision,
}

impl Reply {
    pub(super) fn of(answer: Answer) -> Self {
        let body: Value = serde_json::from_slice(&answer.body).expect("the answer is JSON");
        let response = &body["response"];
        assert_eq!(response["allowed"], true);
        assert_eq!(response["uid"], UID);
        assert_eq!(
            response.get("patch").is_some(),
            response.get("patchType").is_some()
        );
        let patch = response["patch"].as_str().map(|patch| {
            let patch = STANDARD.decode(patch).expect("the patch is base64");
            serde_json::from_slice(&patch).expect("the patch is a JSON Patch")
        });
        let warnings: Vec<String> = response["warnings"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|warning| warning.as_str().expect("a warning is text").to_owned())
            .collect();
        Self {
            body: answer.body,
            patch,
            warnings,
            decision: answer.decision,
        }
    }
}

impl Case {
    pub(super) fn ask(&self) -> Reply {
        self.ask_about(&self.pod)
    }

    /// Asks the same about another object.
    pub(super) fn ask_about(&self, object: &Value) -> Reply {
        let bytes = serde_json::to_vec(&review(object)).expect("a value is JSON");
        self.ask_bytes(&bytes).expect("it has a uid")
    }

    /// What whoever writes a workload is told.
    pub(super) fn tell(&self, workload: &Value) -> Reply {
        let mut review = review(workload);
        review["request"]["resource"]["resource"] = "workloads".into();
        let bytes = review.to_string().into_bytes();
        let review = WorkloadReview::read(&bytes).expect("it has a uid");
        Reply::of(review.answer(&self.policy, &Kinds::default(), self.namespace.as_ref()))
    }

    /// Asks with any bytes; none where they cannot be answered.
    pub(super) fn ask_bytes(&self, bytes: &[u8]) -> Option<Reply> {
        let answer = Review::read(bytes)
            .ok()?
            .answer(&self.policy, self.namespace.as_ref());
        Some(Reply::of(answer))
    }

    /// The pod as the answer makes it.
    pub(super) fn patched(&self) -> Value {
        let mut pod = self.pod.clone();
        if let Some(patch) = self.ask().patch {
            json_patch::patch(&mut pod, &patch).expect("the patch applies");
        }
        pod
    }
}

/// A review of the creation of an object.
pub(super) fn review(object: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": UID,
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "name": "",
            "namespace": "shop",
            "operation": "CREATE",
            "object": object,
            "oldObject": null,
            "dryRun": false,
        },
    })
}
