//! The webhook as it is installed in a cluster, as far as the chart writes it.

use jiff::Timestamp;
use kube::core::{Selector, SelectorExt as _};
use serde_json::Value;

use super::labels::{labels, selector};
use super::objects::{Reader, Scope};
use super::read_error::ReadError;
use super::resource::Resource;

const CONFIGURATIONS: Resource = Resource::cluster_wide(
    "admissionregistration.k8s.io",
    "v1",
    "MutatingWebhookConfiguration",
    "mutatingwebhookconfigurations",
);
const CONFIG_MAPS: Resource = Resource::namespaced("", "v1", "ConfigMap", "configmaps");

/// What the names of our webhooks end with.
const WEBHOOKS: &str = ".podgrace.io";
/// The key of the configuration file in its ConfigMap.
const FILE: &str = "podgrace.yaml";
/// The label by which selectors know a namespace's name.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// A MutatingWebhookConfiguration with webhooks of ours.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Its name, which is that of everything in a release.
    pub name: String,
    /// The namespace of its Service.
    pub namespace: String,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Namespaces whose pods none of its webhooks ever sees.
    pub excluded_namespaces: Vec<String>,
    /// Which namespaces and which pods each of its webhooks chooses.
    selectors: Vec<(Selector, Selector)>,
}

impl Installed {
    /// Looks for it; the first by name where there are several.
    ///
    /// # Errors
    /// When MutatingWebhookConfigurations may not be listed, or the API server does not answer.
    pub async fn find(reader: &Reader) -> Result<Option<Self>, ReadError> {
        let all = reader
            .list(&CONFIGURATIONS, &Scope::default())
            .all()
            .await?;
        Ok(all.iter().find_map(Self::read))
    }

    fn read(configuration: &Value) -> Option<Self> {
        let webhooks = configuration["webhooks"].as_array()?;
        let is_ours = |webhook: &&Value| {
            let name = webhook["name"].as_str();
            name.is_some_and(|name| name.ends_with(WEBHOOKS))
        };
        let ours: Vec<&Value> = webhooks.iter().filter(is_ours).collect();
        let service = |webhook: &&Value| {
            let namespace = webhook["clientConfig"]["service"]["namespace"].as_str();
            namespace.map(str::to_owned)
        };
        let mut excluded = ours.iter().map(|webhook| excluded(webhook));
        let first = excluded.next()?;
        let others: Vec<Vec<&str>> = excluded.collect();
        let by_all = |name: &&str| others.iter().all(|names| names.contains(name));
        let metadata = &configuration["metadata"];
        let created = metadata["creationTimestamp"].as_str();
        let selectors = |webhook: &&Value| {
            Some((
                selector(&webhook["namespaceSelector"])?,
                selector(&webhook["objectSelector"])?,
            ))
        };
        Some(Self {
            name: metadata["name"].as_str()?.to_owned(),
            namespace: ours.iter().find_map(service)?,
            created: created.and_then(|text| text.parse().ok()),
            selectors: ours.iter().filter_map(selectors).collect(),
            excluded_namespaces: first
                .into_iter()
                .filter(by_all)
                .map(str::to_owned)
                .collect(),
        })
    }

    /// Whether one of its webhooks chooses a pod by its labels and its namespace's.
    pub fn selects(&self, namespace: &Value, pod: &Value) -> bool {
        let (namespace, pod) = (labels(namespace), labels(pod));
        let mut webhooks = self.selectors.iter();
        webhooks
            .any(|(of_namespace, of_pod)| of_namespace.matches(&namespace) && of_pod.matches(&pod))
    }

    /// The text of its configuration file; none where it is not in the place where the chart puts it.
    ///
    /// # Errors
    /// When the ConfigMap may not be read, or the API server does not answer.
    pub async fn configuration(&self, reader: &Reader) -> Result<Option<String>, ReadError> {
        let namespace = Some(self.namespace.as_str());
        let object = reader.get(&CONFIG_MAPS, namespace, &self.name).await?;
        let text = object.and_then(|object| object["data"][FILE].as_str().map(str::to_owned));
        Ok(text)
    }

    /// What that file is called in what is said about it.
    pub fn configuration_title(&self) -> String {
        format!("configmap/{} in {}", self.name, self.namespace)
    }
}

/// The namespaces that a webhook's selector takes out by name.
fn excluded(webhook: &Value) -> Vec<&str> {
    let expressions = webhook["namespaceSelector"]["matchExpressions"].as_array();
    expressions
        .into_iter()
        .flatten()
        .filter(|expression| expression["key"] == NAME_LABEL && expression["operator"] == "NotIn")
        .filter_map(|expression| expression["values"].as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn webhook(name: &str, excluded: &[&str]) -> Value {
        json!({
            "name": name,
            "clientConfig": {"service": {"namespace": "podgrace", "name": "podgrace"}},
            "namespaceSelector": {"matchExpressions": [
                {"key": NAME_LABEL, "operator": "NotIn", "values": excluded},
                {"key": "podgrace.io/mode", "operator": "NotIn", "values": ["off"]},
            ]},
        })
    }

    #[test]
    fn what_no_webhook_of_ours_sees_is_known() {
        let configuration = json!({"metadata": {"name": "shared"}, "webhooks": [
            webhook("other.example.com", &[]),
            webhook("namespaces.podgrace.io", &["kube-system", "a"]),
            webhook("pods.podgrace.io", &["b", "kube-system"]),
        ]});
        let installed = Installed::read(&configuration).expect("ours");
        assert_eq!(
            (&*installed.name, &*installed.namespace),
            ("shared", "podgrace")
        );
        assert_eq!(installed.excluded_namespaces, ["kube-system"]);
        let labelled = |labels: Value| json!({"metadata": {"labels": labels}});
        let shop = labelled(json!({NAME_LABEL: "shop"}));
        assert!(installed.selects(&shop, &labelled(json!({}))));
        let off = labelled(json!({NAME_LABEL: "shop", "podgrace.io/mode": "off"}));
        assert!(!installed.selects(&off, &labelled(json!({}))));
        let foreign =
            json!({"metadata": {"name": "x"}, "webhooks": [webhook("other.example.com", &[])]});
        assert!(Installed::read(&foreign).is_none());
    }
}
