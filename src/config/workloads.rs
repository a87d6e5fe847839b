//! The kinds of custom resources that make pods, as the file names them.

use serde_saphyr::Spanned;

use super::file;
use super::{ConfigError, Reader};
use crate::workload::{CustomKind, Kinds};

impl Reader<'_> {
    /// Reads the kinds; `note` is told of each key and its place.
    pub(super) fn kinds(
        &self,
        workloads: &[file::Workload],
        note: &mut dyn FnMut(&str, &serde_saphyr::Location),
    ) -> Result<Kinds, ConfigError> {
        let mut kinds: Vec<CustomKind> = Vec::new();
        for workload in workloads {
            let kind = self.kind(workload)?;
            let is_same =
                |other: &CustomKind| (&other.group, &other.kind) == (&kind.group, &kind.kind);
            if kinds.iter().any(is_same) {
                let message = format!("{} of {} is there twice", kind.kind, kind.group);
                return Err(self.error(&workload.kind.referenced, message));
            }
            let key = key(&kind);
            note(&format!("{key}.templates"), &workload.templates.referenced);
            for (name, value) in [
                ("reference", &workload.reference),
                ("owner", &workload.owner),
            ] {
                if let Some(value) = value {
                    note(&format!("{key}.{name}"), &value.referenced);
                }
            }
            kinds.push(kind);
        }
        Ok(Kinds::new(kinds))
    }

    fn kind(&self, workload: &file::Workload) -> Result<CustomKind, ConfigError> {
        let (group, kind) = (&workload.group, &workload.kind);
        if !is_group(&group.value) {
            let message = format!(
                "group: {:?} is not the group of a custom resource, which is written as argoproj.io; kinds of \
                 Kubernetes' own need no entry",
                group.value
            );
            return Err(self.error(&group.referenced, message));
        }
        let mut templates = Vec::new();
        for template in &workload.templates.value {
            templates.push(self.pointer("templates", template)?);
        }
        let reference = match &workload.reference {
            Some(reference) if templates.is_empty() => {
                let message = "reference: it stands for a template, and there are no templates";
                return Err(self.error(&reference.referenced, message.to_owned()));
            }
            Some(reference) => Some(self.pointer("reference", reference)?),
            None => None,
        };
        let owner = workload.owner.as_ref();
        Ok(CustomKind {
            group: group.value.clone(),
            kind: self.kind_name("kind", kind)?,
            templates,
            reference,
            owner: owner
                .map(|owner| self.kind_name("owner", owner))
                .transpose()?,
        })
    }

    fn kind_name(&self, key: &str, name: &Spanned<String>) -> Result<String, ConfigError> {
        let is_name = name.value.starts_with(|c: char| c.is_ascii_uppercase())
            && name.value.chars().all(|c| c.is_ascii_alphanumeric());
        if is_name {
            return Ok(name.value.clone());
        }
        let message = format!("{key}: {:?} is not a kind (write StatefulSet)", name.value);
        Err(self.error(&name.referenced, message))
    }

    /// A path as `kubectl explain` writes it, as a JSON pointer.
    fn pointer(&self, key: &str, path: &Spanned<String>) -> Result<String, ConfigError> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_field = |name: &str| {
            name.chars().all(is_word) && name.starts_with(|c: char| !c.is_ascii_digit())
        };
        if path.value.split('.').all(is_field) {
            return Ok(format!("/{}", path.value.replace('.', "/")));
        }
        let message = format!(
            "{key}: {:?} is not a path of fields (write spec.template)",
            path.value
        );
        Err(self.error(&path.referenced, message))
    }
}

/// The key under which a kind is shown.
pub(super) fn key(kind: &CustomKind) -> String {
    format!("workloads.{}.{}", kind.kind, kind.group)
}

/// A JSON pointer to a field as it is written in the file.
pub(super) fn path(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

/// The groups of custom resources have a dot; those of Kubernetes' own workloads have none.
fn is_group(group: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    group.contains('.') && group.split('.').all(is_label)
}
