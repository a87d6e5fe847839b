//! Labels and annotations under our domain: what they say, and what is wrong with them.

use json_patch::jsonptr::Token;

use super::json::StrMap;
use super::nearest::nearest;
use super::policy::Mode;
use super::settings::{DOMAIN, INJECTED, MODE_LABEL, Setting, Settings};

/// Who says something, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Podgrace itself.
    BuiltIn,
    /// The configuration file.
    Config,
    /// The Namespace.
    Namespace,
    /// The pod.
    Pod,
    /// The pod, for one container.
    Container,
}

/// Something under our domain that means nothing, or not what somebody thought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub level: Level,
    /// The annotation's or label's key; a profile's name in the configuration.
    pub key: String,
    /// The value, where the value is what is wrong.
    pub value: Option<String>,
    /// What is wrong, as a clause behind the value.
    pub what: String,
    /// The setting that it was for, and the container, where a next weaker value counts instead.
    pub setting: Option<(Setting, Option<String>)>,
    /// What counts instead, once that is known.
    pub instead: Option<String>,
}

impl Problem {
    /// JSON pointer to what it is about in the object that says it.
    pub fn pointer(&self) -> String {
        // The texts of what is wrong with labels say so.
        let is_label = self.key == MODE_LABEL && self.value.is_some()
            || self.what.starts_with("is a label")
            || self.what.starts_with("is not a label");
        let field = if is_label { "labels" } else { "annotations" };
        format!("/metadata/{field}/{}", Token::new(&self.key).encoded())
    }
}

/// What one object says about itself, or a Namespace to its pods.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// The mode that its label says.
    pub mode: Option<Mode>,
    /// Its annotations for the whole pod.
    pub settings: Settings,
    /// Its annotations for one container each, by name, in order.
    pub containers: Vec<(String, Settings)>,
    /// What means nothing.
    pub problems: Vec<Problem>,
}

impl Said {
    /// Reads what a Namespace says to its pods.
    pub fn by_namespace(labels: &StrMap<'_>, annotations: &StrMap<'_>) -> Self {
        Self::read(Level::Namespace, labels, Some(annotations), &[])
    }

    /// Reads what a pod says. `containers` are the names that it has.
    pub fn by_pod(
        labels: &StrMap<'_>,
        annotations: Option<&StrMap<'_>>,
        containers: &[&str],
    ) -> Self {
        Self::read(Level::Pod, labels, annotations, containers)
    }

    fn read(
        level: Level,
        labels: &StrMap<'_>,
        annotations: Option<&StrMap<'_>>,
        containers: &[&str],
    ) -> Self {
        let mut said = Self::default();
        for (key, value) in ours(labels) {
            said.label(level, key, value);
        }
        for (key, value) in annotations.map(ours).unwrap_or_default() {
            said.annotation(level, key, value, containers);
        }
        said
    }

    fn label(&mut self, level: Level, key: &str, value: &str) {
        if key == MODE_LABEL {
            self.mode = Mode::named(value);
            if self.mode.is_none() {
                self.problem(
                    level,
                    key,
                    Some(value),
                    "is not a mode (enforce, audit, off)".into(),
                );
            }
        } else if key
            .strip_prefix("podgrace.io/")
            .is_some_and(|name| Setting::named(name).is_some())
        {
            self.problem(
                level,
                key,
                None,
                "is a label: settings are annotations".into(),
            );
        } else {
            self.problem(
                level,
                key,
                None,
                format!("is not a label of ours ({MODE_LABEL} is)"),
            );
        }
    }

