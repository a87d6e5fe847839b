//! The cluster's versions, and how sleeps are written because of them.

use super::facts::Facts;
use super::report::{Check, Report, Topic};
use crate::cluster::{Kubelets, Seen};
use crate::lifecycle::policy::SleepAction;

/// The oldest API server of which no supported kubelet is too old for a native sleep (version skew of three).
const NODES_DO_NOT_MATTER_FROM: u32 = SleepAction::NATIVE_FROM + 3;

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    let seen = &facts.seen;
    let by_versions = seen.sleep_action();
    let action = facts.policy.sleep_action;
    let how = match action {
        SleepAction::Native => "sleeps are written as the native action",
        SleepAction::Exec => "sleeps are written as exec [\"sleep\", \"N\"]",
        SleepAction::Off => "no sleeps are written",
    };
    let why = match action == by_versions {
        true => because(seen),
        false => "as the configuration says (sleepAction)".to_owned(),
    };
    let message = format!("{}: {how}, {why}", seen.sentence());
    report.add(match (&seen.kubelets, action) {
        (Kubelets::Unreadable(_), _) if seen.server < NODES_DO_NOT_MATTER_FROM => {
            Check::warning(Topic::Cluster, "nodes-unseen", message).advise(
                "A node older than 1.30 would not run a native sleep. Podgrace needs get, list and watch on nodes \
                 to know, and so does this command",
            )
        }
        (_, SleepAction::Exec) => Check::note(Topic::Cluster, "sleeps-by-exec", message).advise(
            "An image without a sleep program loses the sleep, with an event FailedPreStopHook",
        ),
        _ => Check::well(Topic::Cluster, "versions", message),
    });
}

fn because(seen: &Seen) -> String {
    let from = SleepAction::NATIVE_FROM;
    match (seen.sleep_action(), &seen.kubelets) {
        (SleepAction::Native, _) => format!("which needs 1.{from}"),
        (_, Kubelets::Oldest(oldest)) if *oldest < from && seen.server >= from => {
            format!("as that kubelet does not run the native action, which needs 1.{from}")
        }
        _ => format!("as this API server refuses the native action, which needs 1.{from}"),
    }
}
