//! 4. Whatever comes in, what carries a uid is answered and the rest is refused in words.

use podgrace::lifecycle::policy::Policy;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value};

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
    fn any_bytes_are_answered_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(plain(Value::Null).ask_bytes(&bytes).is_none());
    }

    #[test]
    fn damaged_bytes_are_answered_or_refused(bytes in damaged()) {
        // The uid may be what was damaged: only the words are looked at here.
        match podgrace::admission::Review::read(&bytes) {
            Ok(review) => drop(review.answer(&Policy::default(), None)),
            Err(why) => prop_assert!(!why.0.is_empty()),
        }
        if let Ok(value) = serde_json::from_slice::<Value>(&bytes)
            && value["request"]["uid"] == UID
        {
            prop_assert!(plain(Value::Null).ask_bytes(&bytes).is_some());
        }
    }
}
