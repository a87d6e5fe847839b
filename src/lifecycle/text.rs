//! Changes, skips, problems and origins as sentences: the same words in warnings, logs and reports.

use super::annotations::{Level, Problem};
use super::handler::{Source, StartupProbe};
use super::plan::Change;
use super::policy::{Mode, SleepAction};
use super::resolve::{Chosen, Origin, Resolved};
use super::settings::{GracePeriod, Setting, Sleep};
use super::skip::{Part, Skipped};

/// Who said something.
pub fn origin(origin: &Origin) -> String {
    let level = match origin.level {
        Level::BuiltIn => "built-in",
        Level::Config => "configuration",
        Level::Namespace => "namespace",
        Level::Pod => "pod",
        Level::Container => "container's annotation",
    };
    match &origin.profile {
        Some(profile) => format!("profile {profile}, named by the {level}"),
        None => level.to_owned(),
    }
}

/// The value of a setting that counts for a container, and who said it.
pub fn setting(setting: Setting, resolved: &Resolved<'_>) -> Option<String> {
    let seconds = |chosen: &Chosen<u32>| said(&format!("{}s", chosen.value), &chosen.origin);
    match setting {
        Setting::StartupProbe => {
            let chosen = &resolved.startup_probe;
            Some(said(startup_probe(chosen.value), &chosen.origin))
        }
        Setting::StartupTimeout => Some(seconds(&resolved.startup_timeout)),
        Setting::StartupPeriod => {
            let stated = resolved.startup_period.as_ref().map(seconds);
            Some(stated.unwrap_or_else(|| "1s, more for slow probes (built-in)".to_owned()))
        }
        Setting::PreStopSleep => {
            let chosen = &resolved.pre_stop_sleep;
            Some(said(&sleep(chosen.value), &chosen.origin))
        }
        Setting::ShutdownTimeout => {
            let stated = resolved.shutdown_timeout.as_ref().map(seconds);
            Some(stated.unwrap_or_else(|| "what it has today (built-in)".to_owned()))
        }
        Setting::Profile => Some("the profiles of weaker levels".to_owned()),
        Setting::GracePeriod | Setting::Ignore => None,
    }
}

/// The value of `grace-period` that counts, and who said it.
pub fn grace_setting(chosen: &Chosen<GracePeriod>) -> String {
    let value = match chosen.value {
        GracePeriod::Auto => "auto".to_owned(),
        GracePeriod::Off => "off".to_owned(),
        GracePeriod::AtLeast(seconds) => format!("at least {seconds}s"),
    };
    said(&value, &chosen.origin)
}

/// The mode that counts, and who said it.
pub fn mode(chosen: &Chosen<Mode>) -> String {
    match chosen.origin.level {
        // Whether a file says it or nobody.
        Level::BuiltIn | Level::Config => format!("{} (the default)", chosen.value.word()),
        _ => said(chosen.value.word(), &chosen.origin),
    }
}

fn said(value: &str, by: &Origin) -> String {
    format!("{value} ({})", origin(by))
}

/// A value of `startup-probe` as it is written.
pub fn startup_probe(value: &StartupProbe) -> &str {
    match value {
        StartupProbe::Auto => "auto",
        StartupProbe::Off => "off",
        StartupProbe::Source(source) => source.word(),
        StartupProbe::Stated(stated) => &stated.text,
    }
}

/// A value of `pre-stop-sleep` as it is written.
pub fn sleep(value: Sleep) -> String {
    match value {
        Sleep::Off => "off".to_owned(),
        Sleep::Seconds(seconds) => format!("{seconds}s"),
    }
}

/// What is wrong, and what counts instead.
pub fn problem(problem: &Problem) -> String {
    let place = match problem.level {
        Level::Namespace => " (on the namespace)",
        Level::Config => " (in the configuration)",
        _ => "",
    };
    let mut text = format!("{}{place}", problem.key);
    match &problem.value {
        Some(value) => text += &format!(": {} {}", quoted(value), problem.what),
        None => text += &format!(" {}", problem.what),
    }
    if let Some(instead) = &problem.instead {
        text += &format!("; using {instead}");
    }
    text
}

/// A value in quotes, cut where it would bury what is said about it.
fn quoted(value: &str) -> String {
    const MOST: usize = 40;
    let short = match value.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &value[..at]),
        None => value.to_owned(),
    };
    // JSON is easier to read without a backslash before each of its own quotes.
    let is_json = short.contains('"') && !short.contains(['\'', '\\']);
    if is_json && !short.contains(char::is_control) {
        format!("'{short}'")
    } else {
        format!("{short:?}")
    }
}

/// What is added.
pub fn change(change: &Change) -> String {
    match change {
        Change::StartupProbe { at, new, .. } => {
            let from = match new.source {
                Some(Source::Liveness) => " from its livenessProbe",
                Some(Source::Readiness) => " from its readinessProbe",
                Some(Source::Port) => " on its port",
                Some(Source::SpringBoot) => " on the actuator's liveness group",
                None => " as stated",
            };
            let timing = new.timing;
            format!(
                "{}: startupProbe{from}, every {}s for up to {}s",
                at.name,
                timing.period,
                timing.budget()
            )
        }
        Change::PreStop {
            at,
            seconds,
            action,
            ..
        } => {
            let form = match action {
                SleepAction::Exec => " (exec)",
                SleepAction::Native | SleepAction::Off => "",
            };
            format!("{}: preStop sleep {seconds}s{form}", at.name)
        }
        Change::Variable { at, name, value } => format!("{}: {name}={value}", at.name),
        Change::GracePeriod { before, after } => {
            format!("terminationGracePeriodSeconds {before} -> {after}")
        }
    }
}

/// What is left alone, and why.
pub fn skipped(skipped: &Skipped) -> String {
    let part = match skipped.part {
        Part::Everything => "left alone",
        Part::StartupProbe => "no startupProbe",
        Part::PreStop => "no preStop sleep",
        Part::GracePeriod => "grace period left as it is",
        Part::Variables => "no variable",
        Part::Record => "no record",
    };
    let container = skipped
        .container
        .as_ref()
        .map_or("the pod".to_owned(), String::clone);
    format!("{container}: {part}: {}", skipped.why.sentence())
}
