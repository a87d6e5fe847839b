//! A Podgrace key or value that means nothing.

use super::super::annotations::{Level, Problem};
use super::super::settings::{DOMAIN, Ignored, MODE_LABEL, Setting};
use super::super::skip::Skip;
use super::super::text;
use super::finding::{Finding, Fix};
use super::rule::{Rule, Severity};
use super::subject::Subject;

pub(super) static RULE: Rule = Rule {
    name: "annotation-invalid",
    severity: Severity::Warning,
    about: "a Podgrace key or value that means nothing",
    harm: 30,
    judges_all: true,
    judge,
};

fn judge(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let by_namespace = subject
        .namespace_said
        .map_or(&[][..], |said| &said.problems);
    for problem in &subject.plan.problems {
        // What a Namespace says wrongly is wrong once, and not in each of its workloads.
        if !by_namespace.iter().any(|other| is_same(problem, other)) {
            findings.push(subject.at_pod(&RULE, &place(problem), text::problem(problem)));
        }
    }
    for skipped in subject.plan.skips.iter().filter(|s| s.why.is_refusal()) {
        // A sleep that was asked for and does not fit; an undeclared port has a rule of its own.
        if let Skip::SleepExceedsGrace(..) = skipped.why {
            let field = format!(
                "/metadata/annotations/{DOMAIN}~1{}",
                Setting::GracePeriod.name()
            );
            findings.push(subject.at_pod(&RULE, &field, text::skipped(skipped)));
        }
    }
    for (pointer, key) in &subject.controller.misplaced {
        let field = if key == MODE_LABEL {
            "labels"
        } else {
            "annotations"
        };
        let message = format!(
            "{key} is on the {} and not on its pods: nobody reads it",
            subject.controller.kind
        );
        let place = format!("{}/metadata/{field}", subject.template);
        findings.push(Finding {
            fix: Some(Fix::advice(format!(
                "write it to {}",
                place.replace('/', ".").trim_start_matches('.')
            ))),
            ..subject.at_object(&RULE, pointer, message)
        });
    }
}

/// What a Namespace says that means nothing; `pointer` is into the Namespace.
pub(super) fn of_namespace(problem: &Problem) -> Finding {
    Finding {
        rule: &RULE,
        severity: RULE.severity,
        container: None,
        pointer: problem.pointer(),
        message: text::problem(problem),
        fix: None,
    }
}

/// A rule that is accepted and finds nothing.
pub(super) fn unused(subject: &Subject<'_>, ignored: &Ignored) -> Finding {
    let name = Setting::Ignore.name();
    let message = format!(
        "{DOMAIN}/{name} accepts {}, which finds nothing here: it would hide the next one ({})",
        ignored.rule, ignored.reason
    );
    Finding {
        fix: Some(Fix::advice(format!("take {} out of it", ignored.rule))),
        ..subject.at_pod(
            &RULE,
            &format!("/metadata/annotations/{DOMAIN}~1{name}"),
            message,
        )
    }
}

/// Whether they are the same but for what the plan found to count instead.
fn is_same(a: &Problem, b: &Problem) -> bool {
    (a.level, &a.key, &a.value, &a.what) == (b.level, &b.key, &b.value, &b.what)
}

/// The field that the problem is about; what the Namespace or the configuration says has none in the pod.
fn place(problem: &Problem) -> String {
    match problem.level {
        Level::Pod | Level::Container => problem.pointer(),
        Level::BuiltIn | Level::Config | Level::Namespace => "/metadata".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    fn message(key: &str, value: &str) -> (String, String) {
        let found = Case::container("").annotation(key, value).found(&RULE);
        assert_eq!(found.len(), 1, "{found:?}");
        (found[0].pointer.clone(), found[0].message.clone())
    }

    #[test]
    fn keys_and_values_that_mean_nothing_are_found() {
        assert_eq!(
            message("podgrace.io/startup-timout", "5m"),
            (
                "/spec/template/metadata/annotations/podgrace.io~1startup-timout".into(),
                "podgrace.io/startup-timout is not a setting (did you mean podgrace.io/startup-timeout?)".into()
            )
        );
        let (_, text) = message("podgrace.io/pre-stop-sleep", "5");
        assert!(text.contains("has no unit (write 5s)"), "{text}");
        let (_, text) = message("podgrace.io/ignore", "grace-zero: x");
        assert!(text.contains("finds nothing here"), "{text}");
        let (pointer, _) = message("profile.podgrace.io/shop", "sprong");
        assert!(pointer.ends_with("/profile.podgrace.io~1shop"), "{pointer}");
    }

    #[test]
    fn a_sleep_that_does_not_fit_was_asked_for_in_vain() {
        let case = Case::container(r#", "ports": [{"containerPort": 80}]"#)
            .annotation("podgrace.io/grace-period", "off")
            .annotation("podgrace.io/pre-stop-sleep", "60s");
        assert!(case.message(&RULE).contains("60s do not fit"));
    }

    #[test]
    fn a_key_on_the_deployment_is_read_by_nobody() {
        let case = Case::container("").controller(|c| {
            c.misplaced = vec![(
                "/metadata/annotations/podgrace.io~1profile".into(),
                "podgrace.io/profile".into(),
            )];
        });
        assert_eq!(
            case.message(&RULE),
            "podgrace.io/profile is on the Deployment and not on its pods: nobody reads it"
        );
    }

    #[test]
    fn what_means_something_and_what_is_the_namespaces_is_not_the_workloads() {
        let fine = Case::container("").annotation("podgrace.io/startup-timeout", "5m");
        assert_eq!(fine.found(&RULE), []);
        let namespace = Case::container("").namespace_annotation("podgrace.io/pre-stop-sleep", "5");
        assert_eq!(namespace.found(&RULE), []);
        let off = Case::container("")
            .label("podgrace.io/mode", "off")
            .annotation("podgrace.io/nonsense", "x");
        assert_eq!(off.found(&RULE).len(), 1);
    }
}
