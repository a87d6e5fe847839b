//! What a doctor's visit found, printed.

mod json;
mod text;

pub use json::{Json, json};
pub use text::text;

use crate::doctor::{Report, Verdict};
use crate::lifecycle::audit::Severity;

/// How many checks came out how, worst first, with the words for one and for several.
fn counts(report: &Report) -> [(usize, &'static str, &'static str); 4] {
    let count = |verdict| report.count(verdict);
    [
        (count(Verdict::Found(Severity::Error)), "error", "errors"),
        (
            count(Verdict::Found(Severity::Warning)),
            "warning",
            "warnings",
        ),
        (
            count(Verdict::Unseen),
            "thing not looked at",
            "things not looked at",
        ),
        (count(Verdict::Found(Severity::Info)), "note", "notes"),
    ]
}
