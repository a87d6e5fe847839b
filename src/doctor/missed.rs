//! What is said about pods that run: who was missed and why, and what gives it to them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::facts::Facts;
use super::hooks::Hook;
use super::owner::{Owner, Renewal};
use super::pods::{Group, Why, Workload};
use super::report::{Check, Report, Topic};
use crate::cluster::WORKLOADS;
use crate::lifecycle::policy::Mode;

const TOPIC: Topic = Topic::Pods;

/// How many workloads are told one by one; the JSON document has all.
const TOLD: usize = 20;
/// How many are named in one sentence.
const NAMED: usize = 5;

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    for error in &facts.unread_pods {
        report.add(Check::unseen(TOPIC, error));
    }
    let census = &facts.census;
    let is_registered = facts.ours().any(Hook::changes_pods);
    if !is_registered || facts.policy.mode == Mode::Off {
        return;
    }
    let groups = &census.groups;
    let missed = groups.iter().filter(|(_, group)| !group.missed.is_empty());
    let mut missed: Vec<(&Owner, &Group)> = missed.collect();
    // By name where as many are missed.
    missed.sort_by_key(|(_, group)| Reverse(group.missed.len()));
    if missed.is_empty() {
        if census.pods > 0 {
            let workloads = number(groups.len(), "workload");
            report.add(Check::well(
                TOPIC,
                "pods",
                format!(
                    "nothing is missed: {} of {workloads}",
                    number(census.pods, "pod")
                ),
            ));
        } else if facts.unread_pods.is_empty() {
            report.add(Check::well(
                TOPIC,
                "no-pods",
                "no pod runs that the webhook would be asked about",
            ));
        }
    } else {
        report.add(summary(facts, &missed, report.has_error()));
    }
    for (index, (owner, group)) in missed.iter().enumerate() {
        let (workload, by_hand) = workload(facts, owner, group);
        if index < TOLD {
            report.add(told(owner, &workload, by_hand));
        }
        report.restart.extend(workload.restart.iter().cloned());
        report.workloads.push(workload);
    }
    if missed.len() > TOLD {
        let message = format!(
            "and {} (-o json has all)",
            number(missed.len() - TOLD, "more workload")
        );
        report.add(Check::warning(TOPIC, "missed", message));
    }
    alone(facts, report);
    if census.told_of > 0 {
        let message = format!(
            "of {} it is only told what they would get: their mode is audit",
            number(census.told_of, "pod")
        );
        report.add(Check::note(TOPIC, "audit-only", message));
    }
    if !census.off.is_empty() {
        let message = format!(
            "out by a label of their own, podgrace.io/mode=off: {}",
            list(census.off.iter())
        );
        report.add(Check::note(TOPIC, "off-by-label", message));
    }
    if census.unreadable > 0 {
        let message = format!("{} could not be read as pods", census.unreadable);
        report.add(Check::note(TOPIC, "unreadable-pods", message));
    }
}

fn summary(facts: &Facts, missed: &[(&Owner, &Group)], is_broken: bool) -> Check {
    let pods: usize = missed.iter().map(|(_, group)| group.missed.len()).sum();
    let of = number(facts.census.pods, "pod");
    let workloads = number(missed.len(), "workload");
    let message = format!("without what they would get: {pods} of {of}, in {workloads}");
    let check = Check::warning(TOPIC, "missed", message);
    match is_broken {
        true => check.advise("Mend what is above first: pods that are made now get nothing either"),
        false => {
            check.advise("Pods keep what they were made with. They get it when they are made anew:")
        }
    }
}

/// One workload, and what to do where no command does it.
fn workload(facts: &Facts, owner: &Owner, group: &Group) -> (Workload, Option<&'static str>) {
    let labelled = facts.labelled.get(&owner.namespace).copied();
    let mut why = BTreeMap::new();
    for missed in &group.missed {
        *why.entry(missed.why(labelled)).or_insert(0) += 1;
    }
    let (restart, by_hand) = match owner.renewal(&facts.kubectl, facts.controllers.get(owner)) {
        Renewal::Commands(commands) => (commands, None),
        Renewal::ByHand(how) => (Vec::new(), Some(how)),
        Renewal::None => (Vec::new(), None),
    };
    let workload = Workload {
        kind: owner.kind.clone(),
        name: owner.name.clone(),
        namespace: owner.namespace.clone(),
        pods: group.pods,
        missed: why,
        changes: group.changes.clone(),
        left_alone: group.left_alone.iter().copied().collect(),
        restart,
    };
    (workload, by_hand)
}

