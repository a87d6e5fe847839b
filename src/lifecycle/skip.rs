//! Why something was left alone: a stable code for machines, a sentence for people.

use super::handler::Source;
use super::policy::Mode;

/// The part of a pod that a skip is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The whole pod or container.
    Everything,
    /// `startupProbe`.
    StartupProbe,
    /// `lifecycle.preStop`.
    PreStop,
    /// `terminationGracePeriodSeconds`.
    GracePeriod,
    /// Spring Boot's variables.
    Variables,
    /// Our record annotation.
    Record,
}

/// Something that was left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The container, where it is about one.
    pub container: Option<String>,
    /// What was left alone.
    pub part: Part,
    /// Why.
    pub why: Skip,
}

impl Skipped {
    /// A whole container that is left alone.
    pub(super) fn container(name: &str, why: Skip) -> Self {
        Self {
            container: Some(name.to_owned()),
            part: Part::Everything,
            why,
        }
    }
}

/// A reason for leaving something alone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant's sentence says what it is")]
pub enum Skip {
    // The pod
    ModeOff,
    MirrorPod,
    NamespaceExcluded(String),
    PriorityClass(String),
    GraceZero(i64),
    TooManyContainers(usize),
    // A container
    RestartPolicy(String),
    RestartRules,
    InitContainer,
    NativeSidecar,
    MeshProxy,
    ContainerExcluded,
    // Its startup probe
    StartupProbePresent,
    StartupProbeOff,
    SourceMissing(Source),
    ExecProbe,
    PeersNeedReady,
    ProgressDeadline(u64),
    DelayTooLong(u64),
    PeriodTooLong(u64),
    PortUndeclared(String),
    PortUnclear,
    ProbeUnreadable,
    HostNetwork,
    SpringPortUnclear,
    SpringTls,
    SpringActuatorUnclear,
    // Its sleep
    PreStopPresent,
    SleepOff,
    NotServing,
    ProbeGrace,
    MeshProxyLeavesFirst(String),
    GraceOff,
    SleepExceedsGrace(u32, i64),
    SleepActionOff,
    WindowsExec,
    // Spring Boot's variables
    EnvFrom,
    VariableStated(&'static str),
    // The record
    AnnotationsFull,
}

impl Skip {
    /// The code, stable over releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ModeOff => "mode-off",
            Self::MirrorPod => "mirror-pod",
            Self::NamespaceExcluded(_) => "namespace-excluded",
            Self::PriorityClass(_) => "priority-class",
            Self::GraceZero(_) => "grace-zero",
            Self::TooManyContainers(_) => "too-many-containers",
            Self::RestartPolicy(_) => "restart-policy",
            Self::RestartRules => "restart-rules",
            Self::InitContainer => "init-container",
            Self::NativeSidecar => "native-sidecar",
            Self::MeshProxy => "mesh-proxy",
            Self::ContainerExcluded => "container-excluded",
            Self::StartupProbePresent => "startup-probe-present",
            Self::StartupProbeOff => "startup-probe-off",
            Self::SourceMissing(Source::Liveness) => "no-liveness-probe",
            Self::SourceMissing(Source::Readiness) => "no-readiness-probe",
            Self::SourceMissing(Source::Port | Source::SpringBoot) => "no-port",
            Self::ExecProbe => "exec-probe",
            Self::PeersNeedReady => "peers-need-ready",
            Self::ProgressDeadline(_) => "progress-deadline",
            Self::DelayTooLong(_) => "delay-too-long",
            Self::PeriodTooLong(_) => "period-too-long",
            Self::PortUndeclared(_) => "port-undeclared",
            Self::PortUnclear => "port-unclear",
            Self::ProbeUnreadable => "probe-unreadable",
            Self::HostNetwork => "host-network",
            Self::SpringPortUnclear => "spring-port-unclear",
            Self::SpringTls => "spring-tls",
            Self::SpringActuatorUnclear => "spring-actuator-unclear",
            Self::PreStopPresent => "pre-stop-present",
            Self::SleepOff => "sleep-off",
            Self::NotServing => "not-serving",
            Self::ProbeGrace => "probe-grace",
            Self::MeshProxyLeavesFirst(_) => "mesh-proxy-leaves-first",
            Self::GraceOff => "grace-off",
            Self::SleepExceedsGrace(..) => "sleep-exceeds-grace",
            Self::SleepActionOff => "sleep-action-off",
            Self::WindowsExec => "windows-exec",
            Self::EnvFrom => "env-from",
            Self::VariableStated(_) => "variable-stated",
            Self::AnnotationsFull => "annotations-full",
        }
    }

    /// Every code, so that a metric can show zeros from the start.
    pub const CODES: [&'static str; 41] = [
        "mode-off",
        "mirror-pod",
        "namespace-excluded",
        "priority-class",
        "grace-zero",
        "too-many-containers",
        "restart-policy",
        "restart-rules",
        "init-container",
        "native-sidecar",
        "mesh-proxy",
        "container-excluded",
        "startup-probe-present",
        "startup-probe-off",
        "no-liveness-probe",
        "no-readiness-probe",
        "no-port",
        "exec-probe",
        "peers-need-ready",
        "progress-deadline",
        "delay-too-long",
        "period-too-long",
        "port-undeclared",
        "port-unclear",
        "probe-unreadable",
        "host-network",
        "spring-port-unclear",
        "spring-tls",
        "spring-actuator-unclear",
        "pre-stop-present",
        "sleep-off",
        "not-serving",
        "probe-grace",
        "mesh-proxy-leaves-first",
        "grace-off",
        "sleep-exceeds-grace",
        "sleep-action-off",
        "windows-exec",
        "env-from",
        "variable-stated",
        "annotations-full",
    ];

    /// The sentence for people: what is so, and what to do where something can be done.
    pub fn sentence(&self) -> String {
        match self {
            Self::ModeOff => format!("the mode is {}", Mode::Off.word()),
            Self::MirrorPod => {
                "it is the picture of a static pod: no patch reaches the kubelet's file".into()
            }
            Self::NamespaceExcluded(name) => format!("pods of the namespace {name} are left alone"),
            Self::PriorityClass(name) => format!("pods of the priority class {name} are left alone"),
            Self::GraceZero(seconds) => format!(
                "terminationGracePeriodSeconds is {seconds}: somebody wants it killed at once, and no sleep fits"
            ),
            Self::TooManyContainers(containers) => {
                format!("it has {containers} containers, more than any pod that is looked at")
            }
            Self::RestartPolicy(policy) => {
                format!("its restart policy is {policy}: it is meant to end by itself")
            }
            Self::RestartRules => {
                "it has restart rules: a failed startup probe would be read by them".into()
            }
            Self::InitContainer => "it is an init container: it may have no probe and no hook".into(),
            Self::NativeSidecar => {
                "it is a native sidecar: it stops after the main containers and its startup gates them; \
                 name it in an annotation to include it"
                    .into()
            }
            Self::MeshProxy => {
                "it is a mesh proxy, which its mesh configures; name it in an annotation to include it".into()
            }
            Self::ContainerExcluded => "the configuration leaves containers of this name alone".into(),
            Self::StartupProbePresent => "it has a startupProbe".into(),
            Self::StartupProbeOff => "startup-probe is off".into(),
            Self::SourceMissing(Source::Liveness) => {
                "it has no livenessProbe to copy; say startup-probe: readiness, port or a handler if it may \
                 be restarted when that fails at start"
                    .into()
            }
            Self::SourceMissing(Source::Readiness) => "it has no readinessProbe to copy".into(),
            Self::SourceMissing(Source::Port | Source::SpringBoot) => "it declares no TCP port".into(),
            Self::ExecProbe => {
                "its probe runs a command: one that is missing in the image is ignored as liveness and never \
                 Ready as startup; say startup-probe: liveness if it works"
                    .into()
            }
            Self::PeersNeedReady => {
                "its peers find it by name only once it is Ready, and its livenessProbe may need them; say \
                 startup-probe: liveness if it answers alone"
                    .into()
            }
            Self::DelayTooLong(delay) => format!(
                "its livenessProbe waits {delay}s before it asks, too long for any other timing: the copy would \
                 hold Ready back as long; say startup-probe: liveness if that is fine"
            ),
            Self::PeriodTooLong(period) => format!(
                "a copy of its livenessProbe could ask only every {period}s, as its timeout or its patience is that long, \
                 and Ready would wait for it; say startup-period or a handler"
            ),
            Self::ProgressDeadline(budget) => format!(
                "its start may take {budget}s and it has no readinessProbe: a Deployment is called failed after \
                 600s without Ready; say startup-probe: liveness if that is fine"
            ),
            Self::PortUndeclared(name) => format!(
                "the probe names the port {name}, which the container does not declare, and would never succeed; \
                 declare it or use its number"
            ),
            Self::PortUnclear => {
                "it declares several TCP ports and none alone is named http, https or grpc; say \
                 startup-probe: tcp://:PORT"
                    .into()
            }
            Self::ProbeUnreadable => {
                "its probe has a field that cannot be copied: nested too deep, or a number out of range".into()
            }
            Self::HostNetwork => {
                "the pod uses the host's network, where another process may answer on the port".into()
            }
            Self::SpringPortUnclear => {
                "the actuator's port is not clear: set MANAGEMENT_SERVER_PORT or SERVER_PORT to a number, or \
                 declare one TCP port"
                    .into()
            }
            Self::SpringTls => {
                "the application sets up TLS itself, and whether the actuator answers over it is not clear; \
                 say startup-probe: https://:PORT/actuator/health/liveness"
                    .into()
            }
            Self::SpringActuatorUnclear => {
                "what it says about the actuator, or takes from envFrom, may have moved the liveness group or \
                 switched it off; say startup-probe: http://:PORT/actuator/health/liveness if it answers there"
                    .into()
            }
            Self::PreStopPresent => "it has a preStop hook".into(),
            Self::SleepOff => "pre-stop-sleep is off".into(),
            Self::NotServing => {
                "nothing says that it serves: no readinessProbe, no network livenessProbe, no TCP port but for metrics".into()
            }
            Self::ProbeGrace => {
                "one of its probes has a terminationGracePeriodSeconds of its own, which a sleep would use up".into()
            }
            Self::MeshProxyLeavesFirst(proxy) => format!(
                "{proxy} would stop before the sleep is over and cut the connections; let the mesh delay its proxy first"
            ),
            Self::GraceOff => "grace-period is off, and a sleep would come out of it".into(),
            Self::SleepExceedsGrace(sleep, grace) => format!(
                "{sleep}s do not fit into the grace period of {grace}s, which grace-period: off keeps and of which 2s \
                 must be left; say auto, or a shorter sleep"
            ),
            Self::SleepActionOff => "sleeps are switched off (sleepAction: off)".into(),
            Self::WindowsExec => {
                "Windows images have no sleep program, and this cluster has no native sleep".into()
            }
            Self::EnvFrom => "it takes variables from envFrom, which may say otherwise".into(),
            Self::VariableStated(property) => format!("the container says {property} itself"),
            Self::AnnotationsFull => "the pod's annotations would exceed 262144 bytes".into(),
        }
    }

    /// Whether somebody asked for something that they do not get, and should be told.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::PortUndeclared(_) | Self::SleepExceedsGrace(..) | Self::AnnotationsFull
        )
    }
}
