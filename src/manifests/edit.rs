//! Writing a JSON Patch into the text of a document.
//!
//! The patch is applied to the value, and the difference between the value that was read and the
//! value that is wanted is then written into the text: added keys and items where their
//! collection ends, new scalars in place of old ones. What was written is read again and must be
//! exactly what was wanted; an edit that cannot be right (one container written once and used
//! twice through an alias) is an error and never a surprise.

use std::ops::Range;

use json_patch::Patch;
use serde_json::{Map, Value};

use super::block;
use super::flow::{self, Layout};
use super::position::Position;
use super::read::{self, Document};
use super::render::{self, Context};
use super::split::Format;
use super::style::{Style, column};
use super::tree::{Kind, Mapping, Node, NodeId, Scalar, Sequence};

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
    let mut editor = Editor {
        document,
        style: Style::of(document),
        changes: Vec::new(),
        shared: None,
    };
    if let Some(root) = document.tree.root() {
        let json = document.format == Format::Json;
        let layout = Layout::new(&editor.style, json);
        editor.node(root, document.value(), &wanted, &Place::Inline(layout))?;
    }
    let mark = if document.byte_order_mark {
        "\u{feff}"
    } else {
        ""
    };
    let text = mark.to_owned() + &apply(document.text, &mut editor.changes);
    let shared = editor.shared;
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

/// Text in place of a range of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) range: Range<usize>,
    pub(crate) text: String,
}

impl Change {
    pub(crate) fn insert(at: usize, text: String) -> Self {
        Self {
            range: at..at,
            text,
        }
    }
}

/// What a value stands in, which decides how another is written in its place.
enum Place {
    /// Between brackets, as a list item or alone: on its line.
    Inline(Layout),
    /// Behind a key of a block mapping.
    Entry {
        key_end: usize,
        /// The mapping that the key is in.
        mapping: NodeId,
    },
}

struct Editor<'d> {
    document: &'d Document<'d>,
    style: Style,
    changes: Vec<Change>,
    /// The first thing that could not be changed because it is written elsewhere. No failure
    /// yet: where all uses are to change alike, the change to the original is right for all.
    shared: Option<EditError>,
}

