//! Kubernetes manifests as people write them: text in, text out.
//!
//! A stream is cut into [chunks](split()), each chunk is [read](read()) into a JSON value that
//! knows where in the file everything stands, and a JSON Patch made for that value is
//! [applied to the text](edit()), so that only the lines that change are changed:
//!
//! ```
//! use podgrace::manifests;
//!
//! let file = b"kind: Pod # mine\nspec:\n  containers:\n  - name: web\n";
//! let patch = serde_json::from_str(
//!     r#"[{"op": "add", "path": "/spec/terminationGracePeriodSeconds", "value": 35}]"#,
//! )?;
//! let mut printed = String::new();
//! for chunk in manifests::split(file) {
//!     let document = manifests::read(file, &chunk)?;
//!     assert_eq!(document.position("/spec/containers/0/name").unwrap().line, 4);
//!     printed += &manifests::edit(&document, &patch)?;
//! }
//! assert_eq!(
//!     printed,
//!     "kind: Pod # mine\nspec:\n  containers:\n  - name: web\n  terminationGracePeriodSeconds: 35\n"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This module knows YAML and JSON and nothing about pods.

mod anchors;
mod block;
mod changes;
mod diff;
mod edit;
mod flow;
mod json;
mod position;
mod read;
mod render;
mod scalar;
mod sources;
mod split;
mod style;
mod tree;
mod yaml;

pub use diff::unified_diff;
pub use edit::{EditError, edit};
pub use position::Position;
pub use read::{Document, ReadError, TEMPLATE_HINT, read};
pub use sources::{Names, Source, SourceError, Sources, is_stdin};
pub(crate) use split::without_mark;
pub use split::{Chunk, Format, split};
