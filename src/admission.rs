//! AdmissionReview bytes in, AdmissionReview bytes out: synchronous and total.
//!
//! Whatever carries a uid is answered `allowed: true`; what cannot be answered is [`Unanswerable`],
//! which the server turns into a 4xx of one plain sentence.

mod wire;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use crate::lifecycle::annotations::Said;
use crate::lifecycle::json::{Object, Str};
use crate::lifecycle::patch;
use crate::lifecycle::plan::{Context, Plan, plan};
use crate::lifecycle::pod::Pod;
use crate::lifecycle::policy::{Mode, Policy};
use crate::lifecycle::settings::INJECTED;
use crate::lifecycle::skip::Skip;
use crate::lifecycle::text;

use wire::{Envelope, OnlyUid, Reply, Request, Response, Uid};

/// The version that reviews are answered in where they do not say theirs.
const API_VERSION: &str = "admission.k8s.io/v1";
/// The most characters of one warning (the API server cuts at 256 once 4096 are reached; filters/warning.go).
const WARNING_LENGTH: usize = 256;
/// The most warnings of one answer: together they stay below the API server's 4096 characters.
const WARNINGS: usize = 15;

/// An AdmissionReview that can be answered, borrowed from the request's bytes.
#[derive(Debug)]
pub struct Review<'a> {
    api_version: Option<Str<'a>>,
    request: Request<'a, Content<'a>>,
}

/// What the request brings.
#[derive(Debug)]
enum Content<'a> {
    /// A pod, as far as we look at it.
    Pod(Box<Pod<'a>>),
    /// Something that is no pod; why.
    Unreadable(String),
}

/// An answer: the bytes to send, and what was decided, for metrics and logs.
#[derive(Debug)]
pub struct Answer {
    /// The AdmissionReview to send, as JSON.
    pub body: Vec<u8>,
    /// What was decided.
    pub decision: Decision,
}

/// What was decided about one request: only stable words, so that they can label metrics.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The request's operation: `CREATE`, `UPDATE`, `DELETE`, `CONNECT` or `other`.
    pub operation: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// The codes of the reasons for what was left alone, one per pod or container and field.
    pub skips: Vec<&'static str>,
    /// The kinds of the changes made, or in audit mode that would have been made.
    pub changes: Vec<&'static str>,
    /// One line for the log, made of names and field names, never of the object.
    pub summary: String,
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A patch was sent.
    Injected,
    /// Audit mode: warnings say what would be patched.
    Audited,
    /// The pod needs nothing, or everything was left alone with a reason.
    Unchanged,
    /// Not a pod's creation, or the mode is off.
    Ignored,
    /// The object could not be read as a pod.
    Unreadable,
    /// The patch failed our own check and was not sent.
    PatchRefused,
    /// Answered under overload, too late or after a panic, without looking at the pod.
    Shed,
}

impl Outcome {
    /// Every outcome, so that a metric can show zeros from the start.
    pub const ALL: [Self; 7] = [
        Self::Injected,
        Self::Audited,
        Self::Unchanged,
        Self::Ignored,
        Self::Unreadable,
        Self::PatchRefused,
        Self::Shed,
    ];

    /// The word that labels metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Injected => "injected",
            Self::Audited => "audited",
            Self::Unchanged => "unchanged",
            Self::Ignored => "ignored",
            Self::Unreadable => "unreadable",
            Self::PatchRefused => "patch_refused",
            Self::Shed => "shed",
        }
    }
}

/// Bytes that carry no review with a uid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unanswerable(pub String);

impl<'a> Review<'a> {
    /// Reads a review.
    ///
    /// # Errors
    /// When the bytes are no JSON, or no object with a request and a uid.
    pub fn read(body: &'a [u8]) -> Result<Self, Unanswerable> {
        // One pass where the object is a pod, which is nearly always.
        let why = match serde_json::from_slice::<Object<Envelope<'a, Object<Pod<'a>>>>>(body) {
            Ok(Object(Envelope {
                api_version,
                request: Object(request),
            })) => {
                return Self::new(
                    api_version,
                    request.map(|pod| Content::Pod(Box::new(pod.0))),
                );
            }
            Err(why) => why,
        };
        // Whatever the object is, the request can still be answered.
        if let Ok(Object(Envelope {
            api_version,
            request: Object(request),
        })) = serde_json::from_slice::<Object<Envelope<'a, &'a RawValue>>>(body)
        {
            let object = request.map(|_| Content::Unreadable(why.to_string()));
            return Self::new(api_version, object);
        }
        let OnlyUid {
            request: Object(Uid { uid }),
        } = serde_json::from_slice::<Object<OnlyUid<'a>>>(body)
            .map_err(|error| unanswerable(body, &error))?
            .0;
        Self::new(
            None,
            Request {
                uid,
                resource: Object::default(),
                sub_resource: Str::default(),
                name: Str::default(),
                namespace: None,
                operation: Str::default(),
                object: Some(Content::Unreadable(why.to_string())),
            },
        )
    }

