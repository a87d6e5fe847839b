//! AdmissionReview bytes in, AdmissionReview bytes out: synchronous and total.
//!
//! Two questions are answered. What does a pod get? A [`Review`], answered with a patch. And what is there to
//! tell whoever writes what makes pods? A [`WorkloadReview`], answered with warnings and never a patch. Whatever
//! carries a uid is answered `allowed: true`; what cannot be answered is [`Unanswerable`], which the server turns
//! into a 4xx of one plain sentence.

mod draft;
mod pod;
mod review;
mod wire;
mod workload;

pub use review::{Asked, Review, UnreadReview, WorkloadReview};

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
    /// The codes of the reasons for what is left alone, one per pod or container and field.
    pub skips: Vec<&'static str>,
    /// The kinds of the changes made, or in audit mode and to the pods of a workload that would be made.
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
    /// The writer of a workload was told something about its pods.
    Warned,
    /// There was nothing to tell the writer of a workload.
    Silent,
    /// Not a pod's creation or not what makes pods, or the mode is off.
    Ignored,
    /// The object could not be read as a pod, or as what makes pods.
    Unreadable,
    /// The patch failed our own check and was not sent.
    PatchRefused,
    /// Answered under overload, too late or after a panic, without looking at the object.
    Shed,
}

impl Outcome {
    /// Every outcome for a pod, so that a metric can show zeros from the start.
    pub const OF_PODS: [Self; 7] = [
        Self::Injected,
        Self::Audited,
        Self::Unchanged,
        Self::Ignored,
        Self::Unreadable,
        Self::PatchRefused,
        Self::Shed,
    ];

    /// Every outcome for a workload.
    pub const OF_WORKLOADS: [Self; 5] = [
        Self::Warned,
        Self::Silent,
        Self::Ignored,
        Self::Unreadable,
        Self::Shed,
    ];

    /// The word that labels metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Injected => "injected",
            Self::Audited => "audited",
            Self::Unchanged => "unchanged",
            Self::Warned => "warned",
            Self::Silent => "silent",
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
