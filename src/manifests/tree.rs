//! Where everything in a document stands: the shape of its text beside its value.
//!
//! The reader makes it, the locator and the editor walk it. It holds offsets and keys but no
//! values, which are in the [`serde_json::Value`] that is read with it.

use std::ops::Range;

/// The index of a node in its tree.
pub(crate) type NodeId = usize;

/// All nodes of one document; the root was made last.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    root: NodeId,
}

/// One value in the text.
#[derive(Debug)]
pub(crate) struct Node {
    /// Its own text in bytes, without anchor and tag; in block style from the first key or dash
    /// to the end of the last content, without comments and blank lines behind it.
    pub(crate) text: Range<usize>,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Scalar(Scalar),
    Mapping(Mapping),
    Sequence(Sequence),
    /// `*name`, with the node that the name stands for.
    Alias(NodeId),
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    /// Nothing at all, as behind `key:`.
    Empty,
    /// On the line, plain or quoted.
    Inline,
    /// `|` or `>`.
    Block,
}

#[derive(Debug)]
pub(crate) struct Mapping {
    /// `{}` rather than lines.
    pub(crate) flow: bool,
    /// In the order of the text, merge keys too: of two that give one key, the later wins.
    pub(crate) entries: Vec<Entry>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// The text of the key.
    pub(crate) key_text: Range<usize>,
    pub(crate) value: NodeId,
    /// `<<`, whose value brings entries from elsewhere.
    pub(crate) merge: bool,
}

#[derive(Debug)]
pub(crate) struct Sequence {
    /// `[]` rather than lines.
    pub(crate) flow: bool,
    pub(crate) items: Vec<NodeId>,
}

impl Tree {
    /// Adds a node, which is the root until another one is added.
    pub(crate) fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.root = self.nodes.len() - 1;
        self.root
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// The outermost node, unless the document is empty.
    pub(crate) fn root(&self) -> Option<NodeId> {
        (!self.nodes.is_empty()).then_some(self.root)
    }

    /// All nodes, each after what it contains.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node that `id` means: the anchor's, if it is an alias.
    pub(crate) fn resolve(&self, id: NodeId) -> &Node {
        match self.node(id).kind {
            Kind::Alias(target) => self.node(target),
            _ => self.node(id),
        }
    }

    /// The entry that gives `key` its value: the mapping's own, or one of a mapping merged into it.
    pub(crate) fn entry<'t>(&'t self, mapping: &'t Mapping, key: &str) -> Option<&'t Entry> {
        mapping.entries.iter().rev().find_map(|entry| {
            if !entry.merge {
                return (entry.key == key).then_some(entry);
            }
            match &self.resolve(entry.value).kind {
                Kind::Mapping(merged) => self.entry(merged, key),
                Kind::Sequence(list) => {
                    list.items
                        .iter()
                        .find_map(|id| match &self.resolve(*id).kind {
                            Kind::Mapping(merged) => self.entry(merged, key),
                            _ => None,
                        })
                }
                _ => None,
            }
        })
    }

    /// Follows a JSON pointer and calls `visit` with the offset of each step: of the key where
    /// there is one, else of the item. Says whether the way led to the end.
    pub(crate) fn follow(&self, pointer: &str, mut visit: impl FnMut(usize, NodeId)) -> bool {
        let Some(mut id) = self.root() else {
            return false;
        };
        visit(self.node(id).text.start, id);
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            match &self.resolve(id).kind {
                Kind::Mapping(mapping) => match self.entry(mapping, &step) {
                    Some(entry) => {
                        id = entry.value;
                        visit(entry.key_text.start, id);
                    }
                    None => return false,
                },
                Kind::Sequence(sequence) => {
                    let item = step.parse().ok().and_then(|i: usize| sequence.items.get(i));
                    let Some(item) = item else { return false };
                    id = *item;
                    visit(self.node(id).text.start, id);
                }
                _ => return false,
            }
        }
        true
    }
}
