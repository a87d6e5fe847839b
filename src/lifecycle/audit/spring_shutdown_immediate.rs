//! Spring Boot that cuts requests in flight.

use serde_json::json;

use super::super::plan::Change;
use super::super::settings::Setting;
use super::super::spring::{self, Property};
use super::super::text;
use super::finding::Finding;
use super::rule::{Rule, Severity};
use super::subject::{Examined, Subject};

pub(super) static RULE: Rule = Rule {
    name: "spring-shutdown-immediate",
    severity: Severity::Warning,
    about: "Spring Boot that is set to immediate shutdown, or of a version (before 3.4) that means it",
    harm: 17,
    judges_all: false,
    judge,
};

const VARIABLE: &str = "SERVER_SHUTDOWN";

fn judge(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for examined in subject.all() {
        let name = &*examined.container.name;
        let ours: Vec<Change> = subject
            .plan
            .changes
            .iter()
            .filter(|change| matches!(change, Change::Variable { at, .. } if at.name == name))
            .cloned()
            .collect();
        if ours
            .iter()
            .any(|change| matches!(change, Change::Variable { name, .. } if *name == VARIABLE))
        {
            let message = format!(
                "{name} cuts requests in flight at SIGTERM if its Spring Boot is older than 3.4 and the jar does not \
                 say otherwise: nothing here sets server.shutdown"
            );
            let what: Vec<String> = ours.iter().map(text::change).collect();
            findings.push(Finding {
                fix: Some(subject.injected(what.join(", "), &ours)),
                ..subject.at(&RULE, examined, "/env", message)
            });
        } else if examined.alone.is_none() {
            findings.extend(stated(subject, examined).or_else(|| unsaid(subject, examined)));
        }
    }
}

/// Somebody set it to immediate.
fn stated(subject: &Subject<'_>, examined: &Examined<'_>) -> Option<Finding> {
    let Property::Stated(value) = spring::property(examined.container, spring::SHUTDOWN) else {
        return None;
    };
    if !value.trim().eq_ignore_ascii_case("immediate") {
        return None;
    }
    let message = format!(
        "{} cuts requests in flight 0.03s after SIGTERM: its server.shutdown is immediate",
        &*examined.container.name
    );
    let place = variable(examined).map_or("/env".to_owned(), |index| format!("/env/{index}"));
    Some(Finding {
        fix: Some(graceful(subject, examined)),
        ..subject.at(&RULE, examined, &place, message)
    })
}

/// It is Spring Boot by what it sets, and whether an older one nobody can see here.
fn unsaid(subject: &Subject<'_>, examined: &Examined<'_>) -> Option<Finding> {
    let container = examined.container;
    let is_spring = container.env().iter().any(|variable| {
        let name = variable.name.to_ascii_uppercase().replace(['.', '-'], "_");
        name.starts_with("SPRING_") && name != "SPRING_APPLICATION_JSON"
    });
    let is_unsaid = spring::property(container, spring::SHUTDOWN) == Property::Absent;
    if !is_spring || !is_unsaid || !container.serves() || !container.env_from.is_empty() {
        return None;
    }
    let name = &*container.name;
    let message = format!(
        "{name} cuts requests in flight at SIGTERM if its Spring Boot is older than 3.4 and the jar does not say \
         otherwise: nothing here sets server.shutdown"
    );
    let key = subject.key(Setting::Profile, name);
    Some(Finding {
        severity: Severity::Info,
        fix: Some(graceful(subject, examined).or_annotation(&key, "spring-boot")),
        ..subject.at(&RULE, examined, "/env", message)
    })
}

fn graceful(subject: &Subject<'_>, examined: &Examined<'_>) -> super::Fix {
    let value = json!([{"name": VARIABLE, "value": "graceful"}]);
    subject.container_fix(format!("{VARIABLE}=graceful"), examined, "env", value)
}

/// The place of the variable that says it, where a variable does.
fn variable(examined: &Examined<'_>) -> Option<usize> {
    let is_it = |name: &str| {
        name.bytes()
            .filter(u8::is_ascii_alphanumeric)
            .map(|b| b.to_ascii_lowercase())
            .eq(*b"servershutdown")
    };
    examined.container.env().iter().position(|v| is_it(&v.name))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    fn case(name: &str, value: &str) -> Case {
        Case::container(&format!(
            r#", "ports": [{{"containerPort": 80}}], "env": [{{"name": "{name}", "value": "{value}"}}]"#
        ))
    }

    #[test]
    fn immediate_cuts_requests() {
        let found = &case("SERVER_SHUTDOWN", "immediate").found(&RULE)[0];
        assert_eq!(
            found.message,
            "shop cuts requests in flight 0.03s after SIGTERM: its server.shutdown is immediate"
        );
        assert_eq!(found.pointer, "/spec/template/spec/containers/0/env/0");
    }

    #[test]
    fn an_older_one_may_mean_it() {
        let found = &case("SPRING_PROFILES_ACTIVE", "prod").found(&RULE)[0];
        assert_eq!(found.severity, Severity::Info);
        let profile = case("A", "b").annotation("podgrace.io/profile", "spring-boot");
        let found = &profile.found(&RULE)[0];
        assert_eq!(found.severity, Severity::Warning);
        assert!(found.fix.as_ref().expect("a fix").is_injected);
    }

    #[test]
    fn graceful_and_other_programs_are_fine() {
        assert_eq!(case("SERVER_SHUTDOWN", "graceful").found(&RULE), []);
        assert_eq!(case("NODE_ENV", "production").found(&RULE), []);
    }
}
