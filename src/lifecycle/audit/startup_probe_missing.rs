//! A container that is killed when it starts slowly, because nothing tells a start from a hang.

use super::super::plan::Change;
use super::super::settings::Setting;
use super::super::skip::{Part, Skip};
use super::super::text;
use super::finding::{Finding, Fix};
use super::rule::{Rule, Severity};
use super::subject::{Examined, Subject};

pub(super) static RULE: Rule = Rule {
    name: "startup-probe-missing",
    severity: Severity::Warning,
    about: "a livenessProbe without a startupProbe: slow starts are killed",
    harm: 40,
    judges_all: false,
    judge,
};

fn judge(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for examined in subject.all() {
        let name = &*examined.container.name;
        let change =
            subject.plan.changes.iter().find(
                |change| matches!(change, Change::StartupProbe { at, .. } if at.name == name),
            );
        match change {
            Some(change) => findings.push(injected(subject, examined, change)),
            None => findings.extend(left_alone(subject, examined)),
        }
    }
}

/// What the engine adds.
fn injected(subject: &Subject<'_>, examined: &Examined<'_>, change: &Change) -> Finding {
    let container = examined.container;
    let name = &*container.name;
    let too_early =
        container.serves() && container.readiness_probe.is_none() && !subject.nobody_calls();
    let sent = || {
        format!(
            "{} {} to {name}",
            subject.at_a_rollout(),
            subject.requests_come()
        )
    };
    let message = match &container.liveness_probe {
        Some(liveness) if too_early => format!(
            "{} before it listens, and a start longer than {}s is killed",
            sent(),
            liveness.budget()
        ),
        Some(liveness) => format!(
            "{name} is killed when its start takes longer than {}s: its livenessProbe does not wait for it",
            liveness.budget()
        ),
        None if too_early => format!(
            "{} before it listens, as long as nothing adds the startupProbe that is asked for",
            sent()
        ),
        None => format!("{name} lacks the startupProbe that is asked for"),
    };
    // A livenessProbe that waits as long is a startupProbe under another name.
    let waits = container.liveness_probe.as_ref().is_some_and(|liveness| {
        matches!(change, Change::StartupProbe { new, .. } if liveness.budget() >= new.timing.budget())
    });
    Finding {
        severity: if waits && !too_early {
            Severity::Info
        } else {
            RULE.severity
        },
        fix: Some(subject.injected(text::change(change), std::slice::from_ref(change))),
        ..subject.at(&RULE, examined, "/startupProbe", message)
    }
}

/// What it does not dare to add, where that would help: the start has less time than we would give it.
fn left_alone(subject: &Subject<'_>, examined: &Examined<'_>) -> Option<Finding> {
    let container = examined.container;
    let name = &*container.name;
    let liveness = container.liveness_probe.as_ref()?;
    let skip = subject.skip(name, Part::StartupProbe)?;
    let is_ready_known = container.readiness_probe.is_some() || !container.serves();
    let short = liveness.budget() < 60;
    if !matches!(skip, Skip::ExecProbe | Skip::PeersNeedReady) || !is_ready_known || !short {
        return None;
    }
    let message = format!(
        "{name} is killed when its start takes longer than {}s; no startupProbe is added, because {}",
        liveness.budget(),
        skip.sentence()
    );
    let key = subject.key(Setting::StartupProbe, name);
    Some(Finding {
        severity: Severity::Info,
        fix: Some(Fix::advice("copy its livenessProbe").or_annotation(&key, "liveness")),
        ..subject.at(&RULE, examined, "/startupProbe", message)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    const LIVENESS: &str =
        r#", "livenessProbe": {"httpGet": {"port": 80}, "initialDelaySeconds": 5}"#;
    const READINESS: &str = r#", "readinessProbe": {"httpGet": {"port": 80}}"#;

    #[test]
    fn a_liveness_probe_kills_slow_starts() {
        let case = Case::container(&format!("{LIVENESS}{READINESS}"));
        let found = &case.found(&RULE)[0];
        assert!(
            found
                .message
                .starts_with("shop is killed when its start takes longer than 35s"),
            "{}",
            found.message
        );
        assert!(found.fix.as_ref().is_some_and(|fix| fix.is_injected));
        let early = Case::container(LIVENESS);
        assert_eq!(
            early.message(&RULE),
            "at a rollout, requests are sent to shop before it listens, and a start longer than 35s is killed"
        );
    }

    #[test]
    fn a_startup_probe_or_none_at_all_is_fine() {
        let startup = r#", "startupProbe": {"httpGet": {"port": 80}}"#;
        assert_eq!(
            Case::container(&format!("{LIVENESS}{startup}")).found(&RULE),
            []
        );
        assert_eq!(Case::container(READINESS).found(&RULE), []);
        let off = Case::container(LIVENESS).label("podgrace.io/mode", "off");
        assert_eq!(off.found(&RULE), []);
    }

    #[test]
    fn what_is_not_copied_is_good_to_know_where_the_time_is_short() {
        let exec = |delay: u32| {
            let liveness =
                format!(r#"{{"exec": {{"command": ["ping"]}}, "initialDelaySeconds": {delay}}}"#);
            Case::container(&format!(r#", "livenessProbe": {liveness}{READINESS}"#)).found(&RULE)
        };
        assert_eq!(exec(0)[0].severity, Severity::Info);
        assert_eq!(exec(60), []);
    }

    #[test]
    fn a_liveness_probe_that_waits_as_long_is_nearly_one() {
        let patient = LIVENESS.replace("5}", "120}");
        let case = Case::container(&format!("{patient}{READINESS}"));
        assert_eq!(case.found(&RULE)[0].severity, Severity::Info);
        assert_eq!(
            Case::container(&patient).found(&RULE)[0].severity,
            Severity::Warning
        );
    }

    #[test]
    fn what_is_asked_for_and_missing_is_found_too() {
        let case = Case::container(r#", "ports": [{"containerPort": 80}]"#)
            .annotation("podgrace.io/startup-probe", "port");
        assert!(
            case.message(&RULE)
                .ends_with("the startupProbe that is asked for")
        );
    }
}