fn told(owner: &Owner, workload: &Workload, by_hand: Option<&str>) -> Check {
    let reasons: Vec<String> = workload
        .missed
        .iter()
        .map(|(why, count)| match workload.missed.len() {
            1 => why.sentence().to_owned(),
            _ => format!("{count}: {}", why.sentence()),
        })
        .collect();
    let missed: usize = workload.missed.values().sum();
    let message = format!(
        "{} in {}: {missed} of {}, {}. Would get: {}",
        owner.title(),
        owner.namespace,
        number(workload.pods, "pod"),
        reasons.join("; "),
        workload.changes.join("; ")
    );
    let check = Check::warning(TOPIC, "workload-missed", message).run_all(workload.restart.clone());
    match by_hand {
        Some(how) => check.advise(capital(how)),
        None => check,
    }
}

/// Workloads of which something is left alone for a reason, by reason.
fn alone(facts: &Facts, report: &mut Report) {
    let mut by_code: BTreeMap<&str, Vec<&Owner>> = BTreeMap::new();
    for (owner, group) in &facts.census.groups {
        for code in &group.left_alone {
            by_code.entry(code).or_default().push(owner);
        }
        if group.missed.is_empty() && !group.left_alone.is_empty() {
            let (workload, _) = workload(facts, owner, group);
            report.workloads.push(Workload {
                restart: Vec::new(),
                ..workload
            });
        }
    }
    for (code, owners) in by_code {
        let is_known = |owner: &&&Owner| WORKLOADS.iter().any(|r| r.kind == *owner.kind);
        let command = owners
            .iter()
            .find(is_known)
            .map(|owner| format!("{} {} -n {}", facts.explain, owner.title(), owner.namespace));
        let message = format!("left alone, {code}: {}", list(owners.into_iter()));
        let check = Check::note(TOPIC, "left-alone", message);
        report.add(match command {
            Some(command) => check
                .advise("Why, and what to write to have it otherwise:")
                .run(command),
            None => check,
        });
    }
}

impl Why {
    /// The clause for it.
    fn sentence(self) -> &'static str {
        match self {
            Self::BeforeWebhook => "made before the webhook was registered",
            Self::BeforeLabel => "made before the namespace had its label",
            Self::Since => "made with less: a setting or a container came since",
            Self::Unanswered => {
                "the webhook did not answer when they were made, or a setting came since"
            }
        }
    }
}

/// The first few by name.
fn list<'o>(owners: impl ExactSizeIterator<Item = &'o Owner>) -> String {
    let more = owners.len().saturating_sub(NAMED);
    let named: BTreeSet<String> = owners
        .take(NAMED)
        .map(|o| format!("{} in {}", o.title(), o.namespace))
        .collect();
    let mut text = named.into_iter().collect::<Vec<_>>().join(", ");
    if more > 0 {
        text += &format!(" and {more} more");
    }
    text
}

