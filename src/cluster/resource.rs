//! Kinds of objects, as the API server's addresses and permissions name them.

use std::borrow::Cow;

/// A kind of objects.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Resource {
    /// Its API group; empty for the core.
    pub group: Cow<'static, str>,
    /// The version of the group in which it is read.
    pub version: Cow<'static, str>,
    /// Its kind: `Deployment`.
    pub kind: Cow<'static, str>,
    /// Its name in addresses and permissions: `deployments`.
    pub plural: Cow<'static, str>,
    /// Whether its objects are in namespaces.
    pub is_namespaced: bool,
}

/// Namespaces.
pub const NAMESPACES: Resource = Resource::cluster_wide("", "v1", "Namespace", "namespaces");
/// Pods.
pub const PODS: Resource = Resource::namespaced("", "v1", "Pod", "pods");
/// PodTemplates.
pub const POD_TEMPLATES: Resource = Resource::namespaced("", "v1", "PodTemplate", "podtemplates");
/// ReplicaSets.
pub const REPLICA_SETS: Resource = Resource::namespaced("apps", "v1", "ReplicaSet", "replicasets");
/// Jobs.
pub const JOBS: Resource = Resource::namespaced("batch", "v1", "Job", "jobs");

/// Deployments.
pub const DEPLOYMENTS: Resource = Resource::namespaced("apps", "v1", "Deployment", "deployments");
/// Services.
pub const SERVICES: Resource = Resource::namespaced("", "v1", "Service", "services");
/// Where a Service's pods answer.
pub const ENDPOINT_SLICES: Resource =
    Resource::namespaced("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices");
/// Secrets.
pub const SECRETS: Resource = Resource::namespaced("", "v1", "Secret", "secrets");
/// Webhooks that may change what is made.
pub const MUTATING_WEBHOOKS: Resource = Resource::cluster_wide(
    "admissionregistration.k8s.io",
    "v1",
    "MutatingWebhookConfiguration",
    "mutatingwebhookconfigurations",
);
/// Webhooks that may refuse what is made, or warn of it.
pub const VALIDATING_WEBHOOKS: Resource = Resource::cluster_wide(
    "admissionregistration.k8s.io",
    "v1",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
);
/// HorizontalPodAutoscalers.
pub const AUTOSCALERS: Resource = Resource::namespaced(
    "autoscaling",
    "v2",
    "HorizontalPodAutoscaler",
    "horizontalpodautoscalers",
);
/// PodDisruptionBudgets.
pub const DISRUPTION_BUDGETS: Resource = Resource::namespaced(
    "policy",
    "v1",
    "PodDisruptionBudget",
    "poddisruptionbudgets",
);

/// Every kind that has a pod template or is a pod, those that make others before those that are made.
pub const WORKLOADS: [Resource; 9] = [
    DEPLOYMENTS,
    Resource::namespaced("apps", "v1", "StatefulSet", "statefulsets"),
    Resource::namespaced("apps", "v1", "DaemonSet", "daemonsets"),
    Resource::namespaced("batch", "v1", "CronJob", "cronjobs"),
    Resource::namespaced("", "v1", "ReplicationController", "replicationcontrollers"),
    POD_TEMPLATES,
    REPLICA_SETS,
    JOBS,
    PODS,
];

impl Resource {
    /// A kind whose objects are in namespaces.
    pub const fn namespaced(
        group: &'static str,
        version: &'static str,
        kind: &'static str,
        plural: &'static str,
    ) -> Self {
        Self {
            group: Cow::Borrowed(group),
            version: Cow::Borrowed(version),
            kind: Cow::Borrowed(kind),
            plural: Cow::Borrowed(plural),
            is_namespaced: true,
        }
    }

    /// A kind whose objects are in no namespace.
    pub const fn cluster_wide(
        group: &'static str,
        version: &'static str,
        kind: &'static str,
        plural: &'static str,
    ) -> Self {
        let mut resource = Self::namespaced(group, version, kind, plural);
        resource.is_namespaced = false;
        resource
    }

    /// `apps/v1`, or `v1` for the core.
    pub fn api_version(&self) -> String {
        match &*self.group {
            "" => self.version.to_string(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// `deployments.apps`, as kubectl and permissions name it.
    pub fn title(&self) -> String {
        match &*self.group {
            "" => self.plural.to_string(),
            group => format!("{}.{group}", self.plural),
        }
    }

    /// Its address, of all namespaces or of one.
    pub(super) fn path(&self, namespace: Option<&str>) -> String {
        let root = match &*self.group {
            "" => format!("/api/{}", self.version),
            group => format!("/apis/{group}/{}", self.version),
        };
        match namespace.filter(|_| self.is_namespaced) {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{}", self.plural),
            None => format!("{root}/{}", self.plural),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_its_address() {
        assert_eq!(PODS.path(Some("web")), "/api/v1/namespaces/web/pods");
        assert_eq!(REPLICA_SETS.path(None), "/apis/apps/v1/replicasets");
        assert_eq!(NAMESPACES.path(Some("web")), "/api/v1/namespaces");
        assert_eq!(
            (PODS.title(), JOBS.title()),
            ("pods".into(), "jobs.batch".into())
        );
    }
}
