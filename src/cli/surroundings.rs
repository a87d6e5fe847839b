//! What holds for the pods that commands plan for, as arguments say it: configuration, mode, namespaces, versions.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ValueEnum;

use super::input::quoted;
use super::planner::Planner;
use crate::config::Configuration;
use crate::lifecycle::policy::{Mode, SleepAction};
use crate::manifests::Source;

/// What holds for the pods in them.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Surroundings {
    /// The configuration file.
    #[arg(long, env = "PODGRACE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The mode of pods that no label speaks for, instead of the configuration's.
    #[arg(long, value_enum)]
    mode: Option<ModeArgument>,
    /// Manifests of Namespaces whose labels and annotations count; those in the input count too.
    #[arg(long, value_name = "FILE")]
    namespace_file: Vec<PathBuf>,
    /// The namespace of manifests that name none.
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    /// The Kubernetes version that the manifests are for, as 1.32: how a sleep can be written depends on it.
    #[arg(long, value_name = "VERSION", value_parser = minor_version)]
    kube_version: Option<u32>,
    /// How sleeps are written, instead of what the configuration or the version says.
    #[arg(long, value_enum)]
    sleep_action: Option<SleepActionArgument>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeArgument {
    Enforce,
    Audit,
    Off,
}

/// How sleeps are written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum SleepActionArgument {
    /// As the versions allow.
    Auto,
    /// `sleep: {seconds: N}`.
    Native,
    /// `exec: {command: ["sleep", "N"]}`.
    Exec,
    /// Not at all.
    Off,
}

impl SleepActionArgument {
    /// What it says; none for `auto`.
    pub(super) fn action(self) -> Option<SleepAction> {
        match self {
            Self::Auto => None,
            Self::Native => Some(SleepAction::Native),
            Self::Exec => Some(SleepAction::Exec),
            Self::Off => Some(SleepAction::Off),
        }
    }
}

/// The minor version of `1.32`, `v1.32.4` or `1.32+`.
fn minor_version(text: &str) -> Result<u32, String> {
    text.trim_start_matches('v')
        .strip_prefix("1.")
        .and_then(|rest| {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            rest[..digits].parse().ok()
        })
        .ok_or_else(|| "not a Kubernetes version (write 1.32)".to_owned())
}

impl Surroundings {
    /// Reads the files of Namespaces.
    pub(super) fn namespace_sources(&self) -> anyhow::Result<Vec<Source>> {
        let read = |file: &PathBuf| {
            let name = file.display().to_string();
            let bytes = std::fs::read(file).with_context(|| name.clone())?;
            Ok(Source { name, bytes })
        };
        self.namespace_file.iter().map(read).collect()
    }

    /// Reads the configuration and the namespace files.
    pub(super) fn planner(&self) -> anyhow::Result<Planner> {
        let configuration = self.configuration()?.unwrap_or_default();
        self.planner_of(configuration, SleepAction::for_versions(u32::MAX, None))
    }

    /// Reads the configuration, where one is named.
    pub(super) fn configuration(&self) -> anyhow::Result<Option<Configuration>> {
        Ok(self
            .config
            .as_deref()
            .map(Configuration::load)
            .transpose()?)
    }

    /// What was given, as it would be written again, with or without the namespace.
    pub(super) fn arguments(&self, with_namespace: bool) -> String {
        let mut text = String::new();
        let mut add = |name: &str, value: &dyn AsRef<Path>| {
            text += &format!(" --{name} {}", quoted(value.as_ref()));
        };
        if let Some(file) = &self.config {
            add("config", file);
        }
        if let Some(mode) = self.mode.and_then(|mode| mode.to_possible_value()) {
            add("mode", &mode.get_name());
        }
        for file in &self.namespace_file {
            add("namespace-file", file);
        }
        if let Some(name) = self.namespace.as_ref().filter(|_| with_namespace) {
            add("namespace", name);
        }
        if let Some(minor) = self.kube_version {
            add("kube-version", &format!("1.{minor}"));
        }
        let action = self.sleep_action;
        if let Some(action) = action.and_then(|action| action.to_possible_value()) {
            add("sleep-action", &action.get_name());
        }
        text
    }

    /// The namespace that is named.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Whether the cluster's versions are to decide how sleeps are written.
    pub(super) fn is_negotiated(&self) -> bool {
        let by_argument = self.sleep_action.and_then(SleepActionArgument::action);
        self.kube_version.is_none() && by_argument.is_none()
    }

    /// Reads the namespace files. `by_version` is how sleeps are written where no argument says it.
    pub(super) fn planner_of(
        &self,
        configuration: Configuration,
        by_version: SleepAction,
    ) -> anyhow::Result<Planner> {
        let stated = self.kube_version;
        let by_version = stated.map_or(by_version, |minor| SleepAction::for_versions(minor, None));
        let mut policy = configuration.policy(by_version);
        if let Some(mode) = self.mode {
            policy.mode = match mode {
                ModeArgument::Enforce => Mode::Enforce,
                ModeArgument::Audit => Mode::Audit,
                ModeArgument::Off => Mode::Off,
            };
        }
        if let Some(action) = self.sleep_action {
            policy.sleep_action = action.action().unwrap_or(by_version);
        }
        let namespaces = (self.namespace.clone(), self.namespace_file.as_slice());
        let mut planner = Planner::new(configuration, policy, namespaces)?;
        planner.mode_is_argument = self.mode.is_some();
        Ok(planner)
    }
}
