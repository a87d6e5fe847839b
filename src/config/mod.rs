//! The configuration file: read strictly, with file, line and column in every error.

mod file;
mod show;
mod workloads;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_saphyr::{Location, Spanned};

pub use file::schema;
pub use show::{Shown, show};

use crate::lifecycle::handler::Source;
use crate::lifecycle::nearest::nearest;
use crate::lifecycle::policy::{Mode, Policy, SleepAction};
use crate::lifecycle::profiles::Profile;
use crate::lifecycle::resolve::NO_PROFILE;
use crate::lifecycle::seconds;
use crate::lifecycle::settings::{Setting, Settings};
use crate::workload::Kinds;

use file::{AutoSource, File, FileMode, FileSleepAction};

/// A configuration that was read.
#[derive(Debug, Clone, Default)]
pub struct Configuration {
    /// The file, where there is one.
    pub path: Option<PathBuf>,
    /// What it says, and the defaults for the rest.
    policy: Policy,
    /// How sleeps are to be written; none where the cluster's versions are to decide.
    sleep_action: Option<SleepAction>,
    /// Where pod templates are looked for.
    kinds: Kinds,
    /// The line of each key that the file sets.
    lines: BTreeMap<String, u64>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file says something that is not understood.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column, from 1.
        column: u64,
        /// What is wrong.
        message: String,
    },
}

impl Configuration {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or any of it is not understood.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(path, &text)
    }

    /// Reads the text of a file; `path` is for its errors.
    ///
    /// # Errors
    /// When any of it is not understood.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let reader = Reader { path };
        let file: File = serde_saphyr::from_str(text).map_err(|error| {
            let location = error.location().unwrap_or(Location::UNKNOWN);
            reader.error(&location, plain(&error))
        })?;
        reader.configuration(file)
    }

    /// What holds for pods. `action` is how sleeps are written where the file leaves it to the cluster.
    pub fn policy(&self, action: SleepAction) -> Policy {
        Policy {
            sleep_action: self.sleep_action.unwrap_or(action),
            ..self.policy.clone()
        }
    }

    /// Where pod templates are looked for.
    pub fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// The line of the file that sets a key, where one does.
    pub fn line(&self, key: &str) -> Option<u64> {
        self.lines.get(key).copied()
    }
}

/// The settings that the file may set: all but what an audit accepts, which belongs to its pod.
fn file_settings() -> impl Iterator<Item = Setting> {
    Setting::ALL
        .into_iter()
        .filter(|setting| *setting != Setting::Ignore)
}

/// The message of a YAML error without its place, which stands before it.
fn plain(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let first = text.lines().next().unwrap_or_default();
    match first.find(" at line ") {
        Some(at) => first[..at].to_owned(),
        None => first.to_owned(),
    }
}

struct Reader<'p> {
    path: &'p Path,
}

