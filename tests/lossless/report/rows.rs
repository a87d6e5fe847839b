//! The rows of the proof: which manifest, what is done to it, and what was learned.

use std::path::PathBuf;

use super::data::root;

/// A row.
pub(crate) struct Row {
    /// Its number: that of its scenario, and a letter where there are several.
    pub(crate) id: &'static str,
    /// What is done to what.
    pub(crate) title: &'static str,
    /// A file in `tests/lossless/manifests`, without its extension.
    pub(crate) manifest: &'static str,
    /// Annotations of both Namespaces.
    pub(crate) namespace: &'static [(&'static str, &'static str)],
    pub(crate) action: Action,
    pub(crate) load: Load,
}

/// What is done under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// `kubectl rollout restart`.
    Rollout,
    /// `kubectl scale` to each of these in turn.
    Scale(&'static [u32]),
}

/// How many requests a second each kind of client sends, and after how many seconds one counts as lost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) rate: u32,
    pub(crate) timeout: u32,
}

const USUAL: Load = Load {
    rate: 200,
    timeout: 5,
};

/// Every row, in the order of the page.
pub(crate) const ROWS: &[Row] = &[
    Row {
        id: "1a",
        title: "Listens after 6 s, livenessProbe: rolling update",
        manifest: "slow-start",
        namespace: &[],
        action: Action::Rollout,
        load: USUAL,
    },
    Row {
        id: "3a",
        title: "Exits at once on SIGTERM: rolling update",
        manifest: "instant-exit",
        namespace: &[],
        action: Action::Rollout,
        load: USUAL,
    },
    Row {
        id: "4a",
        title: "Ignores SIGTERM: rolling update",
        manifest: "ignores-sigterm",
        namespace: &[],
        action: Action::Rollout,
        load: USUAL,
    },
];

impl Row {
    /// The number of the scenario: the digits of the row's.
    pub(crate) fn scenario(&self) -> &'static str {
        self.id.trim_end_matches(|c: char| c.is_ascii_lowercase())
    }

    /// The manifests that are applied on both sides.
    pub(crate) fn manifest_file(&self) -> PathBuf {
        root().join(format!("manifests/{}.yaml", self.manifest))
    }

    /// A checksum of what is applied on both sides.
    pub(crate) fn digest(&self) -> String {
        let file = self.manifest_file();
        let text = std::fs::read(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        let digest = ring::digest::digest(&ring::digest::SHA256, &text);
        let bytes = digest.as_ref().iter().take(8);
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }
}
