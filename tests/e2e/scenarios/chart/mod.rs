//! The chart by real Helm, on the real API server.

pub(super) mod manifests;
pub(super) mod releases;
pub(super) mod selectors;

use serde_json::Value;

use super::Outcome;
use crate::helm;

/// Why the chart cannot be tried, where Helm has not been built.
pub(super) fn without_helm() -> Option<Outcome> {
    let missing = [3, 4].map(|major| helm::tools().join(format!("helm{major}")));
    let missing = missing.iter().find(|program| !program.exists())?;
    let why = format!("there is no {}: make helm", missing.display());
    Some(Outcome::Skipped(why))
}

/// Where objects like this one are kept.
fn collection(object: &Value) -> String {
    let version = object["apiVersion"].as_str().expect("apiVersion");
    let kind = object["kind"].as_str().expect("kind").to_lowercase();
    let plural = match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{kind}s"),
    };
    let root = if version.contains('/') { "apis" } else { "api" };
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("/{root}/{version}/namespaces/{namespace}/{plural}"),
        None => format!("/{root}/{version}/{plural}"),
    }
}
