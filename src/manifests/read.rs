//! Reading one document: its value, and where in the file each part of it stands.

use serde_json::Value;

use super::position::{Lines, Position};
use super::split::{Chunk, Format};
use super::tree::Tree;
use super::{json, yaml};

/// A document that was read.
#[derive(Debug)]
pub struct Document<'text> {
    /// The text without its byte-order mark, which all offsets count from.
    pub(crate) text: &'text str,
    pub(crate) byte_order_mark: bool,
    pub(crate) format: Format,
    pub(crate) value: Value,
    pub(crate) tree: Tree,
    lines: Lines,
}

/// A document that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {message}")]
pub struct ReadError {
    /// Where in the file.
    pub position: Position,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
}

/// What the message of an unreadable document ends with where it looks like a template.
pub const TEMPLATE_HINT: &str = " (a template must be rendered first, as by `helm template`)";

/// Reads the document in `chunk` of the stream `bytes` that was [split](super::split()).
///
/// YAML means what it means to Kubernetes: booleans and numbers of YAML 1.1, numbers as keys,
/// merge keys that apply where they stand. Anchors and aliases are expanded, keys given twice
/// refused. An empty document is null. Fails on text that is not UTF-8, is no YAML or JSON, is
/// nested deeper than 127 levels, or holds aliases that expand to more than 32 MiB. Never panics.
///
/// # Errors
///
/// A [`ReadError`] with the line and column in the whole file.
pub fn read<'text>(bytes: &'text [u8], chunk: &Chunk) -> Result<Document<'text>, ReadError> {
    let bytes = bytes.get(chunk.range.clone()).unwrap_or_default();
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
        ReadError {
            position: Lines::of(&valid, chunk.start).position(&valid, valid.len()),
            message: if utf16 {
                "this is UTF-16, save it as UTF-8".to_owned()
            } else {
                "this is not UTF-8".to_owned()
            },
        }
    })?;
    parse(text, chunk.start, chunk.format)
}

/// Reads a whole text that begins at `start` of its file.
pub(crate) fn parse(
    text: &str,
    start: Position,
    format: Format,
) -> Result<Document<'_>, ReadError> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = Lines::of(body, start);
    let parsed = match format {
        Format::Yaml => yaml::parse(body, &lines),
        Format::Json => json::parse(body, &lines),
    };
    let (value, tree) = parsed.map_err(|mut error| {
        if body.contains("{{") {
            error.message += TEMPLATE_HINT;
        }
        error
    })?;
    Ok(Document {
        text: body,
        byte_order_mark: body.len() != text.len(),
        format,
        value,
        tree,
        lines,
    })
}

impl Document<'_> {
    /// What the document says.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// What the document says, without a copy.
    #[must_use]
    pub fn into_value(self) -> Value {
        self.value
    }

    /// Where the thing that a JSON pointer names stands: its key where it has one, else the item.
    /// What came through an alias or merge key is found where it is written.
    #[must_use]
    pub fn position(&self, pointer: &str) -> Option<Position> {
        let mut last = 0;
        let found = self.tree.follow(pointer, |offset, _| last = offset);
        found.then(|| self.at(last))
    }

    /// Like [`position`](Self::position), but of the nearest enclosing thing where nothing has
    /// that name, as for a field that is missing. An empty document is where its text begins.
    #[must_use]
    pub fn nearest(&self, pointer: &str) -> Position {
        let mut last = 0;
        self.tree.follow(pointer, |offset, _| last = offset);
        self.at(last)
    }

    /// The place of a byte of the text.
    pub(crate) fn at(&self, offset: usize) -> Position {
        self.lines.position(self.text, offset)
    }
}