impl Reader<'_> {
    fn configuration(&self, file: File) -> Result<Configuration, ConfigError> {
        let mut policy = Policy::default();
        let mut lines = BTreeMap::new();
        let mut note = |key: &str, at: &Location| {
            lines.insert(key.to_owned(), at.line());
        };
        if let Some(mode) = &file.mode {
            note("mode", &mode.referenced);
            policy.mode = match mode.value {
                FileMode::Enforce => Mode::Enforce,
                FileMode::Audit => Mode::Audit,
                FileMode::Off => Mode::Off,
            };
        }
        if let Some(sources) = &file.auto_sources {
            note("autoSources", &sources.referenced);
            policy.auto_sources = sources.value.iter().copied().map(source).collect();
        }
        if let Some(margin) = &file.margin {
            note("margin", &margin.referenced);
            policy.margin = self.duration("margin", margin, seconds::parse_or_zero)?;
        }
        if let Some(most) = &file.max_grace_period {
            note("maxGracePeriod", &most.referenced);
            policy.longest_grace = self.duration("maxGracePeriod", most, seconds::parse)?;
        }
        for (name, settings) in file.profiles.iter().flatten() {
            for (key, value) in settings {
                note(&format!("profiles.{name}.{key}"), &value.referenced);
            }
            if Profile::built_in(name).is_some_and(|built_in| built_in.spring_boot) {
                let first = settings.values().next();
                let place = first.map_or(Location::UNKNOWN, |value| value.referenced);
                let message = format!(
                    "{name} sets variables, which a profile here cannot: give yours another name and write \
                     profile: {name}, NAME"
                );
                return Err(self.error(&place, message));
            }
            let profile = Profile {
                settings: self.settings(settings, |s| s != Setting::Profile)?,
                ..Profile::default()
            };
            policy.profiles.insert(name.clone(), profile);
        }
        if let Some(defaults) = &file.defaults {
            for (key, value) in defaults {
                note(&format!("defaults.{key}"), &value.referenced);
            }
            policy.defaults = self.settings(defaults, |_| true)?;
            self.known_profiles(&policy, defaults)?;
        }
        let alone = file.leave_alone.unwrap_or_default();
        for (key, names, place) in [
            (
                "leaveAlone.namespaces",
                alone.namespaces,
                &mut policy.excluded_namespaces,
            ),
            (
                "leaveAlone.priorityClasses",
                alone.priority_classes,
                &mut policy.excluded_priority_classes,
            ),
            (
                "leaveAlone.containers",
                alone.containers,
                &mut policy.excluded_containers,
            ),
        ] {
            if let Some(names) = names {
                note(key, &names.referenced);
                // No name has a star: such a one would leave nobody alone.
                let takes_start = key == "leaveAlone.namespaces";
                let is_pattern = |name: &&String| match name.find('*') {
                    Some(at) => !takes_start || at + 1 < name.len(),
                    None => false,
                };
                if let Some(name) = names.value.iter().find(is_pattern) {
                    let rule = match takes_start {
                        true => "a * may stand at the end only",
                        false => "no * is understood here, write names",
                    };
                    let message = format!("{key}: {name:?} would match nothing: {rule}");
                    return Err(self.error(&names.referenced, message));
                }
                *place = names.value;
            }
        }
        let sleep_action = file.sleep_action.as_ref().and_then(|action| {
            note("sleepAction", &action.referenced);
            match action.value {
                FileSleepAction::Auto => None,
                FileSleepAction::Native => Some(SleepAction::Native),
                FileSleepAction::Exec => Some(SleepAction::Exec),
                FileSleepAction::Off => Some(SleepAction::Off),
            }
        });
        let kinds = self.kinds(file.workloads.as_deref().unwrap_or_default(), &mut note)?;
        Ok(Configuration {
            path: Some(self.path.to_owned()),
            policy,
            sleep_action,
            kinds,
            lines,
        })
    }

    fn settings(
        &self,
        stated: &file::Settings,
        allowed: impl Fn(Setting) -> bool,
    ) -> Result<Settings, ConfigError> {
        let mut settings = Settings::default();
        for (name, value) in stated {
            let known = || file_settings().filter(|s| allowed(*s));
            let Some(setting) = known().find(|s| s.name() == name) else {
                let hint = nearest(name, known().map(Setting::name))
                    .map_or(String::new(), |near| format!(" (did you mean {near}?)"));
                let message = format!("{name} is not a setting here{hint}");
                return Err(self.error(&value.referenced, message));
            };
            settings.set(setting, &value.value).map_err(|what| {
                let message = format!("{name}: {:?} {what}", value.value);
                self.error(&value.referenced, message)
            })?;
        }
        Ok(settings)
    }

    fn known_profiles(
        &self,
        policy: &Policy,
        defaults: &file::Settings,
    ) -> Result<(), ConfigError> {
        for name in policy.defaults.profiles.iter().flatten() {
            if name != NO_PROFILE && policy.profile(name).is_none() {
                let hint = nearest(name, policy.profile_names())
                    .map_or(String::new(), |near| format!(" (did you mean {near}?)"));
                let place = defaults
                    .get(Setting::Profile.name())
                    .map_or(Location::UNKNOWN, |value| value.referenced);
                return Err(self.error(&place, format!("{name} is not a profile{hint}")));
            }
        }
        Ok(())
    }

    fn duration(
        &self,
        key: &str,
        value: &Spanned<String>,
        parse: impl Fn(&str) -> Result<u32, String>,
    ) -> Result<u32, ConfigError> {
        parse(&value.value).map_err(|what| {
            self.error(
                &value.referenced,
                format!("{key}: {:?} {what}", value.value),
            )
        })
    }

    fn error(&self, at: &Location, message: String) -> ConfigError {
        ConfigError::Invalid {
            path: self.path.to_owned(),
            line: at.line(),
            column: at.column(),
            message,
        }
    }
}

fn source(source: AutoSource) -> Source {
    match source {
        AutoSource::Liveness => Source::Liveness,
        AutoSource::Readiness => Source::Readiness,
        AutoSource::Port => Source::Port,
    }
}
