//! Additions between brackets: JSON, and YAML's flow style on one line or several.

use serde_json::Value;

use super::changes::Change;
use super::render::{Context, inline, string};
use super::style::{self, Style};
use super::tree::{Kind, Node, Scalar, Tree};

/// How one collection between brackets is laid out.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// The indentation of its entries, if each has a line of its own.
    lines: Option<String>,
    /// What one level more is indented by.
    step: String,
    colon: &'static str,
    comma: &'static str,
    context: Context,
    newline: &'static str,
}

impl Layout {
    /// Where nothing is known: one line.
    pub(crate) fn new(style: &Style, json: bool) -> Self {
        Self {
            lines: None,
            step: style.flow_step.clone(),
            colon: ": ",
            comma: ", ",
            context: if json { Context::Json } else { Context::Flow },
            newline: style.newline,
        }
    }

    /// How a collection inside this one is laid out, by what it holds, else as this one.
    pub(crate) fn inside(&self, text: &str, tree: &Tree, node: &Node) -> Self {
        let children = children(tree, node);
        let mut layout = self.clone();
        let Some(last) = children.last() else {
            layout.lines = self
                .lines
                .as_ref()
                .map(|indent| format!("{indent}{}", self.step));
            return layout;
        };
        let indent = style::indent_if_first(text, last.start)
            .filter(|indent| last.start - indent.len() > node.text.start);
        if let Some(indent) = indent {
            let outer = style::indent_of_line(text, node.text.start);
            if let Some(step) = indent.strip_prefix(outer).filter(|step| !step.is_empty()) {
                layout.step = step.to_owned();
            }
        }
        layout.lines = indent.map(str::to_owned);
        let spaced = |range: std::ops::Range<usize>| {
            let between = text.get(range).unwrap_or_default();
            between.contains(char::is_whitespace)
        };
        if let Some(Child {
            colon: Some(colon), ..
        }) = children.first()
        {
            let spaced = spaced(colon.clone());
            layout.colon = if spaced { ": " } else { ":" };
            layout.comma = if spaced { ", " } else { "," };
        }
        if let [first, second, ..] = children.as_slice() {
            layout.comma = if spaced(first.end..second.start) {
                ", "
            } else {
                ","
            };
        }
        if let (Kind::Mapping(_), Some(first)) = (&node.kind, children.first()) {
            let quoted = text
                .get(first.start..)
                .is_some_and(|key| key.starts_with('"'));
            layout.context = if quoted { Context::Json } else { Context::Flow };
        }
        layout
    }

    /// A value in place of one that stands in a collection laid out like this.
    pub(crate) fn render(&self, value: &Value) -> String {
        let (open, close, entries) = match value {
            Value::Array(items) if !items.is_empty() => ("[", "]", self.deeper().items(items)),
            Value::Object(entries) if !entries.is_empty() => {
                ("{", "}", self.deeper().entries(entries.iter()))
            }
            _ => return inline(value, self.context),
        };
        match &self.lines {
            None => format!("{open}{}{close}", entries.join(self.comma)),
            Some(indent) => {
                let newline = self.newline;
                let break_ = format!("{newline}{indent}{}", self.step);
                let body = entries.join(&format!(",{break_}"));
                format!("{open}{break_}{body}{newline}{indent}{close}")
            }
        }
    }

    fn deeper(&self) -> Self {
        let mut layout = self.clone();
        if let Some(indent) = &mut layout.lines {
            indent.push_str(&self.step);
        }
        layout
    }

    fn items(&self, items: &[Value]) -> Vec<String> {
        items.iter().map(|item| self.render(item)).collect()
    }

    /// New entries of a mapping that is laid out like this.
    pub(crate) fn entries<'v>(
        &self,
        entries: impl Iterator<Item = (&'v String, &'v Value)>,
    ) -> Vec<String> {
        entries
            .map(|(key, value)| {
                let key = string(key, self.context);
                format!("{key}{}{}", self.colon, self.render(value))
            })
            .collect()
    }
}

