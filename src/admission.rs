//! AdmissionReview bytes in, AdmissionReview bytes out: synchronous and total.
//!
//! Whatever carries a uid is answered `allowed: true`; what cannot be answered is [`Unanswerable`],
//! which the server turns into a 4xx of one plain sentence.

use crate::lifecycle::policy::{Namespace, Policy};

/// An AdmissionReview that can be answered, borrowed from the request's bytes.
#[derive(Debug)]
pub struct Review<'a> {
    body: &'a [u8],
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
    /// Answered under overload, or after a panic, without looking at the pod.
    Shed,
}

impl Outcome {
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
    /// When the bytes are no AdmissionReview of `admission.k8s.io/v1` with a request and a uid.
    pub fn read(body: &'a [u8]) -> Result<Self, Unanswerable> {
        Ok(Self { body })
    }

    /// The namespace of the object, where the request names one.
    pub fn namespace(&self) -> Option<&str> {
        None
    }

    /// Decides and answers. `namespace` is what is known of [`Review::namespace`].
    pub fn answer(&self, policy: &Policy, namespace: Option<&Namespace>) -> Answer {
        let _ = (policy, namespace, self.body);
        self.shed("not built yet")
    }

    /// Answers `allowed: true` with a warning and no patch: for overload, deadlines and panics.
    pub fn shed(&self, warning: &str) -> Answer {
        Answer {
            body: format!("{{\"warning\":{warning:?}}}").into_bytes(),
            decision: Decision {
                operation: "other",
                outcome: Outcome::Shed,
                skips: vec![],
                changes: vec![],
                summary: String::new(),
            },
        }
    }
}
