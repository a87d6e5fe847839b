//! Additions in block style: where a new line goes, and what it ends with.

use super::edit::Change;
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
    let at = style::line_start(text, start);
    let first = at + style::indent_of_line(text, start).len() == start;
    first.then(|| insert(text, at, newline, lines))
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
