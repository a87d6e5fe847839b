//! YAML anchors and what their aliases expand to, within limits.

use std::collections::HashMap;

use serde_json::Value;

use super::tree::NodeId;

/// How much anchored nodes and their aliases may weigh together, in bytes: far more than any
/// manifest, and little enough that a bomb of aliases ends in an error and not in the OOM killer.
const MAX_EXPANSION: usize = 32 << 20;

/// The anchored nodes of a document so far.
#[derive(Default)]
pub(crate) struct Anchors {
    known: HashMap<usize, (NodeId, Value)>,
    expansion: usize,
}

impl Anchors {
    /// Keeps a finished node under the number that the parser gave its anchor.
    pub(crate) fn keep(
        &mut self,
        anchor: usize,
        id: NodeId,
        value: &Value,
    ) -> Result<(), &'static str> {
        self.weigh(value)?;
        self.known.insert(anchor, (id, value.clone()));
        Ok(())
    }

    /// The node and value that an alias stands for, if it nests no deeper than `room` levels.
    pub(crate) fn expand(
        &mut self,
        anchor: usize,
        room: usize,
    ) -> Result<(NodeId, Value), &'static str> {
        let (id, value) = self
            .known
            .get(&anchor)
            .cloned()
            .ok_or("this alias stands inside its own anchor")?;
        // Without this a chain of anchors could nest values deeper than any stack.
        if depth(&value) > room {
            return Err("this alias nests deeper than 127 levels");
        }
        self.weigh(&value)?;
        Ok((id, value))
    }

    fn weigh(&mut self, value: &Value) -> Result<(), &'static str> {
        self.expansion = self.expansion.saturating_add(weight(value));
        if self.expansion > MAX_EXPANSION {
            return Err("the aliases up to here expand to more than 32 MiB");
        }
        Ok(())
    }
}

/// How many collections lie inside each other in a value, which is one that was read.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// About how many bytes a value takes in memory.
fn weight(value: &Value) -> usize {
    const NODE: usize = 64;
    NODE + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(entries) => {
            let entries = entries.iter();
            entries
                .map(|(key, value)| NODE + key.len() + weight(value))
                .sum()
        }
        _ => 0,
    }
}
