//! The audit: what is wrong with one workload, what is lost by it and when.
//!
//! Each rule has a file, and a page of its own in `docs/rules`. What a pod lacks is never judged here: the
//! rules about it read the same [`Plan`](super::plan::Plan) that the webhook carries out. The others are
//! about what no patch of a pod can mend.

mod annotation_invalid;
mod controller;
mod finding;
mod grace_above_autoscaler;
mod grace_too_short;
mod grace_zero;
mod pre_stop_exec_fails;
mod pre_stop_missing;
mod pre_stop_short;
mod pre_stop_takes_grace;
mod probe_port_unknown;
mod progress_deadline_short;
mod rollout_drops_capacity;
mod rule;
mod spring_phase_exceeds_grace;
mod spring_shutdown_immediate;
mod startup_budget_short;
mod startup_probe_missing;
mod subject;
#[cfg(test)]
mod testing;
mod traffic_before_ready;
mod yaml;

pub use controller::{Amount, Autoscaler, Controller, DisruptionBudget, Selected, Strategy};
pub use finding::{Finding, Fix};
pub use rule::{PAGES, Rule, Severity};
pub use subject::Subject;

use super::annotations::Problem;
use super::settings::Ignored;

/// Every rule, in the order of the documentation.
pub static RULES: [&Rule; 16] = [
    &traffic_before_ready::RULE,
    &startup_probe_missing::RULE,
    &startup_budget_short::RULE,
    &probe_port_unknown::RULE,
    &pre_stop_missing::RULE,
    &pre_stop_short::RULE,
    &pre_stop_exec_fails::RULE,
    &pre_stop_takes_grace::RULE,
    &grace_too_short::RULE,
    &grace_zero::RULE,
    &grace_above_autoscaler::RULE,
    &spring_shutdown_immediate::RULE,
    &spring_phase_exceeds_grace::RULE,
    &rollout_drops_capacity::RULE,
    &progress_deadline_short::RULE,
    &annotation_invalid::RULE,
];

/// What the rules say about one workload.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judgement {
    /// What is found, in the order of the rules.
    pub findings: Vec<Finding>,
    /// What is found too and somebody accepts, with the reason.
    pub accepted: Vec<(Finding, String)>,
}

/// Judges a workload by every rule. Which of them are told is up to whoever asks: what `ignore` accepts in
/// vain can only be known when all were asked.
pub fn judge(subject: &Subject<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    let mut all = Vec::new();
    for rule in RULES {
        if !subject.is_left_alone() || rule.judges_all {
            (rule.judge)(subject, &mut all);
        }
    }
    if subject.is_killed_at_once() {
        // Nothing is added to it, whatever its annotations say.
        for fix in all.iter_mut().filter_map(|finding| finding.fix.as_mut()) {
            fix.annotation = None;
        }
    }
    let own: &[Ignored] = subject.said.settings.ignore.as_deref().unwrap_or_default();
    let inherited = subject
        .namespace_said
        .and_then(|said| said.settings.ignore.as_deref())
        .unwrap_or_default();
    let mut used = vec![false; own.len()];
    for finding in all {
        let accepts = |ignored: &Ignored| ignored.rule == finding.rule.name;
        let by_pod = own.iter().position(accepts);
        if let Some(index) = by_pod {
            used[index] = true;
        }
        let reason = by_pod
            .map(|index| &own[index])
            .or_else(|| inherited.iter().find(|i| accepts(i)))
            .map(|ignored| ignored.reason.clone());
        match reason {
            Some(reason) => judgement.accepted.push((finding, reason)),
            None => judgement.findings.push(finding),
        }
    }
    // Nothing is looked for in a pod that is left alone.
    let is_judged = !subject.is_left_alone();
    let unused = own.iter().zip(used);
    let unused = unused.filter(|(_, used)| is_judged && !used);
    judgement
        .findings
        .extend(unused.map(|(ignored, _)| annotation_invalid::unused(subject, ignored)));
    judgement
}

/// What a Namespace says that means nothing; the pointer is into the Namespace.
pub fn of_namespace(problem: &Problem) -> Finding {
    annotation_invalid::of_namespace(problem)
}

#[cfg(test)]
mod tests {
    use super::testing::Case;
    use super::*;

    const NOTHING: &str =
        r#"{"spec": {"containers": [{"name": "shop", "ports": [{"containerPort": 80}]}]}}"#;

    #[test]
    fn names_are_unique_and_every_rule_says_what_it_is_about() {
        for (index, rule) in RULES.iter().enumerate() {
            assert!(
                !rule.about.is_empty() && !rule.about.ends_with('.'),
                "{}",
                rule.name
            );
            assert!(RULES[..index].iter().all(|other| other != rule));
        }
    }

    #[test]
    fn what_is_accepted_with_a_reason_is_counted_and_not_found() {
        let case = Case::new(NOTHING).annotation(
            "podgrace.io/ignore",
            "traffic-before-ready: it listens at once; pre-stop-missing: batch",
        );
        let judgement = case.judge();
        assert_eq!(judgement.findings, []);
        let reasons: Vec<_> = judgement
            .accepted
            .iter()
            .map(|(finding, reason)| (finding.rule.name, reason.as_str()))
            .collect();
        assert_eq!(
            reasons,
            [
                ("traffic-before-ready", "it listens at once"),
                ("pre-stop-missing", "batch")
            ]
        );
    }

    #[test]
    fn a_namespace_accepts_for_its_pods_and_need_not_for_each_of_them() {
        let case = Case::new(NOTHING)
            .namespace_annotation("podgrace.io/ignore", "pre-stop-missing: a; grace-zero: b");
        let judgement = case.judge();
        assert_eq!(case.names(), ["traffic-before-ready"]);
        assert_eq!(judgement.accepted.len(), 1);
    }

    #[test]
    fn what_is_accepted_in_vain_is_found() {
        let case = Case::new(NOTHING).annotation(
            "podgrace.io/ignore",
            "grace-zero: why; pre-stop-missing: yes",
        );
        assert_eq!(case.names(), ["traffic-before-ready", "annotation-invalid"]);
        let off = case.label("podgrace.io/mode", "off");
        assert_eq!(off.names(), Vec::<&str>::new());
    }
}
