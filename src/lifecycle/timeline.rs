//! A pod's life second by second.
//!
//! The numbers come from the pod alone, so the same function draws the pod as it was written and as it
//! would be after the patch. What is not arithmetic was measured on a real cluster: the README says
//! under which conditions. What clients lose in it is in [`loss`].

use serde::Serialize;

use super::loss::{self, ClientLoss, Others};
use super::pod::{Container, Pod};
use super::probe::Probe;
use super::shutdown::MINIMUM_AFTER_PRE_STOP;

/// The longest that kube-proxy was seen to go on sending new connections to a deleted pod, in seconds.
pub const ENDPOINT_REMOVED_AFTER: f64 = 1.2;
/// What a node shutdown leaves an ordinary pod in the kubelet's documentation's example, in seconds
/// (shutdownGracePeriod 30s, shutdownGracePeriodCriticalPods 10s).
pub const NODE_SHUTDOWN_EXAMPLE: i64 = 20;
/// The grace period that stands for all that somebody may ask for at the deletion, in seconds.
pub const SHORT_GRACE_EXAMPLE: i64 = 5;
/// What the cluster autoscaler waits for at most by default, in seconds (`--max-graceful-termination-sec`).
pub const AUTOSCALER_WAITS: i64 = 600;

/// A pod's life.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Life {
    /// How each container starts, the ordinary ones first.
    pub starts: Vec<Start>,
    /// How the pod stops, one for each way to end it that it can meet.
    pub stops: Vec<Stop>,
}

/// How a container starts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// The container.
    pub container: String,
    /// Whether clients reach it.
    pub serves: bool,
    /// Whether it is a native sidecar, which starts before the main containers.
    pub before_main: bool,
    /// The probe that gates the others until it succeeds.
    pub startup: Option<Asked>,
    /// The probe that decides on traffic.
    pub readiness: Option<Asked>,
    /// The probe that restarts it.
    pub liveness: Option<Asked>,
    /// When it counts as Ready, and so gets traffic.
    pub ready: Ready,
    /// How many seconds can pass between the application's first good answer and the probe that sees it.
    pub noticed_within: Option<u64>,
    /// After how many seconds a start that is refused at once is ended, by the startup or liveness probe.
    pub given_up_after: Option<u64>,
    /// The same for a start that hangs: each failed probe then costs its timeout.
    pub given_up_at_worst: Option<u64>,
}

/// How a probe asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// What it asks, written as `startup-probe` takes it.
    pub handler: String,
    /// Seconds before the first time.
    pub initial_delay: u64,
    /// Seconds between two times.
    pub period: u64,
    /// Seconds until one time counts as failed.
    pub timeout: u64,
    /// Failures in a row that end it.
    pub failure_threshold: u64,
}

/// When a container counts as Ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ready {
    /// As soon as its process runs, listening or not.
    AtOnce,
    /// When the startup probe succeeds.
    AfterStartup,
    /// When the readiness probe succeeds.
    AfterReadiness,
    /// When the startup probe and then, asked at once, the readiness probe succeeds.
    AfterBoth,
}

/// A way to end a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// `kubectl delete pod`.
    Delete,
    /// Its controller wants fewer pods.
    ScaleIn,
    /// A rollout: a new pod was Ready just before.
    Rollout,
    /// The eviction API: `kubectl drain`, the cluster autoscaler.
    Eviction,
    /// All pods of the workload are deleted at once: `kubectl delete pod --all`, a drain of the only node.
    DeleteAll,
    /// A deletion or drain with a grace period of its own, as short as 5 s.
    ShortGrace,
    /// The node shuts down.
    NodeShutdown,
    /// `kubectl delete pod --grace-period=0 --force`.
    Force,
}

