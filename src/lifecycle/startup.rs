//! The startup solver: which probe a container gets, and how it is timed.

use serde_json::{Map, Value, json};

use super::handler::{Source, StartupProbe, Stated, StatedPort};
use super::pod::{Container, Pod};
use super::policy::Policy;
use super::probe::Probe;
use super::resolve::Resolved;
use super::skip::Skip;
use super::spring;

/// The budget, in seconds, beyond which `auto` leaves a container without readinessProbe alone: what a
/// Deployment's `progressDeadlineSeconds` is by default (k8s.io/kubernetes/pkg/apis/apps/v1/defaults.go).
const PROGRESS_DEADLINE: u64 = 600;

/// The longest period, in seconds, for which `auto` lets Ready wait where nobody says one.
const LONGEST_PERIOD: u64 = 60;

/// How many failures a start is allowed at least where nobody states a number: Kubernetes' own default. The first probe
/// comes up to one period after the container has started, so that of few hardly any time would be certain.
const LEAST_FAILURES: u64 = 3;

/// A startup probe to add.
#[derive(Debug, Clone, PartialEq)]
pub struct NewProbe {
    /// The probe's JSON.
    pub probe: Map<String, Value>,
    /// Where its handler comes from; none where a setting states it.
    pub source: Option<Source>,
    /// How it is timed.
    pub timing: Timing,
}

/// When a probe asks, and how often it may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Seconds before the first probe.
    pub initial_delay: u64,
    /// Seconds between probes.
    pub period: u64,
    /// Failures in a row that end it.
    pub failure_threshold: u64,
}

impl Timing {
    /// The seconds that a start may take.
    pub fn budget(self) -> u64 {
        self.initial_delay + self.period * self.failure_threshold
    }

    fn of(probe: &Probe<'_>) -> Self {
        Self {
            initial_delay: probe.initial_delay(),
            period: probe.period(),
            failure_threshold: probe.failure_threshold(),
        }
    }
}

/// What a probe asks, before it is timed.
struct Question<'a> {
    /// The probe's JSON: copied, or a handler alone.
    probe: Map<String, Value>,
    source: Source,
    /// The probe that it is copied from.
    copied: Option<&'a Probe<'a>>,
}

/// Decides on the startup probe of a container that nothing else leaves alone.
///
/// # Errors
/// Why it gets none.
pub(super) fn startup(
    pod: &Pod<'_>,
    container: &Container<'_>,
    settings: &Resolved<'_>,
    policy: &Policy,
) -> Result<NewProbe, Skip> {
    if container.startup_probe.value().is_some() {
        return Err(Skip::StartupProbePresent);
    }
    match settings.startup_probe.value {
        StartupProbe::Off => Err(Skip::StartupProbeOff),
        StartupProbe::Auto => auto(pod, container, settings, policy),
        StartupProbe::Source(source) => {
            let question = question(pod, container, *source)?;
            Ok(time(question, container, settings))
        }
        StartupProbe::Stated(stated) => from_stated(stated, container, settings),
    }
}

/// The first source that is there and does no harm; else the first one's reason.
fn auto(
    pod: &Pod<'_>,
    container: &Container<'_>,
    settings: &Resolved<'_>,
    policy: &Policy,
) -> Result<NewProbe, Skip> {
    let mut first_reason = None;
    for source in &policy.auto_sources {
        match harmless(pod, container, settings, *source) {
            Ok(probe) => return Ok(probe),
            Err(reason) => first_reason = first_reason.or(Some(reason)),
        }
    }
    Err(first_reason.unwrap_or(Skip::SourceMissing(Source::Liveness)))
}

