//! The shutdown solver: who sleeps before SIGTERM, and the grace period that fits it.

use super::annotations::Level;
use super::handler::StartupProbe;
use super::pod::{Container, Pod};
use super::policy::{Policy, SleepAction};
use super::resolve::{Chosen, Origin, Resolved};
use super::settings::{GracePeriod, Sleep};
use super::skip::Skip;
use super::spring;

/// Proxies that a mesh adds beside the application, by container name.
const MESH_PROXIES: [&str; 5] = [
    "istio-proxy",
    "linkerd-proxy",
    "kuma-sidecar",
    "consul-dataplane",
    "envoy-sidecar",
];

/// What the kubelet leaves an application when the grace period is used up, in seconds
/// (`minimumGracePeriodInSeconds`, k8s.io/kubernetes/pkg/kubelet/kuberuntime).
pub const MINIMUM_AFTER_PRE_STOP: i64 = 2;

/// What an application counts as needing where its preStop hook leaves it next to nothing, in seconds.
const NEED_WHERE_NOTHING_IS_LEFT: u64 = 20;

/// Where the time that an application needs after SIGTERM is stated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatedBy {
    /// The setting `shutdown-timeout`.
    Setting(Origin),
    /// The container's own Spring Boot phase timeout.
    SpringBoot,
    /// Nobody, but its preStop hook leaves less than two seconds.
    NothingLeft,
}

/// A stated need: what one container asks of the grace period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The container.
    pub container: String,
    /// Seconds of its preStop hook, ours or its own.
    pub pre_stop: u64,
    /// Seconds that the application needs after SIGTERM.
    pub application: u64,
    /// Who says so.
    pub stated_by: StatedBy,
    /// Seconds of margin.
    pub margin: u64,
}

impl Need {
    /// The grace period that this asks for, in seconds.
    pub fn total(&self) -> u64 {
        self.pre_stop
            .saturating_add(self.application)
            .saturating_add(self.margin)
    }
}

/// What happens to the grace period, with the arithmetic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grace {
    /// What the pod has, in seconds.
    pub before: i64,
    /// What it gets, in seconds; never less.
    pub after: i64,
    /// The longest sleep that is added, in seconds.
    pub longest_sleep: u32,
    /// What the containers state.
    pub needs: Vec<Need>,
    /// The cap on stated needs, in seconds.
    pub cap: u32,
    /// What `grace-period` says.
    pub setting: Chosen<GracePeriod>,
}

/// A container that the solver looks at.
pub(super) struct Candidate<'a> {
    pub container: &'a Container<'a>,
    pub settings: &'a Resolved<'a>,
    /// Whether it is the pod's only one: what the pod asks for is then for it.
    pub is_only: bool,
}

/// Whether a mesh added this container.
pub(super) fn is_mesh_proxy(container: &Container<'_>) -> bool {
    MESH_PROXIES.contains(&&*container.name)
}

/// The sleep of one container, in seconds, before the rest of the pod is looked at.
///
/// # Errors
/// Why it gets none.
pub(super) fn sleep(
    pod: &Pod<'_>,
    candidate: &Candidate<'_>,
    grace: &Chosen<GracePeriod>,
    action: SleepAction,
) -> Result<u32, Skip> {
    let container = candidate.container;
    if container.pre_stop().is_some() {
        return Err(Skip::PreStopPresent);
    }
    let setting = &candidate.settings.pre_stop_sleep;
    let seconds = match setting.value {
        Sleep::Off => return Err(Skip::SleepOff),
        Sleep::Seconds(seconds) => seconds,
    };
    let asked_for = match setting.origin.level {
        Level::Container => true,
        Level::Pod => candidate.is_only,
        _ => false,
    };
    if !container.serves() && !asked_for {
        return Err(Skip::NotServing);
    }
    if has_own_grace(candidate) {
        return Err(Skip::ProbeGrace);
    }
    match action {
        SleepAction::Off => return Err(Skip::SleepActionOff),
        SleepAction::Exec if pod.is_windows() => return Err(Skip::WindowsExec),
        SleepAction::Native | SleepAction::Exec => {}
    }
    if grace.value == GracePeriod::Off {
        // A profile that came with a load balancer's name is nobody's word for this sleep.
        if setting.origin.level < Level::Namespace || setting.origin.profile.is_some() {
            return Err(Skip::GraceOff);
        }
        if i64::from(seconds) + MINIMUM_AFTER_PRE_STOP > pod.grace() {
            return Err(Skip::SleepExceedsGrace(seconds, pod.grace()));
        }
    }
    Ok(seconds)
}

