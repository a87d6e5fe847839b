//! 4. Whatever comes in, what carries a uid is answered and the rest is refused in words.

use podgrace::admission::{Outcome, Review, WorkloadReview};
use podgrace::lifecycle::policy::Policy;
use podgrace::workload::Kinds;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::ask::{Case, Reply, UID, cases, review};
use super::config;

/// Any JSON, with the keys that we look at among others.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let key = prop_oneof![
        proptest::sample::select(vec![
            "metadata",
            "annotations",
            "labels",
            "spec",
            "containers",
            "initContainers",
            "name",
            "ports",
            "livenessProbe",
            "httpGet",
            "port",
            "lifecycle",
            "preStop",
            "env",
            "restartPolicy",
            "os",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    leaf.prop_recursive(6, 48, 8, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Value::from),
            vec((key.clone(), inner), 0..8).prop_map(|pairs| Map::from_iter(pairs).into()),
        ]
    })
}

/// Bytes that are nearly a review: some are changed, some are missing.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let damage = vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..6);
    (cases(), damage).prop_map(|(case, damage)| {
        let mut bytes = review(&case.pod).to_string().into_bytes();
        for (at, byte, how) in damage {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"[]{}\",:0\\"[usize::from(byte) % 9]),
            }
        }
        bytes
    })
}

fn plain(pod: Value) -> Case {
    Case {
        pod,
        namespace: None,
        policy: Policy::default(),
    }
}

/// A workload with any template.
fn workload(template: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}, "spec": {"template": template},
    })
}

fn is_presentable(reply: &Reply) -> bool {
    let length: usize = reply.warnings.iter().map(|w| w.chars().count()).sum();
    length <= 4096 && !reply.warnings.iter().any(|w| w.contains(char::is_control))
}

proptest! {
    #![proptest_config(config(1_200))]

    #[test]
    fn any_object_is_answered(object in any_json()) {
        let case = plain(object);
        prop_assert!(is_presentable(&case.ask()));
        case.patched();
    }

    #[test]
    fn any_pod_is_answered_in_presentable_words(case in cases()) {
        prop_assert!(is_presentable(&case.ask()));
    }

    #[test]
    fn the_writer_of_any_workload_is_answered_and_nothing_is_patched(template in any_json()) {
        let told = plain(Value::Null).tell(&workload(&template));
        prop_assert!(is_presentable(&told));
        prop_assert!(told.patch.is_none());
    }

    /// Of its record it is not: that is the pod's alone.
    #[test]
    fn the_writer_of_a_workload_is_told_what_its_pods_creation_is_warned_of(case in cases()) {
        let workload = workload(&case.pod);
        let told = case.tell(&workload);
        prop_assert!(is_presentable(&told));
        prop_assert!(told.patch.is_none());
        let found = Kinds::default().workloads(&workload).remove(0);
        let pod = found.pod(&workload).expect("a template");
        let asked = case.ask_about(&pod);
        let unreadable = [&told, &asked].map(|r| r.decision.outcome == Outcome::Unreadable);
        prop_assert_eq!(unreadable[0], unreadable[1]);
        if unreadable[0] {
            return Ok(());
        }
        let warned = asked.warnings;
        let of_the_pod = |w: &&String| !w.starts_with("podgrace: no record: ");
        for warning in warned.iter().filter(of_the_pod) {
            prop_assert!(told.warnings.contains(warning), "{warning}: {:?}", told.warnings);
        }
    }

    #[test]
    fn any_bytes_are_answered_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(plain(Value::Null).ask_bytes(&bytes).is_none());
    }

    #[test]
    fn damaged_bytes_are_answered_or_refused(bytes in damaged()) {
        // The uid may be what was damaged: only the words are looked at here.
        match Review::read(&bytes) {
            Ok(review) => drop(review.answer(&Policy::default(), None)),
            Err(why) => prop_assert!(!why.0.is_empty()),
        }
        match WorkloadReview::read(&bytes) {
            Ok(review) => drop(review.answer(&Policy::default(), &Kinds::default(), None)),
            Err(why) => prop_assert!(!why.0.is_empty()),
        }
        if let Ok(value) = serde_json::from_slice::<Value>(&bytes)
            && value["request"]["uid"] == UID
        {
            prop_assert!(plain(Value::Null).ask_bytes(&bytes).is_some());
        }
    }
}
