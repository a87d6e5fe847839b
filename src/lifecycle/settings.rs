//! The settings: their names, their values, and one level's worth of them.

use super::audit::Rule;
use super::handler::StartupProbe;
use super::nearest::nearest;
use super::seconds;

/// The domain of our labels and annotations.
pub const DOMAIN: &str = "podgrace.io";
/// The label that says the mode.
pub const MODE_LABEL: &str = "podgrace.io/mode";
/// The annotation that records what was added, for people.
pub const INJECTED: &str = "podgrace.io/injected";

/// A knob that annotations, profiles and the configuration can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Setting {
    /// Named sets of settings.
    Profile,
    /// Where the startup probe comes from.
    StartupProbe,
    /// How long a start may take.
    StartupTimeout,
    /// How often the startup probe asks.
    StartupPeriod,
    /// How long a container goes on serving after its deletion.
    PreStopSleep,
    /// What the application needs after SIGTERM.
    ShutdownTimeout,
    /// What happens to the grace period.
    GracePeriod,
    /// Audit rules to accept.
    Ignore,
}

impl Setting {
    /// Every setting, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Profile,
        Self::StartupProbe,
        Self::StartupTimeout,
        Self::StartupPeriod,
        Self::PreStopSleep,
        Self::ShutdownTimeout,
        Self::GracePeriod,
        Self::Ignore,
    ];

    /// The name in annotations and in the configuration file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::StartupProbe => "startup-probe",
            Self::StartupTimeout => "startup-timeout",
            Self::StartupPeriod => "startup-period",
            Self::PreStopSleep => "pre-stop-sleep",
            Self::ShutdownTimeout => "shutdown-timeout",
            Self::GracePeriod => "grace-period",
            Self::Ignore => "ignore",
        }
    }

    /// The setting of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|setting| setting.name() == name)
    }

    /// Whether one container can have it; the grace period and what an audit accepts are the pod's.
    pub fn is_per_container(self) -> bool {
        !matches!(self, Self::GracePeriod | Self::Ignore)
    }

    /// The values that it takes, for people.
    pub fn values(self) -> &'static str {
        match self {
            Self::Profile => {
                "profile names, comma-separated, later wins; `none` ends weaker levels' profiles"
            }
            Self::StartupProbe => {
                "`auto`, `off`, a source (`liveness`, `readiness`, `port`), a handler (`http://:8080/healthz`, \
                 `https://:web/ready`, `tcp://:5432`, `grpc://:9090/service`, `exec:[\"cmd\",\"arg\"]`), or a probe as JSON"
            }
            Self::StartupTimeout | Self::StartupPeriod => "duration",
            Self::PreStopSleep => "duration or `off` (`0s` is `off`)",
            Self::ShutdownTimeout => "duration: what the application needs after SIGTERM",
            Self::GracePeriod => {
                "`auto`, `off` (leave it, so no sleep either unless one is asked for by name), or a duration as a floor"
            }
            Self::Ignore => {
                "audit rules to accept, each with a reason: `RULE: reason; RULE: reason`"
            }
        }
    }

    /// The built-in default, for people.
    pub fn default_text(self) -> &'static str {
        match self {
            Self::Profile | Self::Ignore => "none",
            Self::StartupProbe | Self::GracePeriod => "`auto`",
            Self::StartupTimeout => "`150s`",
            Self::StartupPeriod => "`1s`, more for slow probes",
            Self::PreStopSleep => "`5s`",
            Self::ShutdownTimeout => "what it has today",
        }
    }
}

/// What `pre-stop-sleep` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sleep {
    /// No sleep.
    Off,
    /// A sleep of so many seconds, never 0.
    Seconds(u32),
}

/// What `grace-period` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GracePeriod {
    /// As long as the sleep and the stated needs ask for.
    Auto,
    /// As it is.
    Off,
    /// As `Auto`, and at least so many seconds.
    AtLeast(u32),
}

