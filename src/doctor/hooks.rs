//! Webhooks as the API server has them registered: which are ours, and which pods each is asked about.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use kube::core::{Selector, SelectorExt as _};
use serde_json::Value;

use crate::cluster::{is_our_webhook, selector};

/// Labels of an object.
pub type Labels = BTreeMap<String, String>;

/// The webhooks of a cluster change pods, or look at anything.
const MUTATING: &str = "MutatingWebhookConfiguration";

/// The annotation by which cert-manager fills in a `caBundle`.
const INJECT_CA: &str = "cert-manager.io/inject-ca-from";

/// One webhook of a configuration.
#[derive(Debug, Clone)]
pub struct Hook {
    /// The kind of its configuration.
    pub kind: String,
    /// The name of its configuration.
    pub configuration: String,
    /// Its place in it.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Whether it is ours.
    pub is_ours: bool,
    /// Whom the API server calls.
    pub target: Target,
    /// The path that it calls there; empty where an address says it.
    pub path: String,
    /// The CAs that the API server trusts there; none where the field is empty.
    pub bundle: Option<String>,
    /// What fills that in, where an annotation says so.
    pub ca_from: Option<String>,
    /// Whether pods are turned away while it does not answer.
    pub fails_closed: bool,
    /// For how many seconds the API server waits for it.
    pub timeout: i64,
    /// Whether it is asked again after another one changed a pod.
    pub is_reinvoked: bool,
    /// Its conditions by name, which only an API server can evaluate.
    pub conditions: Vec<String>,
    /// When its configuration was made.
    pub made: Option<Timestamp>,
    is_for_pods: bool,
    namespaces: Selector,
    objects: Selector,
}

/// Whom the API server calls.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A Service of the cluster.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The port, 443 where none is stated.
        port: i64,
    },
    /// An address.
    Url(String),
}

impl Target {
    /// `Service podgrace/podgrace`, or the address.
    pub fn title(&self) -> String {
        match self {
            Self::Service {
                namespace, name, ..
            } => format!("Service {namespace}/{name}"),
            Self::Url(url) => url.clone(),
        }
    }

    fn read(client: &Value) -> Self {
        let service = &client["service"];
        let text = |key: &str| service[key].as_str().unwrap_or_default().to_owned();
        match client["url"].as_str() {
            Some(url) => Self::Url(url.to_owned()),
            None => Self::Service {
                namespace: text("namespace"),
                name: text("name"),
                port: service["port"].as_i64().unwrap_or(443),
            },
        }
    }
}

impl Hook {
    /// The webhooks of configurations, in the order in which API servers call them. `named` is a configuration
    /// that is ours whatever its webhooks are called.
    pub fn all(configurations: &[Value], named: Option<&str>) -> Vec<Self> {
        let mut all: Vec<Self> = configurations
            .iter()
            .flat_map(|configuration| {
                let webhooks = configuration["webhooks"].as_array();
                let webhooks = webhooks.into_iter().flatten().enumerate();
                webhooks.map(|(index, webhook)| Self::read(configuration, index, webhook, named))
            })
            .collect();
        all.sort_by(|a, b| (&a.configuration, a.index).cmp(&(&b.configuration, b.index)));
        all
    }

    fn read(configuration: &Value, index: usize, webhook: &Value, named: Option<&str>) -> Self {
        let metadata = &configuration["metadata"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (name, of) = (text(&webhook["name"]), text(&metadata["name"]));
        let client = &webhook["clientConfig"];
        let bundle = client["caBundle"].as_str().filter(|b| !b.is_empty());
        let conditions = webhook["matchConditions"].as_array();
        let conditions = conditions.into_iter().flatten();
        Self {
            kind: text(&configuration["kind"]),
            is_ours: is_our_webhook(&name) || named == Some(&of),
            configuration: of,
            index,
            name,
            target: Target::read(client),
            path: text(&client["service"]["path"]),
            // What is no base64 is no certificate either.
            bundle: bundle.map(|text| {
                let bytes = STANDARD.decode(text).unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            }),
            ca_from: metadata["annotations"][INJECT_CA]
                .as_str()
                .map(str::to_owned),
            fails_closed: webhook["failurePolicy"] != "Ignore",
            timeout: webhook["timeoutSeconds"].as_i64().unwrap_or(10),
            is_reinvoked: webhook["reinvocationPolicy"] == "IfNeeded",
            conditions: conditions.map(|c| text(&c["name"])).collect(),
            made: time(&metadata["creationTimestamp"]),
            is_for_pods: is_for_pods(&webhook["rules"]),
            // One that means nothing is taken for one that takes everything.
            namespaces: selector(&webhook["namespaceSelector"]).unwrap_or_default(),
            objects: selector(&webhook["objectSelector"]).unwrap_or_default(),
        }
    }

    /// `MutatingWebhookConfiguration/podgrace`.
    pub fn title(&self) -> String {
        format!("{}/{}", self.kind, self.configuration)
    }

    /// Whether it may change pods that are made.
    pub fn changes_pods(&self) -> bool {
        self.kind == MUTATING && self.is_for_pods
    }

    /// Whether it may change a pod with these labels in such a namespace, as far as selectors say.
    pub fn sees(&self, namespace: &Labels, pod: &Labels) -> bool {
        self.changes_pods() && self.namespaces.matches(namespace) && self.objects.matches(pod)
    }

    /// Whether its namespaceSelector takes such a namespace.
    pub fn takes_namespace(&self, namespace: &Labels) -> bool {
        self.namespaces.matches(namespace)
    }

    /// Which of its selectors keeps a pod out that it does not see.
    pub(super) fn refusal(&self, namespace: &Labels) -> &'static str {
        if self.namespaces.matches(namespace) {
            "objectSelector"
        } else {
            "namespaceSelector"
        }
    }
}

/// A time as objects have it.
pub(super) fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// Whether one of the rules is about pods that are made (apiserver pkg/admission/plugin/webhook/predicates/rules).
fn is_for_pods(rules: &Value) -> bool {
    let has = |rule: &Value, key: &str, words: &[&str]| {
        let list = rule[key].as_array();
        let mut list = list.into_iter().flatten().filter_map(Value::as_str);
        list.any(|word| words.contains(&word))
    };
    let mut rules = rules.as_array().into_iter().flatten();
    rules.any(|rule| {
        has(rule, "apiGroups", &["", "*"])
            && has(rule, "apiVersions", &["v1", "*"])
            && has(rule, "resources", &["pods", "pods/*", "*", "*/*"])
            && has(rule, "operations", &["CREATE", "*"])
            && rule["scope"] != "Cluster"
    })
}
