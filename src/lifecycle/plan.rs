//! The plan: what one pod gets and what is left alone, each with its reason.

use super::annotations::{Level, Problem, Said};
use super::pod::{Container, Pod};
use super::policy::{Mode, Policy, SleepAction};
use super::resolve::{Chosen, Levels, Origin, Resolved};
use super::settings::{GracePeriod, MODE_LABEL, Setting};
use super::shutdown::{self, Candidate, Grace};
use super::skip::{Part, Skip, Skipped};
use super::startup::{self, NewProbe};
use super::text;
use super::variables::variables;

/// What is known about a pod besides itself.
#[derive(Debug, Clone, Copy)]
pub struct Context<'c> {
    /// The configuration.
    pub policy: &'c Policy,
    /// The name of the pod's namespace, where it is known.
    pub namespace: Option<&'c str>,
    /// What the Namespace says, where it is known.
    pub namespace_said: Option<&'c Said>,
}

/// The list that a container stands in, and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `spec.containers[i]`.
    Container(usize),
    /// `spec.initContainers[i]`, a native sidecar.
    NativeSidecar(usize),
}

/// A container that a change is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// Where it stands.
    pub place: Place,
    /// Its name.
    pub name: String,
}

/// A change to a pod. It is made once and rendered many times.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A startup probe is added.
    StartupProbe {
        /// The container.
        at: At,
        /// The probe.
        new: NewProbe,
        /// Who said where it comes from.
        origin: Origin,
    },
    /// A preStop sleep is added.
    PreStop {
        /// The container.
        at: At,
        /// How long it sleeps, in seconds.
        seconds: u32,
        /// How it is written; never `Off`.
        action: SleepAction,
        /// Who said how long.
        origin: Origin,
    },
    /// A variable is added.
    Variable {
        /// The container.
        at: At,
        /// Its name.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// The grace period grows.
    GracePeriod {
        /// Seconds before.
        before: i64,
        /// Seconds after.
        after: i64,
    },
}

impl Change {
    /// The word that labels metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::StartupProbe { .. } => "startup_probe",
            Self::PreStop { .. } => "pre_stop",
            Self::Variable { .. } => "variable",
            Self::GracePeriod { .. } => "grace_period",
        }
    }

    /// Every kind, so that a metric can show zeros from the start.
    pub const KINDS: [&'static str; 4] = ["startup_probe", "pre_stop", "variable", "grace_period"];
}

/// What one pod gets, and why.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Whether the changes are made, told or not even made up.
    pub mode: Chosen<Mode>,
    /// What is added, container by container, then the pod's own.
    pub changes: Vec<Change>,
    /// What is left alone.
    pub skips: Vec<Skipped>,
    /// What is wrong with what the pod and its Namespace say.
    pub problems: Vec<Problem>,
    /// The arithmetic of the grace period; none where the pod is left alone.
    pub grace: Option<Grace>,
}

impl Plan {
    /// Whether a patch is to be made.
    pub fn is_enforced(&self) -> bool {
        self.mode.value == Mode::Enforce && !self.changes.is_empty()
    }
}

/// The most containers of a pod that is looked at. Kubernetes has no limit and checks pods only behind webhooks; what
/// is compared with each other must not take an admission's time.
const MOST_CONTAINERS: usize = 256;

