//! The pods that a workload has made.

use std::collections::HashSet;
use std::slice::from_ref;

use kube::core::Selector;
use serde_json::Value;

use super::labels::{selector, strings};
use super::makers::maker;
use super::objects::{Reader, Scope};
use super::read_error::ReadError;
use super::resource::{JOBS, PODS, REPLICA_SETS, Resource};

impl Reader {
    /// The pods that a workload has made and that are there, by name; a pod itself is its own.
    ///
    /// # Errors
    /// When pods, or what stands between (ReplicaSets, Jobs), may not be listed, or the API server does not
    /// answer.
    pub async fn pods_of(&self, workload: &Value) -> Result<Vec<Value>, ReadError> {
        let namespace = workload["metadata"]["namespace"].as_str();
        let itself = from_ref(workload);
        let mut pods = match workload["kind"].as_str() {
            Some("Pod") => vec![workload.clone()],
            Some("CronJob") => {
                // Their labels are whatever its template says.
                let any = Some(Selector::default());
                let mut pods = Vec::new();
                for job in &self.made(&JOBS, itself, namespace, any).await? {
                    let (job, selector) = (from_ref(job), selected(job));
                    pods.extend(self.made(&PODS, job, namespace, selector).await?);
                }
                pods
            }
            Some("StatefulSet" | "DaemonSet" | "ReplicaSet" | "ReplicationController" | "Job") => {
                self.made(&PODS, itself, namespace, selected(workload))
                    .await?
            }
            // A Deployment makes ReplicaSets; whether a kind that is not Kubernetes' own does is not known.
            _ => {
                let selector = selected(workload);
                let own = selector.clone();
                let mut makers = self.made(&REPLICA_SETS, itself, namespace, own).await?;
                makers.push(workload.clone());
                self.made(&PODS, &makers, namespace, selector).await?
            }
        };
        let name = |pod: &Value| pod["metadata"]["name"].as_str().map(str::to_owned);
        pods.sort_by_cached_key(name);
        Ok(pods)
    }

    /// The objects of a kind that one of the makers makes, among those that are selected.
    async fn made(
        &self,
        resource: &Resource,
        makers: &[Value],
        namespace: Option<&str>,
        selector: Option<Selector>,
    ) -> Result<Vec<Value>, ReadError> {
        // What selects nothing makes nothing: a PodTemplate.
        let Some(selector) = selector else {
            return Ok(Vec::new());
        };
        let scope = Scope {
            namespace: namespace.map(str::to_owned),
            selector: Some(selector.to_string()).filter(|text| !text.is_empty()),
        };
        let uid = |object: &Value| object["uid"].as_str().map(str::to_owned);
        let uids: HashSet<_> = makers
            .iter()
            .filter_map(|maker| uid(&maker["metadata"]))
            .collect();
        let mut pages = self.list(resource, &scope);
        let mut made = Vec::new();
        while let Some(page) = pages.next().await? {
            made.extend(page.into_iter().filter(|object| {
                let maker = maker(object).and_then(uid);
                maker.is_some_and(|maker| uids.contains(&maker))
            }));
        }
        Ok(made)
    }
}

/// What a workload selects; a ReplicationController writes it as a map of labels.
fn selected(workload: &Value) -> Option<Selector> {
    let written = &workload["spec"]["selector"];
    match workload["kind"].as_str() {
        _ if written.is_null() => None,
        Some("ReplicationController") => Some(strings(written).into_iter().collect()),
        _ => selector(written),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_are_written_as_kubectl_takes_them() {
        let of = |kind: &str, selector: Value| {
            let workload = json!({"kind": kind, "spec": {"selector": selector}});
            selected(&workload).map(|selector| selector.to_string())
        };
        let labels = json!({"app": "shop"});
        let controller = of("ReplicationController", labels.clone());
        assert_eq!(controller.as_deref(), Some("app=shop"));
        let expression = json!([{"key": "tier", "operator": "NotIn", "values": ["a", "b"]}]);
        let both = of(
            "Deployment",
            json!({"matchLabels": labels, "matchExpressions": expression}),
        );
        let both = both.expect("a selector");
        assert!(
            both.contains("app=shop") && both.contains("tier notin (a,b)"),
            "{both}"
        );
        assert_eq!(of("PodTemplate", Value::Null), None);
    }
}
