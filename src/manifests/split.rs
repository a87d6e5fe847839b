//! Cutting a stream into documents, on bytes, so that one broken document cannot hide the others.

use std::ops::Range;

use serde::de::IgnoredAny;

use super::position::Position;

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// YAML, which JSON beside a `---` line is too.
    Yaml,
    /// JSON and nothing else.
    Json,
}

/// The part of a stream that belongs to one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Its bytes in the stream. The ranges of all chunks, in order, are the whole stream.
    pub range: Range<usize>,
    /// Where its first byte stands.
    pub start: Position,
    /// How it is written.
    pub format: Format,
}

/// Cuts a stream at its document markers (`---` and `...` at the start of a line; YAML allows
/// them inside no scalar, so nothing needs to be parsed for it), and JSON values that follow each
/// other. Comments and directives before a `---` and the marker itself belong to the document
/// that follows it, `...` to the one that it ends. An empty stream has no chunks.
#[must_use]
pub fn split(bytes: &[u8]) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut cut = Cut::default();
    let mut offset = 0;
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        let content = if offset == cut.start {
            without_mark(line)
        } else {
            line
        };
        if is_marker(content, b"---") && !cut.only_prefix {
            cut.finish(bytes, offset, number, &mut chunks);
        }
        cut.see(content);
        offset += line.len();
        if is_marker(content, b"...") {
            cut.finish(bytes, offset, number + 1, &mut chunks);
        }
    }
    cut.finish(bytes, offset, 0, &mut chunks);
    chunks
}

/// The document being collected.
struct Cut {
    start: usize,
    line: usize,
    /// Nothing but blank lines, comments and directives so far: what may stand before `---`.
    only_prefix: bool,
}

impl Default for Cut {
    fn default() -> Self {
        Self {
            start: 0,
            line: 1,
            only_prefix: true,
        }
    }
}

impl Cut {
    fn see(&mut self, line: &[u8]) {
        let blank = line.trim_ascii_start();
        self.only_prefix &= blank.is_empty() || blank[0] == b'#' || line[0] == b'%';
    }

    fn finish(&mut self, bytes: &[u8], end: usize, next_line: usize, chunks: &mut Vec<Chunk>) {
        if self.start < end {
            push(bytes, self.start..end, self.line, chunks);
        }
        *self = Self {
            start: end,
            line: next_line,
            only_prefix: true,
        };
    }
}

fn is_marker(line: &[u8], marker: &[u8]) -> bool {
    line.strip_prefix(marker)
        .is_some_and(|rest| rest.first().is_none_or(u8::is_ascii_whitespace))
}

/// Bytes without the byte-order mark that they may begin with.
pub(crate) fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
}

/// Adds what stands between two markers: one YAML document, or JSON values in a row.
fn push(bytes: &[u8], range: Range<usize>, line: usize, chunks: &mut Vec<Chunk>) {
    let start = Position { line, column: 1 };
    let text = without_mark(&bytes[range.clone()]);
    let base = range.end - text.len();
    let mut ends = Vec::new();
    if matches!(text.trim_ascii_start().first(), Some(b'{' | b'[')) {
        let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
        while let Some(Ok(_)) = values.next() {
            ends.push(base + values.byte_offset());
        }
        let rest = ends.last().map_or(base, |end| *end);
        let broken = !bytes[rest..range.end].trim_ascii().is_empty();
        if broken && !ends.is_empty() && starts_value(&bytes[rest..range.end]) {
            // The value that is broken is still a document, and its reader will say what is wrong.
            ends.push(range.end);
        } else if broken {
            // `{a: 1}` is YAML, and so is whatever else is no JSON.
            ends.clear();
        }
    }
    let Some(last) = ends.last_mut() else {
        chunks.push(Chunk {
            range,
            start,
            format: Format::Yaml,
        });
        return;
    };
    *last = range.end;
    let mut from = range.start;
    let mut at = start;
    for end in ends {
        chunks.push(Chunk {
            range: from..end,
            start: at,
            format: Format::Json,
        });
        at = after(at, &bytes[from..end]);
        from = end;
    }
}

