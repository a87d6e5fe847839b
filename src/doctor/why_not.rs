//! Why a pod came back as it was sent. `failurePolicy: Ignore` hides it from whoever makes a pod, so the webhook
//! is asked another way, and the API server's own counts are read.

use std::collections::BTreeMap;
use std::time::Duration;

use super::facts::{Answer, Asked, Calls, Facts, Trial, Unanswered};
use super::hooks::Hook;
use super::report::Check;
use super::trial::TOPIC;
use crate::cluster::labels;
use crate::lifecycle::seconds;

/// What an API server counts of its calls of webhooks, by webhook and HTTP code.
const CALLS: &str = "apiserver_admission_webhook_request_total{";

pub(super) fn why_not(facts: &Facts, trial: &Trial, who: &str, is_distrusted: bool) -> Check {
    let start = format!("{who} comes back as it was sent");
    if facts.hooks.is_err() {
        let message = format!("{start}, and which webhooks there are could not be looked at");
        return Check::warning(TOPIC, "not-injected", message);
    }
    let pod = labels(&trial.pod);
    let namespace = facts.census.labels_of(&trial.namespace);
    let pod_hooks: Vec<&Hook> = facts.ours().filter(|hook| hook.changes_pods()).collect();
    let seeing: Vec<&&Hook> = pod_hooks
        .iter()
        .filter(|hook| hook.sees(&namespace, &pod))
        .collect();
    let Some(hook) = seeing.first() else {
        let refusals: Vec<String> = pod_hooks
            .iter()
            .map(|hook| format!("{} by its {}", hook.name, hook.refusal(&namespace)))
            .collect();
        return Check::warning(
            TOPIC,
            "not-matched",
            format!(
                "{start}: the API server does not ask about it ({})",
                refusals.join(", ")
            ),
        );
    };
    let hidden = match hook.fails_closed {
        true => "",
        false => ", which failurePolicy Ignore hides",
    };
    let not_called = format!("{start}: the API server gets no answer of the webhook{hidden}");
    match &trial.asked {
        Some(Asked {
            way,
            answer: Ok(answer),
            took,
        }) => {
            let answered = Answered {
                trial,
                hook,
                start: &start,
                way,
                took: *took,
            };
            answered.but(answer, is_distrusted)
        }
        Some(Asked {
            way,
            answer: Err(Unanswered::Failed(why)),
            ..
        }) => {
            let message = format!("{not_called}. Asked {way}: {why}");
            Check::error(TOPIC, "unreachable", message)
        }
        asked => {
            let check = match &trial.calls {
                Some(Calls::Failed(code)) => {
                    let message = format!("{not_called}. It counted a failed call, as {code}");
                    Check::error(TOPIC, "unreachable", message)
                }
                _ => {
                    let message = format!("{start}, and why is not known");
                    Check::error(TOPIC, "not-injected", message)
                }
            };
            let forbidden = asked.as_ref().and_then(|asked| match &asked.answer {
                Err(Unanswered::Forbidden(error)) => Some(error),
                _ => None,
            });
            match forbidden {
                Some(error) => check.advise(format!("The webhook was not asked: {error}")),
                None => check,
            }
        }
    }
}

/// A webhook that answers when it is asked another way.
struct Answered<'w> {
    trial: &'w Trial,
    hook: &'w Hook,
    start: &'w str,
    way: &'w str,
    took: Duration,
}

