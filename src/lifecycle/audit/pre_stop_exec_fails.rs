//! A sleep that needs a program of the image where the kubelet could sleep itself.

use serde_json::json;

use super::super::policy::SleepAction;
use super::finding::Finding;
use super::rule::{Rule, Severity};
use super::subject::Subject;

pub(super) static RULE: Rule = Rule {
    name: "pre-stop-exec-fails",
    severity: Severity::Info,
    about: "a preStop that runs `sleep` where the native sleep is to be had: images without it lose the sleep silently",
    harm: 11,
    judges_all: false,
    judge,
};

fn judge(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    if subject.policy().sleep_action != SleepAction::Native {
        return;
    }
    for examined in subject.serving() {
        let container = examined.container;
        let Some(hook) = container.pre_stop().filter(|hook| hook.is_exec_sleep()) else {
            continue;
        };
        let seconds = hook.seconds().unwrap_or_default();
        let message = format!(
            "{0} gets SIGTERM at once, and not after {seconds}s, if its image has no sleep program: the hook fails \
             silently, and clients that still connect are refused",
            &*container.name
        );
        // The API server takes no native sleep of nothing, nor one that is longer than the grace period.
        let fits = seconds > 0 && i64::try_from(seconds).is_ok_and(|s| s <= subject.grace());
        let fix = fits.then(|| {
            subject.container_fix(
                format!("the native sleep of {seconds}s, which needs no program"),
                examined,
                "lifecycle",
                json!({"preStop": {"exec": null, "sleep": {"seconds": seconds}}}),
            )
        });
        findings.push(Finding {
            fix,
            ..subject.at(&RULE, examined, "/lifecycle/preStop/exec", message)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    fn case(command: &str) -> Case {
        Case::container(&format!(
            r#", "ports": [{{"containerPort": 80}}], "lifecycle": {{"preStop": {{"exec": {{"command": {command}}}}}}}"#
        ))
    }

    #[test]
    fn a_sleep_program_may_be_missing() {
        for command in [r#"["sleep", "5"]"#, r#"["sh", "-c", "sleep 5"]"#] {
            let message = case(command).message(&RULE);
            assert!(
                message.starts_with("shop gets SIGTERM at once, and not after 5s"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_native_sleep_that_would_be_refused_is_not_proposed() {
        let fix = |command| case(command).found(&RULE)[0].fix.is_some();
        assert!(fix(r#"["sleep", "5"]"#));
        assert!(!fix(r#"["sleep", "3600"]"#));
        assert!(!fix(r#"["sleep", "0"]"#));
    }

    #[test]
    fn other_commands_and_older_clusters_have_no_choice() {
        assert_eq!(case(r#"["nginx", "-s", "quit"]"#).found(&RULE), []);
        let old = case(r#"["sleep", "5"]"#).policy(|p| p.sleep_action = SleepAction::Exec);
        assert_eq!(old.found(&RULE), []);
    }
}
