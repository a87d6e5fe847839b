//! What is worth a word to whoever makes a pod, or writes what makes pods: the webhook's warnings, and what
//! `inject` says beside its output.

use super::annotations::Level;
use super::audit::Controller;
use super::plan::{Change, Plan};
use super::pod::Pod;
use super::policy::Mode;
use super::text;

/// What is understood wrongly in a pod, and what is asked for and cannot be had.
pub fn on_pod(plan: &Plan) -> Vec<String> {
    if plan.mode.value == Mode::Off {
        return Vec::new();
    }
    let refusals = plan.skips.iter().filter(|skipped| skipped.why.is_refusal());
    let problems = plan.problems.iter().map(text::problem);
    problems.chain(refusals.map(text::skipped)).collect()
}

/// The same of a workload whose pod it is: also what it says in vain itself, which a pod does not show. Nothing
/// under the kill switch.
pub fn on_workload(pod: &Pod<'_>, plan: &Plan, controller: &Controller) -> Vec<String> {
    if plan.mode.value == Mode::Off && plan.mode.origin.level == Level::Config {
        return Vec::new();
    }
    let mut remarks = on_pod(plan);
    remarks.extend(overrun(pod, plan, controller));
    let kind = controller.kind.to_lowercase();
    let misplaced = controller.misplaced.iter().map(|(_, key)| {
        format!("{key} is on the {kind} and not on its pod template, where it would count")
    });
    remarks.extend(misplaced);
    remarks
}

/// In audit mode, what is only told.
pub fn would_inject(plan: &Plan) -> impl Iterator<Item = String> {
    let told = match plan.mode.value {
        Mode::Audit => plan.changes.as_slice(),
        Mode::Enforce | Mode::Off => &[],
    };
    told.iter()
        .map(|change| format!("would inject {}", text::change(change)))
}

/// That a start may now take longer than the workload waits for it: Ready did not wait for it before.
fn overrun(pod: &Pod<'_>, plan: &Plan, controller: &Controller) -> Option<String> {
    let deadline = controller.progress_deadline?;
    let was_ready_at_once = |name: &str| {
        let mut containers = pod.spec.containers.iter();
        containers.any(|c| &*c.name == name && c.readiness_probe.is_none())
    };
    let budgets = plan.changes.iter().filter_map(|change| match change {
        Change::StartupProbe { at, new, .. } if was_ready_at_once(&at.name) => {
            Some(new.timing.budget())
        }
        _ => None,
    });
    let budget = budgets.max()?;
    (i64::try_from(budget).unwrap_or(i64::MAX) > deadline).then(|| {
        format!(
            "a start may take {budget}s with the startupProbe, and progressDeadlineSeconds calls the rollout \
             failed after {deadline}s without Ready"
        )
    })
}
