//! The webhook as it is installed in a cluster, as far as the chart writes it.

use serde_json::Value;

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

/// A MutatingWebhookConfiguration with webhooks of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Its name, which is that of everything in a release.
    pub name: String,
    /// The namespace of its Service.
    pub namespace: String,
    /// Namespaces whose pods none of its webhooks ever sees.
    pub excluded_namespaces: Vec<String>,
}

impl Installed {
    /// Looks for it; the first by name where there are several.
    ///
    /// # Errors
    /// When MutatingWebhookConfigurations may not be listed, or the API server does not answer.
    pub async fn find(reader: &Reader) -> Result<Option<Self>, ReadError> {
        let all = reader
            .list(&MUTATING_WEBHOOKS, &Scope::default())
            .all()
            .await?;
        Ok(all.iter().find_map(Self::read))
    }

    fn read(configuration: &Value) -> Option<Self> {
        let webhooks = configuration["webhooks"].as_array()?;
        let is_ours = |webhook: &&Value| webhook["name"].as_str().is_some_and(is_our_webhook);
        let ours: Vec<&Value> = webhooks.iter().filter(is_ours).collect();
        let service = |webhook: &&Value| {
            let namespace = webhook["clientConfig"]["service"]["namespace"].as_str();
            namespace.map(str::to_owned)
        };
        let mut excluded = ours.iter().map(|webhook| excluded(webhook));
        let first = excluded.next()?;
        let others: Vec<Vec<&str>> = excluded.collect();
        let by_all = |name: &&str| others.iter().all(|names| names.contains(name));
        Some(Self {
            name: configuration["metadata"]["name"].as_str()?.to_owned(),
            namespace: ours.iter().find_map(service)?,
            excluded_namespaces: first
                .into_iter()
                .filter(by_all)
                .map(str::to_owned)
                .collect(),
        })
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

/// Whether a webhook of that name is ours.
pub fn is_our_webhook(name: &str) -> bool {
    name.ends_with(WEBHOOKS)
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
        let expected = Installed {
            name: "shared".into(),
            namespace: "podgrace".into(),
            excluded_namespaces: vec!["kube-system".into()],
        };
        assert_eq!(Installed::read(&configuration), Some(expected));
        let foreign =
            json!({"metadata": {"name": "x"}, "webhooks": [webhook("other.example.com", &[])]});
        assert_eq!(Installed::read(&foreign), None);
    }
}
