//! A preStop hook that uses up the grace period.

use serde_json::{Map, Value};

use super::super::shutdown::MINIMUM_AFTER_PRE_STOP;
use super::finding::{Finding, Fix};
use super::rule::{Rule, Severity};
use super::subject::{Examined, Subject};

pub(super) static RULE: Rule = Rule {
    name: "pre-stop-takes-grace",
    severity: Severity::Error,
    about: "a preStop as long as the grace period: the application gets 2s after SIGTERM",
    harm: 60,
    judges_all: false,
    judge,
};

fn judge(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let grace = subject.pod.grace();
    if grace <= 0 {
        return;
    }
    for examined in subject.all() {
        let Some(hook) = examined.container.pre_stop() else {
            continue;
        };
        let Some(seconds) = hook.seconds().and_then(|s| i64::try_from(s).ok()) else {
            continue;
        };
        let is_rejected = hook.sleep.is_some() && seconds > grace;
        let is_used_up = grace.saturating_sub(seconds) < MINIMUM_AFTER_PRE_STOP;
        let is_mine = examined.alone.is_none();
        let counts = is_rejected || (is_used_up && is_mine);
        if !counts {
            continue;
        }
        let name = &*examined.container.name;
        let message = if is_rejected {
            format!(
                "no such pod is ever made: the API server rejects a sleep of {seconds}s in {name} that is longer \
                 than the grace period of {grace}s"
            )
        } else {
            format!(
                "the preStop of {name} sleeps {seconds}s of the {grace}s that there are: {name} gets SIGTERM at \
                 second {} and SIGKILL {MINIMUM_AFTER_PRE_STOP}s later, and what is in flight then is cut",
                seconds.min(grace)
            )
        };
        findings.push(Finding {
            fix: Some(fix(subject, examined, seconds)),
            ..subject.at(&RULE, examined, "/lifecycle/preStop", message)
        });
    }
}

/// The grace period that the plan has, where it has one for this; else a sleep and 20 seconds more.
fn fix(subject: &Subject<'_>, examined: &Examined<'_>, seconds: i64) -> Fix {
    let enough = seconds.saturating_add(MINIMUM_AFTER_PRE_STOP);
    let grown = match (u64::try_from(enough), &examined.alone) {
        (Ok(enough), None) => subject.grown_grace(enough),
        _ => None,
    };
    grown.unwrap_or_else(|| {
        let after = seconds.saturating_add(25);
        let field = (
            "terminationGracePeriodSeconds".to_owned(),
            Value::from(after),
        );
        let what = format!("terminationGracePeriodSeconds {after}, or a shorter sleep");
        subject.pod_fix(what, Map::from_iter([field]))
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    fn case(hook: &str, grace: i64) -> Case {
        Case::container(&format!(
            r#", "ports": [{{"containerPort": 80}}], "lifecycle": {{"preStop": {hook}}}"#
        ))
        .grace(grace)
    }

    #[test]
    fn a_hook_that_takes_everything_leaves_two_seconds() {
        let all = case(r#"{"exec": {"command": ["sleep", "30"]}}"#, 30);
        assert_eq!(
            all.message(&RULE),
            "the preStop of shop sleeps 30s of the 30s that there are: shop gets SIGTERM at second 30 and SIGKILL \
             2s later, and what is in flight then is cut"
        );
        let fix = all.found(&RULE)[0].fix.clone().expect("a fix");
        assert_eq!(fix.what, "terminationGracePeriodSeconds 30 -> 55");
        assert!(fix.is_injected());
        assert_eq!(
            case(r#"{"sleep": {"seconds": 29}}"#, 30).found(&RULE).len(),
            1
        );
    }

    #[test]
    fn a_native_sleep_that_is_longer_is_refused() {
        let message = case(r#"{"sleep": {"seconds": 60}}"#, 30).message(&RULE);
        assert!(message.starts_with("no such pod is ever made"), "{message}");
    }

    #[test]
    fn something_left_or_unknown_is_another_rules() {
        assert_eq!(case(r#"{"sleep": {"seconds": 28}}"#, 30).found(&RULE), []);
        assert_eq!(
            case(r#"{"exec": {"command": ["drain"]}}"#, 1).found(&RULE),
            []
        );
    }
}
