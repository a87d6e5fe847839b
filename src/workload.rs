//! Pod templates in the kinds of objects that make pods.

use serde_json::{Map, Value, json};

/// A pod, or something that makes pods, in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Its kind.
    pub kind: String,
    /// Its name; that it generates one from where it has none.
    pub name: String,
    /// Its namespace, where it states one.
    pub namespace: Option<String>,
    /// JSON pointer to the object in the document; empty where the document is the object.
    pub object: String,
    /// JSON pointer to the pod or pod template in the document.
    pub template: String,
}

/// Where each kind keeps its pod template, by API group and kind.
const TEMPLATES: [(&[&str], &str, &str); 9] = [
    (&[""], "Pod", ""),
    (&[""], "ReplicationController", "/spec/template"),
    (&[""], "PodTemplate", "/template"),
    (&["apps", "extensions"], "Deployment", "/spec/template"),
    (&["apps", "extensions"], "ReplicaSet", "/spec/template"),
    (&["apps", "extensions"], "DaemonSet", "/spec/template"),
    (&["apps"], "StatefulSet", "/spec/template"),
    (&["batch"], "Job", "/spec/template"),
    (&["batch"], "CronJob", "/spec/jobTemplate/spec/template"),
];

/// Every workload of a document, those in a `List` too.
pub fn workloads(document: &Value) -> Vec<Workload> {
    let mut found = Vec::new();
    collect(document, String::new(), &mut found);
    found
}

fn collect(object: &Value, pointer: String, found: &mut Vec<Workload>) {
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if api_version == "v1" && kind.ends_with("List") || kind == "List" {
        let items = object["items"].as_array().map_or(&[][..], Vec::as_slice);
        for (index, item) in items.iter().enumerate() {
            collect(item, format!("{pointer}/items/{index}"), found);
        }
        return;
    }
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let Some((_, _, template)) = TEMPLATES
        .iter()
        .find(|(groups, k, _)| *k == kind && groups.contains(&group))
    else {
        return;
    };
    let metadata = |key: &str| {
        object["metadata"][key]
            .as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    found.push(Workload {
        kind: kind.to_owned(),
        name: metadata("name")
            .or_else(|| metadata("generateName"))
            .unwrap_or_default(),
        namespace: metadata("namespace"),
        template: format!("{pointer}{template}"),
        object: pointer,
    });
}

impl Workload {
    /// The pod that this would make, as the API server would show it to the webhook where that matters: with
    /// its owner. None where the document has no template in the workload's place.
    pub fn pod(&self, document: &Value) -> Option<Value> {
        let template = document.pointer(&self.template)?.as_object()?;
        let mut metadata = match template.get("metadata") {
            Some(Value::Object(metadata)) => metadata.clone(),
            _ => Map::new(),
        };
        if self.kind != "Pod" {
            let owner = json!([{"kind": self.kind, "name": self.name, "controller": true}]);
            metadata.insert("ownerReferences".into(), owner);
        }
        let mut pod = Map::from_iter([("metadata".to_owned(), Value::Object(metadata))]);
        if let Some(spec) = template.get("spec") {
            pod.insert("spec".into(), spec.clone());
        }
        Some(Value::Object(pod))
    }

    /// `deployment/shop`, as kubectl names it.
    pub fn title(&self) -> String {
        format!("{}/{}", self.kind.to_lowercase(), self.name)
    }
}

/// Why the pod of a workload cannot be read as one, for people.
pub fn unreadable(pod: &Value, error: &serde_json::Error) -> String {
    // Most often this is it: without quotes, YAML reads 8 and true as something else than text.
    for kind in ["labels", "annotations"] {
        for (key, value) in pod["metadata"][kind].as_object().into_iter().flatten() {
            if !value.is_string() && !value.is_null() {
                return format!("{kind}: {key}: {value} is not text; write it in quotes");
            }
        }
    }
    // Its place is one in JSON that nobody has seen.
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_place_and_foreign_kinds_have_none() {
        let document = json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}},
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "b", "namespace": "n"}},
            {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"generateName": "c-"}},
            {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "d"}},
            {"apiVersion": "example.com/v1", "kind": "Deployment", "metadata": {"name": "e"}},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "f"}},
            "text",
        ]});
        let found: Vec<(String, String)> = workloads(&document)
            .into_iter()
            .map(|w| (w.title(), w.template))
            .collect();
        let expected = [
            ("pod/a", "/items/0"),
            ("deployment/b", "/items/1/spec/template"),
            ("cronjob/c-", "/items/2/spec/jobTemplate/spec/template"),
            ("podtemplate/d", "/items/3/template"),
        ];
        assert_eq!(
            found,
            expected.map(|(title, template)| (title.to_owned(), template.to_owned()))
        );
    }
}
