//! A probe that asks a port by a name that its container does not declare.

use super::super::nearest::nearest;
use super::finding::{Finding, Fix};
use super::rule::{Rule, Severity};
use super::subject::Subject;

pub(super) static RULE: Rule = Rule {
    name: "probe-port-unknown",
    severity: Severity::Error,
    about: "a probe that names a port which its container does not declare: it never asks anything",
    harm: 100,
    judges_all: false,
    judge,
};

fn judge(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for examined in subject.all() {
        let container = examined.container;
        let name = &*container.name;
        for (field, probe) in [
            ("startupProbe", container.startup_probe.value()),
            ("readinessProbe", container.readiness_probe.as_ref()),
            ("livenessProbe", container.liveness_probe.as_ref()),
        ] {
            let Some(probe) = probe else { continue };
            let Some(port) = probe
                .named_port()
                .filter(|p| container.port_named(p).is_none())
            else {
                continue;
            };
            let is_gate = field != "livenessProbe";
            // The kubelet throws such a result away: it is neither a success nor a failure.
            let lost = if is_gate {
                format!("{name} is never Ready, and a rollout stops there")
            } else {
                format!("a hang of {name} is never noticed")
            };
            let message = format!(
                "the {field} of {name} asks the port {port}, which the container does not declare: {lost}"
            );
            let names = || container.ports.iter().filter_map(|p| p.name.as_deref());
            let what = match nearest(port, names()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("give one of its ports the name {port}, or use the number"),
            };
            let handler = if probe.fields.http_get.is_some() {
                "httpGet"
            } else {
                "tcpSocket"
            };
            findings.push(Finding {
                severity: if is_gate {
                    RULE.severity
                } else {
                    Severity::Warning
                },
                fix: Some(Fix::advice(what)),
                ..subject.at(
                    &RULE,
                    examined,
                    &format!("/{field}/{handler}/port"),
                    message,
                )
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    fn case(probe: &str, port: &str) -> Vec<Finding> {
        Case::container(&format!(
            r#", "ports": [{{"name": "http", "containerPort": 80}}], "{probe}": {{"httpGet": {{"port": {port}}}}}"#
        ))
        .found(&RULE)
    }

    #[test]
    fn a_name_that_is_not_declared_is_never_asked() {
        let found = &case("readinessProbe", r#""htpp""#)[0];
        assert_eq!(
            found.message,
            "the readinessProbe of shop asks the port htpp, which the container does not declare: shop is never \
             Ready, and a rollout stops there"
        );
        assert_eq!(
            found.fix.as_ref().expect("a fix").what,
            "did you mean http?"
        );
        assert_eq!(
            found.pointer,
            "/spec/template/spec/containers/0/readinessProbe/httpGet/port"
        );
        assert_eq!(
            case("livenessProbe", r#""web""#)[0].severity,
            Severity::Warning
        );
    }

    #[test]
    fn declared_names_and_numbers_are_fine() {
        for port in [r#""http""#, "8080", r#""8080""#] {
            assert_eq!(case("startupProbe", port), [], "{port}");
        }
    }
}
