//! What makes a finding the same finding in another run: not its line, nor its file.

use std::fmt;

use super::report::{Found, Looked};

/// A finding's identity: its rule, its workload, its container, and the field that it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint {
    /// The kind of the workload.
    pub kind: String,
    /// The namespace of the workload, where that is known.
    pub namespace: Option<String>,
    /// The name of the workload.
    pub name: String,
    /// The container, where it is about one.
    pub container: Option<String>,
    /// The rule.
    pub rule: String,
    /// The field, from the container or else from the workload on, without the places in lists.
    pub field: String,
}

impl Fingerprint {
    /// The fingerprint of what was found in a workload.
    pub fn new(looked: &Looked, found: &Found) -> Self {
        let finding = &found.finding;
        Self {
            kind: looked.kind.clone(),
            namespace: looked.namespace.clone(),
            name: looked.name.clone(),
            container: finding.container.clone(),
            rule: finding.rule.name.to_owned(),
            field: field(&finding.pointer, finding.container.is_some()),
        }
    }

    /// The kind, namespace and name of its workload.
    pub(super) fn workload(&self) -> (&str, Option<&str>, &str) {
        (&self.kind, self.namespace.as_deref(), &self.name)
    }

    /// A number that stays the same from release to release.
    pub fn hash(&self) -> u64 {
        let parts = [
            self.rule.as_str(),
            self.kind.as_str(),
            self.namespace.as_deref().unwrap_or_default(),
            self.name.as_str(),
            self.container.as_deref().unwrap_or_default(),
            self.field.as_str(),
        ];
        // FNV-1a: the standard library promises no stable hash.
        let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }
}

/// A pointer without the places in lists, which move when something is put in front.
fn field(pointer: &str, in_container: bool) -> String {
    let is_index = |name: &&str| name.bytes().all(|byte| byte.is_ascii_digit());
    let names: Vec<&str> = pointer.split('/').skip(1).collect();
    let container = names
        .windows(2)
        .position(|pair| pair[0].to_ascii_lowercase().ends_with("containers") && is_index(&pair[1]))
        .filter(|_| in_container);
    let behind = container.map_or(0, |at| at + 2);
    let names = names[behind..].iter().filter(|name| !is_index(name));
    names
        .map(|name| name.replace("~1", "/").replace("~0", "~"))
        .collect::<Vec<_>>()
        .join(".")
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.to_lowercase(), self.name)?;
        if let Some(namespace) = &self.namespace {
            write!(f, " in {namespace}")?;
        }
        write!(f, ": {}", self.rule)?;
        if let Some(container) = &self.container {
            write!(f, " ({container})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_named_without_their_places() {
        let probe = "/spec/template/spec/containers/2/livenessProbe/httpGet/port";
        assert_eq!(field(probe, true), "livenessProbe.httpGet.port");
        assert_eq!(field("/spec/containers/0/env/3/value", true), "env.value");
        assert_eq!(field("/spec/strategy", false), "spec.strategy");
        assert_eq!(
            field("/metadata/annotations/podgrace.io~1ignore", false),
            "metadata.annotations.podgrace.io/ignore"
        );
    }

    #[test]
    fn numbers_are_those_of_every_release() {
        let fingerprint = Fingerprint {
            kind: "Deployment".to_owned(),
            namespace: None,
            name: "shop".to_owned(),
            container: Some("shop".to_owned()),
            rule: "pre-stop-missing".to_owned(),
            field: "lifecycle.preStop".to_owned(),
        };
        assert_eq!(format!("{:016x}", fingerprint.hash()), "0bf24b0697efcee6");
    }
}