impl Answered<'_> {
    /// Why the pod came back as it was sent all the same.
    fn but(&self, answer: &Answer, is_distrusted: bool) -> Check {
        let Self {
            trial,
            hook,
            start,
            way,
            took,
        } = self;
        let error = |code, why: String| Check::error(TOPIC, code, format!("{start}: {why}"));
        match (&*answer.mode, &answer.changes) {
        ("off", _) => error(
            "mode-off",
            "the webhook answers that its mode is off. The configuration's mode: off is the kill switch, and no label \
             overrides it"
                .to_owned(),
        ),
        (_, None) => {
            let why = answer.skipped.as_deref().unwrap_or("no reason is given");
            let warnings = answer.warnings.join("; ");
            let said = if warnings.is_empty() { why.to_owned() } else { format!("{why}; {warnings}") };
            error("left-alone", format!("the webhook answers and leaves it alone: {said}"))
                .advise("What each reason means: docs/troubleshooting.md")
        }
        (_, Some(_)) if is_distrusted => error(
            "distrusted",
            format!("asked {way} the webhook would inject, but the API server does not trust its certificate: see above"),
        ),
        (_, Some(_)) => {
            let evidence = match &trial.calls {
                Some(Calls::Failed(code)) => format!(" (it counted a failed call, as {code})"),
                Some(Calls::Nothing) => " (it counted no call)".to_owned(),
                _ => String::new(),
            };
            let limit = u64::try_from(hook.timeout).unwrap_or(0);
            if took.as_secs() >= limit {
                let took = seconds::rough(took.as_secs());
                return error(
                    "too-slow",
                    format!("asked {way} the webhook answers after {took}, and the API server waits {limit} s only"),
                )
                .advise("See why it is slow: its CPU limit, its log, the network between the API server and it");
            }
            if !hook.conditions.is_empty() {
                let names = hook.conditions.join(", ");
                let said = format!("asked {way} the webhook would inject; its matchConditions ({names}) keep the API server from asking{evidence}");
                // The pod of the trial need not be one that they are about.
                return match &trial.calls {
                    Some(Calls::Failed(_)) => error("conditions", said),
                    _ => Check::warning(TOPIC, "conditions", format!("{start}: {said}"))
                        .advise("Whether they are about this pod at all is not known; look at one that they let through"),
                };
            }
            error(
                "calls-fail",
                format!("asked {way} the webhook would inject, but the API server's own call gets no answer{evidence}"),
            )
            .advise(
                "If its configuration is only seconds old, run this again. Else a NetworkPolicy, a firewall or a proxy is \
                 between the API server and its pods; the API server's log has the reason, behind \"failed calling \
                 webhook\"",
            )
        }
    }
    }
}

/// What an API server counted between two readings of its metrics.
pub fn calls(before: &str, after: &str, names: &[&str]) -> Calls {
    let (before, after) = (counts(before, names), counts(after, names));
    let more = |code: &&String| {
        let earlier = before.get(*code).copied().unwrap_or(0.0);
        after.get(*code).is_some_and(|now| *now > earlier)
    };
    let mut codes: Vec<&String> = after.keys().filter(more).collect();
    // Somebody else's pod may have been answered meanwhile: a failure says more.
    codes.sort_by_key(|code| code.starts_with('2'));
    match codes.first() {
        None => Calls::Nothing,
        Some(code) if code.starts_with('2') => Calls::Answered,
        Some(code) => Calls::Failed((*code).clone()),
    }
}

