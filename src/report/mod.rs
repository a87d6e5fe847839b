//! What was found out, printed: text for people, JSON for machines, pictures for documents. Nothing is
//! decided here.

pub mod audit;
mod clients;
pub mod doctor;
mod explanation;
mod page;
mod running;
mod scale;
mod svg;
mod timeline;
mod words;

use serde::Serialize;

pub use explanation::text;
pub use page::WIDTH;
pub use svg::svg;
pub use timeline::stop;

use crate::explain::Explanation;
use crate::lifecycle::timeline::ENDPOINT_REMOVED_AFTER;

/// The JSON document of explanations; `docs/explain.md` describes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Json<'e> {
    /// The longest that a deleted pod was seen to get new connections, in seconds.
    pub endpoint_removed_after: f64,
    /// One for each workload, in the order of the input.
    pub workloads: &'e [Explanation],
}

/// Explanations as one JSON document.
pub fn json(explanations: &[Explanation]) -> Json<'_> {
    Json {
        endpoint_removed_after: ENDPOINT_REMOVED_AFTER,
        workloads: explanations,
    }
}
