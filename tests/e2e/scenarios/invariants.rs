//! Generated pods, each made with server-side dry run with and without the webhook, under three
//! configurations; and, past the webhook, under generated ones.
//!
//! `PODGRACE_E2E_PODS=2500` and `PODGRACE_E2E_SEED=0` say how many and which.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use podgrace::admission::{Outcome as Answered, Review};
use podgrace::config::Configuration;
use podgrace::lifecycle::annotations::Said;
use podgrace::lifecycle::policy::{Policy, SleepAction};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use super::Outcome;
use crate::cluster::{Cluster, PRIORITY_CLASSES};
use crate::generated::{self, Case};
use crate::webhook::Webhook;

/// The configurations that servers run with, each with what its webhooks are called.
const CONFIGURATIONS: [(&str, Option<&str>); 3] = [
    ("unconfigured", None),
    (
        "generous",
        Some(
            "apiVersion: podgrace.io/v1alpha1
kind: PodgraceConfiguration
sleepAction: exec
autoSources: [liveness, readiness, port]
defaults:
  pre-stop-sleep: 12s
  shutdown-timeout: 45s
  startup-timeout: 7m
profiles:
  house: {pre-stop-sleep: 20s}
leaveAlone:
  containers: [left-alone]
",
        ),
    ),
    (
        "auditing",
        Some("apiVersion: podgrace.io/v1alpha1\nkind: PodgraceConfiguration\nmode: audit\n"),
    ),
];

/// What was seen, so that it can be seen that something was.
type Tally = BTreeMap<&'static str, u64>;

struct Bench {
    cluster: Arc<Cluster>,
    /// The namespace without a webhook.
    plain: String,
    hooked: Vec<Hooked>,
}

/// A namespace with a webhook.
struct Hooked {
    namespace: String,
    policy: Policy,
}

pub(super) async fn run(cluster: Arc<Cluster>) -> Outcome {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let (pods, seed) = (
        number("PODGRACE_E2E_PODS", 2500),
        number("PODGRACE_E2E_SEED", 0),
    );
    // Generated pods name it.
    let high = json!({"metadata": {"name": "high"}, "value": 1000});
    cluster.global(PRIORITY_CLASSES, high).await;
    let mut bench = Bench {
        plain: cluster.namespace("generated").await,
        cluster: Arc::clone(&cluster),
        hooked: Vec::new(),
    };
    let mut servers = Vec::new();
    for (name, config) in CONFIGURATIONS {
        let webhook = Webhook::start(&cluster, name, config).await;
        let namespace = cluster.namespace(&format!("generated-{name}")).await;
        webhook.register(&namespace).await;
        servers.push(webhook);
        let configuration = config.map_or_else(Configuration::default, |text| {
            Configuration::parse(Path::new(name), text).expect("a configuration")
        });
        bench.hooked.push(Hooked {
            namespace,
            policy: configuration.policy(SleepAction::for_versions(cluster.minor, None)),
        });
    }

    let (bench, next) = (Arc::new(bench), Arc::new(AtomicU64::new(0)));
    let mut workers = JoinSet::new();
    for _ in 0..8 {
        let (bench, next) = (Arc::clone(&bench), Arc::clone(&next));
        workers.spawn(async move {
            let (mut tally, mut failures) = (Tally::new(), Vec::new());
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= pods {
                    return (tally, failures);
                }
                if let Err(why) = bench.hold(seed + number, &mut tally).await {
                    failures.push(format!("pod {}: {why}", seed + number));
                }
            }
        });
    }
    let (mut tally, mut failures) = (Tally::new(), Vec::new());
    while let Some(worker) = workers.join_next().await {
        let (counts, failed) = worker.expect("no panic");
        failures.extend(failed);
        for (what, count) in counts {
            *tally.entry(what).or_default() += count;
        }
    }
    assert!(
        failures.is_empty(),
        "{} failed; the first:\n{}",
        failures.len(),
        failures
            .iter()
            .take(5)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n\n")
    );
    // Pods that are all rejected would prove nothing.
    assert!(tally["accepted without us"] * 2 > pods, "{tally:?}");
    Outcome::Passed(format!("{pods} pods, {tally:?}"))
}

