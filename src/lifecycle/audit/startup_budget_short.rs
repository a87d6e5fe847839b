//! A startupProbe that gives up before the time that somebody says the start may take.

use serde_json::json;

use super::finding::Finding;
use super::rule::{Rule, Severity};
use super::subject::{Subject, stated_by};

pub(super) static RULE: Rule = Rule {
    name: "startup-budget-short",
    severity: Severity::Warning,
    about: "a startupProbe that gives up before the stated startup-timeout",
    harm: 35,
    judges_all: false,
    judge,
};

fn judge(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for examined in subject.considered() {
        let container = examined.container;
        let name = &*container.name;
        let Some(probe) = container.startup_probe.value() else {
            continue;
        };
        let Some((timeout, origin)) = subject.stated_startup_timeout(name) else {
            continue;
        };
        let budget = probe.budget();
        if budget >= timeout {
            continue;
        }
        let message = format!(
            "the startupProbe of {name} gives up after {budget}s, and its start may take {timeout}s ({}): it is \
             killed while it starts, again and again",
            stated_by(&origin)
        );
        let threshold = timeout
            .saturating_sub(probe.initial_delay())
            .div_ceil(probe.period());
        let what = format!("failureThreshold {threshold}");
        let value = json!({ "failureThreshold": threshold });
        findings.push(Finding {
            fix: Some(subject.container_fix(what, examined, "startupProbe", value)),
            ..subject.at(&RULE, examined, "/startupProbe/failureThreshold", message)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    fn case(threshold: u32) -> Case {
        let probe = format!(
            r#"{{"tcpSocket": {{"port": 80}}, "periodSeconds": 5, "failureThreshold": {threshold}}}"#
        );
        Case::container(&format!(r#", "startupProbe": {probe}"#))
    }

    #[test]
    fn the_probe_gives_up_before_the_stated_time() {
        let short = case(10).annotation("podgrace.io/startup-timeout", "2m");
        let found = &short.found(&RULE)[0];
        assert!(
            found.message.starts_with(
                "the startupProbe of shop gives up after 50s, and its start may take 120s (stated by the pod)"
            ),
            "{}",
            found.message
        );
        assert_eq!(
            found.fix.as_ref().expect("a fix").what,
            "failureThreshold 24"
        );
    }

    #[test]
    fn long_enough_or_nobody_says_so() {
        assert_eq!(
            case(24)
                .annotation("podgrace.io/startup-timeout", "2m")
                .found(&RULE),
            []
        );
        assert_eq!(
            case(10).found(&RULE),
            [],
            "our default is nobody's statement"
        );
    }
}
