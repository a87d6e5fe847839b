//! The changes to a text that make one value of another.

use std::ops::Range;

use serde_json::{Map, Value};

use super::block;
use super::edit::EditError;
use super::flow::{self, Layout};
use super::read::Document;
use super::render::{self, Context};
use super::split::Format;
use super::style::{Style, column};
use super::tree::{Kind, Mapping, Node, NodeId, Scalar, Sequence};

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

/// What to change in a document's text so that it says `wanted`, innermost first, and what could
/// not be changed because it is written elsewhere. That is no failure yet: where all uses of an
/// anchor are to change alike, the change to the original is right for all.
pub(crate) fn changes(
    document: &Document<'_>,
    wanted: &Value,
) -> Result<(Vec<Change>, Option<EditError>), EditError> {
    let style = Style::of(document);
    let layout = Layout::new(&style, document.format == Format::Json);
    let mut editor = Editor {
        document,
        style,
        changes: Vec::new(),
        shared: None,
    };
    if let Some(root) = document.tree.root() {
        editor.node(root, document.value(), wanted, &Place::Inline(layout))?;
    }
    Ok((editor.changes, editor.shared))
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
    /// The first thing that is written elsewhere.
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
        if new.len() < old.len() {
            return Err(self.not_an_addition(node.text.start, "the list"));
        }
        let (before, behind) = new.split_at(old.len());
        for ((id, old), new) in sequence.items.iter().zip(old).zip(before) {
            // Only behind the last item is it clear whose comments are whose.
            if !behind.is_empty() && !grows_into(old, new) {
                let start = self.document.tree.node(*id).text.start;
                return Err(self.not_an_addition(start, "the order of the list"));
            }
            self.node(*id, old, new, &inner)?;
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
            .iter()
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
                let indent = column(text, parent.text.start);
                let style = self.style.inside(self.document, parent);
                let lines = render::children(new, indent, style);
                let end = node.text.end.max(*key_end);
                let newline = self.style.newline;
                self.changes.extend(block::without(text, &node.text));
                self.changes
                    .push(block::right_below(text, end, newline, &lines));
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
        (Value::Object(old), Value::Object(new)) => {
            old.keys().all(|key| new.contains_key(key)) && old.get("name") == new.get("name")
        }
        (Value::Array(_), Value::Array(_)) | (Value::Null, _) => true,
        _ => old == new,
    }
}