/// Decides what a pod gets.
pub fn plan(pod: &Pod<'_>, context: &Context<'_>) -> Plan {
    let names: Vec<&str> = all_containers(pod).map(|(_, c)| &*c.name).collect();
    let too_many = (names.len() > MOST_CONTAINERS).then_some(Skip::TooManyContainers(names.len()));
    let metadata = pod.meta();
    let annotations = metadata.annotations.value().filter(|_| too_many.is_none());
    let said = Said::by_pod(&metadata.labels, annotations, &names);
    let mode = mode(&said, context);
    let mut plan = Plan {
        mode,
        changes: Vec::new(),
        skips: Vec::new(),
        problems: context
            .namespace_said
            .into_iter()
            .chain([&said])
            .flat_map(|said| said.problems.iter().cloned())
            .collect(),
        grace: None,
    };
    // A label that means nothing is the only problem of that key that brings a value.
    let wrong_modes = plan.problems.iter_mut().filter(|p| p.key == MODE_LABEL);
    for problem in wrong_modes.filter(|p| p.value.is_some()) {
        problem.instead = Some(text::mode(&plan.mode));
    }
    match whole_pod(pod, context, plan.mode.value).or(too_many) {
        Some(why) => plan.skip(None, Part::Everything, why),
        None => Planner::new(pod, context, &said, &mut plan).run(),
    }
    plan
}

/// The mode: the pod's label, else its Namespace's, else the configuration's. There `off` is the kill switch.
fn mode(said: &Said, context: &Context<'_>) -> Chosen<Mode> {
    let configured = context.policy.mode;
    let (value, level) = match (
        said.mode,
        context.namespace_said.and_then(|namespace| namespace.mode),
    ) {
        _ if configured == Mode::Off => (Mode::Off, Level::Config),
        (Some(mode), _) => (mode, Level::Pod),
        (None, Some(mode)) => (mode, Level::Namespace),
        (None, None) => (configured, Level::Config),
    };
    Chosen {
        value,
        origin: Origin {
            level,
            profile: None,
        },
    }
}

/// Why a whole pod is left alone.
fn whole_pod(pod: &Pod<'_>, context: &Context<'_>, mode: Mode) -> Option<Skip> {
    let policy = context.policy;
    if mode == Mode::Off {
        return Some(Skip::ModeOff);
    }
    if pod.is_mirror() {
        return Some(Skip::MirrorPod);
    }
    if let Some(name) = context.namespace
        && policy.excludes_namespace(name)
    {
        return Some(Skip::NamespaceExcluded(name.to_owned()));
    }
    if let Some(class) = pod.spec.priority_class_name.as_deref()
        && policy.excluded_priority_classes.iter().any(|c| c == class)
    {
        return Some(Skip::PriorityClass(class.to_owned()));
    }
    let grace = pod.grace();
    (grace <= 0).then_some(Skip::GraceZero(grace))
}

/// All containers that have a place in a plan, ordinary ones first.
pub(super) fn all_containers<'p, 'a>(
    pod: &'p Pod<'a>,
) -> impl Iterator<Item = (Place, &'p Container<'a>)> {
    let ordinary = pod.spec.containers.iter().enumerate();
    let init = pod.spec.init_containers.iter().enumerate();
    ordinary
        .map(|(i, c)| (Place::Container(i), &c.0))
        .chain(init.map(|(i, c)| (Place::NativeSidecar(i), &c.0)))
}

/// Why a container is left alone, and whether an annotation of its own overrides that.
pub(super) fn left_alone(
    pod: &Pod<'_>,
    policy: &Policy,
    place: Place,
    container: &Container<'_>,
) -> Option<Skip> {
    if policy
        .excluded_containers
        .iter()
        .any(|name| **name == *container.name)
    {
        return Some(Skip::ContainerExcluded);
    }
    let is_init = matches!(place, Place::NativeSidecar(_));
    if is_init && container.restart_policy.as_deref() != Some("Always") {
        return Some(Skip::InitContainer);
    }
    let restart = pod.restart_policy_of(container);
    if restart != "Always" {
        return Some(Skip::RestartPolicy(restart.to_owned()));
    }
    if !container.restart_policy_rules.is_empty() {
        return Some(Skip::RestartRules);
    }
    if is_init {
        return Some(Skip::NativeSidecar);
    }
    shutdown::is_mesh_proxy(container).then_some(Skip::MeshProxy)
}

/// A container under consideration, with what counts for it.
struct Considered<'a> {
    place: Place,
    container: &'a Container<'a>,
    settings: Resolved<'a>,
    /// Why it is left alone where no annotation names it.
    unless_named: Option<Skip>,
    /// The sleep that it gets, in seconds, or why none.
    sleep: Result<u32, Skip>,
}

