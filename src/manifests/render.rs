//! New values as people would write them.

use serde_json::Value;

use super::scalar::is_string_to_everyone;
use super::style::Indentation;

/// Where a scalar stands, which decides what must be quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    /// On a line of its own mapping or list.
    Block,
    /// Between brackets.
    Flow,
    /// In JSON, or in YAML whose keys are quoted as in JSON.
    Json,
}

/// The lines, without line ends, of `key: value` in a block mapping at column `indent`.
pub(crate) fn entry(key: &str, value: &Value, indent: usize, style: Indentation) -> Vec<String> {
    let key = string(key, Context::Block);
    let head = format!("{:indent$}{key}:", "");
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            let mut lines = vec![head];
            lines.extend(children(value, indent, style));
            lines
        }
        Value::Array(items) if !items.is_empty() => {
            let mut lines = vec![head];
            lines.extend(children(value, indent, style));
            lines
        }
        _ => leaf(&head, value, indent + style.mapping),
    }
}

/// The lines of a filled collection that belongs to a key at column `indent`.
pub(crate) fn children(value: &Value, indent: usize, style: Indentation) -> Vec<String> {
    match value {
        Value::Object(entries) => {
            let lines = entries.iter();
            lines
                .flat_map(|(key, value)| entry(key, value, indent + style.mapping, style))
                .collect()
        }
        Value::Array(items) => {
            let items = items.iter();
            items
                .flat_map(|value| item(value, indent + style.sequence, 2, style))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// The lines of a list item whose dash is at column `indent` and whose content is `offset`
/// columns further.
pub(crate) fn item(value: &Value, indent: usize, offset: usize, style: Indentation) -> Vec<String> {
    let inner = indent + offset;
    let mut lines: Vec<String> = match value {
        Value::Object(entries) if !entries.is_empty() => {
            let lines = entries.iter();
            lines
                .flat_map(|(key, value)| entry(key, value, inner, style))
                .collect()
        }
        Value::Array(items) if !items.is_empty() => {
            let items = items.iter();
            items
                .flat_map(|value| item(value, inner, 2, style))
                .collect()
        }
        _ => return leaf(&format!("{:indent$}-", ""), value, inner),
    };
    // The first line shares its own with the dash.
    if let Some(first) = lines.first_mut() {
        first.replace_range(indent..=indent, "-");
    }
    lines
}

/// A scalar or empty collection behind its key or dash; text of several lines as a literal block
/// whose lines are at column `indent`.
fn leaf(head: &str, value: &Value, indent: usize) -> Vec<String> {
    if let Some(text) = value.as_str().filter(|text| is_literal(text)) {
        let mut lines = vec![format!("{head} |-")];
        lines.extend(text.split('\n').map(|line| match line {
            "" => String::new(),
            line => format!("{:indent$}{line}", ""),
        }));
        return lines;
    }
    vec![format!("{head} {}", inline(value, Context::Block))]
}

/// Whether a literal block reads as exactly this text. One that ends with a line break would need the file
/// to end with one too, which not every file does.
fn is_literal(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\t', '\n'])
        && !text.ends_with('\n')
        && text
            .lines()
            .all(|line| line.is_empty() || !line.trim().is_empty())
        && text.chars().all(|c| c == '\n' || is_printable(c))
}

/// A scalar or empty collection on one line.
pub(crate) fn inline(value: &Value, context: Context) -> String {
    match value {
        Value::String(text) => string(text, context),
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
        other => other.to_string(),
    }
}

/// A string, quoted where it must be.
pub(crate) fn string(text: &str, context: Context) -> String {
    if context != Context::Json && is_plain(text, context) {
        return text.to_owned();
    }
    let single = context != Context::Json
        && text.contains(['"', '\\'])
        && !text.contains('\'')
        && text.chars().all(is_printable);
    if single {
        return format!("'{text}'");
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    for c in Value::from(text).to_string().chars() {
        match c {
            // Legal in JSON, but a line break or invisible to YAML.
            c if c as u32 <= 0xffff && !is_printable(c) => {
                quoted.push_str(&format!("\\u{:04x}", c as u32));
            }
            c => quoted.push(c),
        }
    }
    quoted
}

/// Whether a string reads as itself without quotes.
fn is_plain(text: &str, context: Context) -> bool {
    let mut chars = text.chars();
    let (Some(first), second) = (chars.next(), chars.next()) else {
        return false;
    };
    let starts_plain = match first {
        '-' | '?' | ':' => {
            second.is_some_and(|c| !c.is_whitespace() && !matches!(c, ',' | '[' | ']' | '{' | '}'))
                && !text.starts_with("---")
        }
        ',' | '[' | ']' | '{' | '}' | '#' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
        | '@' | '`' => false,
        _ => true,
    };
    starts_plain
        && !text.starts_with(' ')
        && !text.ends_with([' ', ':'])
        && !text.starts_with("...")
        && !text.contains(": ")
        && !text.contains(" #")
        && text.chars().all(is_printable)
        // Older readers refuse a colon between brackets.
        && !(context == Context::Flow && text.contains([',', '[', ']', '{', '}', ':', '?']))
        && is_string_to_everyone(text)
}

/// Whether a character may stand in YAML text as it is, other than as white space.
fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TWO: Indentation = Indentation {
        mapping: 2,
        sequence: 0,
    };

    fn lines(value: &Value, style: Indentation) -> String {
        entry("key", value, 0, style).join("\n")
    }

    #[test]
    fn a_probe_looks_as_people_write_it() {
        let probe = json!({"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1});
        assert_eq!(
            lines(&probe, TWO),
            "key:\n  httpGet:\n    path: /healthz\n    port: http\n  periodSeconds: 1"
        );
        let exec = json!({"exec": {"command": ["sleep", "5"]}});
        assert_eq!(
            lines(&exec, TWO),
            "key:\n  exec:\n    command:\n    - sleep\n    - \"5\""
        );
        let four = Indentation {
            mapping: 4,
            sequence: 2,
        };
        assert_eq!(
            lines(&json!([{"name": "A", "value": "1"}, ["x", []]]), four),
            "key:\n  - name: A\n    value: \"1\"\n  - - x\n    - []"
        );
    }

    #[test]
    fn several_lines_are_a_literal_block() {
        assert_eq!(
            lines(&json!("if x\nthen\n\n  y"), TWO),
            "key: |-\n  if x\n  then\n\n    y"
        );
        assert_eq!(lines(&json!("a\nb\n"), TWO), "key: \"a\\nb\\n\"");
        assert_eq!(lines(&json!("a\nb"), TWO), "key: |-\n  a\n  b");
        assert_eq!(lines(&json!(" a\nb"), TWO), "key: \" a\\nb\"");
    }

    #[test]
    fn quotes_only_where_needed() {
        for text in [
            "http", "/healthz", "-c", "--flag", ":8080", "a:b", "$(VAR)", "é", "a b",
        ] {
            assert_eq!(string(text, Context::Block), text);
        }
        for text in [
            "", "yes", "No", "on", "null", "~", "1.0", "0x1", "0644", "12:30:45", "*a", "&a", "!a",
            "%a", "@a", "`a", "- a", "-", "a: b", "a #b", "a:", " a", "a ", "#a", "[a", "{a",
            "---",
        ] {
            assert_eq!(string(text, Context::Block), format!("\"{text}\""));
        }
        assert_eq!(string("a,b", Context::Block), "a,b");
        assert_eq!(string("a,b", Context::Flow), "\"a,b\"");
        assert_eq!(string("say \"x\"", Context::Block), "say \"x\"");
        assert_eq!(string("\"x\"", Context::Block), "'\"x\"'");
        assert_eq!(string("a\tb\u{2028}", Context::Block), "\"a\\tb\\u2028\"");
    }
}
