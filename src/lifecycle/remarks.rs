//! What is worth a word to whoever makes a pod, or writes what makes pods: the webhook's warnings, and what
//! `inject` says beside its output.

use super::annotations::Level;
use super::audit::Controller;
use super::plan::{Change, Plan};
use super::pod::Pod;
use super::policy::Mode;
use super::text;

/// A word, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// What it is about.
    pub about: About,
    /// The word, as one sentence without a full stop.
    pub text: String,
}

/// What a remark is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The field of the pod that a JSON pointer names.
    Pod(String),
    /// The field of the object that makes the pod.
    Maker(String),
    /// A key of the pod's Namespace.
    Namespace(String),
}

/// What is understood wrongly in a pod, and what is asked for and cannot be had.
pub fn on_pod(plan: &Plan) -> Vec<Remark> {
    if plan.mode.value == Mode::Off {
        return Vec::new();
    }
    let problems = plan.problems.iter().map(|problem| Remark {
        about: match problem.level {
            Level::Pod | Level::Container => About::Pod(problem.pointer()),
            Level::Namespace => About::Namespace(problem.key.clone()),
            Level::BuiltIn | Level::Config => About::Pod(String::new()),
        },
        text: text::problem(problem),
    });
    let refusals = plan.skips.iter().filter(|skipped| skipped.why.is_refusal());
    let refusals = refusals.map(|skipped| on_whole_pod(text::skipped(skipped)));
    problems.chain(refusals).collect()
}

/// That a key stands on the workload, where nobody reads it.
pub fn misplaced(controller: &Controller, key: &str) -> String {
    let kind = controller.kind.to_lowercase();
    format!("{key} is on the {kind} and not on its pod template, where it would count")
}

/// The same of a workload whose pod it is: also what it says in vain itself, which a pod does not show. Nothing
/// under the kill switch.
pub fn on_workload(pod: &Pod<'_>, plan: &Plan, controller: &Controller) -> Vec<Remark> {
    if plan.mode.value == Mode::Off && plan.mode.origin.level == Level::Config {
        return Vec::new();
    }
    let mut remarks = on_pod(plan);
    remarks.extend(overrun(pod, plan, controller).map(on_whole_pod));
    let misplaced = controller.misplaced.iter().map(|(pointer, key)| Remark {
        about: About::Maker(pointer.clone()),
        text: misplaced(controller, key),
    });
    remarks.extend(misplaced);
    remarks
}

fn on_whole_pod(text: String) -> Remark {
    Remark {
        about: About::Pod(String::new()),
        text,
    }
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
