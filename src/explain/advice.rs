//! What to write to have something otherwise, and what nothing that Podgrace adds can help.

use serde::Serialize;
use serde_json::Value;

use super::Subject;
use crate::lifecycle::annotations::Level;
use crate::lifecycle::handler::Source;
use crate::lifecycle::loss::SHORTEST_LOSSLESS_SLEEP;
use crate::lifecycle::pod::Container;
use crate::lifecycle::settings::{DOMAIN, MODE_LABEL, Setting};
use crate::lifecycle::skip::{Part, Skip, Skipped};
use crate::lifecycle::timeline::{
    AUTOSCALER_WAITS, ENDPOINT_REMOVED_AFTER, Ending, How, Life, PreStop,
};
use crate::workload::Workload;

/// Something that Podgrace cannot help, and what can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Caveat {
    /// A stable code.
    pub code: &'static str,
    /// The container that it is about, where it is about one.
    pub container: Option<String>,
    /// What it is, and what helps.
    pub sentence: String,
}

/// The line to write to have something otherwise that is left alone, where one line does it.
pub(super) fn write(subject: &Subject<'_>, skipped: &Skipped) -> Option<String> {
    let name = skipped.container.as_deref().unwrap_or_default();
    let annotation = |setting: Setting, value: &str| {
        let quoted = if value.contains(['/', '{', '[']) {
            format!("\"{value}\"")
        } else {
            value.to_owned()
        };
        Some(format!("{}.{DOMAIN}/{name}: {quoted}", setting.name()))
    };
    let probe = |value: &str| annotation(Setting::StartupProbe, value);
    match &skipped.why {
        Skip::ModeOff => match subject.plan.mode.origin.level {
            Level::Pod | Level::Namespace => Some(format!("{MODE_LABEL}: enforce (a label)")),
            _ => None,
        },
        Skip::SourceMissing(Source::Liveness) => {
            let container = container(subject, name)?;
            probe(&first_question(container))
        }
        Skip::ExecProbe
        | Skip::PeersNeedReady
        | Skip::ProgressDeadline(_)
        | Skip::DelayTooLong(_) => probe("liveness"),
        Skip::StartupProbeOff => probe("auto"),
        Skip::PortUnclear | Skip::SourceMissing(_) => probe("tcp://:PORT"),
        Skip::SpringPortUnclear => probe("http://:PORT/actuator/health/liveness"),
        Skip::SpringTls => probe("https://:PORT/actuator/health/liveness"),
        Skip::SleepOff | Skip::NotServing | Skip::GraceOff => {
            annotation(Setting::PreStopSleep, "5s")
        }
        Skip::NativeSidecar | Skip::MeshProxy if skipped.part == Part::Everything => {
            annotation(Setting::PreStopSleep, "5s")
        }
        _ => None,
    }
}

fn container<'s>(subject: &'s Subject<'_>, name: &str) -> Option<&'s Container<'s>> {
    let spec = &subject.pod.spec;
    let mut all = spec.containers.iter().chain(&spec.init_containers);
    all.find(|container| &*container.name == name)
        .map(|container| &container.0)
}

/// What a container without livenessProbe could be asked: what its readinessProbe asks, else its port.
fn first_question(container: &Container<'_>) -> String {
    if container.readiness_probe.is_some() {
        return "readiness".to_owned();
    }
    let mut ports = container.tcp_ports().filter(|port| !port.is_for_metrics());
    match (ports.next(), ports.next()) {
        (Some(port), None) => format!("tcp://:{}", port.container_port),
        _ => "tcp://:PORT".to_owned(),
    }
}

