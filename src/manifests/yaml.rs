//! Reading a YAML document.
//!
//! One pass over the parser's events makes the value and the [`Tree`] together. `serde-saphyr`,
//! which reads our own configuration, stands on the same parser but gives neither the spans that
//! editing needs nor the meaning of scalars that Kubernetes has.

use std::borrow::Cow;
use std::ops::Range;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span, StructureStyle, Tag};
use serde_json::{Map, Value};

use super::anchors::Anchors;
use super::position::Lines;
use super::read::ReadError;
use super::scalar;
use super::style::column;
use super::tree::{Entry, Kind, Mapping, Node, NodeId, Scalar, Sequence, Tree};

/// As deep as `serde_json` reads, so that every value here can also be read from JSON.
const MAX_DEPTH: usize = 127;

/// Reads `text`, which must hold no more than one document.
pub(crate) fn parse(text: &str, lines: &Lines) -> Result<(Value, Tree), ReadError> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    // As Kubernetes' reader does: a last line without a line feed has none.
    options.block_scalar_eof_without_line_feed = true;
    let mut reader = Reader {
        text,
        lines,
        tree: Tree::default(),
        open: Vec::new(),
        anchors: Anchors::default(),
        root: None,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| {
            let marker = error.marker();
            ReadError {
                position: lines.relative(marker.line(), marker.col() + 1),
                message: error.info().trim_end_matches('.').to_owned(),
            }
        })?;
        reader.take(event, &span)?;
    }
    Ok((reader.root.unwrap_or(Value::Null), reader.tree))
}

struct Reader<'a> {
    text: &'a str,
    lines: &'a Lines,
    tree: Tree,
    open: Vec<Frame>,
    anchors: Anchors,
    root: Option<Value>,
}

/// A collection that has begun.
struct Frame {
    start: usize,
    /// The end of its last content so far.
    end: usize,
    flow: bool,
    anchor: usize,
    content: Content,
}

enum Content {
    Sequence {
        items: Vec<NodeId>,
        values: Vec<Value>,
    },
    Mapping {
        mapping: Mapping,
        values: Map<String, Value>,
        key: Option<Key>,
    },
}

/// A key whose value is still to come.
struct Key {
    name: String,
    text: Range<usize>,
    merge: bool,
}

