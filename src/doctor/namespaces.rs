//! Which namespaces' pods are looked after, in which mode, and what namespaces say wrongly.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::facts::Facts;
use super::hooks::{Hook, Labels};
use super::report::{Check, Report, Topic};
use crate::cluster::labels;
use crate::lifecycle::annotations::{Level, Problem, Said};
use crate::lifecycle::json::StrMap;
use crate::lifecycle::policy::{Mode, Policy};
use crate::lifecycle::settings::MODE_LABEL;
use crate::lifecycle::{resolve, text};

const TOPIC: Topic = Topic::Namespaces;

/// How many are told one by one; the JSON document has all.
const TOLD: usize = 10;

/// A namespace, as far as we care.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Which of its pods the webhook is asked about.
    pub standing: Standing,
    /// What is done with those that say nothing themselves.
    #[serde(serialize_with = "word")]
    pub mode: Mode,
    /// What it says that means nothing, in words.
    pub problems: Vec<String>,
    #[serde(skip)]
    pub(super) said: Said,
    #[serde(skip)]
    pub(super) labels: Labels,
    /// Whether it would be in with the label for it.
    #[serde(skip)]
    may_be_in: bool,
    #[serde(skip)]
    is_ending: bool,
}

fn word<S: Serializer>(mode: &Mode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(mode.word())
}

/// Which pods of a namespace the webhook is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// All that do not say otherwise.
    In,
    /// Those with a label of their own.
    PodsOnly,
    /// None.
    Out,
}

impl Namespace {
    /// Reads one, with the webhooks that are ours.
    pub fn of(object: &Value, ours: &[&Hook], policy: &Policy) -> Self {
        let metadata = &object["metadata"];
        let (own, annotations) = (&metadata["labels"], &metadata["annotations"]);
        let mut said = Said::by_namespace(&StrMap::from(own), &StrMap::from(annotations));
        let profiles = resolve::unknown_profiles(policy, Level::Namespace, &said.settings);
        said.problems.extend(profiles);
        let of_namespace = labels(object);
        let sees = |pod: &Labels| ours.iter().any(|hook| hook.sees(&of_namespace, pod));
        let standing = if sees(&Labels::new()) {
            Standing::In
        } else if sees(&labelled()) {
            Standing::PodsOnly
        } else {
            Standing::Out
        };
        let name = metadata["name"].as_str().unwrap_or_default().to_owned();
        let mode = match policy.mode {
            _ if policy.excludes_namespace(&name) => Mode::Off,
            Mode::Off => Mode::Off,
            mode => said.mode.unwrap_or(mode),
        };
        Self {
            standing,
            mode,
            problems: said.problems.iter().map(text::problem).collect(),
            may_be_in: {
                let mut with_label = of_namespace.clone();
                with_label.extend(labelled());
                ours.iter()
                    .any(|hook| hook.sees(&with_label, &Labels::new()))
            },
            is_ending: object["status"]["phase"] == "Terminating",
            labels: of_namespace,
            said,
            name,
        }
    }

    /// Its labels.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Whether its pods get something, or are told of it.
    pub fn is_looked_after(&self) -> bool {
        self.standing == Standing::In && self.mode != Mode::Off
    }

    /// Whether it says something to us.
    fn speaks(&self) -> bool {
        self.said.mode.is_some()
            || self.said.settings != Said::default().settings
            || !self.problems.is_empty()
    }
}

/// What a pod says that wants to be in by itself.
pub(super) fn labelled() -> Labels {
    Labels::from([(MODE_LABEL.to_owned(), Mode::Enforce.word().to_owned())])
}

/// Where a pod is best tried, and whether it must say itself that it wants to be in: where somebody asked for,
/// else where pods are patched, else where they are told of, else where one would be alone.
pub fn choose<'n>(namespaces: &'n [Namespace], asked_for: Option<&str>) -> Option<(&'n str, bool)> {
    let alive = || namespaces.iter().filter(|n| !n.is_ending);
    let found = match asked_for {
        Some(name) => alive().find(|n| n.name == name),
        None => [Mode::Enforce, Mode::Audit]
            .iter()
            .find_map(|mode| alive().find(|n| n.standing == Standing::In && n.mode == *mode))
            .or_else(|| alive().find(|n| n.standing == Standing::In))
            .or_else(|| alive().find(|n| n.standing == Standing::PodsOnly && n.name == "default"))
            .or_else(|| alive().find(|n| n.standing == Standing::PodsOnly)),
    };
    let found = found.filter(|n| n.standing != Standing::Out)?;
    Some((&found.name, found.standing == Standing::PodsOnly))
}

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    let objects = match &facts.namespaces {
        Ok(objects) => objects,
        Err(error) => return report.add(Check::unseen(TOPIC, error)),
    };
    let ours: Vec<&Hook> = facts.ours().collect();
    let all: Vec<Namespace> = objects
        .iter()
        .map(|o| Namespace::of(o, &ours, &facts.policy))
        .collect();
    let is_registered = ours.iter().any(|hook| hook.changes_pods());
    let shown: Vec<&Namespace> = match &facts.asked_for {
        Some(name) => all.iter().filter(|n| n.name == *name).collect(),
        None => all.iter().collect(),
    };
    match (&facts.asked_for, shown.first()) {
        (Some(_), Some(one)) if is_registered => report.add(this(facts, one)),
        (None, _) if is_registered => report.add(overview(facts, &shown)),
        _ => {}
    }
    let wrong: Vec<(&Namespace, &Problem)> = shown
        .iter()
        .flat_map(|n| n.said.problems.iter().map(|problem| (*n, problem)))
        .collect();
    for (namespace, problem) in wrong.iter().take(TOLD) {
        let name = &namespace.name;
        let message = format!("{name}: {}", text::problem(problem));
        let command = match problem.key == MODE_LABEL {
            true => label(facts, name, namespace.labels.contains_key(MODE_LABEL)),
            false => format!("{} edit namespace {name}", facts.kubectl),
        };
        report.add(Check::warning(TOPIC, "says-wrongly", message).run(command));
    }
    if wrong.len() > TOLD {
        let message = format!(
            "and {} more things that namespaces say wrongly (-o json has all)",
            wrong.len() - TOLD
        );
        report.add(Check::warning(TOPIC, "says-wrongly", message));
    }
    let in_vain: Vec<&str> = shown
        .iter()
        .filter(|n| {
            n.standing != Standing::In
                && n.said.mode.is_none()
                && n.said.settings != Said::default().settings
        })
        .map(|n| &*n.name)
        .collect();
    if is_registered && !in_vain.is_empty() {
        report.add(
            Check::note(
                TOPIC,
                "settings-unheard",
                format!("annotated, but not in: {}. Their settings count for pods with a label of their own only", list(&in_vain)),
            )
            .run(label(facts, in_vain[0], false)),
        );
    }
    report.namespaces = all
        .into_iter()
        .filter(|n| n.speaks() || n.is_looked_after() || facts.asked_for.as_ref() == Some(&n.name))
        .collect();
}