/// Whether a kill after a failed probe would take the sleep out of the probe's own grace period.
fn has_own_grace(candidate: &Candidate<'_>) -> bool {
    let container = candidate.container;
    let ours = match candidate.settings.startup_probe.value {
        StartupProbe::Stated(stated) if container.startup_probe.value().is_none() => {
            stated.probe.contains_key("terminationGracePeriodSeconds")
        }
        _ => false,
    };
    ours || [
        container.liveness_probe.as_ref(),
        container.startup_probe.value(),
    ]
    .into_iter()
    .flatten()
    .any(|probe| probe.own_grace().is_some())
}

/// The ordinary mesh proxy that would be gone before a sleep of `seconds` is over, if there is one.
/// `added` tells the sleep that we add to a container of this index.
pub(super) fn proxy_that_leaves_first<'p>(
    pod: &'p Pod<'_>,
    seconds: u32,
    added: impl Fn(usize) -> Option<u32>,
) -> Option<&'p str> {
    pod.spec
        .containers
        .iter()
        .enumerate()
        .filter(|(_, container)| is_mesh_proxy(container))
        .find(|(index, proxy)| {
            let own = proxy
                .pre_stop()
                .and_then(|hook| hook.seconds())
                .unwrap_or(0);
            own.max(added(*index).map_or(0, u64::from)) < u64::from(seconds)
        })
        .map(|(_, proxy)| &*proxy.name)
}

/// What one container states that it needs of the grace period; `sleep` is the one that we add.
pub(super) fn need(
    pod: &Pod<'_>,
    candidate: &Candidate<'_>,
    sleep: Option<u32>,
    policy: &Policy,
) -> Option<Need> {
    let container = candidate.container;
    let own_hook = container.pre_stop().and_then(|hook| hook.seconds());
    let pre_stop = sleep.map(u64::from).or(own_hook).unwrap_or(0);
    let setting = candidate.settings.shutdown_timeout.as_ref();
    let by_setting = |chosen: &Chosen<u32>| {
        (
            u64::from(chosen.value),
            StatedBy::Setting(chosen.origin.clone()),
        )
    };
    // An annotation is stronger than what the container says, and that than profiles and configuration.
    let annotated =
        setting.filter(|c| c.origin.level >= Level::Namespace && c.origin.profile.is_none());
    let (application, stated_by) = annotated
        .map(by_setting)
        .or_else(|| Some((spring::phase_timeout(container)?, StatedBy::SpringBoot)))
        .or_else(|| setting.map(by_setting))
        .or_else(|| {
            let own = i64::try_from(own_hook?).ok()?;
            let left = pod.grace().saturating_sub(own);
            // Where the cap cannot give it more either, a longer end would be for nothing.
            let fits = own.saturating_add(MINIMUM_AFTER_PRE_STOP) <= policy.longest_grace.into();
            (left < MINIMUM_AFTER_PRE_STOP && fits)
                .then_some((NEED_WHERE_NOTHING_IS_LEFT, StatedBy::NothingLeft))
        })?;
    Some(Need {
        container: container.name.to_string(),
        pre_stop,
        application,
        stated_by,
        margin: policy.margin.into(),
    })
}

/// The grace period that fits the sleeps that we add and every stated need.
pub(super) fn grace(
    pod: &Pod<'_>,
    setting: Chosen<GracePeriod>,
    longest_sleep: u32,
    needs: Vec<Need>,
    policy: &Policy,
) -> Grace {
    let before = pod.grace();
    let cap = policy.longest_grace;
    let stated = needs.iter().map(Need::total).max().unwrap_or(0);
    let stated = i64::try_from(stated.min(cap.into())).unwrap_or(i64::MAX);
    let floor = match setting.value {
        GracePeriod::AtLeast(seconds) => seconds.into(),
        GracePeriod::Auto | GracePeriod::Off => 0,
    };
    let sleep = i64::from(longest_sleep);
    // A grace period of 1 s and a sleep on top would look like a hook that leaves the application next to
    // nothing, and a second pass would ask for more: it gets at once what the kubelet leaves it anyway.
    let least = if sleep > 0 {
        sleep + MINIMUM_AFTER_PRE_STOP
    } else {
        0
    };
    let after = match setting.value {
        GracePeriod::Off => before,
        // Our sleep always comes on top.
        _ => before
            .saturating_add(sleep)
            .max(least)
            .max(stated)
            .max(floor),
    };
    Grace {
        before,
        after,
        longest_sleep,
        needs,
        cap,
        setting,
    }
}
