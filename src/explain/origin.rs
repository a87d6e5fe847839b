//! Who said something, and in which line of which file.

use std::collections::BTreeMap;
use std::fmt;

use json_patch::jsonptr::Token;
use serde::Serialize;

use super::Subject;
use crate::config::Configuration;
use crate::lifecycle::annotations::{Level, Problem};
use crate::lifecycle::handler::{self, StartupProbe};
use crate::lifecycle::plan::Context;
use crate::lifecycle::policy::Mode;
use crate::lifecycle::resolve::{Chosen, Origin};
use crate::lifecycle::settings::{DOMAIN, MODE_LABEL, Setting};
use crate::manifests::{Document, Position};

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file, as it was given.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
}

impl Place {
    /// A position in a file.
    pub fn new(file: &str, position: Position) -> Self {
        Self {
            file: file.to_owned(),
            line: position.line as u64,
            column: Some(position.column as u64),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.file.as_str() {
            "-" => write!(f, "line {} of standard input", self.line),
            file => write!(f, "{file}:{}", self.line),
        }
    }
}

/// A setting with its value and who said it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stated {
    /// The setting's name.
    pub setting: String,
    /// The container that it counts for; none for what is the whole pod's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Its value, as it would be written.
    pub value: String,
    /// Who said it.
    pub source: Source,
}

impl fmt::Display for Stated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.value, self.source)
    }
}

/// Who said something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// `built-in`, `command-line`, `configuration`, `namespace`, `pod` or `container`.
    pub level: &'static str,
    /// The key that says it: an annotation, a label, a key of the configuration or an argument.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Where that key is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Place>,
    /// The profile that the key names and that says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Where the profile says it, unless it is a built-in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_at: Option<Place>,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(profile) = &self.profile {
            write!(f, "profile {profile}")?;
            match &self.profile_at {
                Some(place) => write!(f, " in {place}, named by ")?,
                None => f.write_str(", named by ")?,
            }
        }
        match &self.key {
            None => f.write_str("built in")?,
            Some(key) => f.write_str(key)?,
        }
        if self.level == "namespace" {
            f.write_str(" on the Namespace")?;
        }
        match &self.at {
            Some(place) => write!(f, ", {place}"),
            None => Ok(()),
        }
    }
}

/// A pod template in a file.
#[derive(Debug, Clone, Copy)]
pub struct Template<'p> {
    /// The file.
    pub file: &'p str,
    /// The document.
    pub document: &'p Document<'p>,
    /// JSON pointer to the object in it.
    pub object: &'p str,
    /// JSON pointer to the pod or template in it.
    pub pointer: &'p str,
}

impl Template<'_> {
    /// Where the object begins.
    pub fn at(&self) -> Place {
        Place::new(self.file, self.document.nearest(self.object))
    }

    /// Where a field of the object stands.
    pub(super) fn place(&self, pointer: &str) -> Place {
        let pointer = format!("{}{pointer}", self.object);
        Place::new(self.file, self.document.nearest(&pointer))
    }

    fn metadata(&self, key: &str) -> Option<Place> {
        let key = Token::new(key);
        let key = key.encoded();
        ["annotations", "labels"]
            .into_iter()
            .find_map(|kind| {
                let pointer = format!("{}/metadata/{kind}/{key}", self.pointer);
                self.document.position(&pointer)
            })
            .map(|position| Place::new(self.file, position))
    }
}

/// Where everything is written, as far as that is known; a pod from a cluster knows no files.
#[derive(Debug, Clone, Copy, Default)]
pub struct Places<'p> {
    /// The pod template.
    pub template: Option<Template<'p>>,
    /// The keys of its Namespace.
    pub namespace: Option<&'p BTreeMap<String, Place>>,
    /// The configuration.
    pub configuration: Option<&'p Configuration>,
    /// Whether the default mode is the command line's, not the configuration's.
    pub mode_is_argument: bool,
}

