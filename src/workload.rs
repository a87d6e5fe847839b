//! Pod templates in the kinds of objects that make pods: Kubernetes' own, and those that a configuration names.

use json_patch::jsonptr::Token;
use serde::Deserialize;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Map, Value, json};
use serde_path_to_error::Segment;

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
    /// The kind of what owns its pods, as far as that matters to them: its own, or that of what it makes for them.
    pub owner: String,
}

/// Where each kind of Kubernetes' own keeps its pod template, by API group and kind.
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

/// The API group of Knative Serving. What it makes of a template is not what stands there
/// (knative.dev/serving/pkg/reconciler/revision/resources/deploy.go), and it refuses what we would add
/// (pkg/apis/serving/fieldmask.go).
const KNATIVE: &str = "serving.knative.dev";

/// The kinds in which pod templates are looked for: Kubernetes' own, and further ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kinds {
    custom: Vec<CustomKind>,
}

/// A kind that is not Kubernetes' own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomKind {
    /// Its API group.
    pub group: String,
    /// Its name.
    pub kind: String,
    /// JSON pointers to its pod templates; an object may have some of them. None where it is to be passed over.
    pub templates: Vec<String>,
    /// JSON pointer to what names another workload; an object that has it needs no template of its own.
    pub reference: Option<String>,
    /// The kind of what it makes to own its pods, where that matters to them: `StatefulSet`.
    pub owner: Option<String>,
}

/// An object of a kind that is not known, with a pod template in the usual place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// Its API group.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// JSON pointer to the object in the document.
    pub object: String,
}

impl Unknown {
    /// That its kind is passed over, and what to write to have it looked at, or passed over without a word.
    pub fn sentence(&self) -> String {
        let Self { group, kind, .. } = self;
        if kind.is_empty() {
            return "an object without a kind has a pod template and is not looked at".to_owned();
        }
        let mut known = TEMPLATES.iter();
        if let Some((groups, known, _)) = known.find(|known| known.1.eq_ignore_ascii_case(kind)) {
            let group = match groups[0] {
                "" => "v1".to_owned(),
                group => format!("{group}/v1"),
            };
            return format!(
                "this says {kind} and is not looked at: the API server knows {known} of {group}"
            );
        }
        let entry =
            |templates| format!("{{group: {group}, kind: {kind}, templates: [{templates}]}}");
        if group == KNATIVE {
            return format!(
                "{kind} of {group} is not looked at: Knative writes its pods' hooks and grace period itself and \
                 refuses them in the template; {} in the configuration's workloads passes it over without this line",
                entry("")
            );
        }
        format!(
            "{kind} of {group} has a pod template and is not looked at; add to the configuration's workloads: {}",
            entry("spec.template")
        )
    }
}

impl Kinds {
    /// Kubernetes' own kinds and these.
    pub fn new(custom: Vec<CustomKind>) -> Self {
        Self { custom }
    }

    /// The kinds that are not Kubernetes' own.
    pub fn custom(&self) -> &[CustomKind] {
        &self.custom
    }

    /// Every workload of a document, those in a `List` too.
    pub fn workloads(&self, document: &Value) -> Vec<Workload> {
        let mut found = Vec::new();
        for (pointer, object) in objects(document) {
            let (group, kind) = group_and_kind(object);
            let custom = self.find(group, kind);
            let owner = custom.and_then(|custom| custom.owner.as_deref());
            let templates = match built_in(group, kind) {
                Some(template) => vec![template],
                None => custom.map_or(Vec::new(), |custom| custom.templates_of(object)),
            };
            for template in templates {
                found.push(Workload::new(object, &pointer, template, owner));
            }
        }
        found
    }

    /// The objects of a document that make pods as it seems, and are of no kind that is known.
    pub fn unknown(&self, document: &Value) -> Vec<Unknown> {
        let mut found = Vec::new();
        for (object, value) in objects(document) {
            let (group, kind) = group_and_kind(value);
            let has_containers = value["spec"]["template"]["spec"]["containers"].is_array();
            if has_containers && built_in(group, kind).is_none() && self.find(group, kind).is_none()
            {
                found.push(Unknown {
                    group: group.to_owned(),
                    kind: kind.to_owned(),
                    object,
                });
            }
        }
        found
    }

    fn find(&self, group: &str, kind: &str) -> Option<&CustomKind> {
        let mut all = self.custom.iter();
        all.find(|custom| custom.group == group && custom.kind == kind)
    }
}

impl CustomKind {
    /// Where an object of the kind keeps its pod templates; where it should have one, though it be missing.
    fn templates_of(&self, object: &Value) -> Vec<&str> {
        let has = |pointer: &str| {
            let value = object.pointer(pointer);
            value.is_some_and(|value| !value.is_null())
        };
        let templates = self.templates.iter().map(String::as_str);
        let there: Vec<&str> = templates.clone().filter(|pointer| has(pointer)).collect();
        if there.is_empty() && !self.reference.as_deref().is_some_and(has) {
            return templates.take(1).collect();
        }
        there
    }
}