/// A startup probe holds Ready back: what nobody asked for by name must be sure to come to an end.
fn harmless(
    pod: &Pod<'_>,
    container: &Container<'_>,
    settings: &Resolved<'_>,
    source: Source,
) -> Result<NewProbe, Skip> {
    let question = question(pod, container, source)?;
    if question.copied.is_some_and(Probe::is_exec) {
        return Err(Skip::ExecProbe);
    }
    let ready_waits_anyway = container.readiness_probe.as_ref().is_some_and(|readiness| {
        question
            .copied
            .is_some_and(|copied| readiness.asks_the_same(copied, container))
    });
    if pod.has_peers() && !ready_waits_anyway {
        return Err(Skip::PeersNeedReady);
    }
    let probe = time(question, container, settings);
    let budget = probe.timing.budget();
    if budget > PROGRESS_DEADLINE && container.readiness_probe.is_none() {
        return Err(Skip::ProgressDeadline(budget));
    }
    if probe.timing.initial_delay > 0 {
        // Copied with its delay because nothing smaller fits: somebody's way to switch a liveness probe off.
        return Err(Skip::DelayTooLong(probe.timing.initial_delay));
    }
    if probe.timing.period > LONGEST_PERIOD && settings.startup_period.is_none() {
        return Err(Skip::PeriodTooLong(probe.timing.period));
    }
    Ok(probe)
}

fn question<'a>(
    pod: &Pod<'_>,
    container: &'a Container<'a>,
    source: Source,
) -> Result<Question<'a>, Skip> {
    match source {
        Source::Liveness | Source::Readiness => {
            let copied = match source {
                Source::Liveness => container.liveness_probe.as_ref(),
                _ => container.readiness_probe.as_ref(),
            };
            copy(
                copied.ok_or(Skip::SourceMissing(source))?,
                container,
                source,
            )
        }
        Source::Port => {
            let port = the_port(pod, container)?;
            Ok(handler("tcpSocket", json!({ "port": port }), source))
        }
        Source::SpringBoot => match &container.liveness_probe {
            Some(liveness) if liveness.is_network() => copy(liveness, container, Source::Liveness),
            _ => {
                let actuator = spring::actuator(container).map_err(|why| match why {
                    spring::NoActuator::Port => Skip::SpringPortUnclear,
                    spring::NoActuator::Tls => Skip::SpringTls,
                    spring::NoActuator::Unclear => Skip::SpringActuatorUnclear,
                })?;
                let get = json!({"path": actuator.path, "port": actuator.port});
                Ok(handler("httpGet", get, source))
            }
        },
    }
}

fn copy<'a>(
    copied: &'a Probe<'a>,
    container: &Container<'_>,
    source: Source,
) -> Result<Question<'a>, Skip> {
    if let Some(name) = copied.named_port()
        && container.port_named(name).is_none()
    {
        return Err(Skip::PortUndeclared(name.to_owned()));
    }
    // An object it is; a field that we do not know may still be nested too deep, or a number beyond f64.
    let probe = serde_json::from_str(copied.raw.get()).map_err(|_| Skip::ProbeUnreadable)?;
    Ok(Question {
        probe,
        source,
        copied: Some(copied),
    })
}

fn handler<'a>(kind: &str, handler: Value, source: Source) -> Question<'a> {
    Question {
        probe: Map::from_iter([(kind.to_owned(), handler)]),
        source,
        copied: None,
    }
}

/// The one TCP port, or the one named http, https or grpc.
fn the_port(pod: &Pod<'_>, container: &Container<'_>) -> Result<i32, Skip> {
    if pod.spec.host_network {
        return Err(Skip::HostNetwork);
    }
    let ports: Vec<_> = container.tcp_ports().collect();
    let mut named = ports
        .iter()
        .filter(|port| matches!(port.name.as_deref(), Some("http" | "https" | "grpc")));
    match (ports.as_slice(), named.next(), named.next()) {
        ([], ..) => Err(Skip::SourceMissing(Source::Port)),
        ([port], ..) | (_, Some(port), None) => Ok(port.container_port),
        _ => Err(Skip::PortUnclear),
    }
}

