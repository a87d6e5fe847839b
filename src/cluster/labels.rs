//! Labels and selectors as objects write them.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::Selector;
use serde_json::Value;

/// A selector with `matchLabels` and `matchExpressions`; all where there is none. None where it means nothing.
pub fn selector(value: &Value) -> Option<Selector> {
    let written: Option<LabelSelector> = serde_json::from_value(value.clone()).ok()?;
    Selector::try_from(written.unwrap_or_default()).ok()
}

/// The labels of an object.
pub fn labels(object: &Value) -> BTreeMap<String, String> {
    strings(&object["metadata"]["labels"])
}

/// The strings of a map.
pub(super) fn strings(map: &Value) -> BTreeMap<String, String> {
    let pairs = map.as_object().into_iter().flatten();
    pairs
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}
