//! A serving container of which nothing says when it is ready.

use serde_json::{Value, json};

use super::super::handler::Source;
use super::super::plan::Change;
use super::super::settings::Setting;
use super::super::skip::{Part, Skip};
use super::finding::{Finding, Fix};
use super::rule::{Rule, Severity};
use super::subject::{Examined, Subject};

pub(super) static RULE: Rule = Rule {
    name: "traffic-before-ready",
    severity: Severity::Warning,
    about: "a serving container that gets requests before it listens: no readinessProbe, no startupProbe, \
            nothing to derive one from",
    harm: 54,
    judges_all: false,
    judge,
};

fn judge(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for examined in subject.serving() {
        let container = examined.container;
        let name = &*container.name;
        let is_gated =
            container.readiness_probe.is_some() || container.startup_probe.value().is_some();
        let is_injected = subject
            .plan
            .changes
            .iter()
            .any(|change| matches!(change, Change::StartupProbe { at, .. } if at.name == name));
        let skip = subject.skip(name, Part::StartupProbe);
        // Who says off has been told.
        if is_gated || is_injected || skip == Some(&Skip::StartupProbeOff) {
            continue;
        }
        let message = if subject.nobody_calls() {
            format!(
                "{name} counts as ready before it listens: nothing says when it is; no Service here leads to it, \
                 which makes it matter less"
            )
        } else {
            format!(
                "{} {} to {name} before it listens: nothing says when it is ready",
                subject.at_a_rollout(),
                subject.requests_come()
            )
        };
        let severity = subject.where_clients_come(RULE.severity);
        findings.push(Finding {
            severity,
            fix: Some(fix(subject, examined, skip)),
            ..subject.at(&RULE, examined, "/readinessProbe", message)
        });
    }
}

/// A probe on what the container says about itself: its own liveness probe, else its port.
fn fix(subject: &Subject<'_>, examined: &Examined<'_>, skip: Option<&Skip>) -> Fix {
    let container = examined.container;
    let key = subject.key(Setting::StartupProbe, &container.name);
    if container.liveness_probe.is_some() {
        // The engine has a reason for not copying it.
        let why = Fix::advice(skip.map(Skip::sentence).unwrap_or_default());
        return match skip {
            // A copy by name would be refused for the same reason.
            Some(Skip::PortUndeclared(_) | Skip::ProbeUnreadable) => why,
            _ => why.or_annotation(&key, "liveness"),
        };
    }
    let ports: Vec<_> = container
        .tcp_ports()
        .filter(|port| !port.is_for_metrics())
        .collect();
    let port = ports
        .iter()
        .find(|port| {
            port.name
                .as_deref()
                .is_some_and(|name| name.starts_with("http"))
        })
        .or(ports.first());
    let Some(port) = port.map(|port| port.container_port) else {
        return Fix::advice("give it a readinessProbe");
    };
    let what =
        format!("a startupProbe on port {port}, or a readinessProbe that asks whether it can work");
    let fix = subject.container_fix(what, examined, "startupProbe", on_port(port));
    let one_port = container.tcp_ports().count() == 1 && !subject.pod.spec.host_network;
    match one_port {
        true => fix.or_annotation(&key, Source::Port.word()),
        false => fix.or_annotation(&key, &format!("tcp://:{port}")),
    }
}

/// What `startup-probe: port` would write.
fn on_port(port: i32) -> Value {
    json!({"tcpSocket": {"port": port}, "periodSeconds": 1, "failureThreshold": 150})
}

#[cfg(test)]
mod tests {
    use super::super::Selected;
    use super::super::testing::Case;
    use super::*;

    const PORT: &str = r#", "ports": [{"containerPort": 8080}]"#;

    #[test]
    fn a_port_without_any_probe_gets_requests_too_early() {
        let found = &Case::container(PORT).found(&RULE)[0];
        assert_eq!(
            found.message,
            "at a rollout, requests are sent to shop before it listens: nothing says when it is ready"
        );
        assert_eq!(
            found.pointer,
            "/spec/template/spec/containers/0/readinessProbe"
        );
        let fix = found.fix.as_ref().expect("a fix");
        assert_eq!(
            fix.annotation.as_deref(),
            Some("podgrace.io/startup-probe: port")
        );
    }

    #[test]
    fn a_probe_that_is_there_or_comes_is_enough() {
        for probe in [
            r#", "readinessProbe": {"tcpSocket": {"port": 8080}}"#,
            r#", "startupProbe": {"tcpSocket": {"port": 8080}}"#,
            r#", "livenessProbe": {"tcpSocket": {"port": 8080}}"#,
        ] {
            assert_eq!(Case::container(&format!("{PORT}{probe}")).found(&RULE), []);
        }
    }

    #[test]
    fn nobody_calls_a_metrics_port_or_a_job_and_off_was_meant() {
        let metrics = r#", "ports": [{"containerPort": 9090, "name": "http-metrics"}]"#;
        assert_eq!(Case::container(metrics).found(&RULE), []);
        let job = r#"{"spec": {"restartPolicy": "Never", "containers": [{"name": "shop", "ports": [{"containerPort": 80}]}]}}"#;
        assert_eq!(Case::new(job).found(&RULE), []);
        let off = Case::container(PORT).annotation("podgrace.io/startup-probe", "off");
        assert_eq!(off.found(&RULE), []);
    }

    #[test]
    fn it_matters_less_where_no_service_leads() {
        let case = Case::container(PORT).controller(|c| c.selected = Selected::ByNone);
        assert_eq!(case.found(&RULE)[0].severity, Severity::Info);
        let on_host = case.controller(|c| c.is_on_host = true);
        assert_eq!(on_host.found(&RULE)[0].severity, Severity::Warning);
        let called = on_host.controller(|c| c.selected = Selected::By("shop".into()));
        assert!(
            called
                .message(&RULE)
                .starts_with("at a rollout, Service shop sends requests to shop")
        );
    }

    #[test]
    fn a_probe_that_is_not_copied_says_why_and_how() {
        let exec = r#", "ports": [{"containerPort": 1}, {"containerPort": 2}], "livenessProbe": {"exec": {"command": ["true"]}}"#;
        let found = &Case::container(exec).found(&RULE)[0];
        let fix = found.fix.as_ref().expect("a fix");
        assert_eq!(
            fix.annotation.as_deref(),
            Some("podgrace.io/startup-probe: liveness")
        );
        assert!(
            fix.what.starts_with("its probe runs a command"),
            "{}",
            fix.what
        );
    }
}