/// What stays so with every change made.
pub(super) fn caveats(workload: &Workload, object: Option<&Value>, after: &Life) -> Vec<Caveat> {
    let mut all = Vec::new();
    let mut add = |code, container: Option<&str>, sentence: String| {
        all.push(Caveat {
            code,
            container: container.map(str::to_owned),
            sentence,
        });
    };
    let Some(delete) = after.stops.iter().find(|stop| stop.how == How::Delete) else {
        return all;
    };
    let serving: Vec<&Ending> = delete.containers.iter().filter(|e| e.serves).collect();
    for ending in &delete.containers {
        let name = Some(ending.container.as_str());
        match ending.pre_stop {
            PreStop::Sleep { exec: true, .. } => add(
                "exec-sleep",
                name,
                "Its sleep runs a program of the image. Where the image has none the event FailedPreStopHook \
                 says so, and SIGTERM comes at once (0.06 s, measured); the native sleep action needs none."
                    .into(),
            ),
            PreStop::Unknown => add(
                "hook-length-unknown",
                name,
                "How long its preStop hook takes cannot be read from it; it counts as 0 in the arithmetic, and \
                 SIGTERM comes when it ends."
                    .into(),
            ),
            _ => {}
        }
        if let PreStop::Sleep { seconds, .. } = ending.pre_stop
            && ending.left().is_some_and(|left| left <= 2)
            && seconds > 0
        {
            add(
                "hook-takes-grace",
                name,
                format!(
                    "Its preStop sleep of {seconds} s uses up the grace period: 2 s remain after SIGTERM, which \
                     is what the kubelet leaves at least."
                ),
            );
        }
    }
    for (early, late) in out_of_step(&serving) {
        let name = early.container.as_str();
        let by_line = match early.pre_stop {
            // The engine adds its own, or would.
            PreStop::None | PreStop::Sleep { exec: false, .. } => format!(
                ": {}.{DOMAIN}/{name}: {}s",
                Setting::PreStopSleep.name(),
                late.sigterm
            ),
            _ => String::new(),
        };
        add(
            "ends-before-another",
            Some(name),
            format!(
                "It gets SIGTERM at second {}, and {} serves on until second {}. If that passes requests on to it, \
                 give it as long a sleep{by_line}.",
                early.sigterm, late.container, late.sigterm
            ),
        );
    }
    if !serving.is_empty() {
        availability(workload, object, &mut add);
        let least = serving.iter().filter_map(|ending| ending.left()).min();
        if let Some(left) = least {
            add(
                "long-requests",
                None,
                format!(
                    "A request that still runs at SIGTERM{} has {left} s if the application finishes what it has, \
                     and is cut if it exits at once.",
                    longest_saved(&serving)
                ),
            );
        }
        add(
            "keep-alive",
            None,
            "No sleep moves a keep-alive connection elsewhere. An application that answers with Connection: close \
             for a while after SIGTERM, or a client that repeats idempotent requests, loses none."
                .into(),
        );
    }
    if delete.grace > AUTOSCALER_WAITS {
        add(
            "autoscaler",
            None,
            format!(
                "The cluster autoscaler waits for {AUTOSCALER_WAITS} s by default: a node that it removes ends \
                 this pod after that."
            ),
        );
    }
    all
}

/// Which requests still run at SIGTERM that came on new connections, where most of them are over by then.
fn longest_saved(serving: &[&Ending]) -> String {
    let earliest = serving.iter().map(|ending| ending.sigterm).min();
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    let rest = earliest.map_or(0.0, |sigterm| sigterm as f64 - ENDPOINT_REMOVED_AFTER);
    match rest > 0.0 {
        true => format!(" (on a new connection one that takes more than {rest:.1} s)"),
        false => String::new(),
    }
}

/// Containers that get SIGTERM before another that serves gets its own, each with the last of those.
fn out_of_step<'e>(serving: &[&'e Ending]) -> Vec<(&'e Ending, &'e Ending)> {
    // A native sidecar gets its own when the others are gone.
    let main = serving.iter().copied().filter(|ending| !ending.after_main);
    let Some(last) = main.clone().max_by_key(|ending| ending.sigterm) else {
        return Vec::new();
    };
    let is_long = last.sigterm >= SHORTEST_LOSSLESS_SLEEP;
    main.filter(|ending| is_long && ending.sigterm < last.sigterm)
        .map(|ending| (ending, last))
        .collect()
}

/// How many are left to serve.
fn availability(
    workload: &Workload,
    object: Option<&Value>,
    add: &mut impl FnMut(&'static str, Option<&str>, String),
) {
    let Some(spec) = object.map(|object| &object["spec"]) else {
        return;
    };
    let kind = workload.kind.as_str();
    if kind == "Pod" {
        let owners = object.and_then(|object| object["metadata"]["ownerReferences"].as_array());
        if owners
            .into_iter()
            .flatten()
            .any(|owner| owner["controller"] == true)
        {
            return;
        }
        return add(
            "no-owner",
            None,
            "No controller owns this pod: once it is deleted nobody serves.".into(),
        );
    }
    if kind == "Deployment" && spec["strategy"]["type"] == "Recreate" {
        return add(
            "recreate",
            None,
            "Its strategy is Recreate: each rollout ends every pod before it starts a new one, and nobody serves \
             in between."
                .into(),
        );
    }
    let scaled = [
        "Deployment",
        "ReplicaSet",
        "StatefulSet",
        "ReplicationController",
    ];
    let replicas = spec["replicas"].as_i64();
    if !scaled.contains(&kind) || replicas.unwrap_or(1) != 1 {
        return;
    }
    let said = match replicas {
        Some(_) => "It has one replica",
        None => "It states no replicas, which is one unless an autoscaler says more",
    };
    let surge = &spec["strategy"]["rollingUpdate"]["maxSurge"];
    let no_surge = *surge == 0 || *surge == "0%" || *surge == "0";
    let ends = if kind == "StatefulSet" || no_surge {
        "deleted, evicted or rolled out"
    } else {
        "deleted or evicted"
    };
    // Its next pod is made when the last one is told to end; that of a StatefulSet when it is gone.
    let cover = match kind {
        "StatefulSet" => "",
        _ => " A pre-stop-sleep that is longer than its start leaves no gap.",
    };
    add(
        "one-replica",
        None,
        format!("{said}: when that is {ends}, nobody serves until the next is Ready.{cover}"),
    );
}
