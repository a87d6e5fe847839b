//! A sleep that is over before kube-proxy has heard of the deletion.

use serde_json::json;

use super::super::loss::SHORTEST_LOSSLESS_SLEEP;
use super::super::plan::Change;
use super::super::settings::Setting;
use super::super::timeline::ENDPOINT_REMOVED_AFTER;
use super::finding::{Finding, Fix};
use super::rule::{Rule, Severity};
use super::subject::Subject;

pub(super) static RULE: Rule = Rule {
    name: "pre-stop-short",
    severity: Severity::Warning,
    about: "a preStop sleep below 2s: kube-proxy needs up to 1.2s",
    harm: 5,
    judges_all: false,
    judge,
};

fn judge(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for examined in subject.serving() {
        let container = examined.container;
        let name = &*container.name;
        let hook = container.pre_stop();
        let own = hook.and_then(|hook| hook.seconds());
        let ours = subject.plan.changes.iter().find_map(|change| match change {
            Change::PreStop { at, seconds, .. } if at.name == name => Some(u64::from(*seconds)),
            _ => None,
        });
        let Some(seconds) = own.or(ours).filter(|s| *s < SHORTEST_LOSSLESS_SLEEP) else {
            continue;
        };
        let message = format!(
            "{name} gets SIGTERM at second {seconds}, and clients go on connecting to it until second \
             {ENDPOINT_REMOVED_AFTER}: they are refused or hang"
        );
        let fix = if own.is_none() {
            let key = subject.key(Setting::PreStopSleep, name);
            Fix::advice("a sleep of 5s").or_annotation(&key, "5s")
        } else if hook.is_some_and(|hook| hook.sleep.is_some()) {
            let value = json!({"preStop": {"sleep": {"seconds": 5}}});
            subject.container_fix("a sleep of 5s", examined, "lifecycle", value)
        } else {
            Fix::advice("a sleep of 5s")
        };
        findings.push(Finding {
            severity: subject.where_clients_come(RULE.severity),
            fix: Some(fix),
            ..subject.at(&RULE, examined, "/lifecycle/preStop", message)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    fn case(seconds: u32) -> Case {
        Case::container(&format!(
            r#", "ports": [{{"containerPort": 80}}], "lifecycle": {{"preStop": {{"sleep": {{"seconds": {seconds}}}}}}}"#
        ))
    }

    #[test]
    fn one_second_is_too_little() {
        assert_eq!(
            case(1).message(&RULE),
            "shop gets SIGTERM at second 1, and clients go on connecting to it until second 1.2: they are refused \
             or hang"
        );
        let asked_for = Case::container(r#", "ports": [{"containerPort": 80}]"#)
            .annotation("podgrace.io/pre-stop-sleep", "1s");
        assert_eq!(asked_for.found(&RULE).len(), 1);
    }

    #[test]
    fn two_seconds_lost_nothing() {
        assert_eq!(case(2).found(&RULE), []);
        let silent = Case::container(r#", "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}"#);
        assert_eq!(silent.found(&RULE), [], "it does not serve");
    }
}
