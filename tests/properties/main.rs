//! The invariants of the engine and of its answers, on pods of every shape.

mod ask;
mod dice;
mod kubernetes;
mod pods;
mod says;
mod totality;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use podgrace::admission::Outcome;
use podgrace::lifecycle::annotations::Level;
use podgrace::lifecycle::hook::Hook;
use podgrace::lifecycle::patch::{self, Refused};
use podgrace::lifecycle::plan::{Change, Context, Plan, plan};
use podgrace::lifecycle::pod::Pod;
use podgrace::lifecycle::policy::Policy;
use podgrace::lifecycle::settings::GracePeriod;
use podgrace::lifecycle::skip::Skip;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngSeed, TestRunner};
use serde_json::{Map, Value, json};

use ask::{Case, cases};
use kubernetes::{accepts, defaulted};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        // Seeds of failures belong into a test of their own, with a name that says what was wrong.
        failure_persistence: None,
        // The same cases each time, so that a failure can be repeated; others for a hunt.
        rng_seed: match std::env::var_os("PROPTEST_CASES") {
            None => RngSeed::Fixed(1),
            Some(_) => RngSeed::Random,
        },
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(1_800))]

    /// 1. The patch applies to the whole object, and the pod that it makes needs nothing more, neither as
    /// it is nor with the API server's defaults filled in.
    #[test]
    fn a_second_pass_adds_nothing(case in cases()) {
        let patched = case.patched();
        prop_assert_eq!(case.ask_about(&patched).patch, None);
        prop_assert_eq!(case.ask_about(&defaulted(&patched)).patch, None);
    }

    /// A file and the pod that is admitted from it get the same.
    #[test]
    fn defaults_and_nulls_change_nothing(case in cases()) {
        let stored = Case { pod: defaulted(&case.pod), ..case.clone() };
        prop_assert_eq!(case.ask().decision.changes, stored.ask().decision.changes);
        let (mut ours, mut theirs) = (defaulted(&case.patched()), defaulted(&stored.patched()));
        // The record says the timing, and a pod without metadata gets none.
        for pod in [&mut ours, &mut theirs] {
            pod["metadata"] = Value::Null;
        }
        prop_assert_eq!(ours, theirs);
    }

    /// 2. What was written is still there, and nobody loses time.
    #[test]
    fn nothing_is_taken_away(case in cases()) {
        let patched = case.patched();
        prop_assert_eq!(taken_away(&case.pod, &patched, "$"), None);
        let (before, after) = (defaulted(&case.pod), defaulted(&patched));
        for (path, was) in containers(&before) {
            let is = after.pointer(&path).expect("the container is still there");
            if is.get("startupProbe").is_some() && was.get("startupProbe").is_none() {
                let liveness = was.get("livenessProbe").map_or(0, budget);
                prop_assert!(budget(&is["startupProbe"]) >= liveness, "{path}: {is:#}");
            }
            if !sleeps_at_its_own_cost(&case) {
                prop_assert!(left(&after, is) >= left(&before, was), "{path}: {is:#}");
            }
        }
    }

    /// 3. Kubernetes accepts what it accepted, and a port that a new probe names is there.
    #[test]
    fn kubernetes_accepts_what_it_accepted(case in cases()) {
        let patched = case.patched();
        if accepts(&case.pod).is_ok() {
            prop_assert_eq!(accepts(&patched), Ok(()), "{:#}", patched);
        }
        let before = defaulted(&case.pod);
        for (path, is) in containers(&defaulted(&patched)) {
            let was = before.pointer(&path).expect("the container was there");
            if was.get("startupProbe").is_none() && let Some(probe) = is.get("startupProbe") {
                for kind in ["httpGet", "tcpSocket"] {
                    if let Some(name) = probe[kind]["port"].as_str().filter(|n| n.parse::<u16>().is_err()) {
                        let declared = is["ports"].as_array().into_iter().flatten().any(|p| p["name"] == name);
                        prop_assert!(declared, "{path}: {probe:#}");
                    }
                }
            }
        }
    }

    /// 5. The same bytes twice, and the order of a map says nothing.
    #[test]
    fn the_same_pod_gets_the_same(case in cases(), by in any::<u64>()) {
        let (once, twice) = (case.ask(), case.ask());
        prop_assert_eq!(&once.body, &twice.body);
        let shuffled = case.ask_about(&shuffled(&case.pod, by));
        prop_assert_eq!(as_values(&once.patch), as_values(&shuffled.patch));
        prop_assert_eq!(once.decision.summary, shuffled.decision.summary);
        // Where the object cannot be read, the warning says at which column.
        if once.decision.outcome != Outcome::Unreadable {
            prop_assert_eq!(once.warnings, shuffled.warnings);
        }
    }

    /// 6. Only what may be touched is touched; `replace` only where something stands.
    #[test]
    fn only_permitted_fields_are_touched(case in cases()) {
        for operation in as_values(&case.ask().patch) {
            let path = operation["path"].as_str().expect("a path");
            prop_assert!(is_permitted(path), "{path}");
            let stands = case.pod.pointer(path).cloned();
            match operation["op"].as_str() {
                Some("add") => prop_assert_eq!(stands, None, "{}", path),
                Some("replace") if path == "/spec/terminationGracePeriodSeconds" => {
                    prop_assert!(stands.is_some());
                }
                Some("replace") => prop_assert_eq!(stands, Some(Value::Null), "{}", path),
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }

    /// The check on the spine says of a patch what applying it to the whole object says, also where the
    /// patch is another pod's.
    #[test]
    fn the_spine_stands_for_the_object(case in cases(), other in cases()) {
        let text = case.pod.to_string();
        let Ok(pod) = serde_json::from_str::<Pod<'_>>(&text) else { return Ok(()) };
        for patch in [case.ask().patch, other.ask().patch].into_iter().flatten() {
            let whole = json_patch::patch(&mut case.pod.clone(), &patch);
            let spine = patch::check(&pod, &patch);
            let applies = !matches!(spine, Err(Refused::Inapplicable(_)));
            prop_assert_eq!(whole.is_ok(), applies, "{:?} {:?}", whole, spine);
        }
    }
}

proptest! {
    #![proptest_config(config(40))]

    /// 3. Annotations stay within what Kubernetes takes, to the byte.
    #[test]
    fn annotations_stay_within_the_limit(room in 0_usize..400) {
        let filler = "x".repeat(patch::ANNOTATIONS_LIMIT - room);
        let pod = json!({
            "metadata": {"annotations": {"f": filler[1..]}},
            "spec": {"containers": [{"name": "web", "ports": [{"containerPort": 80}]}]},
        });
        let case = Case { pod, namespace: None, policy: Policy::default() };
        prop_assert_eq!(case.ask().decision.outcome, Outcome::Injected);
        let patched = case.patched();
        prop_assert_eq!(accepts(&patched), Ok(()));
        let recorded = patched["metadata"]["annotations"].get("podgrace.io/injected").is_some();
        prop_assert_eq!(recorded, !case.ask().decision.skips.contains(&"annotations-full"));
    }
}

/// The generator makes what the properties are about; else they would hold of nothing.
#[test]
fn the_pods_are_worth_asking_about() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeMap::<&str, u32>::new();
    for _ in 0..3_000 {
        let case = cases().new_tree(&mut runner).expect("a case").current();
        let decision = case.ask().decision;
        *seen.entry(decision.outcome.code()).or_default() += 1;
        for code in decision.changes.iter().chain(&decision.skips) {
            *seen.entry(code).or_default() += 1;
        }
        *seen.entry("accepted").or_default() += u32::from(accepts(&case.pod).is_ok());
    }
    let never_seen: Vec<&str> = ["injected", "audited", "unchanged", "unreadable", "accepted"]
        .into_iter()
        .chain(Change::KINDS)
        .chain(Skip::CODES)
        .filter(|code| !seen.contains_key(code))
        // Only a pod of a quarter of a mebibyte, one nested a hundred times, one with three numbers at the limit of
        // 32 bits in a row, and one of hundreds of containers would be left alone for these.
        .filter(|code| {
            let rare = [
                "annotations-full",
                "probe-unreadable",
                "delay-too-long",
                "too-many-containers",
            ];
            !rare.contains(code)
        })
        .collect();
    assert!(never_seen.is_empty(), "{never_seen:?} of {seen:?}");
    assert!(
        seen["accepted"] > 1_500 && seen["injected"] > 1_000,
        "{seen:?}"
    );
}

