//! Which value of each setting counts for a container, and where it comes from.
//!
//! Weakest first: built-in defaults, configuration, Namespace, pod, container; a profile ranks just below
//! the level that names it. A handler, or a profile that sets variables, said for more than one container
//! counts for one only: see [`Target`].

use super::annotations::{Level, Problem, Said};
use super::handler::{StartupProbe, StatedPort};
use super::nearest::nearest;
use super::pod::{Container, Pod};
use super::policy::Policy;
use super::settings::{DOMAIN, GracePeriod, Setting, Settings, Sleep};

/// How long a start may take, in seconds, where nobody says so.
const STARTUP_TIMEOUT: u32 = 150;

/// How long a container goes on serving where nobody says so.
const PRE_STOP_SLEEP: Sleep = Sleep::Seconds(5);

/// What holds where nobody says anything.
static BUILT_IN: Settings = Settings {
    profiles: None,
    startup_probe: Some(StartupProbe::Auto),
    startup_timeout: Some(STARTUP_TIMEOUT),
    startup_period: None,
    pre_stop_sleep: Some(PRE_STOP_SLEEP),
    shutdown_timeout: None,
    grace_period: Some(GracePeriod::Auto),
    ignore: None,
};

/// The profile name that ends the profiles of weaker levels.
pub const NO_PROFILE: &str = "none";

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The level that said it.
    pub level: Level,
    /// The profile that the level named, where that said it.
    pub profile: Option<String>,
}

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen<T> {
    /// The value that counts.
    pub value: T,
    /// Where it comes from.
    pub origin: Origin,
}

/// What counts for one container.
#[derive(Debug, Clone)]
pub struct Resolved<'p> {
    /// Where the startup probe comes from.
    pub startup_probe: Chosen<&'p StartupProbe>,
    /// How long a start may take, in seconds.
    pub startup_timeout: Chosen<u32>,
    /// How often the startup probe asks, in seconds, where somebody says so.
    pub startup_period: Option<Chosen<u32>>,
    /// How long the container goes on serving after its deletion.
    pub pre_stop_sleep: Chosen<Sleep>,
    /// What the application needs after SIGTERM, in seconds, where somebody says so.
    pub shutdown_timeout: Option<Chosen<u32>>,
    /// The profile that sets Spring Boot's variables, where one does.
    pub spring_boot: Option<Origin>,
}

impl Resolved<'_> {
    /// Whether an annotation for this container alone says what its application needs after SIGTERM.
    pub(super) fn states_need(&self) -> bool {
        let stated = self.shutdown_timeout.as_ref();
        stated.is_some_and(|chosen| chosen.origin.level == Level::Container)
    }

    /// Whether one says anything that a plan acts on.
    pub(super) fn names_container(&self) -> bool {
        let acted_on = [&self.pre_stop_sleep.origin, &self.startup_probe.origin];
        let is_named = |origin: &&Origin| origin.level == Level::Container;
        acted_on.iter().any(is_named) || self.states_need()
    }
}

/// Which container a handler or profile is for that a whole pod, namespace or cluster is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The one that declares its port, else the one that serves, else the pod's only one if the pod says it.
    Container(usize),
    /// No container serves.
    Nobody,
    /// More than one could be meant.
    Unclear,
}

/// One level's settings, or those of a profile that it names.
#[derive(Debug, Clone, Copy)]
struct Layer<'p> {
    level: Level,
    profile: Option<&'p str>,
    settings: &'p Settings,
    spring_boot: bool,
}

/// Everything that is said about one pod, in order.
#[derive(Debug)]
pub struct Levels<'p> {
    pod: &'p Pod<'p>,
    policy: &'p Policy,
    said: &'p Said,
    /// Indices of the containers that a handler or profile may go to.
    eligible: &'p [usize],
    layers: Vec<Layer<'p>>,
}