/// How a pod stops in one way to end it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stop {
    /// The way.
    pub how: How,
    /// The grace period that holds in it, in seconds.
    pub grace: i64,
    /// Whether a pod is started in its place.
    pub replaced: bool,
    /// Whether what clients lose in it was measured; it is derived otherwise.
    pub measured: bool,
    /// What each container sees.
    pub containers: Vec<Ending>,
    /// What each kind of client can lose; empty where no container serves.
    pub clients: Vec<ClientLoss>,
}

/// How one container ends. All times are seconds after the deletion.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ending {
    /// The container.
    pub container: String,
    /// Whether clients reach it.
    pub serves: bool,
    /// Whether it is a native sidecar, which gets SIGTERM once the main containers are gone.
    pub after_main: bool,
    /// The hook that runs before SIGTERM.
    pub pre_stop: PreStop,
    /// When SIGTERM comes at the earliest.
    pub sigterm: u64,
    /// When it comes at the latest: later where a hook's length is unknown, and for native sidecars.
    pub sigterm_at_latest: u64,
    /// When SIGKILL ends what still runs, at the latest: also the end of an application that ignores SIGTERM.
    pub sigkill: u64,
}

impl Ending {
    /// How long it has between SIGTERM and SIGKILL, where that is known.
    pub fn left(&self) -> Option<u64> {
        (self.sigterm == self.sigterm_at_latest).then(|| self.sigkill.saturating_sub(self.sigterm))
    }
}

/// A container's preStop hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum PreStop {
    /// None.
    None,
    /// A sleep.
    Sleep {
        /// How long, in seconds.
        seconds: u64,
        /// Whether it needs a `sleep` program in the image: without one SIGTERM comes at once.
        exec: bool,
    },
    /// A command or request of unknown length.
    Unknown,
}

/// Draws the life of a pod beside such others.
pub fn life(pod: &Pod<'_>, others: Others) -> Life {
    let main = pod.spec.containers.iter().map(|c| (&c.0, false));
    let sidecars = pod
        .spec
        .init_containers
        .iter()
        .filter(|c| c.restart_policy.as_deref() == Some("Always"))
        .map(|c| (&c.0, true));
    let containers: Vec<(&Container<'_>, bool)> = main.chain(sidecars).collect();
    let starts: Vec<Start> = containers.iter().map(|(c, s)| start(pod, c, *s)).collect();
    let owner = pod.meta().owner_references.iter().find(|o| o.controller);
    let stops = ways(owner.map(|owner| &*owner.kind), pod.grace())
        .into_iter()
        .map(|(how, grace)| {
            let mut endings: Vec<Ending> = containers
                .iter()
                .map(|(container, after_main)| ending(pod, container, *after_main, grace))
                .collect();
            wait_for_main(&mut endings, grace);
            // Whoever owns a pod makes another, unless it wants fewer.
            let replaced = owner.is_some() && how != How::ScaleIn;
            Stop {
                how,
                grace,
                replaced,
                measured: !matches!(how, How::NodeShutdown | How::ShortGrace),
                clients: loss::losses(how, replaced, others, &starts, &endings),
                containers: endings,
            }
        })
        .collect();
    Life { starts, stops }
}

/// The ways in which a pod of such an owner can end, each with the grace period that then holds.
fn ways(owner: Option<&str>, grace: i64) -> Vec<(How, i64)> {
    let all = [
        (How::Delete, grace),
        (How::ScaleIn, grace),
        (How::Rollout, grace),
        (How::Eviction, grace),
        (How::DeleteAll, grace),
        (How::ShortGrace, SHORT_GRACE_EXAMPLE),
        (How::NodeShutdown, grace.min(NODE_SHUTDOWN_EXAMPLE)),
        (How::Force, 0),
    ];
    let can = |how: How| match how {
        How::ScaleIn => !matches!(owner, None | Some("DaemonSet" | "Job" | "CronJob")),
        How::Rollout | How::DeleteAll => !matches!(owner, None | Some("Job" | "CronJob")),
        _ => true,
    };
    all.into_iter().filter(|(how, _)| can(*how)).collect()
}

fn start(pod: &Pod<'_>, container: &Container<'_>, before_main: bool) -> Start {
    let asked = |probe: Option<&Probe<'_>>| {
        probe.map(|probe| Asked {
            handler: probe.handler(),
            initial_delay: probe.initial_delay(),
            period: probe.period(),
            timeout: probe.timeout(),
            failure_threshold: probe.failure_threshold(),
        })
    };
    let startup = asked(container.startup_probe.value());
    let readiness = asked(container.readiness_probe.as_ref());
    let liveness = asked(container.liveness_probe.as_ref());
    let ends = startup.as_ref().or(liveness.as_ref());
    Start {
        container: container.name.to_string(),
        serves: pod.is_served_by(container),
        before_main,
        ready: match (&startup, &readiness) {
            (None, None) => Ready::AtOnce,
            (Some(_), None) => Ready::AfterStartup,
            (None, Some(_)) => Ready::AfterReadiness,
            (Some(_), Some(_)) => Ready::AfterBoth,
        },
        // Readiness is asked at once when the startup probe succeeds.
        noticed_within: startup.as_ref().or(readiness.as_ref()).map(|p| p.period),
        given_up_after: ends.map(|probe| probe.budget(probe.period)),
        // A failed probe costs the longer of period and timeout.
        given_up_at_worst: ends.map(|probe| probe.budget(probe.period.max(probe.timeout))),
        startup,
        readiness,
        liveness,
    }
}

