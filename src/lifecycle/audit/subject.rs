//! A workload as the rules see it.

use serde_json::{Map, Value, json};

use super::super::annotations::Said;
use super::super::counted::counted;
use super::super::patch;
use super::super::plan::{Change, Context, Place, Plan, all_containers, left_alone};
use super::super::pod::{Container, Pod};
use super::super::policy::Policy;
use super::super::resolve::Origin;
use super::super::seconds;
use super::super::settings::Setting;
use super::super::skip::{Part, Skip};
use super::super::text;
use super::controller::{Controller, Selected};
use super::finding::{Finding, Fix};
use super::rule::{Rule, Severity};

/// A workload: its pod, what the engine makes of it, and what is known about the rest.
#[derive(Debug)]
pub struct Subject<'s> {
    /// The pod.
    pub pod: &'s Pod<'s>,
    /// What it would get.
    pub plan: &'s Plan,
    /// The configuration and the Namespace, as they were given to the plan.
    pub context: &'s Context<'s>,
    /// What its Namespace says.
    pub namespace_said: Option<&'s Said>,
    /// What makes the pod.
    pub controller: &'s Controller,
    /// JSON pointer to the pod in the workload's object.
    pub template: &'s str,
    /// Whether fixes are to be written out, which costs more than finding what they end.
    pub writes_fixes: bool,
    /// What the pod says.
    pub(super) said: Said,
    containers: Vec<Examined<'s>>,
}

/// A container, and whether the engine looks after it.
#[derive(Debug)]
pub(super) struct Examined<'s> {
    pub(super) place: Place,
    pub(super) container: &'s Container<'s>,
    /// Why it is left alone.
    pub(super) alone: Option<Skip>,
}

impl<'s> Subject<'s> {
    /// Puts together what the rules ask for.
    pub fn new(
        pod: &'s Pod<'s>,
        plan: &'s Plan,
        context: &'s Context<'s>,
        controller: &'s Controller,
        template: &'s str,
    ) -> Self {
        let containers: Vec<Examined<'_>> = all_containers(pod)
            .map(|(place, container)| Examined {
                place,
                container,
                alone: left_alone(pod, context.policy, place, container),
            })
            .collect();
        let names: Vec<&str> = containers.iter().map(|c| &*c.container.name).collect();
        let metadata = pod.meta();
        Self {
            pod,
            plan,
            context,
            namespace_said: context.namespace_said,
            controller,
            template,
            writes_fixes: true,
            said: Said::by_pod(&metadata.labels, metadata.annotations.value(), &names),
            containers,
        }
    }

    /// Whether somebody wants nothing to do with this pod.
    pub fn is_left_alone(&self) -> bool {
        self.plan.skips.iter().any(|skipped| {
            skipped.container.is_none()
                && skipped.part == Part::Everything
                && !matches!(skipped.why, Skip::GraceZero(_))
        })
    }

    /// Whether it is killed at once, which is why nothing is added to it.
    pub(super) fn is_killed_at_once(&self) -> bool {
        let mut skips = self.plan.skips.iter();
        skips.any(|skipped| matches!(skipped.why, Skip::GraceZero(_)))
    }