impl Bench {
    async fn hold(&self, number: u64, tally: &mut Tally) -> Result<(), String> {
        let mut case = generated::case(number);
        if let Some(spec) = case.pod["spec"].as_object_mut() {
            // The volume of the token has a name by chance.
            spec.insert("automountServiceAccountToken".into(), false.into());
        }
        let mut count = |what: &'static str| *tally.entry(what).or_default() += 1;
        let without = self.cluster.try_pod(&self.plain, &case.pod).await;
        if !without.is_accepted() {
            count("rejected without us");
            return Ok(());
        }
        count("accepted without us");
        let before = comparable(&without.body);
        let context = |what: &str| format!("{what}\n{}\n{}", case.pod, before["spec"]);

        for Hooked { namespace, policy } in &self.hooked {
            let with = self.cluster.try_pod(namespace, &case.pod).await;
            if !with.is_accepted() {
                return Err(context(&format!("{namespace} rejects: {}", with.message())));
            }
            let after = comparable(&with.body);
            let changes = differences(&before, &after);
            for change in &changes {
                is_permitted(change, &before, &after)
                    .map_err(|why| context(&format!("{namespace}: {change}: {why}")))?;
            }
            count(if changes.is_empty() {
                "left alone"
            } else {
                "injected"
            });
            for (what, part) in [
                ("startup probes", "/startupProbe"),
                ("hooks", "/lifecycle"),
                ("grace periods", "/spec/terminationGracePeriodSeconds"),
                ("variables", "/env"),
            ] {
                if changes.iter().any(|change| change.contains(part)) {
                    count(what);
                }
            }

            // Asked again, also with the API server's defaults in what we added, nothing is missing.
            let again = injected(&with.body, namespace, policy, None);
            if let Some(again) = again {
                let more = differences(&after, &comparable(&again));
                return Err(context(&format!(
                    "{namespace}: a second pass adds {more:?}"
                )));
            }

            // The file that `inject` would write becomes the same pod.
            if drops_restart_rules(&case.pod, &before) {
                continue;
            }
            let written = injected(&case.pod, namespace, policy, None);
            let written = written.as_ref().unwrap_or(&case.pod);
            let by_file = self.cluster.try_pod(&self.plain, written).await;
            let differs = differences(&after["spec"], &comparable(&by_file.body)["spec"]);
            if !by_file.is_accepted() || !differs.is_empty() {
                let message = by_file.message();
                return Err(context(&format!(
                    "{namespace} by file: {message}{differs:?}"
                )));
            }
        }

        // Any configuration and any Namespace.
        let Case {
            namespace,
            mut policy,
            ..
        } = case;
        if self.cluster.minor < SleepAction::NATIVE_FROM
            && policy.sleep_action == SleepAction::Native
        {
            // As negotiated.
            policy.sleep_action = SleepAction::Exec;
        }
        if let Some(pod) = injected(&before, "shop", &policy, namespace.as_ref()) {
            let reply = self.cluster.try_pod(&self.plain, &pod).await;
            if !reply.is_accepted() {
                return Err(context(&format!("{policy:?} rejects: {}", reply.message())));
            }
            let after = comparable(&reply.body);
            for change in differences(&before, &after) {
                is_permitted(&change, &before, &after)
                    .map_err(|why| context(&format!("{policy:?}: {change}: {why}")))?;
            }
            count("injected by generated configurations");
        }
        Ok(())
    }
}

/// Whether the API server does not know what a container says of its restarts, so that whoever reads the file sees
/// another pod than the webhook. From 1.34 on it does.
fn drops_restart_rules(file: &Value, stored: &Value) -> bool {
    ["containers", "initContainers"].iter().any(|list| {
        let (file, stored) = (&file["spec"][list], &stored["spec"][list]);
        let count = file.as_array().map_or(0, Vec::len);
        (0..count).any(|at| {
            ["restartPolicy", "restartPolicyRules"]
                .iter()
                .any(|name| !file[at][name].is_null() && stored[at][name].is_null())
        })
    })
}

/// A pod as the engine makes it, where it changes.
fn injected(pod: &Value, namespace: &str, policy: &Policy, said: Option<&Said>) -> Option<Value> {
    let review = json!({"request": {
        "uid": "e2e",
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "operation": "CREATE",
        "namespace": namespace,
        "object": pod,
    }});
    let bytes = review.to_string().into_bytes();
    let answer = Review::read(&bytes).expect("a review").answer(policy, said);
    if answer.decision.outcome != Answered::Injected {
        return None;
    }
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let patch = STANDARD.decode(body["response"]["patch"].as_str().expect("a patch"));
    let patch: json_patch::Patch =
        serde_json::from_slice(&patch.expect("base64")).expect("a JSON Patch");
    let mut pod = pod.clone();
    json_patch::patch(&mut pod, &patch).expect("it applies");
    Some(pod)
}

/// A pod without what is another each time.
fn comparable(pod: &Value) -> Value {
    let mut pod = pod.clone();
    if let Some(metadata) = pod["metadata"].as_object_mut() {
        for name in [
            "uid",
            "creationTimestamp",
            "managedFields",
            "namespace",
            "resourceVersion",
        ] {
            metadata.shift_remove(name);
        }
    }
    pod
}

/// The paths of what is not the same.
fn differences(before: &Value, after: &Value) -> Vec<String> {
    let mut found = Vec::new();
    differ("", before, after, &mut found);
    found
}

fn differ(path: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let keys = |map: &Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
            let mut keys = [keys(before), keys(after)].concat();
            keys.sort();
            keys.dedup();
            for key in keys {
                let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                let of = |map: &Map<String, Value>| map.get(&key).cloned().unwrap_or_default();
                differ(&path, &of(before), &of(after), found);
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            for at in 0..before.len().max(after.len()) {
                let of = |list: &[Value]| list.get(at).cloned().unwrap_or_default();
                differ(&format!("{path}/{at}"), &of(before), &of(after), found);
            }
        }
        _ if before == after => {}
        _ => found.push(path.to_owned()),
    }
}

/// Whether that may differ: something new at one of our places, or a longer grace period.
fn is_permitted(path: &str, before: &Value, after: &Value) -> Result<(), String> {
    let (was, is) = (before.pointer(path), after.pointer(path));
    let refused = || Err(format!("{was:?} became {is:?}"));
    let tokens: Vec<&str> = path.split('/').skip(1).collect();
    match tokens.as_slice() {
        ["spec", "terminationGracePeriodSeconds"] => {
            let seconds = |value: Option<&Value>| value.and_then(Value::as_i64);
            if seconds(is) < seconds(was) {
                return refused();
            }
        }
        _ if was.is_some() => return refused(),
        ["metadata", "annotations"] | ["metadata", "annotations", "podgrace.io~1injected"] => {}
        ["spec", "containers" | "initContainers", _, "startupProbe"]
        | ["spec", "containers" | "initContainers", _, "lifecycle"]
        | [
            "spec",
            "containers" | "initContainers",
            _,
            "lifecycle",
            "preStop",
        ]
        | ["spec", "containers" | "initContainers", _, "env"]
        | ["spec", "containers" | "initContainers", _, "env", _] => {}
        _ => return refused(),
    }
    Ok(())
}
