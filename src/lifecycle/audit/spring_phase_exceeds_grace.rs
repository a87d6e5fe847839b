//! Spring Boot that would still be draining when SIGKILL comes.

use super::super::shutdown::StatedBy;
use super::super::spring;
use super::finding::{Finding, Fix};
use super::rule::{Rule, Severity};
use super::subject::Subject;

pub(super) static RULE: Rule = Rule {
    name: "spring-phase-exceeds-grace",
    severity: Severity::Warning,
    about: "a Spring Boot phase timeout longer than what the grace period leaves after preStop",
    harm: 25,
    judges_all: false,
    judge,
};

fn judge(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let grace = subject.pod.grace();
    let Ok(before) = u64::try_from(grace) else {
        return;
    };
    for examined in subject.considered() {
        let container = examined.container;
        let name = &*container.name;
        let Some(phase) = spring::phase_timeout(container) else {
            continue;
        };
        let hook = container
            .pre_stop()
            .and_then(|hook| hook.seconds())
            .unwrap_or(0);
        // A hook that takes all is another rule's.
        let Some(left) = before.checked_sub(hook).filter(|left| *left >= 2) else {
            continue;
        };
        if phase <= left {
            continue;
        }
        let message = format!(
            "SIGKILL at second {before} cuts requests that Spring Boot in {name} would still let end: it waits up \
             to {phase}s from second {hook} on, and has {left}s"
        );
        // An annotation may say less than the container does, and then nothing grows.
        let need = subject.plan.grace.as_ref().and_then(|grace| {
            grace
                .needs
                .iter()
                .find(|need| need.container == name && need.stated_by == StatedBy::SpringBoot)
        });
        let grown = need.and_then(|need| subject.grown_grace(need.pre_stop.saturating_add(phase)));
        let fix = grown.unwrap_or_else(|| {
            Fix::advice(format!(
                "a phase timeout of at most {left}s, or a longer grace period"
            ))
        });
        findings.push(Finding {
            fix: Some(fix),
            ..subject.at_pod(&RULE, "/spec/terminationGracePeriodSeconds", message)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::super::{grace_too_short, pre_stop_takes_grace};
    use super::*;

    fn case(phase: &str, sleep: u32) -> Case {
        Case::container(&format!(
            r#", "env": [{{"name": "SPRING_LIFECYCLE_TIMEOUT_PER_SHUTDOWN_PHASE", "value": "{phase}"}}],
                "lifecycle": {{"preStop": {{"sleep": {{"seconds": {sleep}}}}}}}"#
        ))
    }

    #[test]
    fn a_phase_longer_than_what_is_left_is_cut() {
        let long = case("25s", 10);
        assert_eq!(
            long.message(&RULE),
            "SIGKILL at second 30 cuts requests that Spring Boot in shop would still let end: it waits up to 25s \
             from second 10 on, and has 20s"
        );
        let fix = long.found(&RULE)[0].fix.clone().expect("a fix");
        assert_eq!(fix.what, "terminationGracePeriodSeconds 30 -> 40");
        assert_eq!(long.found(&grace_too_short::RULE), [], "one is enough");
    }

    #[test]
    fn one_that_fits_is_a_question_of_margin_at_most() {
        assert_eq!(case("20s", 10).found(&RULE), []);
        assert_eq!(case("20s", 10).found(&grace_too_short::RULE).len(), 1);
        assert_eq!(case("15s", 10).found(&grace_too_short::RULE), []);
        assert_eq!(case("5s", 30).found(&RULE), [], "the hook is at fault");
        assert_eq!(case("5s", 30).found(&pre_stop_takes_grace::RULE).len(), 1);
    }
}