/// The namespace that somebody asked for.
fn this(facts: &Facts, namespace: &Namespace) -> Check {
    let name = &namespace.name;
    let out = |code, why: String| {
        let message = format!("namespace {name} {why}: its pods are made as they are written");
        let check = Check::warning(TOPIC, code, message);
        check.advise("To let it in (audit instead of enforce only tells):")
    };
    match (namespace.standing, namespace.labels.get(MODE_LABEL)) {
        (Standing::In, _) if facts.policy.excludes_namespace(name) => Check::warning(
            TOPIC,
            "namespace-left-alone",
            format!("the configuration leaves namespace {name} alone (leaveAlone.namespaces)"),
        ),
        (Standing::In, _) => {
            let message = format!("{name} is in: {}", namespace.mode.word());
            Check::well(TOPIC, "namespace-in", message)
        }
        _ if !namespace.may_be_in => Check::warning(
            TOPIC,
            "namespace-excluded",
            format!(
                "the webhook never sees pods of namespace {name}: its namespaceSelector takes it out"
            ),
        ),
        (_, Some(mode)) if mode == Mode::Off.word() => {
            let why = format!("is out by its label {MODE_LABEL}=off");
            out("namespace-off", why).run(label(facts, name, true))
        }
        (_, Some(other)) => {
            let why = format!(
                "is not in: its label {MODE_LABEL}={other} is none that the webhook asks for"
            );
            out("namespace-not-in", why).run(label(facts, name, true))
        }
        (_, None) => {
            let why = format!("is not in, as it has no label {MODE_LABEL}");
            out("namespace-not-in", why).run(label(facts, name, false))
        }
    }
}

fn overview(facts: &Facts, all: &[&Namespace]) -> Check {
    let of = |mode: Mode| -> Vec<&str> {
        let those = all
            .iter()
            .filter(|n| n.standing == Standing::In && n.mode == mode);
        those.map(|n| &*n.name).collect()
    };
    let off: Vec<&str> = all
        .iter()
        .filter(|n| n.said.mode == Some(Mode::Off))
        .map(|n| &*n.name)
        .collect();
    let (enforce, audit) = (of(Mode::Enforce), of(Mode::Audit));
    let mut parts = Vec::new();
    for (word, names) in [
        ("enforce", &enforce),
        ("audit", &audit),
        ("off by label", &off),
    ] {
        if !names.is_empty() {
            parts.push(format!("{word} ({}): {}", names.len(), list(names)));
        }
    }
    let others = all.len() - enforce.len() - audit.len() - off.len();
    if facts.policy.mode == Mode::Off {
        return Check::note(
            TOPIC,
            "namespaces",
            "while the mode is off, it does not matter who is in",
        );
    }
    if enforce.is_empty() && audit.is_empty() {
        let nobody = "no namespace is in, so only pods with a label of their own get something";
        let message = parts
            .iter()
            .fold(nobody.to_owned(), |text, part| format!("{text}; {part}"));
        return Check::warning(TOPIC, "nobody-in", message)
            .advise("To let one in (audit instead of enforce only tells):")
            .run(label(facts, "NAMESPACE", false));
    }
    parts.push(format!("not in ({others})"));
    Check::well(TOPIC, "namespaces", parts.join("; "))
}

/// The command that lets a namespace in.
fn label(facts: &Facts, name: &str, anew: bool) -> String {
    let overwrite = if anew { " --overwrite" } else { "" };
    format!(
        "{} label namespace {name} {MODE_LABEL}=enforce{overwrite}",
        facts.kubectl
    )
}

/// Names, the first few.
fn list(names: &[&str]) -> String {
    let mut text = names
        .iter()
        .take(TOLD)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > TOLD {
        text += &format!(" and {} more", names.len() - TOLD);
    }
    text
}

#[cfg(test)]
#[path = "namespaces_tests.rs"]
mod tests;