impl Places<'_> {
    /// Who said the mode.
    pub(super) fn mode(&self, mode: &Chosen<Mode>) -> Stated {
        let label = Some(MODE_LABEL.to_owned());
        let source = match mode.origin.level {
            Level::Namespace => Source {
                at: self.in_namespace(MODE_LABEL),
                ..Source::of("namespace", label)
            },
            Level::Pod | Level::Container => Source {
                at: self.in_template(MODE_LABEL),
                ..Source::of("pod", label)
            },
            Level::Config | Level::BuiltIn if self.mode_is_argument => {
                Source::of("command-line", Some("--mode".to_owned()))
            }
            Level::Config | Level::BuiltIn => self.config_key("mode"),
        };
        Stated {
            setting: "mode".to_owned(),
            container: None,
            value: mode.value.word().to_owned(),
            source,
        }
    }

    /// Who said a setting.
    pub(super) fn setting(
        &self,
        origin: &Origin,
        setting: Setting,
        container: Option<&str>,
    ) -> Source {
        // A profile is named by the setting `profile` of the level.
        let named = match origin.profile {
            Some(_) => Setting::Profile,
            None => setting,
        }
        .name();
        let annotation = || format!("{DOMAIN}/{named}");
        let source = match origin.level {
            Level::BuiltIn => Source::of("built-in", None),
            Level::Config => self.config_key(&format!("defaults.{named}")),
            Level::Namespace => Source {
                at: self.in_namespace(&annotation()),
                ..Source::of("namespace", Some(annotation()))
            },
            Level::Pod => Source {
                at: self.in_template(&annotation()),
                ..Source::of("pod", Some(annotation()))
            },
            Level::Container => {
                let key = format!("{named}.{DOMAIN}/{}", container.unwrap_or_default());
                Source {
                    at: self.in_template(&key),
                    ..Source::of("container", Some(key))
                }
            }
        };
        Source {
            profile_at: origin.profile.as_ref().and_then(|profile| {
                self.config_place(&format!("profiles.{profile}.{}", setting.name()))
            }),
            profile: origin.profile.clone(),
            ..source
        }
    }

    /// A key of the configuration with the value that holds.
    pub(super) fn configured(&self, key: &str, value: String) -> Stated {
        Stated {
            setting: key.to_owned(),
            container: None,
            value,
            source: self.config_key(key),
        }
    }

    /// The configuration's `autoSources`, where it and not a setting chose what a probe asks.
    pub(super) fn auto_source(
        &self,
        source: Option<handler::Source>,
        origin: &Origin,
        subject: &Subject<'_>,
    ) -> Option<Stated> {
        let Context { policy, .. } = subject.context;
        let source = source.filter(|source| *source != handler::Source::Liveness)?;
        let is_auto = origin.level <= Level::Config
            && origin.profile.is_none()
            && matches!(
                policy.defaults.startup_probe,
                None | Some(StartupProbe::Auto)
            );
        (is_auto && policy.auto_sources.contains(&source)).then(|| {
            let words: Vec<&str> = policy.auto_sources.iter().map(|s| s.word()).collect();
            self.configured("autoSources", words.join(", "))
        })
    }

    /// Where what a problem is about is written.
    pub(super) fn problem(&self, problem: &Problem) -> Option<Place> {
        match problem.level {
            Level::BuiltIn => None,
            Level::Config => {
                let name = problem.key.rsplit('/').next().unwrap_or_default();
                self.config_place(&format!("defaults.{name}"))
            }
            Level::Namespace => self.in_namespace(&problem.key),
            Level::Pod | Level::Container => self.in_template(&problem.key),
        }
    }

    fn in_template(&self, key: &str) -> Option<Place> {
        self.template.as_ref()?.metadata(key)
    }

    fn in_namespace(&self, key: &str) -> Option<Place> {
        self.namespace?.get(key).cloned()
    }

    fn config_place(&self, key: &str) -> Option<Place> {
        let configuration = self.configuration?;
        Some(Place {
            file: configuration.path.as_ref()?.display().to_string(),
            line: configuration.line(key)?,
            column: None,
        })
    }

    /// A key that the configuration sets, or that it leaves as built in.
    fn config_key(&self, key: &str) -> Source {
        match self.config_place(key) {
            None => Source::of("built-in", None),
            at => Source {
                at,
                ..Source::of("configuration", Some(key.to_owned()))
            },
        }
    }
}

impl Source {
    fn of(level: &'static str, key: Option<String>) -> Self {
        Self {
            level,
            key,
            at: None,
            profile: None,
            profile_at: None,
        }
    }
}