/// What is not in `after` as it was in `before`, if anything: nulls may be replaced, lists of variables
/// may grow at their end, and the grace period may grow.
fn taken_away(before: &Value, after: &Value, path: &str) -> Option<String> {
    match (before, after) {
        (Value::Null, _) => None,
        (Value::Object(before), Value::Object(after)) => before.iter().find_map(|(key, was)| {
            let path = format!("{path}.{key}");
            match after.get(key) {
                None => Some(path),
                Some(is) => taken_away(was, is, &path),
            }
        }),
        (Value::Array(before), Value::Array(after))
            if before.len() == after.len()
                || (path.ends_with(".env") && before.len() < after.len()) =>
        {
            let pairs = before.iter().zip(after).enumerate();
            pairs
                .into_iter()
                .find_map(|(i, (was, is))| taken_away(was, is, &format!("{path}[{i}]")))
        }
        (Value::Number(was), Value::Number(is))
            if path == "$.spec.terminationGracePeriodSeconds" =>
        {
            (is.as_i64() < was.as_i64()).then(|| path.to_owned())
        }
        _ => (before != after).then(|| path.to_owned()),
    }
}

/// The containers of a pod, each with its path.
fn containers(pod: &Value) -> Vec<(String, &Value)> {
    let list = |name: &'static str| {
        let containers = pod["spec"][name].as_array().into_iter().flatten();
        containers
            .enumerate()
            .map(move |(i, container)| (format!("/spec/{name}/{i}"), container))
    };
    list("containers").chain(list("initContainers")).collect()
}

