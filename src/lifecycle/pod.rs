//! What we look at of a pod, borrowed from its JSON.
//!
//! Only the fields that a decision needs are named; all others stay in the bytes they came in. A probe or
//! hook is kept both raw, to be copied whole, and read.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::hook::Hook;
use super::json::{Field, Object, Str, StrMap, null_as_default};
use super::probe::Probe;

/// `terminationGracePeriodSeconds` where nobody wrote one, in seconds
/// (`SetDefaults_PodSpec`, k8s.io/kubernetes/pkg/apis/core/v1/defaults.go).
pub const DEFAULT_GRACE: i64 = 30;

/// The annotation that marks the API server's picture of a static pod.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// A Pod, or the pod template of a workload.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Pod<'a> {
    /// Labels, annotations, owners.
    #[serde(borrow, default)]
    pub metadata: Field<Object<Metadata<'a>>>,
    /// The pod's specification; a pod without one is not readable.
    #[serde(borrow)]
    pub spec: Object<Spec<'a>>,
}

/// A pod's metadata.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata<'a> {
    /// The name; empty where the API server will generate one.
    #[serde(borrow, default)]
    pub name: Option<Str<'a>>,
    /// The prefix of a generated name.
    #[serde(borrow, default)]
    pub generate_name: Option<Str<'a>>,
    /// The namespace, as files state it.
    #[serde(borrow, default)]
    pub namespace: Option<Str<'a>>,
    /// Labels.
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub labels: StrMap<'a>,
    /// Annotations.
    #[serde(borrow, default)]
    pub annotations: Field<StrMap<'a>>,
    /// Owners.
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub owner_references: Vec<Object<Owner<'a>>>,
}

/// An owner reference.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Owner<'a> {
    /// The owner's kind.
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub kind: Str<'a>,
    /// Whether it is the managing controller.
    #[serde(default, deserialize_with = "null_as_default")]
    pub controller: bool,
}

/// A pod's specification.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec<'a> {
    /// Ordinary containers.
    #[serde(borrow)]
    pub containers: Vec<Object<Container<'a>>>,
    /// Init containers, native sidecars among them.
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub init_containers: Vec<Object<Container<'a>>>,
    /// `Always`, `OnFailure` or `Never`.
    #[serde(borrow, default)]
    pub restart_policy: Option<Str<'a>>,
    /// Seconds between the deletion and SIGKILL.
    #[serde(default)]
    pub termination_grace_period_seconds: Field<i64>,
    /// The priority class.
    #[serde(borrow, default)]
    pub priority_class_name: Option<Str<'a>>,
    /// Whether the pod shares its node's network.
    #[serde(default, deserialize_with = "null_as_default")]
    pub host_network: bool,
    /// The DNS subdomain of a pod that its peers look up by name.
    #[serde(borrow, default)]
    pub subdomain: Option<Str<'a>>,
    /// The operating system.
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub os: Object<Os<'a>>,
    /// Labels that the node must have.
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub node_selector: StrMap<'a>,
}

/// `spec.os`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Os<'a> {
    /// `linux` or `windows`.
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub name: Str<'a>,
}

/// A container, init container or native sidecar.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container<'a> {
    /// The name.
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub name: Str<'a>,
    /// The entry point.
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub command: Vec<Str<'a>>,
    /// The arguments.
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub args: Vec<Str<'a>>,
    /// Declared ports.
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub ports: Vec<Object<Port<'a>>>,
    /// Variables.
    #[serde(borrow, default)]
    pub env: Field<Vec<Object<Variable<'a>>>>,
    /// Sources of variables that we cannot see.
    #[serde(default, deserialize_with = "null_as_default")]
    pub env_from: Vec<IgnoredAny>,
    /// The startup probe.
    #[serde(borrow, default)]
    pub startup_probe: Field<Probe<'a>>,
    /// The liveness probe.
    #[serde(borrow, default)]
    pub liveness_probe: Option<Probe<'a>>,
    /// The readiness probe.
    #[serde(borrow, default)]
    pub readiness_probe: Option<Probe<'a>>,
    /// Hooks.
    #[serde(borrow, default)]
    pub lifecycle: Field<Object<Lifecycle<'a>>>,
    /// A restart policy of its own: `Always` makes an init container a native sidecar (KEP-753).
    #[serde(borrow, default)]
    pub restart_policy: Option<Str<'a>>,
    /// Rules that restart by exit code (KEP-5307).
    #[serde(default, deserialize_with = "null_as_default")]
    pub restart_policy_rules: Vec<IgnoredAny>,
}

/// A container's hooks.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lifecycle<'a> {
    /// Runs before SIGTERM.
    #[serde(borrow, default)]
    pub pre_stop: Field<Object<Hook<'a>>>,
}

/// A declared port.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Port<'a> {
    /// The name.
    #[serde(borrow, default)]
    pub name: Option<Str<'a>>,
    /// The number.
    #[serde(default, deserialize_with = "null_as_default")]
    pub container_port: i32,
    /// `TCP` where it is not said.
    #[serde(borrow, default)]
    pub protocol: Option<Str<'a>>,
}

