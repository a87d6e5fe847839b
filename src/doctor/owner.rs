//! What made a pod, and how it is made to make new ones.

use serde_json::Value;

use crate::cluster::maker;

/// The labels by which a Deployment, and an Argo Rollout, tell their ReplicaSets apart; the name of one ends
/// with it.
const HASHES: [(&str, &str); 2] = [
    ("pod-template-hash", "Deployment"),
    ("rollouts-pod-template-hash", "Rollout"),
];

/// A workload, as pods name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// Its namespace.
    pub namespace: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl Owner {
    /// What made a pod; itself where nothing did. A ReplicaSet that a Deployment made is not the end of it.
    pub fn of(pod: &Value) -> Self {
        let metadata = &pod["metadata"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (kind, name) = match maker(pod) {
            None => ("Pod".to_owned(), text(&metadata["name"])),
            Some(owner) => (text(&owner["kind"]), text(&owner["name"])),
        };
        let made_by = HASHES
            .into_iter()
            .filter(|_| kind == "ReplicaSet")
            .find_map(|(label, maker)| {
                let hash = metadata["labels"][label].as_str()?;
                let maker_name = name.strip_suffix(hash)?.strip_suffix('-')?;
                Some((maker.to_owned(), maker_name.to_owned()))
            });
        let (kind, name) = made_by.unwrap_or((kind, name));
        Self {
            namespace: text(&metadata["namespace"]),
            kind,
            name,
        }
    }

    /// `deployment/shop`, as kubectl names it.
    pub fn title(&self) -> String {
        format!("{}/{}", self.kind.to_lowercase(), self.name)
    }

    /// How its pods are made anew: commands, or what else to do. `object` is the workload, where it was looked at.
    pub(super) fn renewal(&self, kubectl: &str, object: Option<&Value>) -> Renewal {
        let (namespace, title) = (&self.namespace, self.title());
        let kubectl = format!("{kubectl} -n {namespace}");
        let spec = object.map(|object| &object["spec"]);
        match &*self.kind {
            "Deployment" if spec.is_some_and(|spec| spec["paused"] == true) => {
                Renewal::Commands(vec![
                    format!("{kubectl} rollout resume {title}"),
                    format!("{kubectl} rollout restart {title}"),
                ])
            }
            "StatefulSet" | "DaemonSet"
                if spec.is_some_and(|spec| spec["updateStrategy"]["type"] == "OnDelete") =>
            {
                Renewal::ByHand(
                    "its updateStrategy is OnDelete: delete its pods one after the other",
                )
            }
            "Deployment" | "StatefulSet" | "DaemonSet" => {
                Renewal::Commands(vec![format!("{kubectl} rollout restart {title}")])
            }
            "Rollout" => Renewal::Commands(vec![format!(
                "{kubectl} patch rollouts.argoproj.io {} --type=merge -p \"{{\\\"spec\\\":{{\\\"restartAt\\\":\\\"$(date -u \
                 +%Y-%m-%dT%H:%M:%SZ)\\\"}}}}\"",
                self.name
            )]),
            "ReplicaSet" | "ReplicationController" => {
                Renewal::ByHand("nothing rolls it out: delete its pods one after the other")
            }
            // It runs once, and is gone then.
            "Job" => Renewal::None,
            "Pod" => Renewal::ByHand("nobody makes it again: delete it and make it again yourself"),
            _ => Renewal::ByHand("have whatever makes its pods make them anew"),
        }
    }
}

/// How pods are made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Renewal {
    /// By commands.
    Commands(Vec<String>),
    /// By hand, as a clause.
    ByHand(&'static str),
    /// It is not worth it.
    None,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(labels: Value, owner: Value) -> Owner {
        Owner::of(&json!({"metadata": {
            "namespace": "shop", "name": "cart-5d9-x2", "labels": labels, "ownerReferences": [owner],
        }}))
    }

    #[test]
    fn a_pods_maker_is_found_behind_its_replica_set() {
        let set = json!({"kind": "ReplicaSet", "name": "cart-5d9", "controller": true});
        for (labels, owner, title) in [
            (
                json!({"pod-template-hash": "5d9"}),
                set.clone(),
                "deployment/cart",
            ),
            (
                json!({"rollouts-pod-template-hash": "5d9"}),
                set.clone(),
                "rollout/cart",
            ),
            (json!({}), set.clone(), "replicaset/cart-5d9"),
            (
                json!({"pod-template-hash": "other"}),
                set,
                "replicaset/cart-5d9",
            ),
            (
                json!({}),
                json!({"kind": "StatefulSet", "name": "db", "controller": true}),
                "statefulset/db",
            ),
            (
                json!({}),
                json!({"kind": "Node", "name": "n"}),
                "pod/cart-5d9-x2",
            ),
        ] {
            assert_eq!(pod(labels, owner).title(), title);
        }
    }

    #[test]
    fn how_pods_are_made_anew_depends_on_their_maker() {
        let owner = |kind: &str| Owner {
            namespace: "shop".into(),
            kind: kind.into(),
            name: "db".into(),
        };
        let restart = |kind: &str| vec![format!("kubectl -n shop rollout restart {kind}/db")];
        let renewal = |kind, object: Option<Value>| owner(kind).renewal("kubectl", object.as_ref());
        assert_eq!(
            renewal("Deployment", None),
            Renewal::Commands(restart("deployment"))
        );
        assert_eq!(
            renewal(
                "StatefulSet",
                Some(json!({"spec": {"updateStrategy": {"type": "RollingUpdate"}}}))
            ),
            Renewal::Commands(restart("statefulset"))
        );
        assert!(matches!(
            renewal(
                "StatefulSet",
                Some(json!({"spec": {"updateStrategy": {"type": "OnDelete"}}}))
            ),
            Renewal::ByHand(_)
        ));
        let Renewal::Commands(paused) =
            renewal("Deployment", Some(json!({"spec": {"paused": true}})))
        else {
            panic!("commands");
        };
        assert_eq!(paused[0], "kubectl -n shop rollout resume deployment/db");
        assert_eq!(renewal("Job", None), Renewal::None);
    }
}
