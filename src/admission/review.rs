//! A review that can be answered: reading it, whatever its object is, and writing the answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::draft::{Draft, without_controls};
use super::wire::{Envelope, OnlyUid, Reply, Request, Response, Uid};
use super::{Answer, Decision, Outcome, Unanswerable};
use crate::lifecycle::json::{Object, Str};
use crate::lifecycle::pod::Pod;

/// The version that reviews are answered in where they do not say theirs.
const API_VERSION: &str = "admission.k8s.io/v1";
/// The most characters of one warning (the API server cuts at 256 once 4096 are reached; filters/warning.go).
const WARNING_LENGTH: usize = 256;
/// The most warnings of one answer: together they stay below the API server's 4096 characters.
const WARNINGS: usize = 15;

/// An AdmissionReview that can be answered, borrowed from the request's bytes. Its object is read as `T`, or else
/// it is known why it cannot be.
#[derive(Debug)]
pub struct Asked<'a, T> {
    api_version: Option<Str<'a>>,
    pub(super) request: Request<'a, Result<T, String>>,
}

/// What does a pod get?
pub type Review<'a> = Asked<'a, Object<Pod<'a>>>;

/// What is there to tell whoever writes what makes pods?
pub type WorkloadReview<'a> = Asked<'a, Object<Value>>;

/// A review whose object nobody looks at.
pub type UnreadReview<'a> = Asked<'a, &'a RawValue>;

impl<'a, T: Deserialize<'a>> Asked<'a, T> {
    /// Reads a review.
    ///
    /// # Errors
    /// When the bytes are no JSON, or no object with a request and a uid.
    pub fn read(body: &'a [u8]) -> Result<Self, Unanswerable> {
        // One pass where the object is what it should be, which is nearly always.
        let why = match serde_json::from_slice::<Object<Envelope<'a, T>>>(body) {
            Ok(Object(Envelope {
                api_version,
                request: Object(request),
            })) => return Self::new(api_version, request.map(Ok)),
            Err(why) => why,
        };
        // Whatever the object is, the request can still be answered.
        if let Ok(Object(Envelope {
            api_version,
            request: Object(request),
        })) = serde_json::from_slice::<Object<Envelope<'a, &'a RawValue>>>(body)
        {
            let request = request.map(|_| Err(why.to_string()));
            return Self::new(api_version, request);
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
                object: Some(Err(why.to_string())),
                old_object: None,
            },
        )
    }
}

impl<'a, T> Asked<'a, T> {
    fn new(
        api_version: Option<Str<'a>>,
        request: Request<'a, Result<T, String>>,
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

    /// Whether the request does not say what it is about: it is then taken for what it should be.
    pub(super) fn is_vague(&self) -> bool {
        self.request.operation.is_empty() && self.request.resource.resource.is_empty()
    }

    /// Writes the answer. `title` is the object, as it stands in the log behind its namespace.
    pub(super) fn reply(&self, title: &str, outcome: Outcome, draft: Draft) -> Answer {
        let operation = operation(&self.request.operation);
        let namespace = self.namespace().unwrap_or("-");
        let summary = draft.summary(&format!("{operation} {namespace}/{title}"), outcome);
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
                operation,
                outcome,
                skips: draft.skips,
                changes: draft.changes,
                summary,
            },
        }
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
