//! A rollout that leaves nobody to serve.

use serde_json::json;

use super::controller::Strategy;
use super::finding::{Finding, Fix};
use super::rule::{Rule, Severity};
use super::subject::Subject;

pub(super) static RULE: Rule = Rule {
    name: "rollout-drops-capacity",
    severity: Severity::Warning,
    about: "`maxUnavailable` or `Recreate` leaves no serving pod during a rollout",
    harm: 37,
    judges_all: false,
    judge,
};

fn judge(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let controller = subject.controller;
    let fewest = controller.fewest();
    // A grace period of 0 is no reason to keep quiet about this; nobody to serve is.
    if fewest <= 0 || subject.serving().next().is_none() {
        return;
    }
    if controller
        .taken_by_rollout()
        .is_none_or(|taken| taken < fewest)
    {
        return;
    }
    let is_recreate = controller.strategy == Strategy::Recreate;
    let is_stateful = controller.kind == "StatefulSet";
    let why = if is_recreate {
        "Recreate ends all old pods before the first new one starts".to_owned()
    } else if is_stateful && fewest == 1 {
        "a StatefulSet ends its only pod before the new one starts".to_owned()
    } else {
        format!(
            "maxUnavailable lets it end {} before a new one is Ready",
            pods(subject, fewest)
        )
    };
    let budget = controller.budget.as_ref().map_or(String::new(), |budget| {
        format!(
            "; PodDisruptionBudget {} holds evictions back, not rollouts",
            budget.name
        )
    });
    let message = format!(
        "a rollout leaves nobody to serve until the new pod is Ready, and all requests of that time fail: {why}{budget}"
    );
    // A volume that can be mounted only once leaves no other way.
    let is_meant = controller.has_claims || is_stateful;
    let severity = if is_meant {
        Severity::Info
    } else {
        RULE.severity
    };
    let (field, fix) = fix(subject, is_recreate, is_stateful);
    findings.push(Finding {
        severity: severity.min(subject.where_clients_come(RULE.severity)),
        fix: Some(fix),
        ..subject.at_object(&RULE, field, message)
    });
}

fn pods(subject: &Subject<'_>, fewest: i64) -> String {
    let of_whom = match &subject.controller.autoscaler {
        Some(autoscaler) => {
            format!(
                " (the fewest of HorizontalPodAutoscaler {})",
                autoscaler.name
            )
        }
        None => String::new(),
    };
    match fewest {
        1 => format!("the only pod{of_whom}"),
        _ => format!("all {fewest} pods{of_whom}"),
    }
}

fn fix(subject: &Subject<'_>, is_recreate: bool, is_stateful: bool) -> (&'static str, Fix) {
    if is_stateful {
        let fix = Fix::at(
            "two replicas, where the application can be two",
            "/spec/replicas",
            json!(2),
        );
        return ("/spec/replicas", fix);
    }
    let rolling =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}});
    if subject.controller.has_claims {
        let what = "a rolling update, where its volume can be mounted by two pods at a time";
        return ("/spec/strategy", Fix::at(what, "/spec/strategy", rolling));
    }
    let fix = Fix::at(
        "a rolling update that adds a pod first",
        "/spec/strategy",
        rolling,
    );
    match is_recreate {
        true => ("/spec/strategy/type", fix),
        false => ("/spec/strategy/rollingUpdate/maxUnavailable", fix),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::super::{Amount, Autoscaler, DisruptionBudget};
    use super::*;

    fn case() -> Case {
        Case::container(r#", "ports": [{"containerPort": 80}]"#)
    }

    #[test]
    fn recreate_and_a_surge_of_nothing_leave_nobody() {
        let recreate = case().controller(|c| c.strategy = Strategy::Recreate);
        assert!(
            recreate
                .message(&RULE)
                .ends_with("Recreate ends all old pods before the first new one starts")
        );
        let only = case().controller(|c| {
            c.max_unavailable = Some(Amount::Count(1));
            c.budget = Some(DisruptionBudget {
                name: "shop".into(),
            });
        });
        let message = only.message(&RULE);
        assert!(
            message.ends_with(
                "maxUnavailable lets it end the only pod before a new one is Ready; PodDisruptionBudget shop holds \
                 evictions back, not rollouts"
            ),
            "{message}"
        );
    }

    #[test]
    fn an_autoscaler_may_go_down_to_one() {
        let scaled = case().controller(|c| {
            c.replicas = Some(5);
            c.max_unavailable = Some(Amount::Count(1));
        });
        assert_eq!(scaled.found(&RULE), []);
        let scaled = scaled.controller(|c| {
            c.autoscaler = Some(Autoscaler {
                name: "shop".into(),
                min: 1,
                max: 9,
            });
        });
        assert_eq!(scaled.found(&RULE).len(), 1);
    }

    #[test]
    fn the_default_strategy_nobody_to_serve_and_nothing_running_are_fine() {
        assert_eq!(case().found(&RULE), []);
        let worker = Case::container("").controller(|c| c.strategy = Strategy::Recreate);
        assert_eq!(worker.found(&RULE), []);
        let none = case().controller(|c| {
            c.strategy = Strategy::Recreate;
            c.replicas = Some(0);
        });
        assert_eq!(none.found(&RULE), []);
    }

    #[test]
    fn a_volume_leaves_no_other_way() {
        let recreate = case().controller(|c| {
            c.strategy = Strategy::Recreate;
            c.has_claims = true;
        });
        assert_eq!(recreate.found(&RULE)[0].severity, Severity::Info);
        let stateful = case().controller(|c| c.kind = "StatefulSet".into());
        assert_eq!(stateful.found(&RULE)[0].severity, Severity::Info);
    }
}