impl<'p> Levels<'p> {
    /// Stacks what is said; unknown profiles are added to the problems.
    pub fn new(
        pod: &'p Pod<'p>,
        policy: &'p Policy,
        namespace: Option<&'p Said>,
        said: &'p Said,
        eligible: &'p [usize],
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut levels = Self {
            pod,
            policy,
            said,
            eligible,
            layers: Vec::with_capacity(4),
        };
        let layers = &mut levels.layers;
        layers.push(Layer::of(Level::BuiltIn, &BUILT_IN));
        push(
            layers,
            policy,
            Level::Config,
            &policy.defaults,
            None,
            problems,
        );
        if let Some(namespace) = namespace {
            push(
                layers,
                policy,
                Level::Namespace,
                &namespace.settings,
                None,
                problems,
            );
        }
        push(layers, policy, Level::Pod, &said.settings, None, problems);
        levels
    }

    /// What counts for one container. `index` is its place among the ordinary ones; a native sidecar has none.
    pub fn of(
        &self,
        container: &Container<'_>,
        index: Option<usize>,
        problems: &mut Vec<Problem>,
    ) -> Resolved<'p> {
        let own = self
            .said
            .containers
            .iter()
            .find(|(name, _)| **name == *container.name);
        let mut with_own;
        let layers = match own {
            None => &self.layers,
            Some((_, settings)) => {
                with_own = self.layers.clone();
                push(
                    &mut with_own,
                    self.policy,
                    Level::Container,
                    settings,
                    Some(&container.name),
                    problems,
                );
                &with_own
            }
        };
        // Most pods have no such profile: the target is then never asked for.
        let visible =
            |layer: &&Layer<'p>| !layer.spring_boot || self.is_for(layer.level, None, index);
        let choose = |get: &dyn Fn(&'p Settings) -> Option<u32>| {
            layers
                .iter()
                .rev()
                .filter(visible)
                .find_map(|layer| Some(layer.chose(get(layer.settings)?)))
        };
        let startup_probe = layers.iter().rev().filter(visible).find_map(|layer| {
            let value = layer.settings.startup_probe.as_ref()?;
            match value {
                StartupProbe::Stated(stated) if !self.is_for(layer.level, stated.port(), index) => {
                    None
                }
                _ => Some(layer.chose(value)),
            }
        });
        let pre_stop_sleep = layers
            .iter()
            .rev()
            .filter(visible)
            .find_map(|layer| Some(layer.chose(layer.settings.pre_stop_sleep?)));
        Resolved {
            startup_probe: startup_probe.unwrap_or_else(|| built_in(&StartupProbe::Auto)),
            startup_timeout: choose(&|s| s.startup_timeout)
                .unwrap_or_else(|| built_in(STARTUP_TIMEOUT)),
            startup_period: choose(&|s| s.startup_period),
            pre_stop_sleep: pre_stop_sleep.unwrap_or_else(|| built_in(PRE_STOP_SLEEP)),
            shutdown_timeout: choose(&|s| s.shutdown_timeout),
            spring_boot: layers
                .iter()
                .rev()
                .filter(|layer| layer.spring_boot)
                .find(visible)
                .map(Layer::origin),
        }
    }

    /// What counts for the pod's grace period.
    pub fn grace_period(&self) -> Chosen<GracePeriod> {
        self.layers
            .iter()
            .rev()
            .find_map(|layer| Some(layer.chose(layer.settings.grace_period?)))
            .unwrap_or_else(|| built_in(GracePeriod::Auto))
    }

    /// Handlers and profiles that nobody gets because more than one container could be meant.
    pub fn unclear(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for layer in &self.layers {
            let unclear = |port| self.target(layer.level, port) == Target::Unclear;
            let (setting, value) = match &layer.settings.startup_probe {
                _ if layer.spring_boot && unclear(None) => (Setting::Profile, layer.profile),
                Some(StartupProbe::Stated(stated)) if unclear(stated.port()) => {
                    (Setting::StartupProbe, Some(stated.text.as_str()))
                }
                _ => continue,
            };
            let name = setting.name();
            problems.push(Problem {
                level: layer.level,
                key: format!("{DOMAIN}/{name}"),
                value: value.map(str::to_owned),
                what: format!("could be for several containers (write {name}.{DOMAIN}/CONTAINER)"),
                setting: None,
                instead: None,
            });
        }
        problems
    }

    fn is_for(&self, level: Level, port: Option<StatedPort<'_>>, index: Option<usize>) -> bool {
        // Only the container's own layers are of this level: what they say is for it.
        level == Level::Container
            || index.is_some_and(|i| self.target(level, port) == Target::Container(i))
    }

    fn target(&self, level: Level, port: Option<StatedPort<'_>>) -> Target {
        let containers = &self.pod.spec.containers;
        let only = |matches: &dyn Fn(&Container<'_>) -> bool| {
            let mut found = self
                .eligible
                .iter()
                .copied()
                .filter(|i| matches(&containers[*i]));
            match (found.next(), found.next()) {
                (Some(index), None) => Target::Container(index),
                (Some(_), Some(_)) => Target::Unclear,
                (None, _) => Target::Nobody,
            }
        };
        if let Some(port) = port {
            let declared = only(&|container| {
                container.ports.iter().any(|p| match port {
                    StatedPort::Number(number) => i64::from(p.container_port) == number,
                    StatedPort::Name(name) => p.name.as_deref() == Some(name),
                })
            });
            if declared != Target::Nobody {
                return declared;
            }
        }
        match (only(&|container| container.serves()), self.eligible) {
            (Target::Nobody, [index]) if level == Level::Pod => Target::Container(*index),
            (Target::Nobody, [_, ..]) if level == Level::Pod => Target::Unclear,
            (target, _) => target,
        }
    }
}

