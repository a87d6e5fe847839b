//! A grace period that ends before the application does.

use serde_json::Map;

use super::super::settings::GracePeriod;
use super::super::shutdown::{Need, StatedBy};
use super::finding::{Finding, Fix};
use super::rule::{Rule, Severity};
use super::subject::{Subject, stated_by};

pub(super) static RULE: Rule = Rule {
    name: "grace-too-short",
    severity: Severity::Warning,
    about: "a grace period shorter than preStop, the stated shutdown time and the margin together",
    harm: 20,
    judges_all: false,
    judge,
};

const FIELD: &str = "/spec/terminationGracePeriodSeconds";

fn judge(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(grace) = &subject.plan.grace else {
        return;
    };
    let Ok(before) = u64::try_from(grace.before) else {
        return;
    };
    let fix = |enough: u64| {
        let grown = subject.grown_grace(enough);
        // Somebody wants it left as it is, or the cap holds it down.
        grown.unwrap_or_else(|| match grace.setting.value {
            GracePeriod::Off => {
                Fix::advice("grace-period is off: a shorter shutdown, or grace-period: auto")
            }
            _ => subject.pod_fix(
                format!(
                    "a shorter shutdown, or terminationGracePeriodSeconds {enough} written by hand: {}s is the most \
                     that stated needs may ask for",
                    grace.cap
                ),
                Map::from_iter([("terminationGracePeriodSeconds".to_owned(), enough.into())]),
            ),
        })
    };
    for need in &grace.needs {
        // What it has today, without the sleep that we would add on top of it.
        let own = own_pre_stop(subject, need);
        let today = own
            .saturating_add(need.application)
            .saturating_add(need.margin);
        let by = match &need.stated_by {
            // Another rule's.
            StatedBy::NothingLeft => continue,
            StatedBy::SpringBoot if own.saturating_add(need.application) > before => continue,
            StatedBy::SpringBoot => "its phase timeout".to_owned(),
            StatedBy::Setting(origin) => stated_by(origin),
        };
        if today <= before {
            continue;
        }
        let hook = if own > 0 {
            format!("{own}s of preStop and ")
        } else {
            String::new()
        };
        let message = format!(
            "SIGKILL at second {before} cuts what {} still does: {hook}{}s after SIGTERM ({by}) and {}s of margin \
             are {today}s",
            need.container, need.application, need.margin
        );
        findings.push(Finding {
            fix: Some(fix(need.total())),
            ..subject.at_pod(&RULE, FIELD, message)
        });
    }
    if let GracePeriod::AtLeast(floor) = grace.setting.value
        && u64::from(floor) > before
    {
        let message = format!(
            "SIGKILL comes at second {before}, and somebody wants at least {floor}s ({})",
            stated_by(&grace.setting.origin)
        );
        findings.push(Finding {
            fix: Some(fix(floor.into())),
            ..subject.at_pod(&RULE, FIELD, message)
        });
    }
}

/// The length of the hook that the container has itself.
fn own_pre_stop(subject: &Subject<'_>, need: &Need) -> u64 {
    subject
        .all()
        .find(|c| *c.container.name == *need.container)
        .and_then(|c| c.container.pre_stop()?.seconds())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    const PORT: &str = r#", "ports": [{"containerPort": 80}]"#;

    #[test]
    fn a_stated_time_that_does_not_fit_is_cut() {
        let case = Case::container(PORT).annotation("podgrace.io/shutdown-timeout", "30s");
        assert_eq!(
            case.message(&RULE),
            "SIGKILL at second 30 cuts what shop still does: 30s after SIGTERM (stated by the pod) and 5s of margin are 35s"
        );
        let fix = case.found(&RULE)[0].fix.clone().expect("a fix");
        assert_eq!(fix.what, "terminationGracePeriodSeconds 30 -> 40");
    }

    #[test]
    fn our_own_sleep_comes_on_top_and_is_no_finding() {
        let fits = Case::container(PORT).annotation("podgrace.io/shutdown-timeout", "25s");
        assert_eq!(fits.found(&RULE), []);
        assert_eq!(
            Case::container(PORT).found(&RULE),
            [],
            "nobody states anything"
        );
    }

    #[test]
    fn a_floor_and_a_wish_to_leave_it_are_told() {
        let floor = Case::container("").annotation("podgrace.io/grace-period", "1m");
        assert_eq!(
            floor.message(&RULE),
            "SIGKILL comes at second 30, and somebody wants at least 60s (stated by the pod)"
        );
        let off = Case::container(PORT)
            .annotation("podgrace.io/grace-period", "off")
            .annotation("podgrace.io/shutdown-timeout", "1m");
        assert!(
            !off.found(&RULE)[0]
                .fix
                .as_ref()
                .expect("a fix")
                .is_injected()
        );
    }
}
