//! Reading a JSON document.

use std::collections::HashSet;

use jsonc_parser::ast;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::Value;

use super::position::Lines;
use super::read::ReadError;
use super::tree::{Entry, Kind, Mapping, Node, NodeId, Scalar, Sequence, Tree};

/// Only JSON: kubectl would refuse everything else.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
};

/// Reads `text` twice: `serde_json` decides what it means and bounds its depth, the syntax tree
/// says where everything stands.
pub(crate) fn parse(text: &str, lines: &Lines) -> Result<(Value, Tree), ReadError> {
    let value: Value = serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column().max(1));
        let place = format!(" at line {line} column {}", error.column());
        let message = error.to_string();
        ReadError {
            position: lines.relative(line, column),
            message: message.strip_suffix(&place).unwrap_or(&message).to_owned(),
        }
    })?;
    let parsed =
        parse_to_ast(text, &CollectOptions::default(), &STRICT).map_err(|error| ReadError {
            position: lines.relative(error.line_display(), error.column_display()),
            message: error.kind().to_string(),
        })?;
    let mut builder = Builder {
        text,
        lines,
        tree: Tree::default(),
    };
    if let Some(root) = &parsed.value {
        builder.add(root)?;
    }
    Ok((value, builder.tree))
}

struct Builder<'a> {
    text: &'a str,
    lines: &'a Lines,
    tree: Tree,
}

impl Builder<'_> {
    /// Recurses at most as deep as `serde_json` did.
    fn add(&mut self, value: &ast::Value<'_>) -> Result<NodeId, ReadError> {
        let (range, kind) = match value {
            ast::Value::StringLit(string) => (string.range, Kind::Scalar(Scalar::Inline)),
            ast::Value::NumberLit(number) => (number.range, Kind::Scalar(Scalar::Inline)),
            ast::Value::BooleanLit(boolean) => (boolean.range, Kind::Scalar(Scalar::Inline)),
            ast::Value::NullKeyword(null) => (null.range, Kind::Scalar(Scalar::Inline)),
            ast::Value::Array(array) => {
                let items = array.elements.iter().map(|item| self.add(item));
                let items = items.collect::<Result<_, _>>()?;
                (array.range, Kind::Sequence(Sequence { flow: true, items }))
            }
            ast::Value::Object(object) => (object.range, self.object(object)?),
        };
        Ok(self.tree.add(Node {
            text: range.start..range.end,
            kind,
        }))
    }

    fn object(&mut self, object: &ast::Object<'_>) -> Result<Kind, ReadError> {
        let mut entries = Vec::with_capacity(object.properties.len());
        let mut seen = HashSet::with_capacity(object.properties.len());
        for property in &object.properties {
            let (key, range) = match &property.name {
                ast::ObjectPropName::String(name) => (name.value.to_string(), name.range),
                ast::ObjectPropName::Word(name) => (name.value.to_owned(), name.range),
            };
            if !seen.insert(key.clone()) {
                return Err(ReadError {
                    position: self.lines.position(self.text, range.start),
                    message: format!("the key {key:?} is given twice"),
                });
            }
            entries.push(Entry {
                key,
                key_text: range.start..range.end,
                value: self.add(&property.value)?,
                merge: false,
            });
        }
        Ok(Kind::Mapping(Mapping {
            flow: true,
            entries,
        }))
    }
}
