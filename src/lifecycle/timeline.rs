//! A pod's life second by second, and who loses requests in it.
//!
//! The numbers come from the pod alone, so the same function draws the pod as it was written and as it
//! would be after the patch. What is not arithmetic was measured on a real cluster; `docs/lossless.md`
//! says how.

use serde::Serialize;

use super::pod::{Container, Pod};
use super::probe::Probe;
use super::shutdown::MINIMUM_AFTER_PRE_STOP;

/// The longest that kube-proxy was seen to go on sending new connections to a deleted pod, in seconds.
pub const ENDPOINT_REMOVED_AFTER: f64 = 1.2;
/// The shortest sleep that lost no new connection, in seconds.
pub const SHORTEST_LOSSLESS_SLEEP: u64 = 2;
/// When the kubelet cuts the hook of a forced deletion, in seconds.
const FORCED_HOOK_ENDS: u64 = 1;
/// What a node shutdown leaves an ordinary pod in the kubelet's documentation's example, in seconds
/// (shutdownGracePeriod 30s, shutdownGracePeriodCriticalPods 10s).
const NODE_SHUTDOWN_EXAMPLE: i64 = 20;

/// A pod's life.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Life {
    /// How each container starts.
    pub starts: Vec<Start>,
    /// How the pod stops, one for each way to end it.
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
    /// The probe that gates the others until it succeeds.
    pub startup: Option<Asked>,
    /// The probe that decides on traffic.
    pub readiness: Option<Asked>,
    /// The probe that restarts it.
    pub liveness: Option<Asked>,
    /// When it counts as Ready, and so gets traffic.
    pub ready: Ready,
    /// After how many seconds a start that is refused at once is ended, by the startup or liveness probe.
    pub given_up_after: Option<u64>,
    /// The same for a start that hangs: each failed probe then costs its timeout.
    pub given_up_at_worst: Option<u64>,
}

/// How a probe asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
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
    /// `kubectl delete pod`, or its controller scaling in.
    Delete,
    /// A rollout: a new pod was Ready just before.
    Rollout,
    /// The eviction API: `kubectl drain`, the cluster autoscaler.
    Eviction,
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
    /// What each container sees.
    pub containers: Vec<Ending>,
    /// What each kind of client can lose.
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
    /// When SIGTERM comes; none where the hook's length is unknown.
    pub sigterm: Option<u64>,
    /// How long it then has.
    pub left: Option<u64>,
    /// When SIGKILL ends what still runs: also the end of an application that ignores SIGTERM.
    pub sigkill: u64,
}

/// A container's preStop hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PreStop {
    /// None.
    None,
    /// A sleep of so many seconds.
    Sleep(u64),
    /// A command or request of unknown length.
    Unknown,
}

/// A kind of client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Client {
    /// A new connection for each request.
    NewConnections,
    /// Persistent connections, and no request twice.
    KeepAlive,
    /// Persistent connections, and an idempotent request once more where a used connection closes before
    /// any answer (RFC 9112 section 9.3.1).
    KeepAliveRepeating,
}

/// What a kind of client can lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientLoss {
    /// The kind of client.
    pub client: Client,
    /// What it can lose.
    pub loss: Loss,
}

/// What can be lost, from nothing to everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Nothing.
    Nothing,
    /// At SIGTERM, what is in flight and one request of each connection in use, where the application
    /// closes connections without saying so.
    OnePerConnection,
    /// Now and then a request in the first second: the sleep is shorter than the slowest endpoint removal.
    FirstSecondRarely,
    /// What arrives between SIGTERM and the removal of the endpoint, about a second.
    FirstSecond,
    /// The hook's length is unknown, and with it what is lost.
    Unknown,
    /// The new pod's requests until it listens, and the old one's first second.
    UntilListening,
}