/// A variable.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Variable<'a> {
    /// The name.
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub name: Str<'a>,
    /// The literal value.
    #[serde(borrow, default)]
    pub value: Option<Str<'a>>,
    /// Whether the value comes from elsewhere.
    #[serde(default)]
    pub value_from: Option<IgnoredAny>,
}

impl Variable<'_> {
    /// The value, where the pod says it itself. An empty one and none are the same: the API server drops
    /// the empty text before a webhook sees it.
    pub fn literal(&self) -> Option<&str> {
        match self.value_from {
            Some(_) => None,
            None => Some(self.value.as_deref().unwrap_or("")),
        }
    }
}

/// What a pod template without metadata has.
static NO_METADATA: Metadata<'static> = Metadata {
    name: None,
    generate_name: None,
    namespace: None,
    labels: StrMap::EMPTY,
    annotations: Field::Absent,
    owner_references: Vec::new(),
};

/// The grace period that the API server stores: 30 s where none is written, and 1 s where a negative one
/// is, long before any webhook sees the pod (pkg/apis/core/v1/conversion.go).
pub fn stored_grace(written: Option<i64>) -> i64 {
    match written {
        None => DEFAULT_GRACE,
        Some(..0) => 1,
        Some(seconds) => seconds,
    }
}

impl<'a> Pod<'a> {
    /// Its metadata; empty where it has none.
    pub fn meta(&self) -> &Metadata<'a> {
        self.metadata.value().map_or(&NO_METADATA, |m| &m.0)
    }

    /// The grace period that holds, in seconds, with the API server's default.
    pub fn grace(&self) -> i64 {
        stored_grace(self.spec.termination_grace_period_seconds.value().copied())
    }

    /// Whether this is the API server's picture of a static pod, which no patch reaches.
    pub fn is_mirror(&self) -> bool {
        self.annotation(MIRROR).is_some()
    }

    /// An annotation's value.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.meta().annotations.value()?.get(key)
    }

    /// Whether it runs on Windows nodes, where no `sleep` program can be expected.
    pub fn is_windows(&self) -> bool {
        self.spec.os.name.eq_ignore_ascii_case("windows")
            || self.spec.node_selector.get("kubernetes.io/os") == Some("windows")
    }

    /// Whether peers may look for this pod by its name before it can be Ready: a StatefulSet's, or one
    /// with a subdomain.
    pub fn has_peers(&self) -> bool {
        self.spec.subdomain.as_ref().is_some_and(|s| !s.is_empty())
            || self
                .meta()
                .owner_references
                .iter()
                .any(|owner| owner.controller && &*owner.kind == "StatefulSet")
    }

    /// The restart policy that holds for an ordinary container.
    pub fn restart_policy_of<'s>(&'s self, container: &'s Container<'_>) -> &'s str {
        container
            .restart_policy
            .as_deref()
            .filter(|policy| !policy.is_empty())
            .or(self.spec.restart_policy.as_deref())
            .filter(|policy| !policy.is_empty())
            .unwrap_or("Always")
    }

    /// Whether clients reach this container of the pod: what is meant to end by itself is no server, whatever
    /// ports it declares.
    pub fn is_served_by(&self, container: &Container<'_>) -> bool {
        container.serves() && self.restart_policy_of(container) == "Always"
    }
}

impl<'a> Container<'a> {
    /// Its `preStop` hook.
    pub fn pre_stop(&self) -> Option<&Hook<'a>> {
        self.lifecycle.value()?.pre_stop.value().map(|hook| &hook.0)
    }

    /// Its variables.
    pub fn env(&self) -> &[Object<Variable<'a>>] {
        self.env.value().map_or(&[], Vec::as_slice)
    }

    /// Declared TCP ports.
    pub fn tcp_ports(&self) -> impl Iterator<Item = &Port<'a>> {
        self.ports.iter().map(|p| &p.0).filter(|p| p.is_tcp())
    }

    /// Whether clients reach it: it has a readiness probe, a liveness probe over the network, or a TCP
    /// port that is not named for metrics.
    pub fn serves(&self) -> bool {
        self.readiness_probe.is_some()
            || self
                .liveness_probe
                .as_ref()
                .is_some_and(|probe| probe.is_network())
            || self.tcp_ports().any(|port| !port.is_for_metrics())
    }
}

impl Port<'_> {
    /// Whether it is a TCP port; the API server's default protocol is TCP.
    pub fn is_tcp(&self) -> bool {
        self.protocol
            .as_deref()
            .is_none_or(|p| p.is_empty() || p == "TCP")
    }

    /// Whether a word of its name says that only a metrics collector calls it.
    pub fn is_for_metrics(&self) -> bool {
        let mut words = self.name.as_deref().unwrap_or_default().split('-');
        words.any(|word| word.contains("metrics") || matches!(word, "prom" | "prometheus"))
    }
}
