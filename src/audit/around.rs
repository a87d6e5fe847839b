//! What else is in the input and matters to workloads: Namespaces, autoscalers, disruption budgets, Services.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value};

use crate::lifecycle::annotations::{Level, Said};
use crate::lifecycle::audit::{Autoscaler, Controller, DisruptionBudget, Selected};
use crate::lifecycle::json::StrMap;
use crate::lifecycle::policy::Policy;
use crate::lifecycle::resolve;

/// The namespace of an object, where it is known.
type Namespace = Option<String>;

/// Everything that is known besides the workloads.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// What each Namespace says to its pods.
    namespaces: BTreeMap<String, Said>,
    /// By namespace, kind and name of what they scale.
    autoscalers: HashMap<(Namespace, String, String), Autoscaler>,
    budgets: Selectors,
    services: Selectors,
}

/// Named objects that choose pods by their labels.
#[derive(Debug, Default)]
struct Selectors {
    /// By namespace and the first label that they ask for, so that ten thousand are looked up and not tried.
    by_label: HashMap<(Namespace, String, String), Vec<Selector>>,
    /// Those that ask for no label of one value.
    others: HashMap<Namespace, Vec<Selector>>,
    /// The namespaces that have one.
    namespaces: BTreeSet<Namespace>,
}

#[derive(Debug)]
struct Selector {
    name: String,
    labels: Vec<(String, String)>,
    expressions: Vec<Expression>,
}

#[derive(Debug)]
struct Expression {
    key: String,
    operator: String,
    values: Vec<String>,
}

impl Around {
    /// What a Namespace says.
    pub(super) fn said(&self, namespace: Option<&str>) -> Option<&Said> {
        self.namespaces.get(namespace?)
    }

    /// Remembers what matters of an object. `default` is the namespace of those that name none.
    pub(super) fn learn(&mut self, object: &Value, default: Option<&str>, policy: &Policy) {
        let (kind, version) = (text(object, "kind"), text(object, "apiVersion"));
        let group = version.split_once('/').map_or("", |(group, _)| group);
        let name = text(&object["metadata"], "name").to_owned();
        let namespace = || {
            let own = object["metadata"]["namespace"].as_str();
            own.filter(|n| !n.is_empty()).or(default).map(str::to_owned)
        };
        let spec = &object["spec"];
        match (group, kind) {
            ("", "Namespace") => {
                let said = said(object, policy);
                self.namespaces.entry(name).or_insert(said);
            }
            ("autoscaling", "HorizontalPodAutoscaler") => {
                let target = &spec["scaleTargetRef"];
                let target = |key| text(target, key).to_owned();
                let autoscaler = Autoscaler {
                    name,
                    min: spec["minReplicas"].as_i64().unwrap_or(1),
                    max: spec["maxReplicas"].as_i64().unwrap_or(i64::MAX),
                };
                let of = (namespace(), target("kind"), target("name"));
                self.autoscalers.entry(of).or_insert(autoscaler);
            }
            ("policy", "PodDisruptionBudget") => {
                let selector = &spec["selector"];
                let labels = pairs(selector["matchLabels"].as_object());
                let expressions = expressions(&selector["matchExpressions"]);
                let selector = Selector {
                    name,
                    labels,
                    expressions,
                };
                self.budgets.add(namespace(), selector);
            }
            // One without a selector has endpoints that somebody else writes.
            ("", "Service") if spec["selector"].as_object().is_some_and(|s| !s.is_empty()) => {
                let selector = Selector {
                    name,
                    labels: pairs(spec["selector"].as_object()),
                    expressions: Vec::new(),
                };
                self.services.add(namespace(), selector);
            }
            _ => {}
        }
    }

    /// Tells a controller what is known about it besides itself.
    pub(super) fn complete(
        &self,
        controller: &mut Controller,
        name: &str,
        namespace: Option<&str>,
        labels: &StrMap<'_>,
    ) {
        let namespace: Namespace = namespace.map(str::to_owned);
        let target = (namespace.clone(), controller.kind.clone(), name.to_owned());
        controller.autoscaler = self.autoscalers.get(&target).cloned();
        controller.budget = self
            .budgets
            .first(&namespace, labels)
            .map(|name| DisruptionBudget {
                name: name.to_owned(),
            });
        controller.selected = match self.services.first(&namespace, labels) {
            Some(name) => Selected::By(name.to_owned()),
            None if self.services.namespaces.contains(&namespace) => Selected::ByNone,
            None => Selected::Unknown,
        };
    }
}

