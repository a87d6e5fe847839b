//! Since when an object has a label, as far as the API server keeps that.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::{Api, Client};

/// When whoever gave a namespace a label last changed it: the label is not younger. None where that is not
/// kept, or cannot be read.
pub async fn labelled_since(client: &Client, namespace: &str, label: &str) -> Option<Timestamp> {
    let api: Api<Namespace> = Api::all(client.clone());
    let metadata = api.get_metadata(namespace).await.ok()?.metadata;
    since(&metadata.managed_fields?, label)
}

fn since(managed: &[ManagedFieldsEntry], label: &str) -> Option<Timestamp> {
    let field = format!("f:{label}");
    let gave = |entry: &&ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref();
        fields.is_some_and(|fields| fields.0["f:metadata"]["f:labels"][&field].is_object())
    };
    let times = managed
        .iter()
        .filter(gave)
        .filter_map(|entry| Some(entry.time.as_ref()?.0));
    times.min()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whoever_gave_the_label_says_when() {
        let entry = |time: &str, labels: serde_json::Value| json!({"time": time, "fieldsV1": {"f:metadata": {"f:labels": labels}}});
        let managed = json!([
            entry("2026-11-01T00:00:00Z", json!({"f:team": {}})),
            entry("2026-11-02T00:00:00Z", json!({"f:podgrace.io/mode": {}})),
            {"time": "2026-11-03T00:00:00Z"},
        ]);
        let managed: Vec<ManagedFieldsEntry> = serde_json::from_value(managed).expect("entries");
        assert_eq!(
            since(&managed, "podgrace.io/mode"),
            "2026-11-02T00:00:00Z".parse().ok()
        );
        assert_eq!(since(&managed, "other"), None);
    }
}
