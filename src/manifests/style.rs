//! How the author of a document indents it, so that what is added looks as if it was theirs.

use super::read::Document;
use super::tree::{Kind, Mapping, Node};

/// Indentation in block style, in columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Indentation {
    /// From a mapping to a mapping inside it.
    pub(crate) mapping: usize,
    /// From a mapping to the dashes of a list inside it; 0 where dashes stand below the key.
    pub(crate) sequence: usize,
}

/// What holds for the whole document.
#[derive(Debug, Clone)]
pub(crate) struct Style {
    pub(crate) newline: &'static str,
    /// Of the first line that is indented, for JSON.
    pub(crate) flow_step: String,
    indentation: Indentation,
}

impl Style {
    pub(crate) fn of(document: &Document<'_>) -> Self {
        let text = document.text;
        let crlf = text
            .find('\n')
            .is_some_and(|feed| text[..feed].ends_with('\r'));
        let mut votes = Votes::default();
        for node in document.tree.nodes() {
            votes.count(document, node);
        }
        Self {
            newline: if crlf { "\r\n" } else { "\n" },
            flow_step: flow_step(text),
            indentation: votes.result(Indentation {
                mapping: 2,
                sequence: 0,
            }),
        }
    }

    /// The indentation inside one mapping: its own habit, else the document's.
    pub(crate) fn inside(&self, document: &Document<'_>, node: &Node) -> Indentation {
        let mut votes = Votes::default();
        votes.count(document, node);
        votes.result(self.indentation)
    }
}

/// The column, from 0, at which a byte of the text stands.
pub(crate) fn column(text: &str, offset: usize) -> usize {
    offset - line_start(text, offset)
}

pub(crate) fn line_start(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or_default();
    before.rfind('\n').map_or(0, |feed| feed + 1)
}

/// The white space before the first thing on the line of `offset`.
pub(crate) fn indent_of_line(text: &str, offset: usize) -> &str {
    let line = text.get(line_start(text, offset)..).unwrap_or_default();
    let blank = line.bytes().take_while(|byte| matches!(byte, b' ' | b'\t'));
    &line[..blank.count()]
}

/// The white space before `offset` if it is the first thing on its line. Looks no further back
/// than it must: JSON can be one line of many megabytes.
pub(crate) fn indent_if_first(text: &str, offset: usize) -> Option<&str> {
    let before = text.get(..offset)?;
    let rest = before.trim_end_matches([' ', '\t']);
    (rest.is_empty() || rest.ends_with('\n')).then(|| &before[rest.len()..])
}

fn flow_step(text: &str) -> String {
    let lines = text.lines().skip(1);
    let indents = lines.map(|line| indent_of_line(line, 0));
    let first = indents.into_iter().find(|indent| !indent.is_empty());
    first.unwrap_or("  ").to_owned()
}

/// How often each width was seen.
#[derive(Default)]
struct Votes {
    mapping: [u32; 9],
    sequence: [u32; 9],
}

impl Votes {
    fn count(&mut self, document: &Document<'_>, node: &Node) {
        let Kind::Mapping(Mapping {
            flow: false,
            entries,
            ..
        }) = &node.kind
        else {
            return;
        };
        let outer = column(document.text, node.text.start);
        for entry in entries {
            let value = document.tree.node(entry.value);
            let votes = match &value.kind {
                Kind::Mapping(mapping) if !mapping.flow => &mut self.mapping,
                Kind::Sequence(sequence) if !sequence.flow => &mut self.sequence,
                _ => continue,
            };
            let inner = column(document.text, value.text.start);
            if let Some(votes) = inner
                .checked_sub(outer)
                .and_then(|step| votes.get_mut(step))
            {
                *votes += 1;
            }
        }
    }

    fn result(&self, default: Indentation) -> Indentation {
        let most = |votes: &[u32; 9], default: usize| {
            let best = (0..votes.len()).max_by_key(|width| (votes[*width], 9 - width));
            best.filter(|width| votes[*width] > 0).unwrap_or(default)
        };
        Indentation {
            // A mapping at its parent's own column would not be inside it.
            mapping: most(&self.mapping, default.mapping).max(1),
            sequence: most(&self.sequence, default.sequence),
        }
    }
}
