//! A grace period longer than the cluster autoscaler waits.

use super::finding::{Finding, Fix};
use super::rule::{Rule, Severity};
use super::subject::Subject;

pub(super) static RULE: Rule = Rule {
    name: "grace-above-autoscaler",
    severity: Severity::Info,
    about: "a grace period above 600s: the cluster autoscaler does not wait longer",
    harm: 5,
    judges_all: false,
    judge,
};

fn judge(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let cap = i64::from(subject.policy().longest_grace);
    let before = subject.pod.grace();
    let grace = subject
        .plan
        .grace
        .as_ref()
        .map_or(before, |grace| grace.after);
    if grace <= cap || subject.considered().next().is_none() {
        return;
    }
    let becomes = if before > cap {
        String::new()
    } else {
        format!(" (it is {before}s today)")
    };
    let message = format!(
        "the cluster autoscaler takes the node away at second {cap}: of the {grace}s of grace{becomes}, the last \
         {}s are then not given",
        grace - cap
    );
    let what = "a shorter grace period, or the autoscaler's --max-graceful-termination-sec raised (and \
                maxGracePeriod in the configuration with it)";
    findings.push(Finding {
        fix: Some(Fix::advice(what)),
        ..subject.at_pod(&RULE, "/spec/terminationGracePeriodSeconds", message)
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    #[test]
    fn the_autoscaler_does_not_wait_an_hour() {
        let message = Case::container("").grace(3600).message(&RULE);
        assert!(
            message.contains("at second 600: of the 3600s of grace, the last 3000s"),
            "{message}"
        );
        let grown = Case::container(r#", "ports": [{"containerPort": 80}]"#).grace(598);
        assert!(
            grown
                .message(&RULE)
                .contains("of the 603s of grace (it is 598s today)")
        );
    }

    #[test]
    fn ten_minutes_it_waits_and_longer_where_it_was_told_to() {
        assert_eq!(Case::container("").grace(600).found(&RULE), []);
        let told = Case::container("")
            .grace(3600)
            .policy(|p| p.longest_grace = 3600);
        assert_eq!(told.found(&RULE), []);
    }
}
