//! How the webhook is registered and configured, and what of that is dangerous.

use std::collections::BTreeSet;

use super::facts::{ConfiguredState, Facts};
use super::hooks::{Hook, Labels, Target};
use super::report::{Check, Report, Topic};
use crate::cluster::labels;
use crate::lifecycle::policy::Mode;
use crate::lifecycle::settings::MODE_LABEL;

const TOPIC: Topic = Topic::Settings;

/// The most seconds that a pod's making should wait for a webhook that hangs. A judgement: the chart has 2,
/// Kubernetes' default is 10, and the whole request may take 34.
const LONG: i64 = 5;

/// The label by which selectors know a namespace's name; every namespace has it.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// What a pod can say about itself.
const POD_MODES: [Option<&str>; 3] = [None, Some("enforce"), Some("audit")];

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    configuration(facts, report);
    let ours: Vec<&Hook> = facts.ours().filter(|hook| hook.changes_pods()).collect();
    let Some(first) = ours.first() else { return };
    let before = report.checks.len();
    fails_closed(facts, &ours, report);
    for (hook, names) in together(&ours, |hook| hook.timeout > LONG) {
        report.add(
            Check::warning(
                TOPIC,
                "timeout-long",
                format!(
                    "{}: timeoutSeconds is {} ({names}): while the webhook hangs, every pod waits that long to be made",
                    hook.title(),
                    hook.timeout
                ),
            )
            .advise("2 is enough: an answer takes milliseconds")
            .run(set(facts, hook, &ours, "timeoutSeconds", "2")),
        );
    }
    reinvocation(facts, &ours, report);
    sent_twice(facts, &ours, report);
    for (hook, names) in together(&ours, |hook| !hook.conditions.is_empty()) {
        report.add(Check::note(
            TOPIC,
            "match-conditions",
            format!(
                "{}: matchConditions decide too ({}; {names}), and only an API server evaluates them: below they \
                 count as true",
                hook.title(),
                hook.conditions.join(", ")
            ),
        ));
    }
    if report.checks.len() == before {
        let policy = if first.fails_closed { "Fail" } else { "Ignore" };
        let again = if first.is_reinvoked {
            "IfNeeded"
        } else {
            "Never"
        };
        let message = format!(
            "failurePolicy {policy}, timeoutSeconds {}, reinvocationPolicy {again}",
            first.timeout
        );
        report.add(Check::well(TOPIC, "settings", message));
    }
}

fn configuration(facts: &Facts, report: &mut Report) {
    let Some(configured) = &facts.configured else {
        return;
    };
    let title = &configured.title;
    let edited = |check: Check| check.run_all(configured.edit.clone());
    match &configured.state {
        Err(error) => report.add(Check::unseen(TOPIC, error)),
        Ok(ConfiguredState::Missing) => report.add(
            Check::note(
                TOPIC,
                "configuration-missing",
                format!("there is no {title}: pods are judged here by the defaults"),
            )
            .advise("Where the configuration is elsewhere, say --config FILE"),
        ),
        Ok(ConfiguredState::Broken(why)) => report.add(edited(
            Check::error(
                TOPIC,
                "configuration-broken",
                format!(
                    "{title} is not understood: {why}. Replicas that run keep what they read before; one that starts now \
                     ends at once"
                ),
            )
            .advise("Correct it; no restart is needed:"),
        )),
        Ok(ConfiguredState::Read) if facts.policy.mode == Mode::Off => {
            let lag = match facts.is_proven() {
                true => ". The replicas have not read it yet: a kubelet takes a minute or two to bring it",
                false => "",
            };
            let message = format!(
                "{title} says mode: off, the kill switch: no pod gets anything, whatever a label says{lag}"
            );
            report.add(edited(Check::error(TOPIC, "mode-off", message).advise(
                "When it may work again, write mode: enforce; no restart is needed. With Helm: helm upgrade with \
                 --reuse-values --set mode=enforce, or the next upgrade switches it off again. By hand:",
            )));
        }
        Ok(ConfiguredState::Read) => {}
    }
}

/// The webhooks of which something is so, once for each configuration, with their names.
fn together<'h>(ours: &[&'h Hook], is_so: impl Fn(&Hook) -> bool) -> Vec<(&'h Hook, String)> {
    let mut found: Vec<(&Hook, String)> = Vec::new();
    for hook in ours.iter().filter(|hook| is_so(hook)) {
        match found
            .iter_mut()
            .find(|(other, _)| other.title() == hook.title())
        {
            Some((_, names)) => *names += &format!(", {}", hook.name),
            None => found.push((hook, hook.name.clone())),
        }
    }
    found
}

