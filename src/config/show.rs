//! What holds after a configuration is read, key by key, each with where it comes from.

use super::{Configuration, workloads};
use crate::lifecycle::policy::Policy;
use crate::lifecycle::profiles::Profile;
use crate::lifecycle::settings::{GracePeriod, Setting, Settings};
use crate::lifecycle::text;

/// One key of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Shown {
    /// The key, dotted.
    pub key: String,
    /// The value that holds, as it would be written.
    pub value: String,
    /// `FILE:LINE`, or `built-in`.
    pub origin: String,
}

/// Every key with the value that holds and its origin.
pub fn show(configuration: &Configuration) -> Vec<Shown> {
    let policy = &configuration.policy;
    let mut all = Vec::new();
    let mut add = |key: String, value: String| {
        let origin = match (&configuration.path, configuration.line(&key)) {
            (Some(path), Some(line)) => format!("{}:{line}", path.display()),
            _ => "built-in".to_owned(),
        };
        all.push(Shown { key, value, origin });
    };
    add("mode".into(), policy.mode.word().into());
    for setting in super::file_settings() {
        let value = written(setting, &policy.defaults)
            .unwrap_or_else(|| setting.default_text().replace('`', ""));
        add(format!("defaults.{}", setting.name()), value);
    }
    let sources: Vec<&str> = policy.auto_sources.iter().map(|s| s.word()).collect();
    add("autoSources".into(), sources.join(", "));
    add("margin".into(), format!("{}s", policy.margin));
    add(
        "maxGracePeriod".into(),
        format!("{}s", policy.longest_grace),
    );
    add(
        "leaveAlone.namespaces".into(),
        list(&policy.excluded_namespaces),
    );
    add(
        "leaveAlone.priorityClasses".into(),
        list(&policy.excluded_priority_classes),
    );
    add(
        "leaveAlone.containers".into(),
        list(&policy.excluded_containers),
    );
    let action = configuration.sleep_action.map_or("auto", |a| a.word());
    add("sleepAction".into(), action.into());
    for kind in configuration.kinds.custom() {
        let key = workloads::key(kind);
        let templates: Vec<String> = kind.templates.iter().map(|t| workloads::path(t)).collect();
        add(format!("{key}.templates"), list(&templates));
        if let Some(reference) = &kind.reference {
            add(format!("{key}.reference"), workloads::path(reference));
        }
        if let Some(owner) = &kind.owner {
            add(format!("{key}.owner"), owner.clone());
        }
    }
    for (name, profile) in profiles(policy) {
        for setting in Setting::ALL {
            if let Some(value) = written(setting, &profile.settings) {
                add(format!("profiles.{name}.{}", setting.name()), value);
            }
        }
    }
    all
}

/// The configuration's profiles, then the built-in ones that they do not replace.
fn profiles(policy: &Policy) -> impl Iterator<Item = (&str, &Profile)> {
    let own = policy.profiles.iter().map(|(n, p)| (n.as_str(), p));
    let built_in = Profile::built_in_names()
        .filter(|name| !policy.profiles.contains_key(*name))
        .filter_map(|name| Some((name, Profile::built_in(name)?)));
    own.chain(built_in)
}

/// A setting's value as it would be written, where these settings have it.
fn written(setting: Setting, settings: &Settings) -> Option<String> {
    let seconds = |value: Option<u32>| value.map(|seconds| format!("{seconds}s"));
    match setting {
        Setting::Profile => settings.profiles.as_ref().map(|names| names.join(", ")),
        Setting::StartupProbe => {
            let probe = settings.startup_probe.as_ref()?;
            Some(text::startup_probe(probe).to_owned())
        }
        Setting::StartupTimeout => seconds(settings.startup_timeout),
        Setting::StartupPeriod => seconds(settings.startup_period),
        Setting::PreStopSleep => settings.pre_stop_sleep.map(text::sleep),
        Setting::ShutdownTimeout => seconds(settings.shutdown_timeout),
        Setting::GracePeriod => settings.grace_period.map(|grace| match grace {
            GracePeriod::Auto => "auto".to_owned(),
            GracePeriod::Off => "off".to_owned(),
            GracePeriod::AtLeast(seconds) => format!("{seconds}s"),
        }),
        Setting::Ignore => None,
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