    fn new(
        api_version: Option<Str<'a>>,
        request: Request<'a, Content<'a>>,
    ) -> Result<Self, Unanswerable> {
        if request.uid.is_empty() {
            return Err(Unanswerable("the request's uid is empty".into()));
        }
        Ok(Self {
            api_version,
            request,
        })
    }

    /// The namespace of the object, where the request names one.
    pub fn namespace(&self) -> Option<&str> {
        self.request.namespace.as_deref().filter(|n| !n.is_empty())
    }

    /// Whether this is what we patch: the creation of a pod. Also true of what cannot be told.
    fn is_pod_creation(&self) -> bool {
        let Request {
            resource,
            sub_resource,
            operation,
            ..
        } = &self.request;
        let unknown = operation.is_empty() && resource.resource.is_empty();
        let pod = resource.group.is_empty() && &*resource.resource == "pods";
        unknown || (pod && sub_resource.is_empty() && &**operation == "CREATE")
    }

    /// Decides and answers. `namespace` is what is known of [`Review::namespace`].
    pub fn answer(&self, policy: &Policy, namespace: Option<&Said>) -> Answer {
        if !self.is_pod_creation() {
            return self.reply(Outcome::Ignored, Draft::default());
        }
        let pod = match &self.request.object {
            Some(Content::Pod(pod)) => pod,
            Some(Content::Unreadable(why)) => {
                return self.unreadable(&format!("the object could not be read as a pod: {why}"));
            }
            None => return self.unreadable("the request brings no object"),
        };
        let context = Context {
            policy,
            namespace: self.namespace(),
            namespace_said: namespace,
        };
        self.carry_out(pod, &plan(pod, &context))
    }

    /// Answers `allowed: true` with that warning and no patch: for overload, deadlines and panics.
    pub fn shed(&self, warning: &str) -> Answer {
        let draft = Draft {
            warnings: vec![warning.to_owned()],
            ..Draft::default()
        };
        self.reply(Outcome::Shed, draft)
    }

    fn unreadable(&self, why: &str) -> Answer {
        let draft = Draft {
            warnings: vec![format!("podgrace: {why}; it is left as it is")],
            ..Draft::default()
        };
        self.reply(Outcome::Unreadable, draft)
    }

    /// Turns a plan into an answer: a patch in enforce mode, warnings in audit mode.
    fn carry_out(&self, pod: &Pod<'_>, plan: &Plan) -> Answer {
        let mut draft = Draft::of(plan);
        let outcome = match plan.mode.value {
            Mode::Off => Outcome::Ignored,
            _ if plan.changes.is_empty() => Outcome::Unchanged,
            Mode::Audit => Outcome::Audited,
            Mode::Enforce => {
                let record = draft.record(pod);
                let patch = patch::patch(pod, &plan.changes, record.as_deref());
                let sendable = patch::check(pod, &patch)
                    .map_err(|why| why.to_string())
                    .and_then(|()| serde_json::to_vec(&patch).map_err(|why| why.to_string()));
                match sendable {
                    Ok(bytes) => {
                        draft.patch = Some(bytes);
                        Outcome::Injected
                    }
                    Err(why) => {
                        // Ours is the fault: the pod goes through, and the counter says so.
                        let warning = format!("podgrace: {why}; the pod is left as it is");
                        draft.undo();
                        draft.warnings.insert(0, warning);
                        Outcome::PatchRefused
                    }
                }
            }
        };
        self.reply(outcome, draft)
    }

    fn reply(&self, outcome: Outcome, draft: Draft) -> Answer {
        let summary = draft.summary(self, outcome);
        let response = Response {
            uid: &self.request.uid,
            allowed: true,
            patch_type: draft.patch.as_ref().map(|_| "JSONPatch"),
            patch: draft.patch.map(|patch| STANDARD.encode(patch)),
            warnings: cut(draft.warnings),
            audit_annotations: draft.audit_annotations,
        };
        let reply = Reply {
            api_version: self
                .api_version
                .as_deref()
                .filter(|v| v.starts_with("admission.k8s.io/"))
                .unwrap_or(API_VERSION),
            kind: "AdmissionReview",
            response,
        };
        Answer {
            // Strings, numbers and lists of them: there is nothing that could fail.
            body: serde_json::to_vec(&reply).unwrap_or_default(),
            decision: Decision {
                operation: operation(&self.request.operation),
                outcome,
                skips: draft.skips,
                changes: draft.changes,
                summary,
            },
        }
    }
}

/// An answer on its way.
#[derive(Debug, Default)]
struct Draft {
    patch: Option<Vec<u8>>,
    warnings: Vec<String>,
    audit_annotations: BTreeMap<&'static str, String>,
    skips: Vec<&'static str>,
    changes: Vec<&'static str>,
    /// The changes in words.
    said: String,
}

