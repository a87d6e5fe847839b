//! A serving container that ends before its endpoint is gone.

use super::super::plan::Change;
use super::super::skip::{Part, Skip};
use super::super::text;
use super::super::timeline::ENDPOINT_REMOVED_AFTER;
use super::controller::Selected;
use super::finding::{Finding, Fix};
use super::rule::{Rule, Severity};
use super::subject::{Examined, Subject};

pub(super) static RULE: Rule = Rule {
    name: "pre-stop-missing",
    severity: Severity::Warning,
    about: "a serving container that ends before its endpoint is gone",
    harm: 11,
    judges_all: false,
    judge,
};

fn judge(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for examined in subject.all() {
        let name = &*examined.container.name;
        let change = subject
            .plan
            .changes
            .iter()
            .find(|change| matches!(change, Change::PreStop { at, .. } if at.name == name));
        match change {
            Some(change) => findings.push(injected(subject, examined, change)),
            None => findings.extend(left_alone(subject, examined)),
        }
    }
}

fn message(subject: &Subject<'_>, name: &str) -> String {
    if subject.nobody_calls() {
        return format!(
            "connections to {name} in the first {ENDPOINT_REMOVED_AFTER}s after its SIGTERM are lost; no Service \
             here leads to it, which makes it matter less"
        );
    }
    let who = match &subject.controller.selected {
        Selected::By(service) => format!("Service {service} still sends clients"),
        Selected::Unknown | Selected::ByNone => "clients still connect".to_owned(),
    };
    format!(
        "{who} to {name} for up to {ENDPOINT_REMOVED_AFTER}s after its SIGTERM, at every rollout, scale-in and \
         drain: they are refused or hang"
    )
}

/// What the engine adds: the sleep, and the grace period that it comes on top of.
fn injected(subject: &Subject<'_>, examined: &Examined<'_>, change: &Change) -> Finding {
    let mut changes = vec![change.clone()];
    changes.extend(subject.grace_change().cloned());
    let what: Vec<String> = changes.iter().map(text::change).collect();
    Finding {
        severity: subject.where_clients_come(RULE.severity),
        fix: Some(subject.injected(what.join(", "), &changes)),
        ..subject.at(
            &RULE,
            examined,
            "/lifecycle/preStop",
            message(subject, &examined.container.name),
        )
    }
}

/// What it cannot add for a reason that nobody chose for this pod.
fn left_alone(subject: &Subject<'_>, examined: &Examined<'_>) -> Option<Finding> {
    let container = examined.container;
    if !container.serves() {
        return None;
    }
    let skip = subject.skip(&container.name, Part::PreStop)?;
    if !matches!(
        skip,
        Skip::ProbeGrace | Skip::MeshProxyLeavesFirst(_) | Skip::WindowsExec
    ) {
        return None;
    }
    Some(Finding {
        severity: match skip {
            Skip::WindowsExec => Severity::Info,
            _ => subject.where_clients_come(RULE.severity),
        },
        fix: Some(Fix::advice(format!(
            "no sleep is added: {}",
            skip.sentence()
        ))),
        ..subject.at(
            &RULE,
            examined,
            "/lifecycle/preStop",
            message(subject, &container.name),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    const PORT: &str = r#", "ports": [{"containerPort": 8080}]"#;

    #[test]
    fn who_serves_without_a_sleep_loses_the_last_second() {
        let found = &Case::container(PORT).found(&RULE)[0];
        let fix = found.fix.as_ref().expect("a fix");
        assert_eq!(
            fix.what,
            "shop: preStop sleep 5s, terminationGracePeriodSeconds 30 -> 35"
        );
        assert_eq!(
            fix.yaml.as_deref(),
            Some(
                "spec:\n  template:\n    spec:\n      containers:\n      - name: shop\n        lifecycle:\n          \
                 preStop:\n            sleep:\n              seconds: 5\n      terminationGracePeriodSeconds: 35\n"
            )
        );
        assert_eq!(fix.patch.len(), 2);
    }

    #[test]
    fn any_hook_is_somebodys_answer_and_off_was_meant() {
        let hook = r#", "lifecycle": {"preStop": {"exec": {"command": ["nginx", "-s", "quit"]}}}"#;
        assert_eq!(Case::container(&format!("{PORT}{hook}")).found(&RULE), []);
        let off = Case::container(PORT).annotation("podgrace.io/pre-stop-sleep", "off");
        assert_eq!(off.found(&RULE), []);
        assert_eq!(Case::container("").found(&RULE), [], "it does not serve");
    }

    #[test]
    fn a_proxy_that_leaves_first_is_the_meshs_to_mend() {
        let case = Case::new(
            r#"{"spec": {"containers": [
                {"name": "shop", "ports": [{"containerPort": 80}]}, {"name": "istio-proxy"}]}}"#,
        );
        let fix = case.found(&RULE)[0].fix.clone().expect("a fix");
        assert!(!fix.is_injected);
        assert!(fix.what.contains("istio-proxy would stop"), "{}", fix.what);
    }
}
