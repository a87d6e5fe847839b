//! A rollout that is called failed while a pod may still be starting.

use serde_json::json;

use super::super::plan::Change;
use super::finding::{Finding, Fix};
use super::rule::{Rule, Severity};
use super::subject::Subject;

pub(super) static RULE: Rule = Rule {
    name: "progress-deadline-short",
    severity: Severity::Warning,
    about: "a startup budget above `progressDeadlineSeconds`: the rollout is called failed while it starts",
    harm: 3,
    judges_all: false,
    judge,
};

/// What a Deployment has where nobody writes one (k8s.io/kubernetes/pkg/apis/apps/v1/defaults.go).
const DEFAULT: i64 = 600;

fn judge(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let controller = subject.controller;
    if controller.kind != "Deployment" {
        return;
    }
    let deadline = controller.progress_deadline.unwrap_or(DEFAULT);
    let longest = subject
        .considered()
        .filter_map(|examined| {
            let container = examined.container;
            let own = container
                .startup_probe
                .value()
                .map(|probe| (probe.budget(), false));
            let ours = subject.plan.changes.iter().find_map(|change| match change {
                Change::StartupProbe { at, new, .. } if *at.name == *container.name => {
                    Some((new.timing.budget(), true))
                }
                _ => None,
            });
            let (budget, is_ours) = own.or(ours)?;
            Some((budget, is_ours, &*container.name))
        })
        .max_by_key(|(budget, ..)| *budget);
    let Some((budget, is_ours, name)) = longest else {
        return;
    };
    let Ok(budget) = i64::try_from(budget) else {
        return;
    };
    if budget <= deadline {
        return;
    }
    let whose = if is_ours {
        " with the startupProbe that is added"
    } else {
        ""
    };
    let message = format!(
        "the rollout is called failed at second {deadline} while {name} may take {budget}s to start{whose}: kubectl \
         rollout status and whoever waits for it give up on a pod that would come"
    );
    let after = budget
        .saturating_add(controller.min_ready_seconds)
        .saturating_add(60);
    let what = format!("progressDeadlineSeconds {after}, or a shorter startup-timeout");
    findings.push(Finding {
        fix: Some(Fix::at(what, "/spec/progressDeadlineSeconds", json!(after))),
        ..subject.at_object(&RULE, "/spec/progressDeadlineSeconds", message)
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    fn case(threshold: u32, deadline: Option<i64>) -> Case {
        Case::container(&format!(
            r#", "startupProbe": {{"tcpSocket": {{"port": 80}}, "failureThreshold": {threshold}}}"#
        ))
        .controller(|c| c.progress_deadline = deadline)
    }

    #[test]
    fn the_deadline_comes_before_the_end_of_the_start() {
        let message = case(30, Some(120)).message(&RULE);
        assert!(
            message
                .starts_with("the rollout is called failed at second 120 while shop may take 300s")
        );
        assert_eq!(case(61, None).found(&RULE).len(), 1);
        let ours = Case::container(r#", "livenessProbe": {"tcpSocket": {"port": 80}}"#)
            .controller(|c| c.progress_deadline = Some(60));
        assert!(
            ours.message(&RULE)
                .contains("with the startupProbe that is added")
        );
    }

    #[test]
    fn what_fits_and_what_has_no_deadline_is_fine() {
        assert_eq!(case(30, None).found(&RULE), []);
        assert_eq!(case(30, Some(300)).found(&RULE), []);
        let stateful = case(90, None).controller(|c| c.kind = "StatefulSet".into());
        assert_eq!(stateful.found(&RULE), []);
    }
}
