//! Byte offsets as the lines and columns that people and editors count.

use std::fmt;

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted from 1 in characters (not bytes; a leading byte-order mark does not count).
    pub column: usize,
}

impl Position {
    /// Where every file starts.
    pub const START: Self = Self { line: 1, column: 1 };
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Where the lines of one text begin. Made once, so that a lookup is a binary search and a
/// thousand findings in one file do not read it a thousand times.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    /// The offset behind each line feed.
    starts: Vec<usize>,
    /// Where in the file the text itself begins.
    origin: Position,
    /// In ASCII a column is a subtraction, also on a line of ten megabytes.
    ascii: bool,
}

impl Lines {
    /// Reads the lines of `text`, which begins at `origin` of its file.
    pub(crate) fn of(text: &str, origin: Position) -> Self {
        Self {
            starts: text
                .match_indices('\n')
                .map(|(offset, _)| offset + 1)
                .collect(),
            origin,
            ascii: text.is_ascii(),
        }
    }

    /// The place of the byte at `offset` of `text`, which is the text that this was made of.
    pub(crate) fn position(&self, text: &str, offset: usize) -> Position {
        let before = self.starts.partition_point(|start| *start <= offset);
        let (start, first_column) = match before.checked_sub(1) {
            Some(line) => (self.starts[line], 1),
            None => (0, self.origin.column),
        };
        let characters = if self.ascii {
            offset - start
        } else {
            text.get(start..offset)
                .map_or(0, |line| line.chars().count())
        };
        Position {
            line: self.origin.line + before,
            column: first_column + characters,
        }
    }

    /// The place that a parser calls line `line` (from 1) and column `column` (from 1) of `text`.
    pub(crate) fn relative(&self, line: usize, column: usize) -> Position {
        Position {
            line: self.origin.line + line.saturating_sub(1),
            column: if line <= 1 {
                self.origin.column + column.saturating_sub(1)
            } else {
                column
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_characters_and_continues_the_file() {
        let text = "ab\ncäd: x\n";
        let origin = Position { line: 7, column: 5 };
        let lines = Lines::of(text, origin);
        let at = |offset| lines.position(text, offset);
        assert_eq!(at(0), origin);
        assert_eq!(at(1), Position { line: 7, column: 6 });
        assert_eq!(at(3), Position { line: 8, column: 1 });
        assert_eq!(at(6), Position { line: 8, column: 3 });
        assert_eq!(at(text.len()), Position { line: 9, column: 1 });
    }
}