fn counts(metrics: &str, names: &[&str]) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    for line in metrics.lines().filter_map(|line| line.strip_prefix(CALLS)) {
        let Some((labels, value)) = line.rsplit_once("} ") else {
            continue;
        };
        let label = |name: &str| {
            let start = labels.find(&format!("{name}=\""))? + name.len() + 2;
            labels[start..].split('"').next()
        };
        if let (Some(name), Some(code), Ok(value)) =
            (label("name"), label("code"), value.parse::<f64>())
            && names.contains(&name)
        {
            *counts.entry(code.to_owned()).or_insert(0.0) += value;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{forbidden, namespace, trial};
    use super::*;

    fn untouched(asked: Option<Asked>, calls: Option<Calls>) -> Facts {
        let mut facts = Facts::well();
        facts.trial = Some(Trial {
            asked,
            calls,
            ..trial(&json!({}))
        });
        facts
    }

    fn asked(answer: Result<Answer, Unanswered>, took: u64) -> Option<Asked> {
        Some(Asked {
            way: "through the API server",
            answer,
            took: Duration::from_secs(took),
        })
    }

    fn answer(mode: &str, changes: Option<&str>) -> Answer {
        Answer {
            mode: mode.into(),
            changes: changes.map(str::to_owned),
            skipped: Some("web: not-serving".into()),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn each_way_of_not_being_injected_has_its_code() {
        let refused = || Err(Unanswered::Failed("connection refused".into()));
        let would = |took| asked(Ok(answer("enforce", Some("web: preStop sleep 5s"))), took);
        let failed = Some(Calls::Failed("503".into()));
        for (facts, code, says) in [
            (
                untouched(asked(refused(), 0), None),
                "unreachable",
                "API server: connection refused",
            ),
            (
                untouched(asked(Ok(answer("off", None)), 0), None),
                "mode-off",
                "kill switch",
            ),
            (
                untouched(asked(Ok(answer("enforce", None)), 0), None),
                "left-alone",
                "web: not-serving",
            ),
            (
                untouched(would(3), None),
                "too-slow",
                "answers after 3 s, and the API server waits 2 s",
            ),
            (
                untouched(would(0), failed.clone()),
                "calls-fail",
                "counted a failed call, as 503",
            ),
            (
                untouched(would(0), Some(Calls::Nothing)),
                "calls-fail",
                "(it counted no call)",
            ),
            (
                untouched(None, failed),
                "unreachable",
                "It counted a failed call, as 503",
            ),
            (untouched(None, None), "not-injected", "why is not known"),
        ] {
            let check = facts.check(code);
            assert!(check.message.contains(says), "{}", check.message);
            assert_eq!(facts.findings().last(), Some(&code));
        }
        let facts = untouched(
            asked(Err(Unanswered::Forbidden(Box::new(forbidden()))), 0),
            None,
        );
        let advice = facts.check("not-injected").advice;
        assert!(advice.is_some_and(|advice| advice.contains("jane has no permission")));
    }

    #[test]
    fn what_only_an_api_server_evaluates_is_named() {
        let would = asked(Ok(answer("enforce", Some("web: preStop sleep 5s"))), 0);
        let mut facts = untouched(would, Some(Calls::Nothing));
        facts.hooks.as_mut().expect("hooks")[0].conditions = vec!["not-mine".into()];
        let message = facts.check("conditions").message;
        assert!(
            message.contains("its matchConditions (not-mine) keep"),
            "{message}"
        );
    }

    #[test]
    fn a_pod_that_no_selector_takes_is_not_asked_about() {
        let mut facts = untouched(None, None);
        let shop = namespace("shop", json!({}), json!({}));
        let ours: Vec<Hook> = facts.ours().cloned().collect();
        let read = super::super::namespaces::Namespace::of(
            &shop,
            &ours.iter().collect::<Vec<_>>(),
            &facts.policy,
        );
        facts.census = super::super::pods::Census::new(ours, facts.policy.clone(), [read]);
        let message = facts.check("not-matched").message;
        assert!(
            message.contains("namespaces.podgrace.io by its namespaceSelector"),
            "{message}"
        );
    }

    #[test]
    fn a_failed_call_is_seen_in_the_api_servers_counts() {
        let line = |code: &str, name: &str, count: u32| {
            format!(
                "{CALLS}code=\"{code}\",name=\"{name}\",operation=\"CREATE\",rejected=\"false\",type=\"admit\"}} {count}\n"
            )
        };
        let ours = ["namespaces.podgrace.io"];
        let before = line("200", ours[0], 5) + &line("503", "other.example", 1);
        let calls = |after: &str| calls(&before, after, &ours);
        assert_eq!(calls(&before), Calls::Nothing);
        assert_eq!(calls(&(line("200", ours[0], 6) + "x 1")), Calls::Answered);
        let failed = line("200", ours[0], 6) + &line("503", ours[0], 1);
        assert_eq!(calls(&failed), Calls::Failed("503".into()));
        assert_eq!(calls(&line("503", "other.example", 7)), Calls::Nothing);
    }
}