/// Draws the life of a pod.
pub fn life(pod: &Pod<'_>) -> Life {
    let main = pod.spec.containers.iter().map(|c| (&c.0, false));
    let sidecars = pod
        .spec
        .init_containers
        .iter()
        .filter(|c| c.restart_policy.as_deref() == Some("Always"))
        .map(|c| (&c.0, true));
    let containers: Vec<(&Container<'_>, bool)> = main.chain(sidecars).collect();
    let starts: Vec<Start> = containers.iter().map(|(c, _)| start(c)).collect();
    let grace = pod.grace().max(0);
    let ways = [
        (How::Delete, grace),
        (How::Rollout, grace),
        (How::Eviction, grace),
        (How::NodeShutdown, grace.min(NODE_SHUTDOWN_EXAMPLE)),
        (How::Force, 0),
    ];
    let stops = ways
        .into_iter()
        .map(|(how, grace)| {
            let endings: Vec<Ending> = containers
                .iter()
                .map(|(container, after_main)| ending(container, *after_main, grace))
                .collect();
            Stop {
                how,
                grace,
                clients: losses(how, &starts, &endings),
                containers: endings,
            }
        })
        .collect();
    Life { starts, stops }
}

fn start(container: &Container<'_>) -> Start {
    let asked = |probe: Option<&Probe<'_>>| {
        probe.map(|probe| Asked {
            initial_delay: probe.initial_delay(),
            period: probe.period(),
            timeout: probe.timeout(),
            failure_threshold: probe.failure_threshold(),
        })
    };
    let startup = asked(container.startup_probe.value());
    let readiness = asked(container.readiness_probe.as_ref());
    let liveness = asked(container.liveness_probe.as_ref());
    let ends = startup.or(liveness);
    Start {
        container: container.name.to_string(),
        serves: container.serves(),
        startup,
        readiness,
        liveness,
        ready: match (startup, readiness) {
            (None, None) => Ready::AtOnce,
            (Some(_), None) => Ready::AfterStartup,
            (None, Some(_)) => Ready::AfterReadiness,
            (Some(_), Some(_)) => Ready::AfterBoth,
        },
        given_up_after: ends.map(|probe| probe.budget(probe.period)),
        // A failed probe costs the longer of period and timeout.
        given_up_at_worst: ends.map(|probe| probe.budget(probe.period.max(probe.timeout))),
    }
}

impl Asked {
    fn budget(&self, each: u64) -> u64 {
        self.initial_delay
            .saturating_add(self.failure_threshold.saturating_mul(each))
    }
}

/// preStop is bounded by the grace period and comes out of it; the application gets two seconds at least.
fn ending(container: &Container<'_>, after_main: bool, grace: i64) -> Ending {
    let minimum = MINIMUM_AFTER_PRE_STOP.unsigned_abs();
    // A grace period of 0 is that of a forced deletion, whose hook is cut after a second.
    let most = if grace == 0 {
        FORCED_HOOK_ENDS
    } else {
        grace.unsigned_abs()
    };
    let pre_stop = match container.pre_stop() {
        None => PreStop::None,
        Some(hook) => hook.seconds().map_or(PreStop::Unknown, PreStop::Sleep),
    };
    let sigterm = match pre_stop {
        PreStop::None => Some(0),
        PreStop::Sleep(seconds) => Some(seconds.min(most)),
        PreStop::Unknown => None,
    };
    let sigkill = |sigterm: u64| grace.unsigned_abs().max(sigterm.saturating_add(minimum));
    Ending {
        container: container.name.to_string(),
        serves: container.serves(),
        after_main,
        pre_stop,
        sigterm,
        left: sigterm.map(|at| sigkill(at) - at),
        // The longest that a hook of unknown length can take is all there is.
        sigkill: sigkill(sigterm.unwrap_or(most)),
    }
}

/// What each kind of client can lose with the container that loses most.
fn losses(how: How, starts: &[Start], endings: &[Ending]) -> Vec<ClientLoss> {
    let gated = starts
        .iter()
        .filter(|start| start.serves)
        .all(|start| start.ready != Ready::AtOnce);
    let worst = |client| {
        if how == How::Rollout && !gated {
            return Loss::UntilListening;
        }
        endings
            .iter()
            .filter(|ending| ending.serves)
            .map(|ending| loss(client, ending, how))
            .max()
            .unwrap_or(Loss::Nothing)
    };
    [
        Client::NewConnections,
        Client::KeepAlive,
        Client::KeepAliveRepeating,
    ]
    .map(|client| ClientLoss {
        client,
        loss: worst(client),
    })
    .to_vec()
}

fn loss(client: Client, ending: &Ending, how: How) -> Loss {
    let new = match (ending.pre_stop, how) {
        (PreStop::Unknown, _) => Loss::Unknown,
        // Measured: the one second of its hook lost nothing, where 161 of 1,330 were lost without.
        (PreStop::Sleep(1..), How::Force) => Loss::Nothing,
        (PreStop::Sleep(seconds), _) if seconds >= SHORTEST_LOSSLESS_SLEEP => Loss::Nothing,
        (PreStop::Sleep(1..), _) => Loss::FirstSecondRarely,
        (PreStop::None | PreStop::Sleep(0), _) => Loss::FirstSecond,
    };
    match client {
        Client::NewConnections | Client::KeepAliveRepeating => new,
        Client::KeepAlive => new.max(Loss::OnePerConnection),
    }
}
