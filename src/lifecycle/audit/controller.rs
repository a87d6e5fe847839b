//! What is known about the object that makes the pods: how many, how they are replaced, who calls them.

use json_patch::jsonptr::Token;
use serde_json::Value;

use super::super::annotations::is_ours;
use super::super::loss::Others;

/// The object that makes the pods, as far as rules ask. Of a pod that stands alone only the kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Controller {
    /// Its kind.
    pub kind: String,
    /// `spec.replicas`, as it is written.
    pub replicas: Option<i64>,
    /// How pods are replaced.
    pub strategy: Strategy,
    /// How many may be missing during a rollout, as it is written.
    pub max_unavailable: Option<Amount>,
    /// How many may be added, as it is written.
    pub max_surge: Option<Amount>,
    /// Seconds that a pod must be Ready to count.
    pub min_ready_seconds: i64,
    /// Seconds without progress after which a rollout is called failed, as it is written.
    pub progress_deadline: Option<i64>,
    /// Whether its pods mount volumes that may not be mounted twice.
    pub has_claims: bool,
    /// Whether its pods are reached through a port of their node.
    pub is_on_host: bool,
    /// Our labels and annotations that stand on the object and not on its pods: pointer and key.
    pub misplaced: Vec<(String, String)>,
    /// What scales it, where that is in the input.
    pub autoscaler: Option<Autoscaler>,
    /// The first that bounds evictions of its pods, where one is in the input.
    pub budget: Option<DisruptionBudget>,
    /// Which Service sends clients to its pods.
    pub selected: Selected,
}

/// How pods are replaced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Strategy {
    /// One after the other.
    #[default]
    RollingUpdate,
    /// All old ones end before the first new one starts.
    Recreate,
    /// When somebody deletes them.
    OnDelete,
}

/// A number of pods, or a part of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// So many.
    Count(i64),
    /// So many of a hundred.
    Percent(i64),
}

/// A HorizontalPodAutoscaler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Autoscaler {
    /// Its name.
    pub name: String,
    /// The fewest pods.
    pub min: i64,
    /// The most pods.
    pub max: i64,
}

/// A PodDisruptionBudget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisruptionBudget {
    /// Its name.
    pub name: String,
}

/// Which Service sends clients to a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Selected {
    /// There are no Services in the input, or none that can be known.
    #[default]
    Unknown,
    /// None of those in the same namespace of the input.
    ByNone,
    /// This one, the first by name.
    By(String),
}

impl Controller {
    /// Reads what an object says about itself. `template` is the pointer to its pod template.
    pub fn read(object: &Value, template: &str) -> Self {
        let kind = object["kind"].as_str().unwrap_or_default();
        let spec = &object["spec"];
        // StatefulSets and DaemonSets call it the update strategy.
        let strategy = match kind {
            "Deployment" => &spec["strategy"],
            _ => &spec["updateStrategy"],
        };
        let rolling = &strategy["rollingUpdate"];
        let pod = object.pointer(template).unwrap_or(&Value::Null);
        Self {
            kind: kind.to_owned(),
            replicas: spec["replicas"].as_i64(),
            strategy: match strategy["type"].as_str() {
                Some("Recreate") => Strategy::Recreate,
                Some("OnDelete") => Strategy::OnDelete,
                _ => Strategy::RollingUpdate,
            },
            max_unavailable: Amount::read(&rolling["maxUnavailable"]),
            max_surge: Amount::read(&rolling["maxSurge"]),
            min_ready_seconds: spec["minReadySeconds"].as_i64().unwrap_or(0),
            progress_deadline: spec["progressDeadlineSeconds"].as_i64(),
            has_claims: items(&spec["volumeClaimTemplates"]).next().is_some()
                || items(&pod["spec"]["volumes"])
                    .any(|volume| volume["persistentVolumeClaim"].is_object()),
            // Not hostNetwork: what only shares its node's network is most often called by nobody.
            is_on_host: items(&pod["spec"]["containers"])
                .flat_map(|container| items(&container["ports"]))
                .any(|port| port["hostPort"].as_i64().is_some_and(|port| port > 0)),
            misplaced: if template.is_empty() {
                Vec::new()
            } else {
                misplaced(object, pod)
            },
            ..Self::default()
        }
    }

    /// How many pods there are at the fewest: what an autoscaler may go down to, or what is written.
    pub fn fewest(&self) -> i64 {
        match &self.autoscaler {
            Some(autoscaler) => autoscaler.min,
            None => self.replicas.unwrap_or(1),
        }
    }

    /// How many of the fewest pods a rollout takes away at once, where that can be told.
    pub fn taken_by_rollout(&self) -> Option<i64> {
        let of = self.fewest();
        match (self.kind.as_str(), self.strategy) {
            ("Deployment", Strategy::Recreate) => Some(of),
            ("Deployment", Strategy::RollingUpdate) => {
                let quarter = Amount::Percent(25);
                let unavailable = self.max_unavailable.unwrap_or(quarter).down(of);
                let surge = self.max_surge.unwrap_or(quarter).up(of);
                // Where both round to nothing one may be missing (ResolveFenceposts, k8s.io/kubernetes).
                let taken = if unavailable == 0 && surge == 0 {
                    1
                } else {
                    unavailable
                };
                Some(taken.min(of))
            }
            ("StatefulSet", Strategy::RollingUpdate) => {
                let one = Amount::Count(1);
                Some(self.max_unavailable.unwrap_or(one).down(of).max(1).min(of))
            }
            _ => None,
        }
    }

