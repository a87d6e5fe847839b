//! What a rule finds.

use json_patch::PatchOperation;
use serde::Serialize;
use serde_json::{Map, Value};

use super::rule::{Rule, Severity};
use super::yaml;

/// Something that a rule found in a workload.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// How bad it is here.
    pub severity: Severity,
    /// The container that it is about, where it is about one.
    pub container: Option<String>,
    /// JSON pointer into the workload's object: the field, which is there or is missing.
    pub pointer: String,
    /// What is lost and when, in one sentence without a full stop.
    pub message: String,
    /// What to write instead.
    pub fix: Option<Fix>,
}

/// What to write to end a finding.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Fix {
    /// What to do, in one clause.
    pub what: String,
    /// The fields to write, from the top of the workload on, as `kubectl patch` takes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yaml: Option<String>,
    /// `KEY: VALUE` for the pod template's annotations, after which the webhook and `inject` do it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotation: Option<String>,
    /// What the webhook and `inject` do about it already, as operations on the pod.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patch: Vec<PatchOperation>,
}

impl Finding {
    /// The field from the workload on, as people write it: `spec.template.spec.containers[0].lifecycle`.
    pub fn field(&self) -> String {
        let mut field = String::new();
        for name in self.pointer.split('/').skip(1) {
            let name = name.replace("~1", "/").replace("~0", "~");
            let is = |may: fn(char) -> bool| name.chars().all(may);
            if is(|c| c.is_ascii_digit()) {
                field += &format!("[{name}]");
            } else if is(|c| c.is_ascii_alphanumeric() || c == '_') {
                let dot = if field.is_empty() { "" } else { "." };
                field += &format!("{dot}{name}");
            } else {
                field += &format!("['{name}']");
            }
        }
        field
    }
}

impl Fix {
    /// What to do, where no line says it.
    pub(super) fn advice(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            ..Self::default()
        }
    }

    /// What to do, and the field to write.
    pub(super) fn at(what: impl Into<String>, pointer: &str, value: Value) -> Self {
        let nested = pointer
            .split('/')
            .skip(1)
            .collect::<Vec<_>>()
            .into_iter()
            .rev();
        let whole = nested.fold(value, |value, name| {
            let name = name.replace("~1", "/").replace("~0", "~");
            Value::Object(Map::from_iter([(name, value)]))
        });
        Self {
            yaml: Some(yaml::lines(&whole)),
            ..Self::advice(what)
        }
    }

    /// The annotation that has the same done by the webhook and `inject`.
    pub(super) fn or_annotation(mut self, key: &str, value: &str) -> Self {
        self.annotation = Some(format!("{key}: {value}"));
        self
    }

    /// Whether the webhook and `inject` do it already.
    pub fn is_injected(&self) -> bool {
        !self.patch.is_empty()
    }
}