/// Adds rendered `additions` behind the last child of a collection between brackets.
pub(crate) fn append(
    text: &str,
    tree: &Tree,
    node: &Node,
    layout: &Layout,
    additions: &[String],
) -> Vec<Change> {
    let close = node.text.end.saturating_sub(1);
    let newline = layout.newline;
    let Some(last) = children(tree, node).pop() else {
        return fill(node, layout, additions);
    };
    let tail = text.get(last.end..close).unwrap_or_default();
    let comma = trailing_comma(tail).map(|at| last.end + at + 1);
    let Some(indent) = &layout.lines else {
        return vec![match comma {
            // The author's last entry has a comma, so the new last one gets one too.
            Some(at) => {
                let added = additions.iter().map(|addition| format!(" {addition},"));
                Change::insert(at, added.collect())
            }
            None => {
                let added = additions
                    .iter()
                    .map(|addition| format!("{}{addition}", layout.comma));
                Change::insert(last.end, added.collect())
            }
        }];
    };
    // Behind a comment on the last entry's line, which would swallow what follows it.
    let from = comma.unwrap_or(last.end);
    let rest = text.get(from..close).unwrap_or_default();
    let at = rest.find('\n').map_or(from, |feed| {
        let line = rest[..feed].strip_suffix('\r').unwrap_or(&rest[..feed]);
        from + line.trim_end().len()
    });
    let break_ = format!("{newline}{indent}");
    let body = additions.join(&format!(",{break_}"));
    match comma {
        Some(_) => vec![Change::insert(at, format!("{break_}{body},"))],
        None => vec![
            Change::insert(last.end, ",".to_owned()),
            Change::insert(at, format!("{break_}{body}")),
        ],
    }
}

/// Fills empty brackets.
fn fill(node: &Node, layout: &Layout, additions: &[String]) -> Vec<Change> {
    let inside = node.text.start + 1..node.text.end.saturating_sub(1);
    let body = match &layout.lines {
        None => additions.join(layout.comma),
        Some(indent) => {
            let newline = layout.newline;
            let outer = indent.strip_suffix(layout.step.as_str()).unwrap_or("");
            let body = additions.join(&format!(",{newline}{indent}"));
            format!("{newline}{indent}{body}{newline}{outer}")
        }
    };
    vec![Change {
        range: inside,
        text: body,
    }]
}

/// Where one entry or item stands.
struct Child {
    start: usize,
    end: usize,
    /// What lies between key and value.
    colon: Option<std::ops::Range<usize>>,
}

fn children(tree: &Tree, node: &Node) -> Vec<Child> {
    match &node.kind {
        Kind::Mapping(mapping) => {
            let entries = mapping.entries.iter();
            entries
                .map(|entry| {
                    let value = tree.node(entry.value);
                    Child {
                        start: entry.key_text.start,
                        end: value.text.end.max(entry.key_text.end),
                        colon: (value.text.start > entry.key_text.end)
                            .then_some(entry.key_text.end..value.text.start),
                    }
                })
                .collect()
        }
        Kind::Sequence(sequence) => {
            let items = sequence.items.iter().map(|id| tree.node(*id));
            items
                .map(|item| Child {
                    start: item.text.start,
                    end: item.text.end,
                    colon: None,
                })
                .collect()
        }
        Kind::Scalar(Scalar::Empty | Scalar::Inline | Scalar::Block) | Kind::Alias(_) => Vec::new(),
    }
}

/// The offset of a comma in what stands between the last entry and its bracket.
fn trailing_comma(tail: &str) -> Option<usize> {
    let mut comment = false;
    for (offset, byte) in tail.bytes().enumerate() {
        match byte {
            b'#' => comment = true,
            b'\n' => comment = false,
            b',' if !comment => return Some(offset),
            _ => {}
        }
    }
    None
}