impl<'a> Reader<'a> {
    fn take(&mut self, event: Event<'a>, span: &Span) -> Result<(), ReadError> {
        let start = span.start.byte_offset().unwrap_or(0);
        let end = span.end.byte_offset().unwrap_or(start);
        match event {
            Event::Scalar(content, style, anchor, tag) => {
                self.scalar(content, style, anchor, tag.as_deref(), start..end)
            }
            Event::SequenceStart(style, anchor, _) => {
                let (items, values) = (Vec::new(), Vec::new());
                self.begin(
                    style,
                    anchor,
                    start..end,
                    Content::Sequence { items, values },
                )
            }
            Event::MappingStart(style, anchor, _) => {
                let mapping = Mapping {
                    flow: style == StructureStyle::Flow,
                    entries: Vec::new(),
                };
                let (values, key) = (Map::new(), None);
                let content = Content::Mapping {
                    mapping,
                    values,
                    key,
                };
                self.begin(style, anchor, start..end, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.finish(end),
            Event::Alias(id) => self.alias(id, start..end),
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(self.error(start, "a second document begins here without `---`"))
            }
            _ => Ok(()),
        }
    }

    fn begin(
        &mut self,
        style: StructureStyle,
        anchor: usize,
        text: Range<usize>,
        content: Content,
    ) -> Result<(), ReadError> {
        if self.open.len() >= MAX_DEPTH {
            let message = format!("this is nested deeper than {MAX_DEPTH} levels");
            return Err(self.error(text.start, message));
        }
        let dash = matches!(content, Content::Sequence { .. })
            .then(|| self.dash_below_key(text.start))
            .flatten();
        self.open.push(Frame {
            start: dash.unwrap_or(text.start),
            end: text.end,
            flow: style == StructureStyle::Flow,
            anchor,
            content,
        });
        Ok(())
    }

    /// Where the first dash of a list stands if that is below its key. The parser then begins the
    /// list behind this dash, and at it where the list is indented.
    fn dash_below_key(&self, begin: usize) -> Option<usize> {
        let parent = self.open.last().filter(|parent| !parent.flow)?;
        let Content::Mapping { key: Some(key), .. } = &parent.content else {
            return None;
        };
        let column = column(self.text, parent.start);
        let mut line_start = key.text.end;
        let lines = self.text.get(key.text.end..begin)?.split_inclusive('\n');
        for line in lines {
            let indent = line.bytes().take_while(|byte| *byte == b' ').count();
            let below = line_start > key.text.end;
            if below && indent == column && line[indent..].starts_with('-') {
                return Some(line_start + indent);
            }
            line_start += line.len();
        }
        None
    }

    fn finish(&mut self, end: usize) -> Result<(), ReadError> {
        let Some(frame) = self.open.pop() else {
            return Ok(());
        };
        // Only brackets have an end in the text; lines end where their last content does.
        let end = if frame.flow { end } else { frame.end };
        let (kind, value) = match frame.content {
            Content::Sequence { items, values } => {
                let flow = frame.flow;
                let kind = Kind::Sequence(Sequence { flow, items });
                (kind, Value::Array(values))
            }
            Content::Mapping {
                mapping, values, ..
            } => (Kind::Mapping(mapping), Value::Object(values)),
        };
        self.place(kind, value, frame.anchor, frame.start..end)
    }

    fn alias(&mut self, anchor: usize, text: Range<usize>) -> Result<(), ReadError> {
        let room = MAX_DEPTH - self.open.len();
        let expanded = self.anchors.expand(anchor, room);
        let (target, value) = expanded.map_err(|what| self.error(text.start, what))?;
        self.place(Kind::Alias(target), value, 0, text)
    }

    fn scalar(
        &mut self,
        content: Cow<'a, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        text: Range<usize>,
    ) -> Result<(), ReadError> {
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let empty = style == ScalarStyle::Plain && text.is_empty();
        // The parser calls nothing `~`.
        let content = if empty { Cow::Borrowed("") } else { content };
        let key = self.expects_key();
        if key && tag.is_none() && style == ScalarStyle::Plain && content == "<<" {
            return self.key(Value::String("<<".to_owned()), text, true);
        }
        let tag = tag.map(|tag| tag.suffix_in_namespace("tag:yaml.org,2002:"));
        let tag = tag
            .as_ref()
            .map(|suffix| suffix.as_deref().unwrap_or_default());
        let plain = style == ScalarStyle::Plain;
        let value =
            scalar::read(content, plain, tag).map_err(|what| self.error(text.start, what))?;
        let text = if block {
            self.trim_block(&value, text)
        } else {
            text
        };
        if key {
            self.remember(anchor, None, &value, text.start)?;
            return self.key(value, text, false);
        }
        let kind = Kind::Scalar(match (empty, block) {
            (true, _) => Scalar::Empty,
            (_, true) => Scalar::Block,
            _ => Scalar::Inline,
        });
        self.place(kind, value, anchor, text)
    }

    /// The text of a block scalar without the lines below it that are not part of it.
    fn trim_block(&self, value: &Value, text: Range<usize>) -> Range<usize> {
        let whole = self.text.get(text.clone()).unwrap_or_default();
        let content = value.as_str().unwrap_or_default();
        let keeps_blank_lines = content.ends_with("\n\n") || content == "\n";
        let kept = if keeps_blank_lines {
            whole.rfind('\n').map_or(whole.len(), |feed| feed + 1)
        } else {
            whole.trim_end().len()
        };
        if kept > 0 {
            return text.start..text.start + kept;
        }
        // No content: what is left of it is its header.
        let before = self.text.get(..text.start).unwrap_or_default();
        let header = before.trim_end().len();
        header..header
    }

    fn expects_key(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Frame {
                content: Content::Mapping { key: None, .. },
                ..
            })
        )
    }

    /// Takes a scalar as the key of the value that follows.
    fn key(&mut self, value: Value, text: Range<usize>, merge: bool) -> Result<(), ReadError> {
        let name = match value {
            Value::String(name) => name,
            // Kubernetes' reader makes strings of these.
            Value::Number(number) => number.to_string(),
            Value::Bool(boolean) => boolean.to_string(),
            _ => return Err(self.error(text.start, "a key must be a string")),
        };
        let mut given = false;
        if let Some(frame) = self.open.last_mut() {
            frame.end = frame.end.max(text.end);
            if let Content::Mapping {
                mapping,
                values,
                key,
            } = &mut frame.content
            {
                // A value may be there because a merge key brought it, which is no mistake.
                given = !merge
                    && values.contains_key(&name)
                    && mapping
                        .entries
                        .iter()
                        .any(|entry| !entry.merge && entry.key == name);
                *key = Some(Key {
                    name: name.clone(),
                    text: text.clone(),
                    merge,
                });
            }
        }
        if given {
            return Err(self.error(text.start, format!("the key {name:?} is given twice")));
        }
        Ok(())
    }

    /// Puts a finished node into the collection that it stands in.
    fn place(
        &mut self,
        kind: Kind,
        value: Value,
        anchor: usize,
        text: Range<usize>,
    ) -> Result<(), ReadError> {
        if self.expects_key() {
            if let (Kind::Alias(_), false) = (&kind, value.is_array() || value.is_object()) {
                return self.key(value, text, false);
            }
            return Err(self.error(text.start, "a key must be a string"));
        }
        let (at, end) = (text.start, text.end);
        let id = self.tree.add(Node { text, kind });
        self.remember(anchor, Some(id), &value, at)?;
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(value);
            return Ok(());
        };
        frame.end = frame.end.max(end);
        match &mut frame.content {
            Content::Sequence { items, values } => {
                items.push(id);
                values.push(value);
            }
            Content::Mapping {
                mapping,
                values,
                key,
            } => {
                let Some(key) = key.take() else { return Ok(()) };
                mapping.entries.push(Entry {
                    key: key.name.clone(),
                    key_text: key.text,
                    value: id,
                    merge: key.merge,
                });
                if key.merge {
                    return self.merge(value, at);
                }
                values.insert(key.name, value);
            }
        }
        Ok(())
    }

    /// Adds what `<<` brings. As in Kubernetes' reader it wins over keys above it and loses to
    /// keys below it; of several mappings in one list the first wins.
    fn merge(&mut self, value: Value, at: usize) -> Result<(), ReadError> {
        let sources = match value {
            Value::Array(sources) => sources,
            source => vec![source],
        };
        for source in sources.into_iter().rev() {
            let Value::Object(brought) = source else {
                let message = "a merge key needs a mapping or a list of mappings";
                return Err(self.error(at, message));
            };
            if let Some(Frame {
                content: Content::Mapping { values, .. },
                ..
            }) = self.open.last_mut()
            {
                values.extend(brought);
            }
        }
        Ok(())
    }

    /// Keeps a value that aliases may name. A key has no node, and nothing can lie below it.
    fn remember(
        &mut self,
        anchor: usize,
        id: Option<NodeId>,
        value: &Value,
        at: usize,
    ) -> Result<(), ReadError> {
        if anchor == 0 {
            return Ok(());
        }
        let id = id.unwrap_or_else(|| {
            let kind = Kind::Scalar(Scalar::Inline);
            self.tree.add(Node { text: at..at, kind })
        });
        let kept = self.anchors.keep(anchor, id, value);
        kept.map_err(|what| self.error(at, what))
    }

    fn error(&self, offset: usize, message: impl Into<String>) -> ReadError {
        ReadError {
            position: self.lines.position(self.text, offset),
            message: message.into(),
        }
    }
}