    fn annotation(&mut self, level: Level, key: &str, value: &str, containers: &[&str]) {
        if key == INJECTED {
            return;
        }
        if key == MODE_LABEL {
            return self.problem(
                level,
                key,
                None,
                "is an annotation: the mode is a label".into(),
            );
        }
        let Some((prefix, name)) = key.split_once('/') else {
            return;
        };
        if prefix == DOMAIN {
            let Some(setting) = Setting::named(name) else {
                let names = Setting::ALL.iter().map(|s| s.name());
                let hint = self
                    .nearest(name, names)
                    .map_or(String::new(), |n| format!(" (did you mean {DOMAIN}/{n}?)"));
                return self.problem(level, key, None, format!("is not a setting{hint}"));
            };
            if let Err(what) = self.settings.set(setting, value) {
                self.invalid(level, key, value, what, setting, None);
            }
            return;
        }
        self.container_annotation(level, key, value, containers);
    }

    /// `NAME.podgrace.io/CONTAINER`.
    fn container_annotation(&mut self, level: Level, key: &str, value: &str, containers: &[&str]) {
        let Some((name, container)) = key
            .split_once('/')
            .and_then(|(prefix, c)| Some((prefix.strip_suffix(".podgrace.io")?, c)))
        else {
            return;
        };
        let per_container = || Setting::ALL.into_iter().filter(|s| s.is_per_container());
        if level != Level::Pod {
            let what = "is for one container: it belongs on the pod template".into();
            return self.problem(level, key, None, what);
        }
        let Some(setting) = per_container().find(|s| s.name() == name) else {
            let what = match Setting::named(name) {
                Some(_) => {
                    format!("is for one container: {name} is the whole pod's ({DOMAIN}/{name})")
                }
                None => {
                    let hint = self.nearest(name, per_container().map(Setting::name));
                    let hint = hint.map_or(String::new(), |n| {
                        format!(" (did you mean {n}.{DOMAIN}/{container}?)")
                    });
                    format!("is not a setting{hint}")
                }
            };
            return self.problem(level, key, None, what);
        };
        if !containers.contains(&container) {
            let hint = self
                .nearest(container, containers.iter().copied())
                .map_or(String::new(), |n| format!(" (did you mean {n}?)"));
            let what = format!("names a container that the pod does not have{hint}");
            return self.problem(level, key, None, what);
        }
        let place = match self.containers.iter().position(|(n, _)| n == container) {
            Some(at) => at,
            None => {
                self.containers
                    .push((container.to_owned(), Settings::default()));
                self.containers.len() - 1
            }
        };
        if let Err(what) = self.containers[place].1.set(setting, value) {
            self.invalid(level, key, value, what, setting, Some(container));
        }
    }

    /// What was probably meant. Of very many mistakes only the first are worth the comparison: nobody reads the rest.
    fn nearest<'c>(
        &self,
        name: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) -> Option<&'c str> {
        const HINTS: usize = 20;
        (self.problems.len() < HINTS)
            .then(|| nearest(name, candidates))
            .flatten()
    }

    fn invalid(
        &mut self,
        level: Level,
        key: &str,
        value: &str,
        what: String,
        setting: Setting,
        container: Option<&str>,
    ) {
        self.problems.push(Problem {
            level,
            key: key.to_owned(),
            value: Some(value.to_owned()),
            what,
            setting: Some((setting, container.map(str::to_owned))),
            instead: None,
        });
    }

    fn problem(&mut self, level: Level, key: &str, value: Option<&str>, what: String) {
        self.problems.push(Problem {
            level,
            key: key.to_owned(),
            value: value.map(str::to_owned),
            what,
            setting: None,
            instead: None,
        });
    }
}

/// What is under our domain, by key: the order of a map says nothing.
fn ours<'s>(map: &'s StrMap<'_>) -> Vec<(&'s str, &'s str)> {
    let mut ours: Vec<_> = map.iter().filter(|(key, _)| is_ours(key)).collect();
    ours.sort_by_key(|(key, _)| *key);
    ours
}

/// Whether a key is under our domain: `podgrace.io/…` or `….podgrace.io/…`.
pub fn is_ours(key: &str) -> bool {
    key.split_once('/').is_some_and(|(prefix, _)| {
        prefix
            .strip_suffix(DOMAIN)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}
