//! What holds for every pod before it says anything itself: the configuration, read.

use std::collections::BTreeMap;

use super::handler::Source;
use super::profiles::Profile;
use super::settings::Settings;

/// What is done with a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Patch it.
    Enforce,
    /// Say what would be patched, patch nothing.
    Audit,
    /// Leave it alone.
    Off,
}

impl Mode {
    /// The word in labels, configuration and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Audit => "audit",
            Self::Off => "off",
        }
    }

    /// The mode of that word.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Enforce, Self::Audit, Self::Off]
            .into_iter()
            .find(|mode| mode.word() == word)
    }
}

/// How a sleep can be written for the API server and the nodes at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SleepAction {
    /// `sleep: {seconds: N}`, done by the kubelet (KEP-3960).
    Native,
    /// `exec: {command: ["sleep", "N"]}`, done by a program in the image.
    Exec,
    /// Not at all.
    Off,
}

impl SleepAction {
    /// The word in configuration and flags.
    pub fn word(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Exec => "exec",
            Self::Off => "off",
        }
    }

    /// The oldest minor version of 1.N whose API server takes a native sleep and whose kubelet runs it:
    /// before it the feature is off, an API server rejects the pod and a kubelet does not wait
    /// (PodLifecycleSleepAction, on from 1.30).
    pub const NATIVE_FROM: u32 = 30;

    /// What the oldest API server takes and the oldest kubelet runs, by their minor versions. Where the
    /// kubelets' are not known, the API server's decides: from 1.33 no supported kubelet is too old
    /// (version skew of three), and before, most nodes are of its version.
    pub fn for_versions(server: u32, oldest_kubelet: Option<u32>) -> Self {
        let oldest = oldest_kubelet.map_or(server, |kubelet| kubelet.min(server));
        if oldest < Self::NATIVE_FROM {
            Self::Exec
        } else {
            Self::Native
        }
    }
}

/// What the configuration says. One value serves all pods; [`Policy::default`] is what holds without a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// The mode of pods that no label speaks for. `Off` holds whatever a label says: the kill switch.
    pub mode: Mode,
    /// Settings of every pod, stronger than the built-in defaults.
    pub defaults: Settings,
    /// What `startup-probe: auto` may use, first first.
    pub auto_sources: Vec<Source>,
    /// Seconds added to every stated need.
    pub margin: u32,
    /// The most seconds that a stated need may ask of the grace period.
    pub longest_grace: u32,
    /// Profiles of the configuration; one of a built-in's name replaces it.
    pub profiles: BTreeMap<String, Profile>,
    /// Names of namespaces whose pods are left alone; a `*` at the end stands for any ending.
    pub excluded_namespaces: Vec<String>,
    /// Priority classes whose pods are left alone.
    pub excluded_priority_classes: Vec<String>,
    /// Names of containers that are left alone.
    pub excluded_containers: Vec<String>,
    /// How sleeps are written.
    pub sleep_action: SleepAction,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            defaults: Settings::default(),
            auto_sources: vec![Source::Liveness],
            margin: 5,
            // What the cluster autoscaler waits for by default (--max-graceful-termination-sec).
            longest_grace: 600,
            profiles: BTreeMap::new(),
            excluded_namespaces: Vec::new(),
            excluded_priority_classes: vec![
                "system-node-critical".into(),
                "system-cluster-critical".into(),
            ],
            excluded_containers: Vec::new(),
            sleep_action: SleepAction::Native,
        }
    }
}

impl Policy {
    /// The profile of that name: the configuration's, else the built-in one.
    pub fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.get(name).or_else(|| Profile::built_in(name))
    }

    /// The names of all profiles.
    pub fn profile_names(&self) -> impl Iterator<Item = &str> {
        let built_in: Vec<&str> = Profile::built_in_names().collect();
        self.profiles.keys().map(String::as_str).chain(built_in)
    }

    /// Whether the configuration leaves a namespace alone.
    pub fn excludes_namespace(&self, name: &str) -> bool {
        self.excluded_namespaces
            .iter()
            .any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == pattern,
            })
    }
}