impl Editor<'_> {
    fn node(
        &mut self,
        id: NodeId,
        old: &Value,
        new: &Value,
        place: &Place,
    ) -> Result<(), EditError> {
        let node = self.document.tree.node(id);
        match (&node.kind, old, new) {
            (Kind::Alias(_), _, _) => {
                if old != new {
                    let what = self.document.text.get(node.text.clone()).unwrap_or("*");
                    self.is_shared(node.text.start, what.to_owned());
                }
                Ok(())
            }
            (Kind::Mapping(mapping), Value::Object(old), Value::Object(new)) => {
                if old.is_empty() && !new.is_empty() && matches!(place, Place::Entry { .. }) {
                    return self.replace(node, &Value::Object(new.clone()), place);
                }
                self.mapping(id, mapping, old, new, place)
            }
            (Kind::Sequence(sequence), Value::Array(old), Value::Array(new)) => {
                if old.is_empty() && !new.is_empty() && matches!(place, Place::Entry { .. }) {
                    return self.replace(node, &Value::Array(new.clone()), place);
                }
                self.sequence(node, sequence, old, new, place)
            }
            _ if old == new => Ok(()),
            _ => self.replace(node, new, place),
        }
    }

    fn mapping(
        &mut self,
        id: NodeId,
        mapping: &Mapping,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        place: &Place,
    ) -> Result<(), EditError> {
        let node = self.document.tree.node(id);
        let layout = self.layout(node, mapping.flow, place);
        let merges = mapping.entries.iter().any(|entry| entry.merge);
        for entry in mapping.entries.iter().filter(|entry| !entry.merge) {
            let (Some(old), Some(new)) = (old.get(&entry.key), new.get(&entry.key)) else {
                return Err(self.not_an_addition(entry.key_text.start, &entry.key));
            };
            if merges && !self.wins(mapping, entry) {
                continue;
            }
            let place = match &layout {
                Some(layout) => Place::Inline(layout.clone()),
                None => Place::Entry {
                    key_end: entry.key_text.end,
                    mapping: id,
                },
            };
            self.node(entry.value, old, new, &place)?;
        }
        let mut added = Vec::new();
        if merges {
            for (key, old) in old {
                if mapping
                    .entries
                    .iter()
                    .any(|e| e.key == *key && self.wins(mapping, e))
                {
                    continue;
                }
                match new.get(key) {
                    Some(new) if new == old => {}
                    // A key of its own behind the merge key wins over what that brings.
                    Some(new) if !new.is_array() && !new.is_object() => added.push((key, new)),
                    _ => self.is_shared(self.merge_start(mapping), format!("`{key}`")),
                }
            }
        }
        added.extend(new.iter().filter(|(key, _)| !old.contains_key(*key)));
        if added.is_empty() {
            return Ok(());
        }
        let text = self.document.text;
        if let Some(layout) = layout {
            let additions = layout.entries(added.into_iter());
            let tree = &self.document.tree;
            self.changes
                .extend(flow::append(text, tree, node, &layout, &additions));
            return Ok(());
        }
        let indent = column(text, node.text.start);
        let style = self.style.inside(self.document, node);
        let lines: Vec<String> = added
            .into_iter()
            .flat_map(|(key, value)| render::entry(key, value, indent, style))
            .collect();
        let first = mapping.entries.last().map(|entry| entry.key_text.start);
        self.below(node, indent, first, &lines);
        Ok(())
    }

    fn sequence(
        &mut self,
        node: &Node,
        sequence: &Sequence,
        old: &[Value],
        new: &[Value],
        place: &Place,
    ) -> Result<(), EditError> {
        let layout = self.layout(node, sequence.flow, place);
        let inner = Place::Inline(layout.clone().unwrap_or_else(|| self.one_line()));
        let Some(mut extra) = new.len().checked_sub(old.len()) else {
            return Err(self.not_an_addition(node.text.start, "the list"));
        };
        let mut items = sequence.items.iter().zip(old).peekable();
        let mut behind: Vec<&Value> = Vec::new();
        for value in new {
            let pair = items.next_if(|(_, old)| extra == 0 || grows_into(old, value));
            match pair {
                Some((id, old)) if behind.is_empty() => self.node(*id, old, value, &inner)?,
                // Only behind the last item is it clear whose comments are whose.
                Some((id, _)) => {
                    let start = self.document.tree.node(*id).text.start;
                    return Err(self.not_an_addition(start, "the order of the list"));
                }
                None => {
                    extra = extra.saturating_sub(1);
                    behind.push(value);
                }
            }
        }
        if behind.is_empty() {
            return Ok(());
        }
        let text = self.document.text;
        let tree = &self.document.tree;
        if let Some(layout) = layout {
            let additions: Vec<String> = behind.iter().map(|value| layout.render(value)).collect();
            self.changes
                .extend(flow::append(text, tree, node, &layout, &additions));
            return Ok(());
        }
        let indent = column(text, node.text.start);
        let last = sequence.items.last().map(|id| tree.node(*id));
        let offset = last
            .filter(|last| !matches!(last.kind, Kind::Scalar(Scalar::Empty)))
            .and_then(|last| column(text, last.text.start).checked_sub(indent))
            .filter(|offset| (2..=8).contains(offset))
            .unwrap_or(2);
        let style = self.style.inside(self.document, node);
        let lines: Vec<String> = behind
            .into_iter()
            .flat_map(|value| render::item(value, indent, offset, style))
            .collect();
        self.below(node, indent + 1, None, &lines);
        Ok(())
    }

    /// Adds lines at the end of a block collection.
    fn below(&mut self, node: &Node, column: usize, last_key: Option<usize>, lines: &[String]) {
        let text = self.document.text;
        let newline = self.style.newline;
        // A literal block on a last line without a line feed ends without one too, and would
        // gain one by anything below it.
        let unsafe_end = self.ends_in_open_block(node);
        let change = last_key
            .filter(|_| unsafe_end)
            .and_then(|start| block::above(text, start, newline, lines))
            .unwrap_or_else(|| block::below(text, node.text.end, column, newline, lines));
        self.changes.push(change);
    }

    fn ends_in_open_block(&self, node: &Node) -> bool {
        let mut node = node;
        if node.text.end < self.document.text.len() {
            return false;
        }
        loop {
            let last = match &node.kind {
                Kind::Scalar(scalar) => return *scalar == Scalar::Block,
                Kind::Mapping(mapping) => mapping.entries.last().map(|entry| entry.value),
                Kind::Sequence(sequence) => sequence.items.last().copied(),
                Kind::Alias(_) => None,
            };
            let Some(last) = last else { return false };
            node = self.document.tree.node(last);
        }
    }

    /// Writes a value in place of a scalar or an empty collection.
    fn replace(&mut self, node: &Node, new: &Value, place: &Place) -> Result<(), EditError> {
        let text = self.document.text;
        let filled = match new {
            Value::Array(items) => !items.is_empty(),
            Value::Object(entries) => !entries.is_empty(),
            _ => false,
        };
        let replaceable = match &node.kind {
            Kind::Scalar(scalar) => *scalar != Scalar::Block,
            Kind::Mapping(mapping) => mapping.entries.is_empty(),
            Kind::Sequence(sequence) => sequence.items.is_empty(),
            Kind::Alias(_) => false,
        };
        if !replaceable {
            return Err(self.not_an_addition(node.text.start, "this value"));
        }
        match place {
            Place::Entry { key_end, mapping } if filled => {
                let parent = self.document.tree.node(*mapping);
                let start = text[..node.text.start].trim_end_matches([' ', '\t']).len();
                let start = start.max(*key_end).min(node.text.start);
                if !node.text.is_empty() {
                    self.changes.push(Change {
                        range: start..node.text.end,
                        text: String::new(),
                    });
                }
                let indent = column(text, parent.text.start);
                let style = self.style.inside(self.document, parent);
                let lines = render::children(new, indent, style);
                let end = node.text.end.max(*key_end);
                self.changes
                    .push(block::right_below(text, end, self.style.newline, &lines));
            }
            _ => {
                let written = match place {
                    Place::Inline(layout) => layout.render(new),
                    Place::Entry { .. } => render::inline(new, Context::Block),
                };
                let change = if node.text.is_empty() {
                    let rest = text.get(node.text.start..).unwrap_or_default();
                    let colon = rest.len() - rest.trim_start_matches(' ').len();
                    let behind = colon + usize::from(rest[colon..].starts_with([':', '-']));
                    Change::insert(node.text.start + behind, format!(" {written}"))
                } else {
                    Change {
                        range: node.text.clone(),
                        text: written,
                    }
                };
                self.changes.push(change);
            }
        }
        Ok(())
    }

    /// The layout of what is inside a node, if that is between brackets.
    fn layout(&self, node: &Node, flow: bool, place: &Place) -> Option<Layout> {
        let (text, tree) = (self.document.text, &self.document.tree);
        flow.then(|| match place {
            Place::Inline(outer) => outer.inside(text, tree, node),
            Place::Entry { .. } => self.one_line().inside(text, tree, node),
        })
    }

    fn one_line(&self) -> Layout {
        Layout::new(&self.style, self.document.format == Format::Json)
    }

    fn wins(&self, mapping: &Mapping, entry: &super::tree::Entry) -> bool {
        let winner = self.document.tree.entry(mapping, &entry.key);
        winner.is_some_and(|winner| std::ptr::eq(winner, entry))
    }

    fn merge_start(&self, mapping: &Mapping) -> usize {
        let merge = mapping.entries.iter().find(|entry| entry.merge);
        merge.map_or(0, |entry| entry.key_text.start)
    }

    fn is_shared(&mut self, offset: usize, what: String) {
        let position = self.document.at(offset);
        self.shared
            .get_or_insert(EditError::Shared { position, what });
    }

    fn not_an_addition(&self, offset: usize, what: &str) -> EditError {
        EditError::NotAnAddition {
            position: self.document.at(offset),
            what: what.to_owned(),
        }
    }
}

/// Whether an item of a list could be what another was before things were added to it.
fn grows_into(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old_entries), Value::Object(new_entries)) => {
            old_entries.keys().all(|key| new_entries.contains_key(key))
                && old.get("name") == new.get("name")
        }
        _ => old == new,
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
                let step = key.replace('~', "~0").replace('/', "~1");
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
