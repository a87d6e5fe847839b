//! What a visit finds, ready to be printed.

use serde::Serialize;

use super::namespaces::Namespace;
use super::pods::Workload;
use crate::cluster::ReadError;
use crate::lifecycle::audit::Severity;

/// Everything that was found.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What was looked at and how it is, in the order in which it matters.
    pub checks: Vec<Check>,
    /// Namespaces whose pods are looked after, and those that say something about it.
    pub namespaces: Vec<Namespace>,
    /// Workloads of which pods run without what they would get, or are left alone.
    pub workloads: Vec<Workload>,
    /// Commands that give pods what they miss, in the order of the workloads.
    pub restart: Vec<String>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What it is about.
    pub topic: Topic,
    /// How it is.
    #[serde(rename = "status")]
    pub verdict: Verdict,
    /// What it is, stable over releases.
    pub code: &'static str,
    /// What is so.
    pub message: String,
    /// What to do about it.
    pub advice: Option<String>,
    /// The commands that do it.
    pub commands: Vec<String>,
}

/// What a check is about, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// The cluster and its versions.
    Cluster,
    /// Whether a webhook is registered, and what it points at.
    Webhook,
    /// Its certificate.
    Certificate,
    /// How it is registered.
    Settings,
    /// A pod that was tried.
    DryRun,
    /// Which namespaces are in.
    Namespaces,
    /// Pods that run.
    Pods,
}

impl Topic {
    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Self::Cluster => "CLUSTER",
            Self::Webhook => "WEBHOOK",
            Self::Certificate => "CERTIFICATE",
            Self::Settings => "SETTINGS",
            Self::DryRun => "DRY RUN",
            Self::Namespaces => "NAMESPACES",
            Self::Pods => "PODS",
        }
    }
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// As it should be.
    Well,
    /// Not so, and how bad that is.
    Found(Severity),
    /// It could not be looked at.
    Unseen,
}

impl Verdict {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Found(Severity::Info) => "note",
            Self::Found(severity) => severity.word(),
            Self::Unseen => "unseen",
        }
    }

    /// How bad it is; what could not be looked at may be as bad as a warning.
    pub fn severity(self) -> Option<Severity> {
        match self {
            Self::Well => None,
            Self::Found(severity) => Some(severity),
            Self::Unseen => Some(Severity::Warning),
        }
    }
}

impl Serialize for Verdict {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl Check {
    fn new(topic: Topic, verdict: Verdict, code: &'static str, message: String) -> Self {
        Self {
            topic,
            verdict,
            code,
            message,
            advice: None,
            commands: Vec::new(),
        }
    }

    pub(super) fn well(topic: Topic, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(topic, Verdict::Well, code, message.into())
    }

    pub(super) fn note(topic: Topic, code: &'static str, message: impl Into<String>) -> Self {
        let verdict = Verdict::Found(Severity::Info);
        Self::new(topic, verdict, code, message.into())
    }

    pub(super) fn warning(topic: Topic, code: &'static str, message: impl Into<String>) -> Self {
        let verdict = Verdict::Found(Severity::Warning);
        Self::new(topic, verdict, code, message.into())
    }

    pub(super) fn error(topic: Topic, code: &'static str, message: impl Into<String>) -> Self {
        let verdict = Verdict::Found(Severity::Error);
        Self::new(topic, verdict, code, message.into())
    }

    /// What could not be looked at, and which permission lets us.
    pub(super) fn unseen(topic: Topic, error: &ReadError) -> Self {
        let code = if error.is_forbidden() {
            "forbidden"
        } else {
            "unreadable"
        };
        Self::new(topic, Verdict::Unseen, code, error.to_string())
    }

    pub(super) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    pub(super) fn run(mut self, command: impl Into<String>) -> Self {
        self.commands.push(command.into());
        self
    }

    pub(super) fn run_all(mut self, commands: impl IntoIterator<Item = String>) -> Self {
        self.commands.extend(commands);
        self
    }
}

impl Report {
    pub(super) fn add(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// The worst that was found.
    pub fn worst(&self) -> Option<Severity> {
        let severities = self.checks.iter().map(|check| check.verdict.severity());
        severities.max().flatten()
    }

    /// Whether something is wrong because of which no pod gets anything.
    pub(super) fn has_error(&self) -> bool {
        self.worst() == Some(Severity::Error)
    }

    /// Whether the API server does not take the certificate.
    pub(super) fn is_distrusted(&self) -> bool {
        let mut checks = self.checks.iter();
        checks.any(|check| {
            check.topic == Topic::Certificate && check.verdict == Verdict::Found(Severity::Error)
        })
    }

    /// How many checks came out that way.
    pub fn count(&self, verdict: Verdict) -> usize {
        let checks = self.checks.iter();
        checks.filter(|check| check.verdict == verdict).count()
    }
}