/// The steps of one plan: choose settings, solve startup, solve shutdown, write down.
struct Planner<'a> {
    pod: &'a Pod<'a>,
    context: &'a Context<'a>,
    said: &'a Said,
    plan: &'a mut Plan,
}

impl<'a> Planner<'a> {
    fn new(pod: &'a Pod<'a>, context: &'a Context<'a>, said: &'a Said, plan: &'a mut Plan) -> Self {
        Self {
            pod,
            context,
            said,
            plan,
        }
    }

    fn run(self) {
        let (pod, policy) = (self.pod, self.context.policy);
        let mut candidates: Vec<(Place, &Container<'_>, Option<Skip>)> = Vec::new();
        let mut eligible = Vec::new();
        for (place, container) in all_containers(pod) {
            let why = left_alone(pod, policy, place, container);
            if let (Place::Container(index), None) = (place, &why) {
                eligible.push(index);
            }
            match why {
                None | Some(Skip::NativeSidecar | Skip::MeshProxy) => {
                    candidates.push((place, container, why));
                }
                Some(why) => self
                    .plan
                    .skips
                    .push(Skipped::container(&container.name, why)),
            }
        }
        let problems = &mut self.plan.problems;
        let levels = Levels::new(
            pod,
            policy,
            self.context.namespace_said,
            self.said,
            &eligible,
            problems,
        );
        problems.extend(levels.unclear());
        let grace_setting = levels.grace_period();
        let mut all: Vec<Considered<'_>> = Vec::with_capacity(candidates.len());
        for (place, container, unless_named) in candidates {
            let index = match place {
                Place::Container(index) => Some(index),
                Place::NativeSidecar(_) => None,
            };
            let settings = levels.of(container, index, problems);
            if let Some(why) = &unless_named
                && !settings.names_container()
            {
                let why = why.clone();
                self.plan
                    .skips
                    .push(Skipped::container(&container.name, why));
                continue;
            }
            let candidate = Candidate {
                container,
                settings: &settings,
                is_only: eligible.len() == 1,
            };
            let sleep = match &unless_named {
                Some(why) if settings.pre_stop_sleep.origin.level != Level::Container => {
                    Err(why.clone())
                }
                _ => shutdown::sleep(pod, &candidate, &grace_setting, policy.sleep_action),
            };
            all.push(Considered {
                place,
                container,
                settings,
                unless_named,
                sleep,
            });
        }
        explain_instead(problems, &all, self.said, &grace_setting);
        keep_proxies_up(pod, &mut all);
        for considered in &all {
            self.plan.startup(pod, policy, considered);
            self.plan.sleep(policy, considered);
            self.plan.variables(considered);
        }
        // A pod of which every container is left alone has nobody to wait for.
        let mine = |c: &&Considered<'_>| {
            c.unless_named.is_none() || c.sleep.is_ok() || c.settings.states_need()
        };
        if all.iter().any(|c| mine(&c)) {
            let needs = all
                .iter()
                .filter(mine)
                .filter_map(|c| {
                    let candidate = Candidate {
                        container: c.container,
                        settings: &c.settings,
                        is_only: false,
                    };
                    shutdown::need(pod, &candidate, c.sleep.as_ref().ok().copied(), policy)
                })
                .collect();
            let longest = all.iter().filter_map(|c| c.sleep.as_ref().ok()).max();
            let longest = longest.copied().unwrap_or(0);
            let grace = shutdown::grace(pod, grace_setting, longest, needs, policy);
            if grace.after > grace.before {
                self.plan.changes.push(Change::GracePeriod {
                    before: grace.before,
                    after: grace.after,
                });
            }
            self.plan.grace = Some(grace);
        }
    }
}