/// The seconds that a defaulted probe gives a start.
fn budget(probe: &Value) -> i128 {
    let number = |name: &str| probe.get(name).and_then(Value::as_i64).unwrap_or(0).max(0);
    let number = |name: &str| i128::from(number(name));
    number("initialDelaySeconds") + number("failureThreshold") * number("periodSeconds")
}

/// The seconds between SIGTERM and SIGKILL, as far as a hook's length can be read; of more than any clock
/// lives to see, none is counted.
fn left(pod: &Value, container: &Value) -> i64 {
    let grace = pod["spec"]["terminationGracePeriodSeconds"]
        .as_i64()
        .unwrap_or(30);
    let hook = container["lifecycle"]["preStop"].to_string();
    let hook = serde_json::from_str::<Option<Hook<'_>>>(&hook)
        .ok()
        .flatten();
    let left = match hook.map(|hook| hook.seconds().unwrap_or(0)) {
        Some(seconds) => grace.saturating_sub_unsigned(seconds).max(2),
        None => grace,
    };
    left.min(1 << 40)
}

/// Whether the pod asks by name for a sleep and for a grace period that stays as it is.
fn sleeps_at_its_own_cost(case: &Case) -> bool {
    let text = case.pod.to_string();
    let Ok(pod) = serde_json::from_str::<Pod<'_>>(&text) else {
        return false;
    };
    let context = Context {
        policy: &case.policy,
        namespace: Some("shop"),
        namespace_said: case.namespace.as_ref(),
    };
    let Plan { changes, grace, .. } = plan(&pod, &context);
    let by_name = |change: &Change| match change {
        Change::PreStop { origin, .. } => origin.level >= Level::Namespace,
        _ => false,
    };
    grace.is_some_and(|grace| grace.setting.value == GracePeriod::Off)
        && changes.iter().any(by_name)
}

fn is_permitted(path: &str) -> bool {
    let tokens: Vec<&str> = path.split('/').skip(1).collect();
    match tokens.as_slice() {
        ["metadata", "annotations"] | ["metadata", "annotations", "podgrace.io~1injected"] => true,
        ["spec", "terminationGracePeriodSeconds"] => true,
        ["spec", "containers" | "initContainers", index, field @ ..] => {
            index.parse::<usize>().is_ok()
                && matches!(
                    field,
                    ["startupProbe"]
                        | ["lifecycle"]
                        | ["lifecycle", "preStop"]
                        | ["env"]
                        | ["env", "-"]
                )
        }
        _ => false,
    }
}

fn as_values(patch: &Option<json_patch::Patch>) -> Vec<Value> {
    match serde_json::to_value(patch).expect("a patch is JSON") {
        Value::Array(operations) => operations,
        _ => Vec::new(),
    }
}

/// The same value with each map in another order.
fn shuffled(value: &Value, by: u64) -> Value {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<_> = map.iter().collect();
            pairs.sort_by_cached_key(|(key, _)| {
                let mut hasher = DefaultHasher::new();
                (key, by).hash(&mut hasher);
                hasher.finish()
            });
            pairs
                .into_iter()
                .map(|(key, value)| (key.clone(), shuffled(value, by)))
                .collect::<Map<_, _>>()
                .into()
        }
        Value::Array(list) => list.iter().map(|value| shuffled(value, by)).collect(),
        other => other.clone(),
    }
}
