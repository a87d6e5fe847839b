//! The report as one JSON document: `docs/doctor.md` describes it.

use serde::Serialize;

use crate::doctor::{Report, Verdict};
use crate::lifecycle::audit::Severity;

/// The whole document.
#[derive(Debug, Serialize)]
pub struct Json<'r> {
    #[serde(flatten)]
    report: &'r Report,
    summary: Summary,
}

#[derive(Debug, Serialize)]
struct Summary {
    errors: usize,
    warnings: usize,
    unseen: usize,
    notes: usize,
}

/// A report as JSON.
pub fn json(report: &Report) -> Json<'_> {
    let count = |severity| report.count(Verdict::Found(severity));
    Json {
        report,
        summary: Summary {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            unseen: report.count(Verdict::Unseen),
            notes: count(Severity::Info),
        },
    }
}