/// What a Namespace says to its pods, unknown profiles among what is wrong with it.
pub(super) fn said(namespace: &Value, policy: &Policy) -> Said {
    let metadata = &namespace["metadata"];
    let (labels, annotations) = (&metadata["labels"], &metadata["annotations"]);
    let mut said = Said::by_namespace(&labels.into(), &annotations.into());
    let unknown = resolve::unknown_profiles(policy, Level::Namespace, &said.settings);
    said.problems.extend(unknown);
    said
}

impl Selectors {
    fn add(&mut self, namespace: Namespace, selector: Selector) {
        self.namespaces.insert(namespace.clone());
        let list = match selector.labels.first() {
            Some((key, value)) => {
                let label = (namespace, key.clone(), value.clone());
                self.by_label.entry(label).or_default()
            }
            None => self.others.entry(namespace).or_default(),
        };
        list.push(selector);
    }

    /// The name of one that chooses a pod of these labels, the first by name.
    fn first(&self, namespace: &Namespace, labels: &StrMap<'_>) -> Option<&str> {
        let by_label = labels
            .iter()
            .filter_map(|(key, value)| {
                let label = (namespace.clone(), key.to_owned(), value.to_owned());
                self.by_label.get(&label)
            })
            .flatten();
        let others = self.others.get(namespace).into_iter().flatten();
        by_label
            .chain(others)
            .filter(|selector| selector.chooses(labels))
            .map(|selector| selector.name.as_str())
            .min()
    }
}

impl Selector {
    fn chooses(&self, labels: &StrMap<'_>) -> bool {
        let has = |(key, value): &(String, String)| labels.get(key) == Some(value);
        self.labels.iter().all(has)
            && self.expressions.iter().all(|expression| {
                let value = labels.get(&expression.key);
                let is_in = value.is_some_and(|v| expression.values.iter().any(|other| other == v));
                match expression.operator.as_str() {
                    "In" => is_in,
                    "NotIn" => !is_in,
                    "Exists" => value.is_some(),
                    "DoesNotExist" => value.is_none(),
                    _ => false,
                }
            })
    }
}

fn text<'v>(object: &'v Value, key: &str) -> &'v str {
    object[key].as_str().unwrap_or_default()
}

fn pairs(map: Option<&Map<String, Value>>) -> Vec<(String, String)> {
    map.into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn expressions(list: &Value) -> Vec<Expression> {
    list.as_array()
        .into_iter()
        .flatten()
        .map(|expression| Expression {
            key: text(expression, "key").to_owned(),
            operator: text(expression, "operator").to_owned(),
            values: expression["values"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|value| value.as_str().map(str::to_owned))
                .collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn around(objects: &[Value]) -> Around {
        let mut around = Around::default();
        for object in objects {
            around.learn(object, Some("web"), &Policy::default());
        }
        around
    }

    fn completed(around: &Around, namespace: &str, labels: &[(&str, &str)]) -> Controller {
        let mut controller = Controller {
            kind: "Deployment".into(),
            ..Controller::default()
        };
        let labels = labels.iter().copied().collect();
        around.complete(&mut controller, "shop", Some(namespace), &labels);
        controller
    }

    fn service(name: &str, namespace: &str, selector: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": namespace}, "spec": {"selector": selector}})
    }

    #[test]
    fn services_choose_pods_of_their_namespace_by_all_labels() {
        let around = around(&[
            service("b", "web", json!({"app": "shop"})),
            service("a", "web", json!({"app": "shop", "tier": "front"})),
            service("c", "other", json!({"app": "shop"})),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "d", "namespace": "empty"},
                "spec": {"type": "ExternalName"}}),
        ]);
        let selected = |namespace, labels: &[_]| completed(&around, namespace, labels).selected;
        assert_eq!(
            selected("web", &[("app", "shop")]),
            Selected::By("b".into())
        );
        let both = [("tier", "front"), ("app", "shop")];
        assert_eq!(selected("web", &both), Selected::By("a".into()));
        assert_eq!(selected("other", &[("app", "cart")]), Selected::ByNone);
        assert_eq!(selected("empty", &[("app", "shop")]), Selected::Unknown);
    }

    #[test]
    fn budgets_choose_by_expressions_too_and_autoscalers_by_name() {
        let around = around(&[
            json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "keep"},
                "spec": {"selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["shop"]}]}}}),
            json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "more"},
                "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "shop"}, "maxReplicas": 7}}),
        ]);
        let shop = completed(&around, "web", &[("app", "shop")]);
        assert_eq!(shop.budget.map(|b| b.name).as_deref(), Some("keep"));
        assert_eq!(shop.autoscaler.map(|a| (a.min, a.max)), Some((1, 7)));
        assert_eq!(completed(&around, "web", &[("app", "cart")]).budget, None);
        assert_eq!(
            completed(&around, "other", &[("app", "shop")]).autoscaler,
            None
        );
    }
}
