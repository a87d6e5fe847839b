//! A pod that is killed at once.

use serde_json::{Map, Value};

use super::finding::Finding;
use super::rule::{Rule, Severity};
use super::subject::Subject;

pub(super) static RULE: Rule = Rule {
    name: "grace-zero",
    severity: Severity::Warning,
    about: "a grace period of 0: SIGKILL at once, as `kubectl delete --grace-period=0 --force` does",
    harm: 50,
    judges_all: false,
    judge,
};

fn judge(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let grace = subject.pod.grace();
    // What is meant to end by itself, or serves nobody, loses nothing.
    if grace > 0 || subject.serving().next().is_none() {
        return;
    }
    let names: Vec<&str> = subject.serving().map(|c| &*c.container.name).collect();
    let names = names.join(" and ");
    let message = format!(
        "every deletion kills {names} at second 0: requests in flight are cut, and clients that still connect are \
         refused"
    );
    let field = ("terminationGracePeriodSeconds".to_owned(), Value::from(30));
    let what = "terminationGracePeriodSeconds 30, after which a preStop sleep is added";
    findings.push(Finding {
        severity: subject.where_clients_come(RULE.severity),
        fix: Some(subject.pod_fix(what, Map::from_iter([field]))),
        ..subject.at_pod(&RULE, "/spec/terminationGracePeriodSeconds", message)
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    const PORT: &str = r#", "ports": [{"containerPort": 80}]"#;

    #[test]
    fn a_pod_that_is_killed_at_once_cuts_its_requests() {
        let found = &Case::container(PORT).grace(0).found(&RULE)[0];
        assert!(
            found
                .message
                .starts_with("every deletion kills shop at second 0")
        );
        assert_eq!(
            found.pointer,
            "/spec/template/spec/terminationGracePeriodSeconds"
        );
    }

    #[test]
    fn one_second_is_somebodys_arithmetic_and_nobody_calls_a_worker() {
        assert_eq!(Case::container(PORT).grace(1).found(&RULE), []);
        // The API server stores it as 1.
        assert_eq!(Case::container(PORT).grace(-1).found(&RULE), []);
        assert_eq!(Case::container("").grace(0).found(&RULE), []);
    }
}
