//! Additions in block style: where a new line goes, and what it ends with.

use std::ops::Range;

use super::changes::Change;
use super::style;

/// Lines to be written behind everything that a block collection holds.
///
/// `end` is the end of its last content, `column` its own column: comments below that are at
/// least as far in are taken for its own and stay above what is added.
pub(crate) fn below(
    text: &str,
    end: usize,
    column: usize,
    newline: &str,
    lines: &[String],
) -> Change {
    let mut at = next_line(text, end);
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let indent = style::indent_of_line(rest, 0).len();
        if !rest[indent..].starts_with('#') || indent < column || indent == 0 {
            break;
        }
        at = next_line(text, at + 1);
    }
    insert(text, at, newline, lines)
}

/// Lines to be written right below the line that holds the byte before `end`.
pub(crate) fn right_below(text: &str, end: usize, newline: &str, lines: &[String]) -> Change {
    insert(text, next_line(text, end), newline, lines)
}

/// Lines to be written above the line that holds the byte at `start`, if nothing stands before
/// that byte on its line.
pub(crate) fn above(text: &str, start: usize, newline: &str, lines: &[String]) -> Option<Change> {
    let indent = style::indent_if_first(text, start)?;
    Some(insert(text, start - indent.len(), newline, lines))
}

/// Takes a value on one line away, with the blanks before it, or with its line if it has that for
/// itself.
pub(crate) fn without(text: &str, value: &Range<usize>) -> Option<Change> {
    let line = value.end..next_line(text, value.end);
    let rest = text.get(line.clone())?;
    let range = match style::indent_if_first(text, value.start) {
        Some(indent) if rest.ends_with('\n') && rest.trim().is_empty() => {
            value.start - indent.len()..line.end
        }
        // A comment takes its place.
        Some(_) => value.start..line.end - rest.trim_start_matches([' ', '\t']).len(),
        None => text.get(..value.start)?.trim_end_matches([' ', '\t']).len()..value.end,
    };
    (!value.is_empty()).then(|| Change {
        range,
        text: String::new(),
    })
}

fn insert(text: &str, at: usize, newline: &str, lines: &[String]) -> Change {
    let mut added = String::new();
    let unterminated = at > 0 && !text[..at].ends_with('\n');
    for line in lines {
        if unterminated {
            added.push_str(newline);
        }
        added.push_str(line);
        if !unterminated {
            added.push_str(newline);
        }
    }
    Change::insert(at, added)
}

/// The start of the line below the one that `end` ends on, or the end of the text.
fn next_line(text: &str, end: usize) -> usize {
    if end > 0 && text.get(..end).is_some_and(|before| before.ends_with('\n')) {
        // A block scalar that keeps its blank lines ends below itself.
        return end;
    }
    let rest = text.get(end..).unwrap_or_default();
    rest.find('\n').map_or(text.len(), |feed| end + feed + 1)
}