/// Takes the sleep from containers whose mesh proxy would be gone before it is over.
fn keep_proxies_up(pod: &Pod<'_>, all: &mut [Considered<'_>]) {
    let added: Vec<(Place, u32)> = all
        .iter()
        .filter(|c| shutdown::is_mesh_proxy(c.container))
        .filter_map(|c| Some((c.place, *c.sleep.as_ref().ok()?)))
        .collect();
    // Proxies carry nothing for each other, and none may lose the sleep that another container counts on.
    for considered in all
        .iter_mut()
        .filter(|c| !shutdown::is_mesh_proxy(c.container))
    {
        let Ok(seconds) = considered.sleep else {
            continue;
        };
        let proxy = shutdown::proxy_that_leaves_first(pod, seconds, |index| {
            added
                .iter()
                .find(|(place, _)| *place == Place::Container(index))
                .map(|(_, seconds)| *seconds)
        });
        if let Some(proxy) = proxy {
            considered.sleep = Err(Skip::MeshProxyLeavesFirst(proxy.to_owned()));
        }
    }
}

impl Plan {
    fn skip(&mut self, container: Option<&str>, part: Part, why: Skip) {
        self.skips.push(Skipped {
            container: container.map(str::to_owned),
            part,
            why,
        });
    }

    fn startup(&mut self, pod: &Pod<'_>, policy: &Policy, considered: &Considered<'_>) {
        let settings = &considered.settings;
        let origin = &settings.startup_probe.origin;
        let new = match &considered.unless_named {
            Some(why) if origin.level != Level::Container => Err(why.clone()),
            _ => startup::startup(pod, considered.container, settings, policy),
        };
        match new {
            Ok(new) => self.changes.push(Change::StartupProbe {
                at: considered.at(),
                new,
                origin: origin.clone(),
            }),
            Err(why) => self.skip(Some(&considered.container.name), Part::StartupProbe, why),
        }
    }

    fn sleep(&mut self, policy: &Policy, considered: &Considered<'_>) {
        match &considered.sleep {
            Ok(seconds) => self.changes.push(Change::PreStop {
                at: considered.at(),
                seconds: *seconds,
                action: policy.sleep_action,
                origin: considered.settings.pre_stop_sleep.origin.clone(),
            }),
            Err(why) => self.skip(Some(&considered.container.name), Part::PreStop, why.clone()),
        }
    }

    fn variables(&mut self, considered: &Considered<'_>) {
        let Considered {
            container,
            settings,
            ..
        } = considered;
        for variable in variables(container, settings) {
            match variable {
                Ok((name, value)) => self.changes.push(Change::Variable {
                    at: considered.at(),
                    name,
                    value,
                }),
                Err(why) => self.skip(Some(&container.name), Part::Variables, why),
            }
        }
    }
}

impl Considered<'_> {
    fn at(&self) -> At {
        At {
            place: self.place,
            name: self.container.name.to_string(),
        }
    }
}

/// Completes each warning about an unreadable value with what counts instead.
fn explain_instead(
    problems: &mut [Problem],
    all: &[Considered<'_>],
    said: &Said,
    grace: &Chosen<GracePeriod>,
) {
    let speaks_for_itself = |c: &&Considered<'_>| {
        said.containers
            .iter()
            .any(|(n, _)| **n == *c.container.name)
    };
    for problem in problems {
        let Some((setting, container)) = &problem.setting else {
            continue;
        };
        let mut considered = all.iter().filter(|c| c.unless_named.is_none());
        let considered = match container {
            Some(name) => considered.find(|c| **name == *c.container.name),
            // What is said for all counts where a container says nothing itself.
            None => considered
                .clone()
                .find(|c| !speaks_for_itself(c))
                .or_else(|| considered.next()),
        };
        problem.instead = match (setting, considered) {
            (Setting::GracePeriod, _) => Some(text::grace_setting(grace)),
            (Setting::Ignore, _) => Some("none".to_owned()),
            (_, Some(c)) => text::setting(*setting, &c.settings),
            (_, None) => None,
        };
    }
}