/// Where a kind of Kubernetes' own keeps its pod template.
fn built_in(group: &str, kind: &str) -> Option<&'static str> {
    let mut all = TEMPLATES.iter();
    all.find(|(groups, k, _)| *k == kind && groups.contains(&group))
        .map(|(_, _, template)| *template)
}

/// The objects in a document, each with its pointer: the document itself, or the items of a `List`.
pub fn objects(document: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    collect(document, String::new(), &mut found);
    found
}

fn collect<'v>(object: &'v Value, pointer: String, found: &mut Vec<(String, &'v Value)>) {
    let kind = object["kind"].as_str().unwrap_or_default();
    match object["items"].as_array() {
        Some(items) if kind.ends_with("List") => {
            for (index, item) in items.iter().enumerate() {
                collect(item, format!("{pointer}/items/{index}"), found);
            }
        }
        _ => found.push((pointer, object)),
    }
}

fn group_and_kind(object: &Value) -> (&str, &str) {
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    let group = text("apiVersion").split_once('/');
    (group.map_or("", |(group, _)| group), text("kind"))
}

impl Workload {
    fn new(object: &Value, pointer: &str, template: &str, owner: Option<&str>) -> Self {
        let kind = object["kind"].as_str().unwrap_or_default();
        let metadata = |key: &str| {
            object["metadata"][key]
                .as_str()
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        Self {
            owner: owner.unwrap_or(kind).to_owned(),
            kind: kind.to_owned(),
            name: metadata("name")
                .or_else(|| metadata("generateName"))
                .unwrap_or_default(),
            namespace: metadata("namespace"),
            template: format!("{pointer}{template}"),
            object: pointer.to_owned(),
        }
    }

    /// The pod that this would make, as the API server would show it to the webhook where that matters: with
    /// its owner. None where the document has no template in the workload's place.
    pub fn pod(&self, document: &Value) -> Option<Value> {
        serde_json::from_str(&self.pod_json(document)?).ok()
    }

    /// JSON pointer to the template in its object.
    pub fn template_in_object(&self) -> &str {
        let template = self.template.strip_prefix(&self.object);
        template.unwrap_or_default()
    }

    /// The JSON of that pod.
    pub fn pod_json(&self, document: &Value) -> Option<String> {
        let template = document.pointer(&self.template)?.as_object()?;
        let owner = (self.kind != "Pod").then_some(self);
        // Strings, numbers and maps of strings can always be written.
        serde_json::to_string(&PodOf { template, owner }).ok()
    }

    fn owner_reference(&self) -> Value {
        json!([{"kind": self.owner, "name": self.name, "controller": true}])
    }

    /// Reads its pod, whose JSON this is, as `T`.
    ///
    /// # Errors
    /// Where it cannot be read: the field that is in the way.
    pub fn read<'j, T: Deserialize<'j>>(
        &self,
        document: &Value,
        json: &'j str,
    ) -> Result<T, Unreadable> {
        // To keep the path costs time, and nearly every pod can be read.
        if let Ok(read) = serde_json::from_str(json) {
            return Ok(read);
        }
        let mut reader = serde_json::Deserializer::from_str(json);
        serde_path_to_error::deserialize(&mut reader)
            .map_err(|error| self.unreadable(document, error))
    }

    /// What is in the way, as people write it.
    fn unreadable(
        &self,
        document: &Value,
        error: serde_path_to_error::Error<serde_json::Error>,
    ) -> Unreadable {
        let mut pointer = self.template.clone();
        for segment in error.path() {
            match segment {
                Segment::Map { key } => {
                    pointer += "/";
                    pointer += Token::new(key).encoded();
                }
                Segment::Seq { index } => pointer += &format!("/{index}"),
                Segment::Enum { .. } | Segment::Unknown => break,
            }
        }
        let found = document.pointer(&pointer).unwrap_or(&Value::Null);
        // Its place is one in JSON that nobody has seen.
        let text = error.into_inner().to_string();
        let text = text.rfind(" at line ").map_or(&*text, |at| &text[..at]);
        let is_alone = matches!(found, Value::Bool(_) | Value::Number(_));
        let what = match text.rsplit_once(", expected ") {
            // Without quotes, YAML reads 8 and true as something else than text.
            Some((_, "a string")) if is_alone => format!("{found} is not text; write it in quotes"),
            Some((_, "i32" | "i64")) => format!("{} is not a whole number", shortened(found)),
            Some((_, "a sequence")) => format!("{} is not a list", shortened(found)),
            _ => text.to_owned(),
        };
        let field = dotted(pointer.strip_prefix(&self.object).unwrap_or(&pointer));
        Unreadable {
            message: format!("{field}: {what}"),
            pointer,
        }
    }

    /// `deployment/shop`, as kubectl names it.
    pub fn title(&self) -> String {
        format!("{}/{}", self.kind.to_lowercase(), self.name)
    }
}

/// Why a pod cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// JSON pointer to the field in the document.
    pub pointer: String,
    /// The field and what is wrong with it, for people.
    pub message: String,
}

