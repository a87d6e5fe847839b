//! The configuration file as it is written: YAML, versioned, unknown keys refused.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_saphyr::Spanned;

/// Podgrace's configuration: what holds for every pod before its namespace or the pod itself speaks.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "PodgraceConfiguration")]
pub(super) struct File {
    /// The version of this format.
    #[schemars(with = "ApiVersion")]
    #[expect(dead_code, reason = "read to be checked")]
    api_version: ApiVersion,
    /// The kind of this document.
    #[expect(dead_code, reason = "read to be checked")]
    kind: Kind,
    /// What is done with pods that no label speaks for; `off` holds whatever a label says. Default: enforce.
    #[schemars(with = "Option<FileMode>")]
    pub mode: Option<Spanned<FileMode>>,
    /// Settings of every pod, named and written as the annotations are.
    #[schemars(with = "Option<BTreeMap<String, String>>", extend("propertyNames" = setting_names()))]
    pub defaults: Option<Settings>,
    /// What `startup-probe: auto` may use, first first. Default: liveness.
    #[schemars(with = "Option<Vec<AutoSource>>")]
    pub auto_sources: Option<Spanned<Vec<AutoSource>>>,
    /// Added to every stated need of a grace period. Default: 5s.
    #[schemars(with = "Option<String>")]
    pub margin: Option<Spanned<String>>,
    /// The most that a stated need may ask of a grace period. Default: 600s.
    #[schemars(with = "Option<String>")]
    pub max_grace_period: Option<Spanned<String>>,
    /// Profiles by name; one of a built-in name replaces it, but for spring-boot, which sets variables.
    #[schemars(with = "Option<BTreeMap<String, BTreeMap<String, String>>>")]
    pub profiles: Option<BTreeMap<String, Settings>>,
    /// Whom to leave alone.
    pub leave_alone: Option<LeaveAlone>,
    /// How sleeps are written. Default: auto, which asks the cluster's versions.
    #[schemars(with = "Option<FileSleepAction>")]
    pub sleep_action: Option<Spanned<FileSleepAction>>,
    /// Kinds of custom resources that make pods, beside Kubernetes' own kinds.
    pub workloads: Option<Vec<Workload>>,
}

/// Settings by name, each with its place in the file.
pub(super) type Settings = BTreeMap<String, Spanned<String>>;

/// Whom to leave alone.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LeaveAlone {
    /// Names of namespaces; a `*` at the end stands for any ending, and elsewhere is refused.
    #[schemars(with = "Option<Vec<String>>")]
    pub namespaces: Option<Spanned<Vec<String>>>,
    /// Priority classes. Default: system-node-critical and system-cluster-critical.
    #[schemars(with = "Option<Vec<String>>")]
    pub priority_classes: Option<Spanned<Vec<String>>>,
    /// Names of containers.
    #[schemars(with = "Option<Vec<String>>")]
    pub containers: Option<Spanned<Vec<String>>>,
}

/// A kind of custom resources that make pods.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Workload {
    /// Its API group, without a version.
    #[schemars(with = "String")]
    pub group: Spanned<String>,
    /// Its kind.
    #[schemars(with = "String")]
    pub kind: Spanned<String>,
    /// Paths to its pod templates, as spec.template. An object has at least one of them. An empty list passes the
    /// kind over without a word.
    #[schemars(with = "Vec<String>")]
    pub templates: Spanned<Vec<Spanned<String>>>,
    /// Path to the field that names another workload: an object that has it needs no template of its own.
    #[schemars(with = "Option<String>")]
    pub reference: Option<Spanned<String>>,
    /// The kind of what it makes to own its pods, where that is a StatefulSet: such pods may need each other before
    /// they are Ready. Default: the kind itself.
    #[schemars(with = "Option<String>")]
    pub owner: Option<Spanned<String>>,
}

/// The versions that are understood.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(super) enum ApiVersion {
    /// The first.
    #[serde(rename = "podgrace.io/v1alpha1")]
    V1Alpha1,
}

/// The kinds that are understood.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(super) enum Kind {
    /// The configuration of the server and the commands.
    PodgraceConfiguration,
}

/// A mode.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum FileMode {
    /// Patch.
    Enforce,
    /// Tell only.
    Audit,
    /// Leave alone: the kill switch.
    Off,
}

/// A source of startup probes.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum AutoSource {
    /// The container's livenessProbe.
    Liveness,
    /// The container's readinessProbe.
    Readiness,
    /// The container's one TCP port.
    Port,
}

/// How sleeps are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum FileSleepAction {
    /// As the cluster's versions allow.
    Auto,
    /// `sleep: {seconds: N}`.
    Native,
    /// `exec: {command: ["sleep", "N"]}`.
    Exec,
    /// Not at all.
    Off,
}

/// The names that settings may have in the file.
fn setting_names() -> serde_json::Value {
    let names: Vec<&str> = super::file_settings()
        .map(|setting| setting.name())
        .collect();
    serde_json::json!({ "enum": names })
}

/// The JSON Schema of the configuration file.
pub fn schema() -> Schema {
    SchemaGenerator::default().into_root_schema_for::<File>()
}
