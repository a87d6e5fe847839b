//! Writing a JSON Patch into the text of a document.
//!
//! The patch is applied to the value, and the difference between the value that was read and the
//! value that is wanted is then written into the text: added keys and items where their
//! collection ends, new scalars in place of old ones. What was written is read again and must be
//! exactly what was wanted; an edit that cannot be right (one container written once and used
//! twice through an alias) is an error and never a surprise.

use json_patch::Patch;
use json_patch::jsonptr::Token;
use serde_json::Value;

use super::changes::{Change, changes};
use super::position::Position;
use super::read::{self, Document};
use super::tree::Kind;

/// A patch that cannot be written into the text. The text stays as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The patch does not fit the document that it is for.
    #[error("the patch does not fit this document: {0}")]
    Patch(#[from] json_patch::PatchError),
    /// Something would be removed, moved, or replaced by something of another kind.
    #[error("{position}: {what} cannot be changed without rewriting it; change it by hand")]
    NotAnAddition {
        /// Where it stands.
        position: Position,
        /// The key or item.
        what: String,
    },
    /// Something is written once and used in several places, not all of which are to change.
    #[error(
        "{position}: {what} is shared through a YAML anchor, so a change here would also change \
         its other uses; write it out where it is used"
    )]
    Shared {
        /// Where the alias or merge key stands.
        position: Position,
        /// The alias or key.
        what: String,
    },
    /// The changed text would not mean what the patch means.
    #[error("{position}: the text around {what} cannot be edited safely; change it by hand")]
    Unfaithful {
        /// Where the first thing stands that would come out wrong.
        position: Position,
        /// Its JSON pointer.
        what: String,
    },
}

/// Applies a patch to a document's text and returns the new text of the whole chunk, in which
/// only the lines differ that had to. The patch may add and replace, not remove or reorder.
///
/// # Errors
///
/// An [`EditError`] where the patch cannot be written without touching more than it says. Its
/// positions are in the whole file that the document was read from.
pub fn edit(document: &Document<'_>, patch: &Patch) -> Result<String, EditError> {
    let mut wanted = document.value().clone();
    json_patch::patch(&mut wanted, patch)?;
    let (mut changes, shared) = changes(document, &wanted)?;
    let mark = if document.byte_order_mark {
        "\u{feff}"
    } else {
        ""
    };
    let text = mark.to_owned() + &apply(document.text, &mut changes);
    match read::parse(&text, Position::START, document.format) {
        Ok(written) if *written.value() == wanted => Ok(text),
        written => Err(shared.unwrap_or_else(|| {
            let pointer = written.map_or_else(
                |_| String::new(),
                |written| first_difference(written.value(), &wanted),
            );
            blame(document, pointer)
        })),
    }
}

fn apply(text: &str, changes: &mut [Change]) -> String {
    // Stable, so that what is added at one place stays in order: the innermost first.
    changes.sort_by_key(|change| change.range.start);
    let mut result = String::with_capacity(text.len() + 256);
    let mut done = 0;
    for change in changes.iter() {
        result.push_str(text.get(done..change.range.start).unwrap_or_default());
        result.push_str(&change.text);
        done = done.max(change.range.end);
    }
    result.push_str(text.get(done..).unwrap_or_default());
    result
}

/// The JSON pointer of the first thing that two values do not share.
fn first_difference(left: &Value, right: &Value) -> String {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            let differs = right
                .iter()
                .find(|(key, value)| left.get(*key) != Some(value));
            let differs =
                differs.or_else(|| left.iter().find(|(key, _)| !right.contains_key(*key)));
            differs.map_or_else(String::new, |(key, value)| {
                let step = Token::new(key);
                let step = step.encoded();
                let deeper = left.get(key).map_or_else(String::new, |l| {
                    first_difference(l, right.get(key).unwrap_or(value))
                });
                format!("/{step}{deeper}")
            })
        }
        (Value::Array(left), Value::Array(right)) => {
            let mut pairs = left.iter().zip(right).enumerate();
            pairs
                .find(|(_, (left, right))| left != right)
                .map_or_else(String::new, |(index, (left, right))| {
                    format!("/{index}{}", first_difference(left, right))
                })
        }
        _ => String::new(),
    }
}

/// Says what is at fault where the text came out wrong: an alias on the way there, most likely.
fn blame(document: &Document<'_>, pointer: String) -> EditError {
    let mut alias = None;
    document.tree.follow(&pointer, |offset, id| {
        if matches!(document.tree.node(id).kind, Kind::Alias(_)) {
            alias = Some((offset, id));
        }
    });
    if let Some((offset, id)) = alias {
        let text = document.tree.node(id).text.clone();
        return EditError::Shared {
            position: document.at(offset),
            what: document.text.get(text).unwrap_or("*").to_owned(),
        };
    }
    EditError::Unfaithful {
        position: document.nearest(&pointer),
        what: if pointer.is_empty() {
            "this".to_owned()
        } else {
            pointer
        },
    }
}