fn number(count: usize, word: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {word}{plural}")
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + characters.as_str()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{configuration, forbidden, namespace, pod, webhook};
    use super::*;

    fn facts(mode: &str, pods: &[Value]) -> Facts {
        let shop = namespace("shop", json!({"podgrace.io/mode": mode}), json!({}));
        Facts::of(
            &[configuration("podgrace", &[webhook(&json!({}))])],
            &[shop],
            pods,
        )
    }

    fn with(mut pod: Value, pointer: &str, value: Value) -> Value {
        *pod.pointer_mut(pointer).expect("a place") = value;
        pod
    }

    #[test]
    fn why_pods_were_missed_is_told_by_when_they_were_made() {
        let mut recorded = pod("2026-11-20T00:00:00Z");
        recorded["metadata"]["annotations"] = json!({"podgrace.io/injected": "something"});
        let pods = [
            pod("2026-10-01T00:00:00Z"),
            pod("2026-11-05T00:00:00Z"),
            pod("2026-11-20T00:00:00Z"),
            recorded,
        ];
        let mut facts = facts("enforce", &pods);
        let labelled = "2026-11-10T00:00:00Z".parse().expect("a time");
        facts.labelled.insert("shop".into(), labelled);
        assert_eq!(facts.findings(), ["missed", "workload-missed"]);
        let report = facts.report();
        let workload = &report.workloads[0];
        assert_eq!((workload.pods, &*workload.name), (4, "cart"));
        for why in [
            Why::BeforeWebhook,
            Why::BeforeLabel,
            Why::Unanswered,
            Why::Since,
        ] {
            assert_eq!(workload.missed[&why], 1, "{why:?}");
        }
        assert_eq!(
            report.restart,
            ["kubectl -n shop rollout restart deployment/cart"]
        );
        assert!(
            facts
                .check("missed")
                .message
                .ends_with("4 of 4 pods, in 1 workload")
        );
    }

    #[test]
    fn nobody_is_sent_to_restart_what_gets_nothing_then_either() {
        let mut facts = facts("enforce", &[pod("2026-11-20T00:00:00Z")]);
        facts.trial = None;
        facts.hooks.as_mut().expect("hooks")[0].timeout = 30;
        assert_eq!(facts.findings()[0], "timeout-long");
        let advice = facts.check("missed").advice;
        assert!(
            advice.is_some_and(|advice| advice.starts_with("Pods keep")),
            "a warning is no error"
        );
        facts.backends[0].service = Ok(None);
        let advice = facts.check("missed").advice;
        assert!(advice.is_some_and(|advice| advice.starts_with("Mend what is above first")));
    }

    #[test]
    fn pods_that_are_over_or_going_or_out_do_not_count() {
        let made = || pod("2026-11-20T00:00:00Z");
        let mut going = made();
        going["metadata"]["deletionTimestamp"] = "2026-11-25T00:00:00Z".into();
        let off = with(
            made(),
            "/metadata/labels",
            json!({"podgrace.io/mode": "off"}),
        );
        let elsewhere = with(made(), "/metadata/namespace", json!("nowhere"));
        let done = with(made(), "/status/phase", json!("Succeeded"));
        let facts = facts("enforce", &[going, off, elsewhere, done]);
        assert_eq!(facts.findings(), [""; 0]);
        facts.check("no-pods");
        assert!(
            facts
                .check("off-by-label")
                .message
                .contains("replicaset/cart-5d9 in shop")
        );
    }

    #[test]
    fn what_is_left_alone_is_told_by_reason_and_audit_mode_misses_nothing() {
        let silent = with(
            pod("2026-11-20T00:00:00Z"),
            "/spec/containers/0",
            json!({"name": "web", "lifecycle": {"preStop": {"sleep": {"seconds": 3}}}}),
        );
        let alone = facts("enforce", &[silent]);
        assert_eq!(alone.findings(), [""; 0]);
        assert_eq!(
            alone.check("left-alone").message,
            "left alone, no-liveness-probe: deployment/cart in shop"
        );
        assert_eq!(
            alone.report().workloads[0].left_alone,
            ["no-liveness-probe"]
        );
        let audit = facts("audit", &[pod("2026-11-20T00:00:00Z")]);
        assert_eq!(audit.findings(), [""; 0]);
        assert!(audit.check("audit-only").message.contains("1 pod"));
    }

    #[test]
    fn many_workloads_are_counted_and_not_all_told() {
        let pods: Vec<Value> = (0..TOLD + 5)
            .map(|n| {
                let owner = json!([{"kind": "StatefulSet", "name": format!("db-{n:02}"), "controller": true}]);
                with(pod("2026-11-20T00:00:00Z"), "/metadata/ownerReferences", owner)
            })
            .collect();
        let mut facts = facts("enforce", &pods);
        let report = facts.report();
        assert_eq!(
            (report.workloads.len(), report.restart.len()),
            (TOLD + 5, TOLD + 5)
        );
        let told = report
            .checks
            .iter()
            .filter(|check| check.code == "workload-missed");
        assert_eq!(told.count(), TOLD);
        assert!(
            report
                .checks
                .iter()
                .any(|check| check.message.starts_with("and 5 more workloads"))
        );
        facts.unread_pods.push(forbidden());
        assert_eq!(facts.findings()[0], "forbidden");
    }
}
