//! Which workloads somebody means: by name, or by kind and name, as kubectl takes them.

use crate::cluster::{Resource, WORKLOADS};
use crate::workload::Workload;

/// kubectl's short names of kinds.
const SHORT: [(&str, &str); 7] = [
    ("po", "Pod"),
    ("deploy", "Deployment"),
    ("rs", "ReplicaSet"),
    ("sts", "StatefulSet"),
    ("ds", "DaemonSet"),
    ("cj", "CronJob"),
    ("rc", "ReplicationController"),
];

/// What somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// The kind as it was written; any where none was.
    kind: Option<String>,
    pub(super) name: String,
}

impl Named {
    /// Reads `shop`, `deployment/shop`, `deploy shop cart` and `deployment.apps/shop`.
    pub(super) fn all(words: &[String]) -> Vec<Self> {
        let (kind, names) = match words {
            // A kind before names, unless it is the only word or one with a slash follows.
            [kind, names @ ..]
                if !names.is_empty()
                    && kind_of(kind, &WORKLOADS).is_some()
                    && names.iter().all(|name| !name.contains('/')) =>
            {
                (Some(kind.clone()), names)
            }
            names => (None, names),
        };
        names
            .iter()
            .map(|word| match word.split_once('/') {
                Some((kind, name)) => Self {
                    kind: Some(kind.to_owned()),
                    name: name.to_owned(),
                },
                None => Self {
                    kind: kind.clone(),
                    name: word.clone(),
                },
            })
            .collect()
    }

    /// Whether it is this workload.
    pub(super) fn means(&self, workload: &Workload) -> bool {
        let is_kind = |kind: &String| {
            let known = kind_of(kind, &WORKLOADS).map(|known| known.kind == workload.kind);
            known.unwrap_or_else(|| kind.eq_ignore_ascii_case(&workload.kind))
        };
        self.kind.as_ref().is_none_or(is_kind) && self.name == workload.name
    }

    /// The kinds of these in which it may be found in a cluster; none where its kind is unknown.
    pub(super) fn resources<'r>(&self, among: &'r [Resource]) -> Vec<&'r Resource> {
        match &self.kind {
            None => among.iter().collect(),
            Some(kind) => kind_of(kind, among).into_iter().collect(),
        }
    }

    /// As it was written.
    pub(super) fn title(&self) -> String {
        match &self.kind {
            Some(kind) => format!("{kind}/{}", self.name),
            None => self.name.clone(),
        }
    }
}

/// The kind that a word names: `Deployment`, `deployments`, `deploy`, `deployment.apps`.
fn kind_of<'r>(word: &str, among: &'r [Resource]) -> Option<&'r Resource> {
    let (word, group) = word.split_once('.').unwrap_or((word, ""));
    let word = word.to_ascii_lowercase();
    let short = SHORT.iter().find(|(short, _)| *short == word);
    let is_it = |resource: &&Resource| {
        short.is_some_and(|(_, kind)| resource.kind == *kind)
            || resource.plural == word
            || resource.kind.eq_ignore_ascii_case(&word)
    };
    // `deployment.v1.apps` names the version too.
    let is_in_group = |resource: &&Resource| group.is_empty() || group.ends_with(&*resource.group);
    // Kubernetes' own stand behind those of the configuration, and are what a bare `sts` means.
    among
        .iter()
        .rfind(|resource| is_it(resource) && is_in_group(resource))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Also with a StatefulSet of another group.
    fn all(words: &[&str]) -> Vec<String> {
        let other = Resource::namespaced("apps.kruise.io", "v1", "StatefulSet", "statefulsets");
        let among: Vec<Resource> = [other].into_iter().chain(WORKLOADS).collect();
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Named::all(&words)
            .iter()
            .map(|named| {
                let kinds = named.resources(&among).into_iter();
                let kinds: Vec<String> = kinds
                    .map(|resource| match &*resource.group {
                        "apps.kruise.io" => resource.title(),
                        _ => resource.kind.to_string(),
                    })
                    .collect();
                format!("{} {}", named.name, kinds.join(","))
            })
            .collect()
    }

    #[test]
    fn kinds_are_named_as_kubectl_names_them() {
        for word in [
            "deploy",
            "Deployment",
            "deployments",
            "deployment.apps",
            "deployment.v1.apps",
        ] {
            assert_eq!(
                all(&[&format!("{word}/shop")]),
                ["shop Deployment"],
                "{word}"
            );
            assert_eq!(
                all(&[word, "shop", "cart"]),
                ["shop Deployment", "cart Deployment"]
            );
        }
        assert_eq!(all(&["po/a", "job/b"]), ["a Pod", "b Job"]);
        // Without a kind in front, a word is a name, whatever it is.
        assert_eq!(all(&["deploy"]).len(), 1);
        let anything = "deploy statefulsets.apps.kruise.io,Deployment,";
        assert!(all(&["deploy"])[0].starts_with(anything));
        assert_eq!(
            all(&["deploy/a", "sts/b"]),
            ["a Deployment", "b StatefulSet"]
        );
        assert_eq!(
            all(&["statefulset.apps.kruise.io/c"]),
            ["c statefulsets.apps.kruise.io"]
        );
        assert_eq!(all(&["rollout/shop"]), ["shop "]);
    }
}
