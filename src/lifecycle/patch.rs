//! A plan as a JSON Patch (RFC 6902), and the check that it applies.
//!
//! The patch is made from the changes, never as a difference of two objects, so it names nothing that no
//! change is about. A patch that fails to apply rejects the pod even under `failurePolicy: Ignore`
//! (`callAttrMutatingHook`, k8s.io/apiserver/pkg/admission/plugin/webhook/mutating/dispatcher.go), so each
//! is applied here first. It is applied to the object's *spine*: the part of the object that our paths lead
//! through, rebuilt from what was read. Reading the whole object into a tree would cost five times as much
//! as everything else; a test holds that both give the same.

use json_patch::jsonptr::{PointerBuf, Token};
use json_patch::{AddOperation, Patch, PatchOperation, ReplaceOperation};
use serde_json::{Map, Value, json};

use super::json::Field;
use super::plan::{At, Change, Place};
use super::pod::{Container, Pod, stored_grace};
use super::policy::SleepAction;
use super::settings::INJECTED;

/// The most bytes that all keys and values of an object's annotations may have together
/// (`TotalAnnotationSizeLimitB`, k8s.io/apimachinery/pkg/api/validation).
pub const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// Why a patch is not sent.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It does not apply.
    #[error("the patch does not apply: {0}")]
    Inapplicable(#[from] json_patch::PatchError),
    /// Kubernetes would reject the pod that it makes.
    #[error("the patched pod would be rejected: {0}")]
    Rejected(&'static str),
}

/// The patch of a pod's changes, and of the record of them where one is to be written.
pub fn patch(pod: &Pod<'_>, changes: &[Change], record: Option<&str>) -> Patch {
    let mut operations = Operations(Vec::with_capacity(changes.len() + 1));
    for change in changes {
        match change {
            Change::StartupProbe { at, new, .. } => {
                let field = &container(pod, at).startup_probe;
                let probe = Value::Object(new.probe.clone());
                operations.set(field.is_null(), at.path(&["startupProbe"]), probe);
            }
            Change::PreStop {
                at,
                seconds,
                action,
                ..
            } => operations.pre_stop(container(pod, at), at, hook(*seconds, *action)),
            Change::Variable { at, name, value } => {
                let first = !operations.has_env(at);
                operations.variable(
                    container(pod, at),
                    at,
                    json!({"name": name, "value": value}),
                    first,
                );
            }
            Change::GracePeriod { after, .. } => {
                let present = !matches!(pod.spec.termination_grace_period_seconds, Field::Absent);
                let path = path(["spec", "terminationGracePeriodSeconds"]);
                operations.set(present, path, (*after).into());
            }
        }
    }
    if let Some(record) = record {
        operations.record(pod, record);
    }
    Patch(operations.0)
}

/// Whether the pod may get an annotation of that value.
pub fn has_room_for(pod: &Pod<'_>, record: &str) -> bool {
    let now: usize = pod
        .meta()
        .annotations
        .value()
        .into_iter()
        .flat_map(|annotations| annotations.iter())
        .map(|(key, value)| key.len() + value.len())
        .sum();
    now + INJECTED.len() + record.len() <= ANNOTATIONS_LIMIT
}

/// Applies a patch to the spine of the pod, and checks what Kubernetes would check of what it touches.
///
/// # Errors
/// Why the patch must not be sent.
pub fn check(pod: &Pod<'_>, patch: &Patch) -> Result<(), Refused> {
    let mut spine = spine(pod);
    // Without the way back: the spine is thrown away.
    json_patch::patch_unsafe(&mut spine, patch)?;
    let grace = stored_grace(spine["spec"]["terminationGracePeriodSeconds"].as_i64());
    for list in ["containers", "initContainers"] {
        for container in spine["spec"][list].as_array().into_iter().flatten() {
            for field in ["startupProbe", "lifecycle"] {
                if !matches!(
                    container.get(field),
                    None | Some(Value::Null | Value::Object(_))
                ) {
                    return Err(Refused::Rejected("a field is not an object"));
                }
            }
            let sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_i64();
            if sleep.is_some_and(|seconds| seconds <= 0 || seconds > grace) {
                return Err(Refused::Rejected("a sleep does not fit the grace period"));
            }
        }
    }
    Ok(())
}

/// The operations so far.
struct Operations(Vec<PatchOperation>);

impl Operations {
    /// Sets a field: `replace` where the key is there, with a null or a value that grows.
    fn set(&mut self, present: bool, path: PointerBuf, value: Value) {
        self.0.push(if present {
            PatchOperation::Replace(ReplaceOperation { path, value })
        } else {
            PatchOperation::Add(AddOperation { path, value })
        });
    }

    /// Adds a hook, and its parent where there is none; what else the parent has stays.
    fn pre_stop(&mut self, container: &Container<'_>, at: &At, hook: Value) {
        match &container.lifecycle {
            Field::Value(lifecycle) => self.set(
                lifecycle.pre_stop.is_null(),
                at.path(&["lifecycle", "preStop"]),
                hook,
            ),
            parent => self.set(
                parent.is_null(),
                at.path(&["lifecycle"]),
                json!({"preStop": hook}),
            ),
        }
    }

    /// Adds a variable behind the others; the first makes the list where there is none.
    fn variable(&mut self, container: &Container<'_>, at: &At, variable: Value, first: bool) {
        match &container.env {
            Field::Value(_) => self.set(false, at.path(&["env", "-"]), variable),
            list if first => self.set(list.is_null(), at.path(&["env"]), json!([variable])),
            _ => self.set(false, at.path(&["env", "-"]), variable),
        }
    }

    /// Whether an operation has touched the container's variables.
    fn has_env(&self, at: &At) -> bool {
        let list = at.path(&["env"]);
        self.0
            .iter()
            .any(|operation| operation.path().starts_with(&list))
    }

    fn record(&mut self, pod: &Pod<'_>, record: &str) {
        match &pod.meta().annotations {
            Field::Value(_) => {
                let path = path(["metadata", "annotations", INJECTED]);
                self.set(false, path, record.into());
            }
            parent => self.set(
                parent.is_null(),
                path(["metadata", "annotations"]),
                json!({INJECTED: record}),
            ),
        }
    }
}

impl At {
    /// The path of a field of this container.
    fn path(&self, field: &[&str]) -> PointerBuf {
        let (list, index) = match self.place {
            Place::Container(index) => ("containers", index),
            Place::NativeSidecar(index) => ("initContainers", index),
        };
        let start = [Token::new("spec"), Token::new(list), Token::from(index)];
        PointerBuf::from_tokens(
            start
                .into_iter()
                .chain(field.iter().map(|f| Token::new(*f))),
        )
    }
}

fn path<const N: usize>(tokens: [&str; N]) -> PointerBuf {
    PointerBuf::from_tokens(tokens)
}

fn container<'p, 'a>(pod: &'p Pod<'a>, at: &At) -> &'p Container<'a> {
    match at.place {
        Place::Container(index) => &pod.spec.containers[index],
        Place::NativeSidecar(index) => &pod.spec.init_containers[index],
    }
}

pub(super) fn hook(seconds: u32, action: SleepAction) -> Value {
    match action {
        SleepAction::Exec => json!({"exec": {"command": ["sleep", seconds.to_string()]}}),
        SleepAction::Native | SleepAction::Off => json!({"sleep": {"seconds": seconds}}),
    }
}

/// The part of the object that our paths lead through, as it was read: each parent is there exactly where
/// the object has it, each field that we may set is there exactly where the object has it.
fn spine(pod: &Pod<'_>) -> Value {
    let mut object = Map::new();
    field(&mut object, "metadata", &pod.metadata, |metadata| {
        let mut fields = Map::new();
        field(&mut fields, "annotations", &metadata.annotations, |_| {
            json!({})
        });
        fields.into()
    });
    let mut spec = Map::new();
    let grace = &pod.spec.termination_grace_period_seconds;
    field(&mut spec, "terminationGracePeriodSeconds", grace, |g| {
        (*g).into()
    });
    let list = |containers: &[super::json::Object<Container<'_>>]| {
        containers.iter().map(|c| container_spine(c)).collect()
    };
    spec.insert("containers".into(), list(&pod.spec.containers));
    spec.insert("initContainers".into(), list(&pod.spec.init_containers));
    object.insert("spec".into(), spec.into());
    object.into()
}

fn container_spine(container: &Container<'_>) -> Value {
    let mut fields = Map::new();
    field(
        &mut fields,
        "startupProbe",
        &container.startup_probe,
        |_| json!({}),
    );
    field(
        &mut fields,
        "lifecycle",
        &container.lifecycle,
        |lifecycle| {
            let mut hooks = Map::new();
            field(&mut hooks, "preStop", &lifecycle.pre_stop, |_| json!({}));
            hooks.into()
        },
    );
    field(&mut fields, "env", &container.env, |list| {
        vec![Value::Null; list.len()].into()
    });
    fields.into()
}

fn field<T>(
    map: &mut Map<String, Value>,
    name: &str,
    field: &Field<T>,
    spine: impl FnOnce(&T) -> Value,
) {
    match field {
        Field::Absent => {}
        Field::Null => drop(map.insert(name.into(), Value::Null)),
        Field::Value(value) => drop(map.insert(name.into(), spine(value))),
    }
}