impl Asked {
    fn budget(&self, each: u64) -> u64 {
        self.initial_delay
            .saturating_add(self.failure_threshold.saturating_mul(each))
    }
}

/// The second at which the kubelet cuts a hook: the grace period, or one second where that is 0.
fn hook_ends(grace: i64) -> u64 {
    grace.max(1).unsigned_abs()
}

/// preStop is bounded by the grace period and comes out of it; the application gets two seconds at least.
fn ending(pod: &Pod<'_>, container: &Container<'_>, after_main: bool, grace: i64) -> Ending {
    let most = hook_ends(grace);
    let pre_stop = match container.pre_stop() {
        None => PreStop::None,
        Some(hook) => hook
            .seconds()
            .map_or(PreStop::Unknown, |seconds| PreStop::Sleep {
                seconds,
                exec: hook.is_exec_sleep(),
            }),
    };
    let (earliest, latest) = match pre_stop {
        PreStop::None => (0, 0),
        PreStop::Sleep { seconds, .. } => (seconds.min(most), seconds.min(most)),
        PreStop::Unknown => (0, most),
    };
    Ending {
        container: container.name.to_string(),
        serves: pod.is_served_by(container),
        after_main,
        pre_stop,
        sigterm: earliest,
        sigterm_at_latest: latest,
        sigkill: sigkill(latest, grace),
    }
}

fn sigkill(sigterm: u64, grace: i64) -> u64 {
    grace
        .unsigned_abs()
        .max(sigterm.saturating_add(MINIMUM_AFTER_PRE_STOP.unsigned_abs()))
}

/// Native sidecars get SIGTERM when the main containers are gone, or the grace period is used up; hooks run
/// at once in all of them (KEP-753; `killContainer`, k8s.io/kubernetes/pkg/kubelet/kuberuntime).
fn wait_for_main(endings: &mut [Ending], grace: i64) {
    let main = || endings.iter().filter(|ending| !ending.after_main);
    let (Some(earliest), Some(_)) = (main().map(|e| e.sigterm).max(), main().next()) else {
        return;
    };
    for sidecar in endings.iter_mut().filter(|ending| ending.after_main) {
        sidecar.sigterm = sidecar.sigterm.max(earliest);
        sidecar.sigterm_at_latest = sidecar
            .sigterm_at_latest
            .max(hook_ends(grace))
            .max(sidecar.sigterm);
        sidecar.sigkill = sigkill(sidecar.sigterm_at_latest, grace);
    }
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;