impl Draft {
    fn of(plan: &Plan) -> Self {
        let said: Vec<String> = plan.changes.iter().map(text::change).collect();
        let mut warnings = Vec::new();
        if plan.mode.value != Mode::Off {
            warnings.extend(
                plan.problems
                    .iter()
                    .map(|problem| format!("podgrace: {}", text::problem(problem))),
            );
            let refusals = plan.skips.iter().filter(|skipped| skipped.why.is_refusal());
            warnings
                .extend(refusals.map(|skipped| format!("podgrace: {}", text::skipped(skipped))));
        }
        if plan.mode.value == Mode::Audit {
            warnings.extend(
                said.iter()
                    .map(|change| format!("podgrace would inject {change}")),
            );
        }
        let skips: Vec<&'static str> = plan.skips.iter().map(|s| s.why.code()).collect();
        let said = said.join("; ");
        let mut audit_annotations = BTreeMap::from([("mode", plan.mode.value.word().to_owned())]);
        if !said.is_empty() {
            audit_annotations.insert("changes", said.clone());
        }
        if !skips.is_empty() {
            let named: Vec<String> = plan
                .skips
                .iter()
                .map(|s| match &s.container {
                    Some(container) => format!("{container}: {}", s.why.code()),
                    None => s.why.code().to_owned(),
                })
                .collect();
            audit_annotations.insert("skipped", named.join("; "));
        }
        Self {
            patch: None,
            warnings,
            audit_annotations,
            skips,
            changes: plan.changes.iter().map(|change| change.kind()).collect(),
            said,
        }
    }

    /// Forgets the changes, which are not made.
    fn undo(&mut self) {
        self.changes.clear();
        self.said.clear();
        self.audit_annotations.remove("changes");
    }

    /// The record for the pod's annotation, unless an earlier pass wrote one or there is no room.
    fn record(&mut self, pod: &Pod<'_>) -> Option<String> {
        if pod.annotation(INJECTED).is_some() || pod.metadata.value().is_none() {
            return None;
        }
        let record = format!("podgrace {}: {}", env!("CARGO_PKG_VERSION"), self.said);
        if patch::has_room_for(pod, &record) {
            return Some(record);
        }
        let why = Skip::AnnotationsFull;
        self.warnings
            .push(format!("podgrace: no record: {}", why.sentence()));
        self.skips.push(why.code());
        None
    }

    /// One line of names, never of the object's other contents.
    fn summary(&self, review: &Review<'_>, outcome: Outcome) -> String {
        let request = &review.request;
        let name = match (&*request.name, &request.object) {
            ("", Some(Content::Pod(pod))) => pod
                .meta()
                .generate_name
                .as_deref()
                .map_or_else(String::new, |start| format!("{start}*")),
            (name, _) => name.to_owned(),
        };
        let mut line = format!(
            "{} {}/{name}: {}",
            operation(&request.operation),
            review.namespace().unwrap_or("-"),
            outcome.code()
        );
        if !self.said.is_empty() {
            line += &format!(": {}", self.said);
        }
        if !self.skips.is_empty() {
            line += &format!(" (left alone: {})", self.skips.join(", "));
        }
        without_controls(line)
    }
}

/// The text with a space for each control character: keys and container names that Kubernetes has not
/// checked yet may hold anything.
fn without_controls(text: String) -> String {
    if text.contains(char::is_control) {
        text.replace(char::is_control, " ")
    } else {
        text
    }
}

/// Short warnings, and not too many: the API server cuts what is longer in unlucky places.
fn cut(mut warnings: Vec<String>) -> Vec<String> {
    let more = warnings.len().saturating_sub(WARNINGS);
    warnings.truncate(WARNINGS);
    for warning in &mut warnings {
        *warning = without_controls(std::mem::take(warning));
        if let Some((at, _)) = warning.char_indices().nth(WARNING_LENGTH - 1) {
            warning.truncate(at);
            warning.push('…');
        }
    }
    if more > 0 {
        warnings.push(format!("podgrace: and {more} more warnings"));
    }
    warnings
}

fn operation(operation: &str) -> &'static str {
    ["CREATE", "UPDATE", "DELETE", "CONNECT"]
        .into_iter()
        .find(|known| *known == operation)
        .unwrap_or("other")
}

/// One plain sentence on bytes that hold no uid.
fn unanswerable(body: &[u8], error: &serde_json::Error) -> Unanswerable {
    Unanswerable(if body.iter().all(u8::is_ascii_whitespace) {
        "the body is empty: an AdmissionReview is needed".into()
    } else if error.is_data() {
        format!("this is not an AdmissionReview with a request and a uid: {error}")
    } else {
        format!("the body is not JSON: {error}")
    })
}
