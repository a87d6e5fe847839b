//! What is said about pods that run: who was missed and why, and what gives it to them.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::Facts;
use super::owner::{Owner, Renewal};
use super::pods::{Group, Why, Workload};
use super::report::{Check, Report, Topic};

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
    if !facts.ours().any(|hook| hook.changes_pods()) {
        return;
    }
    let groups = &census.groups;
    let missed = groups.iter().filter(|(_, group)| !group.missed.is_empty());
    let missed: Vec<(&Owner, &Group)> = missed.collect();
    if missed.is_empty() {
        if census.pods > 0 {
            let workloads = number(groups.len(), "workload");
            report.add(Check::well(
                TOPIC,
                "pods",
                format!(
                    "{} of {workloads} have what they would get",
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
    let message = format!("{pods} of {of} run without what they would get, in {workloads}");
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
    if by_code.is_empty() {
        return;
    }
    for (code, owners) in by_code {
        let message = format!("left alone, {code}: {}", list(owners.into_iter()));
        report.add(Check::note(TOPIC, "left-alone", message));
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
