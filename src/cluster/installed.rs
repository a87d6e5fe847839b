//! The webhook as it is installed in a cluster, as far as the chart writes it.

use jiff::Timestamp;
use kube::core::{Selector, SelectorExt as _};
use serde_json::Value;

use super::labels::{labels, selector};
use super::objects::{Reader, Scope};
use super::read_error::ReadError;
use super::resource::{MUTATING_WEBHOOKS, Resource};

const CONFIG_MAPS: Resource = Resource::namespaced("", "v1", "ConfigMap", "configmaps");

/// What the names of our webhooks end with.
const WEBHOOKS: &str = ".podgrace.io";
/// The key of the configuration file in its ConfigMap.
const FILE: &str = "podgrace.yaml";
/// The label by which selectors know a namespace's name.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The webhooks of ours in a cluster's MutatingWebhookConfigurations, most often one release of the chart.
#[derive(Debug, Clone)]
pub struct Installed {
    /// The name of the first configuration, which is that of everything in its release.
    pub name: String,
    /// The namespace of its Service; none where it is called by address.
    pub namespace: Option<String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Namespaces whose pods none of the webhooks ever sees.
    pub excluded_namespaces: Vec<String>,
    /// Which namespaces and which pods each of them chooses.
    selectors: Vec<(Selector, Selector)>,
}

impl Installed {
    /// Looks for them.
    ///
    /// # Errors
    /// When MutatingWebhookConfigurations may not be listed, or the API server does not answer.
    pub async fn find(reader: &Reader) -> Result<Option<Self>, ReadError> {
        let all = reader
            .list(&MUTATING_WEBHOOKS, &Scope::default())
            .all()
            .await?;
        Ok(Self::read(&all))
    }

    fn read(configurations: &[Value]) -> Option<Self> {
        let mut all = configurations
            .iter()
            .filter(|one| ours(one).next().is_some());
        let webhooks: Vec<&Value> = configurations.iter().flat_map(ours).collect();
        let first = all.next()?;
        let service = |webhook: &Value| {
            let namespace = webhook["clientConfig"]["service"]["namespace"].as_str();
            namespace.map(str::to_owned)
        };
        let selectors = |webhook: &&Value| {
            Some((
                selector(&webhook["namespaceSelector"])?,
                selector(&webhook["objectSelector"])?,
            ))
        };
        let mut excluded = webhooks.iter().map(|webhook| excluded(webhook));
        let by_first = excluded.next()?;
        let by_others: Vec<Vec<&str>> = excluded.collect();
        let by_all = |name: &&str| by_others.iter().all(|names| names.contains(name));
        let metadata = &first["metadata"];
        let created = metadata["creationTimestamp"].as_str();
        Some(Self {
            name: metadata["name"].as_str()?.to_owned(),
            namespace: ours(first).find_map(service),
            created: created.and_then(|text| text.parse().ok()),
            excluded_namespaces: by_first
                .into_iter()
                .filter(by_all)
                .map(str::to_owned)
                .collect(),
            selectors: webhooks.iter().filter_map(selectors).collect(),
        })
    }

    /// Whether one of its webhooks chooses a pod by its labels and its namespace's.
    pub fn selects(&self, namespace: &Value, pod: &Value) -> bool {
        let (namespace, pod) = (labels(namespace), labels(pod));
        let mut webhooks = self.selectors.iter();
        webhooks
            .any(|(of_namespace, of_pod)| of_namespace.matches(&namespace) && of_pod.matches(&pod))
    }

    /// Its configuration file; none where it is called by address.
    pub fn configuration(&self) -> Option<ConfigurationFile> {
        Some(ConfigurationFile {
            namespace: self.namespace.clone()?,
            name: self.name.clone(),
        })
    }
}

/// A configuration file in the place where the chart puts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationFile {
    /// The namespace of its ConfigMap.
    pub namespace: String,
    /// The name of its ConfigMap.
    pub name: String,
}

impl ConfigurationFile {
    /// Its text; none where there is none.
    ///
    /// # Errors
    /// When the ConfigMap may not be read, or the API server does not answer.
    pub async fn read(&self, reader: &Reader) -> Result<Option<String>, ReadError> {
        let namespace = Some(&*self.namespace);
        let object = reader.get(&CONFIG_MAPS, namespace, &self.name).await?;
        Ok(object.and_then(|object| object["data"][FILE].as_str().map(str::to_owned)))
    }

    /// What it is called in what is said about it.
    pub fn title(&self) -> String {
        format!("configmap/{} in {}", self.name, self.namespace)
    }
}

/// Whether a webhook of that name is ours.
pub fn is_our_webhook(name: &str) -> bool {
    name.ends_with(WEBHOOKS)
}

/// The webhooks of a configuration that are ours.
fn ours(configuration: &Value) -> impl Iterator<Item = &Value> {
    let webhooks = configuration["webhooks"].as_array().into_iter().flatten();
    webhooks.filter(|webhook| webhook["name"].as_str().is_some_and(is_our_webhook))
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
        let installed = Installed::read(&[configuration]).expect("ours");
        assert_eq!(
            (&*installed.name, installed.namespace.as_deref()),
            ("shared", Some("podgrace"))
        );
        assert_eq!(installed.excluded_namespaces, ["kube-system"]);
        let labelled = |labels: Value| json!({"metadata": {"labels": labels}});
        let shop = labelled(json!({NAME_LABEL: "shop"}));
        assert!(installed.selects(&shop, &labelled(json!({}))));
        let off = labelled(json!({NAME_LABEL: "shop", "podgrace.io/mode": "off"}));
        assert!(!installed.selects(&off, &labelled(json!({}))));
        let foreign =
            json!({"metadata": {"name": "x"}, "webhooks": [webhook("other.example.com", &[])]});
        assert!(Installed::read(&[foreign]).is_none());
    }
}