    pub(super) fn policy(&self) -> &'s Policy {
        self.context.policy
    }

    /// All containers that have a place in a plan.
    pub(super) fn all(&self) -> impl Iterator<Item = &Examined<'s>> {
        self.containers.iter()
    }

    /// The containers that the engine looks after.
    pub(super) fn considered(&self) -> impl Iterator<Item = &Examined<'s>> {
        self.containers.iter().filter(|c| c.alone.is_none())
    }

    /// Those of them that clients reach.
    pub(super) fn serving(&self) -> impl Iterator<Item = &Examined<'s>> {
        self.considered().filter(|c| c.container.serves())
    }

    /// Why a part of a container is left alone.
    pub(super) fn skip(&self, container: &str, part: Part) -> Option<&Skip> {
        self.plan
            .skips
            .iter()
            .find(|s| s.part == part && s.container.as_deref() == Some(container))
            .map(|s| &s.why)
    }

    /// The growth of the grace period as a fix, where it is enough.
    pub(super) fn grown_grace(&self, enough: u64) -> Option<Fix> {
        let change = self.grace_change()?;
        let Change::GracePeriod { after, .. } = change else {
            return None;
        };
        let is_enough = u64::try_from(*after).is_ok_and(|after| after >= enough);
        is_enough.then(|| self.injected(text::change(change), std::slice::from_ref(change)))
    }

    /// The grace period that the pod gets, in seconds.
    pub(super) fn grace(&self) -> i64 {
        let planned = self.plan.grace.as_ref().map(|grace| grace.after);
        planned.unwrap_or_else(|| self.pod.grace())
    }

    /// The change to the grace period.
    pub(super) fn grace_change(&self) -> Option<&Change> {
        let is_grace = |change: &&Change| matches!(change, Change::GracePeriod { .. });
        self.plan.changes.iter().find(is_grace)
    }

    /// The longest start that somebody states for a container, in seconds, and who.
    pub(super) fn stated_startup_timeout(&self, container: &str) -> Option<(u64, Origin)> {
        use super::super::annotations::Level;
        counted(self.pod, self.context)
            .into_iter()
            .filter(|c| c.setting == Setting::StartupTimeout && c.origin.level > Level::BuiltIn)
            .find(|c| c.container.as_deref() == Some(container))
            .and_then(|c| Some((seconds::parse(&c.value).ok()?.into(), c.origin)))
    }

    /// How bad it is when requests to the pod are lost: good to know where nobody is seen to send any.
    pub(super) fn where_clients_come(&self, severity: Severity) -> Severity {
        if self.nobody_calls() {
            Severity::Info
        } else {
            severity
        }
    }

    /// Whether there are Services and none of them leads here.
    pub(super) fn nobody_calls(&self) -> bool {
        self.controller.selected == Selected::ByNone && !self.controller.is_on_host
    }

    /// When a new pod comes in the place of an old one, as the beginning of a sentence.
    pub(super) fn at_a_rollout(&self) -> &'static str {
        if self.controller.rolls_out() {
            "at a rollout,"
        } else {
            "when a new pod starts,"
        }
    }

    /// Who sends requests, before the verb; the verb is for many where nobody is known by name.
    pub(super) fn requests_come(&self) -> String {
        match &self.controller.selected {
            Selected::By(service) => format!("Service {service} sends requests"),
            Selected::Unknown | Selected::ByNone => "requests are sent".to_owned(),
        }
    }

    /// A finding about a field of a container.
    pub(super) fn at(
        &self,
        rule: &'static Rule,
        examined: &Examined<'_>,
        field: &str,
        message: String,
    ) -> Finding {
        let (list, index) = match examined.place {
            Place::Container(index) => ("containers", index),
            Place::NativeSidecar(index) => ("initContainers", index),
        };
        Finding {
            rule,
            severity: rule.severity,
            container: Some(examined.container.name.to_string()),
            pointer: format!("{}/spec/{list}/{index}{field}", self.template),
            message,
            fix: None,
        }
    }

    /// A finding about a field of the pod.
    pub(super) fn at_pod(&self, rule: &'static Rule, field: &str, message: String) -> Finding {
        Finding {
            container: None,
            pointer: format!("{}{field}", self.template),
            ..self.at_object(rule, "", message)
        }
    }

    /// A finding about a field of the workload itself.
    pub(super) fn at_object(&self, rule: &'static Rule, field: &str, message: String) -> Finding {
        Finding {
            rule,
            severity: rule.severity,
            container: None,
            pointer: field.to_owned(),
            message,
            fix: None,
        }
    }

    /// A fix that the engine makes by itself: those changes.
    pub(super) fn injected(&self, what: String, changes: &[Change]) -> Fix {
        if !self.writes_fixes {
            return Fix {
                is_injected: true,
                ..Fix::advice(what)
            };
        }
        let mut spec = Map::new();
        for change in changes {
            match change {
                Change::GracePeriod { after, .. } => {
                    spec.insert("terminationGracePeriodSeconds".into(), (*after).into());
                }
                Change::StartupProbe { at, new, .. } => {
                    merge(
                        &mut spec,
                        at.place,
                        &at.name,
                        "startupProbe",
                        new.probe.clone().into(),
                    );
                }
                Change::PreStop {
                    at,
                    seconds,
                    action,
                    ..
                } => {
                    let hook = json!({"preStop": patch::hook(*seconds, *action)});
                    merge(&mut spec, at.place, &at.name, "lifecycle", hook);
                }
                Change::Variable { at, name, value } => {
                    let variable = json!({"name": name, "value": value});
                    merge(&mut spec, at.place, &at.name, "env", json!([variable]));
                }
            }
        }
        Fix {
            patch: patch::patch(self.pod, changes, None).0,
            is_injected: true,
            ..self.pod_fix(what, spec)
        }
    }

    /// A fix in a container's fields.
    pub(super) fn container_fix(
        &self,
        what: impl Into<String>,
        examined: &Examined<'_>,
        field: &str,
        value: Value,
    ) -> Fix {
        let mut spec = Map::new();
        merge(
            &mut spec,
            examined.place,
            &examined.container.name,
            field,
            value,
        );
        self.pod_fix(what, spec)
    }

    /// A fix in the fields of the pod's specification.
    pub(super) fn pod_fix(&self, what: impl Into<String>, spec: Map<String, Value>) -> Fix {
        self.fix_below(what, "/spec", Value::Object(spec))
    }

    /// A fix somewhere in the pod template.
    pub(super) fn fix_below(&self, what: impl Into<String>, field: &str, value: Value) -> Fix {
        match self.writes_fixes {
            true => Fix::at(what, &format!("{}{field}", self.template), value),
            false => Fix::advice(what),
        }
    }

    /// The annotation that says something to one container.
    pub(super) fn key(&self, setting: Setting, container: &str) -> String {
        let name = setting.name();
        match self.considered().count() {
            1 => format!("podgrace.io/{name}"),
            _ => format!("{name}.podgrace.io/{container}"),
        }
    }
}

/// Who states something, with an article.
pub(super) fn stated_by(origin: &Origin) -> String {
    match &origin.profile {
        Some(_) => format!("stated by {}", text::origin(origin)),
        None => format!("stated by the {}", text::origin(origin)),
    }
}

/// Puts a field into the item of a container's name.
fn merge(spec: &mut Map<String, Value>, place: Place, name: &str, field: &str, value: Value) {
    let list = match place {
        Place::Container(_) => "containers",
        Place::NativeSidecar(_) => "initContainers",
    };
    let list = spec.entry(list).or_insert_with(|| json!([]));
    let Value::Array(items) = list else { return };
    let index = match items.iter().position(|item| item["name"] == name) {
        Some(index) => index,
        None => {
            items.push(json!({"name": name}));
            items.len() - 1
        }
    };
    match (&mut items[index][field], value) {
        (Value::Array(there), Value::Array(more)) => there.extend(more),
        (there, value) => *there = value,
    }
}