/// Times a copied or built probe: asked often, because Ready waits for the next one, and given up late.
fn time(question: Question<'_>, container: &Container<'_>, settings: &Resolved<'_>) -> NewProbe {
    let Question {
        mut probe,
        source,
        copied,
    } = question;
    let period = settings.startup_period.as_ref().map_or_else(
        || {
            let exec = copied.is_some_and(Probe::is_exec);
            default_period(container, exec, copied.map_or(1, Probe::timeout))
        },
        |stated| stated.value.into(),
    );
    // No smaller budget than the probe's own, and none smaller than the container had before us.
    let floor = [copied, container.liveness_probe.as_ref()]
        .into_iter()
        .flatten()
        .map(Timing::of)
        .max_by_key(|timing| timing.budget());
    let timing = fit(
        period,
        settings.startup_timeout.value.into(),
        LEAST_FAILURES,
        floor,
    );
    set_timing(&mut probe, timing);
    if probe.contains_key("successThreshold") {
        // A readinessProbe may have more; a startup probe may not.
        probe.insert("successThreshold".into(), 1.into());
    }
    NewProbe {
        probe,
        source: Some(source),
        timing,
    }
}

/// A stated probe: what it says itself counts, as Kubernetes would read it; what it leaves open is ours.
fn from_stated(
    stated: &Stated,
    container: &Container<'_>,
    settings: &Resolved<'_>,
) -> Result<NewProbe, Skip> {
    if let Some(StatedPort::Name(name)) = stated.port()
        && container.port_named(name).is_none()
    {
        return Err(Skip::PortUndeclared(name.to_owned()));
    }
    let mut probe = stated.probe.clone();
    let number = |name| {
        stated
            .probe
            .get(name)
            .and_then(Value::as_u64)
            .filter(|n| *n > 0)
    };
    let (period, threshold) = (number("periodSeconds"), number("failureThreshold"));
    let floor = container.liveness_probe.as_ref().map(Timing::of);
    let own_period = || {
        let default = || {
            let timeout = number("timeoutSeconds").unwrap_or(1);
            default_period(container, stated.is_exec(), timeout)
        };
        let setting = settings.startup_period.as_ref();
        setting.map_or_else(default, |stated| stated.value.into())
    };
    let timeout = settings.startup_timeout.value.into();
    let mut timing = match (period, threshold) {
        (Some(period), Some(threshold)) => fit(period, period.saturating_mul(threshold), 1, floor),
        (Some(period), None) => fit(period, timeout, LEAST_FAILURES, floor),
        (None, threshold) => fit(
            own_period(),
            timeout,
            threshold.unwrap_or(LEAST_FAILURES),
            floor,
        ),
    };
    // Its own delay comes on top; it can only make the budget larger.
    timing.initial_delay = timing
        .initial_delay
        .max(number("initialDelaySeconds").unwrap_or(0));
    set_timing(&mut probe, timing);
    Ok(NewProbe {
        probe,
        source: None,
        timing,
    })
}

/// One second, but a quarter of the timeout at least, so that a start that hangs is ended within four
/// times the budget; a command costs a process, so it runs as often as the container's quickest probe,
/// every five seconds at the least often.
fn default_period(container: &Container<'_>, exec: bool, timeout: u64) -> u64 {
    let quickest = || {
        [&container.liveness_probe, &container.readiness_probe]
            .into_iter()
            .flatten()
            .map(Probe::period)
            .min()
            .unwrap_or(5)
    };
    let period = if exec { quickest().min(5) } else { 1 };
    period.max(timeout.div_ceil(4))
}

/// The threshold that gives the timeout, or the floor where that is more, and is `least` at least. Where it does not
/// fit 32 bits the period is raised, and where nothing fits the floor is taken as it is.
fn fit(period: u64, timeout: u64, least: u64, floor: Option<Timing>) -> Timing {
    const MOST: u64 = i32::MAX as u64;
    let wanted = timeout.max(floor.map_or(0, Timing::budget));
    let period = period.max(wanted.div_ceil(MOST));
    match floor {
        Some(floor) if period > MOST => floor,
        _ => Timing {
            initial_delay: 0,
            period,
            failure_threshold: wanted.div_ceil(period).max(least.min(MOST)),
        },
    }
}

fn set_timing(probe: &mut Map<String, Value>, timing: Timing) {
    if timing.initial_delay == 0 {
        // Not swap_remove: the order of the other fields stays.
        probe.shift_remove("initialDelaySeconds");
    } else {
        probe.insert("initialDelaySeconds".into(), timing.initial_delay.into());
    }
    probe.insert("periodSeconds".into(), timing.period.into());
    probe.insert("failureThreshold".into(), timing.failure_threshold.into());
}