/// `/spec/containers/0/name` as people write it: `spec.containers[0].name`.
fn dotted(pointer: &str) -> String {
    let mut text = String::new();
    for step in pointer.split('/').skip(1) {
        if step.bytes().all(|byte| byte.is_ascii_digit()) {
            text += &format!("[{step}]");
            continue;
        }
        if !text.is_empty() {
            text.push('.');
        }
        text += &step.replace("~1", "/").replace("~0", "~");
    }
    text
}

/// A value on a line, or its beginning.
fn shortened(value: &Value) -> String {
    const MOST: usize = 40;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// A template as the pod that a workload makes of it.
struct PodOf<'v> {
    template: &'v Map<String, Value>,
    owner: Option<&'v Workload>,
}

/// Its metadata, with the owner.
struct MetadataOf<'v>(&'v PodOf<'v>);

impl Serialize for PodOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pod = serializer.serialize_map(None)?;
        pod.serialize_entry("metadata", &MetadataOf(self))?;
        if let Some(spec) = self.template.get("spec") {
            pod.serialize_entry("spec", spec)?;
        }
        pod.end()
    }
}

impl Serialize for MetadataOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const OWNERS: &str = "ownerReferences";
        let PodOf { template, owner } = self.0;
        let mut metadata = serializer.serialize_map(None)?;
        let written = template.get("metadata").and_then(Value::as_object);
        let written = written.into_iter().flatten();
        for (key, value) in written.filter(|(key, _)| owner.is_none() || *key != OWNERS) {
            metadata.serialize_entry(key, value)?;
        }
        if let Some(workload) = owner {
            metadata.serialize_entry(OWNERS, &workload.owner_reference())?;
        }
        metadata.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_kubernetes_has_its_place_and_foreign_kinds_have_none() {
        let document = json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}},
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "b", "namespace": "n"}},
            {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"generateName": "c-"}},
            {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "d"}},
            {"apiVersion": "example.com/v1", "kind": "Deployment", "metadata": {"name": "e"}},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "f"}},
            "text",
        ]});
        let expected = [
            ("pod/a", "/items/0"),
            ("deployment/b", "/items/1/spec/template"),
            ("cronjob/c-", "/items/2/spec/jobTemplate/spec/template"),
            ("podtemplate/d", "/items/3/template"),
        ];
        assert_eq!(found(&Kinds::default(), &document), owned(&expected));
    }

    #[test]
    fn a_configured_kind_has_the_templates_that_are_there() {
        let kinds = Kinds::new(vec![
            custom("Rollout", &["/spec/template"], Some("/spec/workloadRef")),
            custom("Set", &["/spec/leader", "/spec/worker"], None),
            custom("Service", &[], None),
        ]);
        for (kind, spec, expected) in [
            (
                "Rollout",
                json!({"template": {}}),
                &["/spec/template"] as &[&str],
            ),
            ("Rollout", json!({"workloadRef": {"name": "shop"}}), &[]),
            // It should have one: whoever reads it says so.
            ("Rollout", json!({"template": null}), &["/spec/template"]),
            (
                "Set",
                json!({"leader": {}, "worker": {}}),
                &["/spec/leader", "/spec/worker"],
            ),
            ("Set", json!({"worker": {}}), &["/spec/worker"]),
            ("Set", json!({}), &["/spec/leader"]),
            (
                "Service",
                json!({"template": {"spec": {"containers": []}}}),
                &[],
            ),
        ] {
            let object = json!({"apiVersion": "example.com/v1", "kind": kind, "spec": spec});
            let title = format!("{}/", kind.to_lowercase());
            let expected: Vec<_> = expected.iter().map(|t| (title.as_str(), *t)).collect();
            assert_eq!(found(&kinds, &object), owned(&expected), "{object}");
            assert_eq!(kinds.unknown(&object), [], "{object}");
        }
    }

    #[test]
    fn what_looks_like_a_workload_and_is_of_no_known_kind_is_found() {
        let spec = json!({"template": {"spec": {"containers": []}}});
        let document = json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec},
            {"apiVersion": "example.com/v1", "kind": "Deployment", "spec": spec},
            {"apiVersion": "example.com/v1", "kind": "Template", "spec": {"template": {"spec": {}}}},
        ]});
        let unknown = Unknown {
            group: "example.com".into(),
            kind: "Deployment".into(),
            object: "/items/1".into(),
        };
        assert_eq!(Kinds::default().unknown(&document), [unknown]);
    }

    fn custom(kind: &str, templates: &[&str], reference: Option<&str>) -> CustomKind {
        CustomKind {
            group: "example.com".into(),
            kind: kind.into(),
            templates: templates.iter().map(|t| (*t).to_owned()).collect(),
            reference: reference.map(str::to_owned),
            owner: None,
        }
    }

    fn found(kinds: &Kinds, document: &Value) -> Vec<(String, String)> {
        let workloads = kinds.workloads(document).into_iter();
        workloads.map(|w| (w.title(), w.template)).collect()
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(title, template): &(&str, &str)| ((*title).into(), (*template).into());
        pairs.iter().map(owned).collect()
    }
}