    /// Who serves while one of its pods ends. Where nobody says how many there are, there may be several.
    pub fn others(&self) -> Others {
        let stated = self.replicas.is_some() || self.autoscaler.is_some();
        let fewest = self.fewest();
        let taken = self.taken_by_rollout();
        Others {
            none: stated && fewest == 1,
            none_in_rollout: self.strategy == Strategy::Recreate
                || stated && fewest > 0 && taken.is_some_and(|taken| taken >= fewest),
        }
    }

    /// Whether it replaces its pods by itself when their template changes.
    pub fn rolls_out(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "Deployment" | "StatefulSet" | "DaemonSet"
        ) && self.strategy != Strategy::OnDelete
    }
}

impl Amount {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => number.as_i64().map(Self::Count),
            Value::String(text) => text.strip_suffix('%')?.parse().ok().map(Self::Percent),
            _ => None,
        }
    }

    fn down(self, of: i64) -> i64 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => of.saturating_mul(percent) / 100,
        }
    }

    fn up(self, of: i64) -> i64 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => of.saturating_mul(percent).saturating_add(99) / 100,
        }
    }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// Our keys on an object whose pod template does not have them too: nobody reads them there.
fn misplaced(object: &Value, pod: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for field in ["labels", "annotations"] {
        for (key, _) in object["metadata"][field].as_object().into_iter().flatten() {
            if is_ours(key) && pod["metadata"][field].get(key).is_none() {
                let token = Token::new(key);
                let pointer = format!("/metadata/{field}/{}", token.encoded());
                found.push((pointer, key.clone()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(spec: Value) -> Controller {
        let object = json!({"kind": "Deployment", "spec": spec});
        Controller::read(&object, "/spec/template")
    }

    #[test]
    fn a_rollout_takes_what_kubernetes_takes() {
        for (spec, taken) in [
            (json!({}), 0),
            (json!({"replicas": 4}), 1),
            (json!({"replicas": 3}), 0),
            (json!({"replicas": 3, "strategy": {"type": "Recreate"}}), 3),
            (
                json!({"strategy": {"rollingUpdate": {"maxUnavailable": 1}}}),
                1,
            ),
            (
                json!({"strategy": {"rollingUpdate": {"maxUnavailable": "50%", "maxSurge": 0}}}),
                1,
            ),
            (
                json!({"replicas": 2, "strategy": {"rollingUpdate": {"maxUnavailable": "100%"}}}),
                2,
            ),
            (
                json!({"replicas": 2, "strategy": {"rollingUpdate": {"maxUnavailable": 5}}}),
                2,
            ),
            (json!({"replicas": 0, "strategy": {"type": "Recreate"}}), 0),
        ] {
            assert_eq!(
                deployment(spec.clone()).taken_by_rollout(),
                Some(taken),
                "{spec}"
            );
        }
    }

    #[test]
    fn who_is_left_is_known_where_somebody_says_how_many_there_are() {
        let said = |none, none_in_rollout| Others {
            none,
            none_in_rollout,
        };
        let no_surge = json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}});
        for (spec, expected) in [
            (json!({}), said(false, false)),
            (json!({"strategy": no_surge}), said(false, false)),
            (json!({"strategy": {"type": "Recreate"}}), said(false, true)),
            (json!({"replicas": 1}), said(true, false)),
            (
                json!({"replicas": 1, "strategy": no_surge}),
                said(true, true),
            ),
            (
                json!({"replicas": 3, "strategy": no_surge}),
                said(false, false),
            ),
            (
                json!({"replicas": 3, "strategy": {"type": "Recreate"}}),
                said(false, true),
            ),
        ] {
            assert_eq!(deployment(spec.clone()).others(), expected, "{spec}");
        }
    }

    #[test]
    fn an_autoscaler_decides_how_few_there_can_be() {
        let mut shop = deployment(
            json!({"replicas": 5, "strategy": {"rollingUpdate": {"maxUnavailable": 1}}}),
        );
        assert_eq!(shop.fewest(), 5);
        shop.autoscaler = Some(Autoscaler {
            name: "shop".into(),
            min: 1,
            max: 9,
        });
        assert_eq!((shop.fewest(), shop.taken_by_rollout()), (1, Some(1)));
    }

    #[test]
    fn keys_of_ours_belong_on_the_pods() {
        let object = json!({"kind": "Deployment", "metadata": {
            "labels": {"podgrace.io/mode": "off", "app": "shop"},
            "annotations": {"podgrace.io/profile": "spring-boot", "other.io/profile": "x"},
        }, "spec": {"template": {"metadata": {"labels": {"podgrace.io/mode": "off"}}}}});
        let found = Controller::read(&object, "/spec/template").misplaced;
        let expected = (
            "/metadata/annotations/podgrace.io~1profile",
            "podgrace.io/profile",
        );
        assert_eq!(found, [(expected.0.to_owned(), expected.1.to_owned())]);
    }
}