fn starts_value(rest: &[u8]) -> bool {
    matches!(rest.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Where the text behind `passed` stands, if `passed` begins at `at`.
fn after(at: Position, passed: &[u8]) -> Position {
    let feeds = passed.iter().filter(|byte| **byte == b'\n').count();
    let last = passed.rsplit(|byte| *byte == b'\n').next().unwrap_or(&[]);
    let characters = String::from_utf8_lossy(last)
        .chars()
        .filter(|c| *c != '\u{feff}')
        .count();
    Position {
        line: at.line + feeds,
        column: characters + if feeds == 0 { at.column } else { 1 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(stream: &str) -> Vec<&str> {
        let chunks = split(stream.as_bytes());
        let whole: String = chunks
            .iter()
            .map(|chunk| &stream[chunk.range.clone()])
            .collect();
        assert_eq!(whole, stream);
        chunks
            .iter()
            .map(|chunk| &stream[chunk.range.clone()])
            .collect()
    }

    #[test]
    fn markers_cut() {
        assert_eq!(texts(""), [""; 0]);
        assert_eq!(texts("a: 1"), ["a: 1"]);
        assert_eq!(texts("a: 1\n---\nb: 2\n"), ["a: 1\n", "---\nb: 2\n"]);
        assert_eq!(
            texts("---\r\na: 1\r\n--- # two\r\nb: 2"),
            ["---\r\na: 1\r\n", "--- # two\r\nb: 2"]
        );
        assert_eq!(texts("--- {a: 1}\n---"), ["--- {a: 1}\n", "---"]);
        assert_eq!(texts("a: 1\n...\nb: 2\n"), ["a: 1\n...\n", "b: 2\n"]);
        assert_eq!(texts("\u{feff}---\na: 1\n"), ["\u{feff}---\na: 1\n"]);
    }

    #[test]
    fn what_looks_like_a_marker_does_not_cut() {
        assert_eq!(
            texts("a: |\n  ---\n  x\n----\n"),
            ["a: |\n  ---\n  x\n----\n"]
        );
        assert_eq!(texts("---a: 1\n ---\n"), ["---a: 1\n ---\n"]);
    }

    #[test]
    fn a_header_belongs_to_the_document_below_it() {
        assert_eq!(
            texts("# licence\n%YAML 1.1\n---\na: 1\n...\n# more\n---\nb: 1\n"),
            [
                "# licence\n%YAML 1.1\n---\na: 1\n...\n",
                "# more\n---\nb: 1\n"
            ]
        );
        assert_eq!(texts("---\n---\na: 1\n"), ["---\n", "---\na: 1\n"]);
    }

    #[test]
    fn json_values_in_a_row_are_documents() {
        let stream = "{\"a\": 1}{\"b\":\n 2}\n\n{\"c\"\n";
        let chunks = split(stream.as_bytes());
        assert_eq!(
            texts(stream),
            ["{\"a\": 1}", "{\"b\":\n 2}", "\n\n{\"c\"\n"]
        );
        assert!(chunks.iter().all(|chunk| chunk.format == Format::Json));
        assert_eq!(chunks[1].start, Position { line: 1, column: 9 });
        assert_eq!(chunks[2].start, Position { line: 2, column: 4 });
        assert_eq!(split(b"{\"a\": 1}\n")[0].format, Format::Json);
        assert_eq!(split(b"{a: 1}\n")[0].format, Format::Yaml);
        assert_eq!(split(b"{\"a\": 1} # yaml\n")[0].format, Format::Yaml);
        assert_eq!(split(b"---\n{\"a\": 1}\n")[0].format, Format::Yaml);
    }

    #[test]
    fn lines_are_counted_over_documents() {
        let lines: Vec<usize> = split(b"a: 1\n---\nb\n...\n---\nc\n")
            .iter()
            .map(|chunk| chunk.start.line)
            .collect();
        assert_eq!(lines, [1, 2, 5]);
    }
}