/// An audit rule that somebody accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// The rule's name.
    pub rule: String,
    /// Why it is accepted.
    pub reason: String,
}

/// What one level says: each setting that it mentions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// Profiles, weakest first; `none` stands for the end of all weaker ones.
    pub profiles: Option<Vec<String>>,
    /// Where the startup probe comes from.
    pub startup_probe: Option<StartupProbe>,
    /// How long a start may take, in seconds.
    pub startup_timeout: Option<u32>,
    /// How often the startup probe asks, in seconds.
    pub startup_period: Option<u32>,
    /// How long a container goes on serving after its deletion.
    pub pre_stop_sleep: Option<Sleep>,
    /// What the application needs after SIGTERM, in seconds.
    pub shutdown_timeout: Option<u32>,
    /// What happens to the grace period.
    pub grace_period: Option<GracePeriod>,
    /// Audit rules to accept.
    pub ignore: Option<Vec<Ignored>>,
}

impl Settings {
    /// Reads one value into its place.
    ///
    /// # Errors
    /// One clause that says what is wrong, to stand behind the value in a sentence. The place keeps what it had.
    pub fn set(&mut self, setting: Setting, value: &str) -> Result<(), String> {
        match setting {
            Setting::Profile => self.profiles = Some(profiles(value)?),
            Setting::StartupProbe => self.startup_probe = Some(StartupProbe::parse(value)?),
            Setting::StartupTimeout => self.startup_timeout = Some(seconds::parse(value)?),
            Setting::StartupPeriod => self.startup_period = Some(seconds::parse(value)?),
            Setting::PreStopSleep => self.pre_stop_sleep = Some(sleep(value)?),
            Setting::ShutdownTimeout => self.shutdown_timeout = Some(seconds::parse(value)?),
            Setting::GracePeriod => self.grace_period = Some(grace_period(value)?),
            Setting::Ignore => self.ignore = Some(ignored(value)?),
        }
        Ok(())
    }
}

fn profiles(value: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> = value
        .split(',')
        .map(|name| name.trim().to_owned())
        .collect();
    if names.iter().any(String::is_empty) {
        return Err("has an empty name".into());
    }
    Ok(names)
}

fn sleep(value: &str) -> Result<Sleep, String> {
    match value.trim() {
        "off" => Ok(Sleep::Off),
        text => Ok(match seconds::parse_or_zero(text).map_err(or_off)? {
            0 => Sleep::Off,
            seconds => Sleep::Seconds(seconds),
        }),
    }
}

fn grace_period(value: &str) -> Result<GracePeriod, String> {
    match value.trim() {
        "auto" => Ok(GracePeriod::Auto),
        "off" => Ok(GracePeriod::Off),
        text => seconds::parse(text)
            .map(GracePeriod::AtLeast)
            .map_err(or_off),
    }
}

/// Where `off` is a value too, the hint says so.
fn or_off(error: String) -> String {
    error.replace("write 90s or 2m30s", "write 90s, 2m30s or off")
}

fn ignored(value: &str) -> Result<Vec<Ignored>, String> {
    let mut all = Vec::new();
    for part in value.split(';').map(str::trim).filter(|p| !p.is_empty()) {
        let (rule, reason) = part.split_once(':').unwrap_or((part, ""));
        let (rule, reason) = (rule.trim().to_owned(), reason.trim().to_owned());
        if Rule::named(&rule).is_none() {
            let hint = nearest(&rule, Rule::names())
                .map_or(String::new(), |r| format!(" (did you mean {r}?)"));
            return Err(format!("names the unknown rule {rule}{hint}"));
        }
        if reason.is_empty() {
            return Err(format!("gives no reason (write {rule}: why)"));
        }
        all.push(Ignored { rule, reason });
    }
    if all.is_empty() {
        return Err("names no rule".into());
    }
    Ok(all)
}