/// The command that sets a field of every webhook of a configuration.
pub(super) fn set(facts: &Facts, hook: &Hook, ours: &[&Hook], field: &str, value: &str) -> String {
    let same = ours.iter().filter(|other| other.title() == hook.title());
    let operations: Vec<String> = same
        .map(|hook| {
            let path = format!("/webhooks/{}/{field}", hook.index);
            format!(r#"{{"op":"add","path":"{path}","value":{value}}}"#)
        })
        .collect();
    format!(
        "{} patch {} {} --type=json -p '[{}]'",
        facts.kubectl,
        hook.kind.to_lowercase(),
        hook.configuration,
        operations.join(",")
    )
}

fn fails_closed(facts: &Facts, ours: &[&Hook], report: &mut Report) {
    for (hook, names) in together(ours, |hook| hook.fails_closed) {
        let all = ours
            .iter()
            .filter(|h| h.title() == hook.title() && h.fails_closed);
        let holds_for = |namespace: &Labels| all.clone().any(|h| h.sees(namespace, &Labels::new()));
        let title = hook.title();
        let ignore = set(facts, hook, ours, "failurePolicy", "\"Ignore\"");
        let own = match &hook.target {
            Target::Service { namespace, .. } => Some(namespace),
            Target::Url(_) => None,
        };
        let own = own.filter(|name| holds_for(&labels_of(facts, name)));
        if let Some(own) = own {
            report.add(
                Check::error(
                    TOPIC,
                    "fails-closed-on-itself",
                    format!(
                        "{title}: failurePolicy Fail holds for {own} too, where the webhook itself runs ({names}): once no \
                         replica is left, none can be made, and no pod at all"
                    ),
                )
                .advise("Take that namespace out of its namespaceSelector, or:")
                .run(ignore),
            );
        } else if holds_for(&labels_of(facts, "kube-system")) {
            report.add(
                Check::warning(
                    TOPIC,
                    "fails-closed-on-system",
                    format!(
                        "{title}: failurePolicy Fail holds for kube-system too ({names}): while the webhook does not \
                         answer, network and DNS of a new node do not start"
                    ),
                )
                .advise("Take kube-system out of its namespaceSelector, or:")
                .run(ignore),
            );
        } else {
            report.add(Check::note(
                TOPIC,
                "fails-closed",
                format!("{title}: failurePolicy Fail ({names}): while the webhook does not answer, pods are turned away"),
            ));
        }
    }
}

/// The labels of a namespace; of one that was not looked at, what every namespace has.
fn labels_of(facts: &Facts, name: &str) -> Labels {
    let mut namespaces = facts.namespaces.iter().flatten();
    let found = namespaces.find(|namespace| namespace["metadata"]["name"] == name);
    found.map_or_else(
        || Labels::from([(NAME_LABEL.to_owned(), name.to_owned())]),
        labels,
    )
}

/// Others that change a pod after us, of which we would never learn.
fn reinvocation(facts: &Facts, ours: &[&Hook], report: &mut Report) {
    for (hook, names) in together(ours, |hook| !hook.is_reinvoked) {
        let is_later = |other: &&Hook| {
            !other.is_ours && other.changes_pods() && other.configuration > hook.configuration
        };
        let later: BTreeSet<String> = facts
            .hooks
            .iter()
            .flatten()
            .filter(is_later)
            .map(|other| format!("{} ({})", other.configuration, other.name))
            .collect();
        if later.is_empty() {
            continue;
        }
        let later: Vec<String> = later.into_iter().collect();
        report.add(
            Check::warning(
                TOPIC,
                "not-reinvoked",
                format!(
                    "{}: reinvocationPolicy is Never ({names}), and {} may change pods after it: a container that is \
                     added then gets nothing",
                    hook.title(),
                    later.join(", ")
                ),
            )
            .run(set(facts, hook, ours, "reinvocationPolicy", "\"IfNeeded\"")),
        );
    }
}

/// Pods that more than one webhook of ours is asked about.
fn sent_twice(facts: &Facts, ours: &[&Hook], report: &mut Report) {
    let mut told = BTreeSet::new();
    for namespace in facts.namespaces.iter().flatten() {
        let of_namespace = labels(namespace);
        for mode in POD_MODES {
            let pod: Labels = mode
                .into_iter()
                .map(|m| (MODE_LABEL.to_owned(), m.to_owned()))
                .collect();
            let seeing: Vec<&&Hook> = ours
                .iter()
                .filter(|hook| hook.sees(&of_namespace, &pod))
                .collect();
            let [first, second, ..] = seeing.as_slice() else {
                continue;
            };
            if !told.insert((first.title(), &first.name, second.title(), &second.name)) {
                continue;
            }
            let name = namespace["metadata"]["name"].as_str().unwrap_or_default();
            let which = mode.map_or("with no label of its own".to_owned(), |m| {
                format!("with the label {MODE_LABEL}={m}")
            });
            let start = format!("a pod of namespace {name} {which} is sent to");
            report.add(if first.title() == second.title() {
                let both = format!("{} and {}", first.name, second.name);
                Check::warning(
                    TOPIC,
                    "sent-twice",
                    format!("{start} both {both} of {}: it costs a second call, and adds nothing", first.title()),
                )
                .advise("Their selectors should exclude each other, as the chart's do")
            } else {
                let both = format!("{} and {}", first.title(), second.title());
                Check::warning(
                    TOPIC,
                    "two-installations",
                    format!("{start} two installations, {both}: what the first adds, the second takes for the user's"),
                )
                .advise("Remove one of them, or give them namespaces that exclude each other")
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{configuration, namespace, webhook};
    use super::*;

    fn facts(webhooks: &[Value], others: &[Value]) -> Facts {
        let mut configurations = vec![configuration("podgrace", webhooks)];
        configurations.extend(others.iter().cloned());
        let shop = namespace("shop", json!({"podgrace.io/mode": "enforce"}), json!({}));
        Facts::of(&configurations, &[shop], &[])
    }

    #[test]
    fn failing_closed_on_itself_is_worse_than_on_others() {
        let of = |selector: Value| {
            let changes = json!({"failurePolicy": "Fail", "namespaceSelector": selector});
            facts(&[webhook(&changes)], &[])
        };
        let everybody = of(json!({}));
        assert_eq!(everybody.findings(), ["fails-closed-on-itself"]);
        let check = everybody.check("fails-closed-on-itself");
        assert_eq!(
            check.commands,
            [
                r#"kubectl patch mutatingwebhookconfiguration podgrace --type=json -p '[{"op":"add","path":"/webhooks/0/failurePolicy","value":"Ignore"}]'"#
            ]
        );
        let not_itself = of(json!({"matchExpressions": [
            {"key": NAME_LABEL, "operator": "NotIn", "values": ["podgrace"]},
        ]}));
        assert_eq!(not_itself.findings(), ["fails-closed-on-system"]);
        let some = facts(&[webhook(&json!({"failurePolicy": "Fail"}))], &[]);
        assert_eq!(some.findings(), [""; 0]);
        assert_eq!(some.check("fails-closed").commands, [""; 0]);
    }

    #[test]
    fn only_who_comes_later_can_add_what_nobody_sees() {
        let other =
            |name: &str| configuration(name, &[webhook(&json!({"name": "sidecars.example.com"}))]);
        let never = webhook(&json!({"reinvocationPolicy": "Never"}));
        let later = facts(std::slice::from_ref(&never), &[other("zz")]);
        assert_eq!(later.findings(), ["not-reinvoked"]);
        assert!(
            later
                .check("not-reinvoked")
                .message
                .contains("zz (sidecars.example.com)")
        );
        assert_eq!(facts(&[never], &[other("aa")]).findings(), [""; 0]);
        assert_eq!(
            facts(&[webhook(&json!({}))], &[other("zz")]).findings(),
            [""; 0]
        );
    }

    #[test]
    fn a_pod_for_two_webhooks_is_told_once_for_each_two() {
        let both = [
            webhook(&json!({})),
            webhook(&json!({"name": "pods.podgrace.io"})),
        ];
        let twice = facts(&both, &[]);
        assert_eq!(twice.findings(), ["sent-twice"]);
        let second = configuration("second", &[webhook(&json!({}))]);
        let two = facts(&[webhook(&json!({}))], &[second]);
        assert_eq!(two.findings(), ["two-installations"]);
        let message = two.check("two-installations").message;
        assert!(
            message.contains("a pod of namespace shop with no label of its own"),
            "{message}"
        );
    }

    #[test]
    fn a_configuration_is_told_where_it_is_broken_or_switches_off() {
        let mut facts = Facts::well();
        facts.policy.mode = Mode::Off;
        let check = facts.check("mode-off");
        assert!(
            check.message.contains("The replicas have not read it yet"),
            "{}",
            check.message
        );
        assert_eq!(
            check.commands,
            ["kubectl -n podgrace edit configmap podgrace"]
        );
        let mut facts = Facts::well();
        let configured = facts.configured.as_mut().expect("one");
        configured.state = Ok(ConfiguredState::Broken("line 3: no".into()));
        assert_eq!(facts.findings(), ["configuration-broken"]);
        facts.configured.as_mut().expect("one").state = Ok(ConfiguredState::Missing);
        assert_eq!(facts.findings(), [""; 0]);
    }
}