impl<'p> Layer<'p> {
    fn of(level: Level, settings: &'p Settings) -> Self {
        Self {
            level,
            profile: None,
            settings,
            spring_boot: false,
        }
    }

    fn origin(&self) -> Origin {
        Origin {
            level: self.level,
            profile: self.profile.map(str::to_owned),
        }
    }

    fn chose<T>(&self, value: T) -> Chosen<T> {
        Chosen {
            value,
            origin: self.origin(),
        }
    }
}

fn push<'p>(
    layers: &mut Vec<Layer<'p>>,
    policy: &'p Policy,
    level: Level,
    settings: &'p Settings,
    container: Option<&str>,
    problems: &mut Vec<Problem>,
) {
    for name in settings.profiles.iter().flatten() {
        if name == NO_PROFILE {
            layers.retain(|layer| layer.profile.is_none());
        } else if let Some(profile) = policy.profile(name) {
            // Named again it counts in its last place.
            layers.retain(|layer| layer.level != level || layer.profile != Some(name));
            layers.push(Layer {
                level,
                profile: Some(name),
                settings: &profile.settings,
                spring_boot: profile.spring_boot,
            });
        } else {
            problems.push(unknown_profile(policy, level, container, name));
        }
    }
    layers.push(Layer::of(level, settings));
}

fn unknown_profile(policy: &Policy, level: Level, container: Option<&str>, name: &str) -> Problem {
    let hint = nearest(name, policy.profile_names())
        .map_or(String::new(), |near| format!(" (did you mean {near}?)"));
    let setting = Setting::Profile.name();
    Problem {
        level,
        key: match container {
            Some(container) => format!("{setting}.{DOMAIN}/{container}"),
            None => format!("{DOMAIN}/{setting}"),
        },
        value: Some(name.to_owned()),
        what: format!("is not a profile{hint}: it is passed over"),
        setting: None,
        instead: None,
    }
}

/// The profiles that somebody names and nobody knows.
pub fn unknown_profiles(policy: &Policy, level: Level, settings: &Settings) -> Vec<Problem> {
    let names = settings.profiles.iter().flatten();
    names
        .filter(|name| *name != NO_PROFILE && policy.profile(name).is_none())
        .map(|name| unknown_profile(policy, level, None, name))
        .collect()
}

fn built_in<T>(value: T) -> Chosen<T> {
    Chosen {
        value,
        origin: Origin {
            level: Level::BuiltIn,
            profile: None,
        },
    }
}
