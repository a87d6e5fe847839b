//! What a plain YAML scalar means to Kubernetes.
//!
//! kubectl, Helm and the API server read YAML 1.1 through sigs.k8s.io/yaml: `yes`, `on` and `y`
//! are true, `0644` is 420, `1_000` is 1000 and `1.0` reaches the server as 1. These are that
//! library's rules, so that a file means here what it will mean in the cluster.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Number, Value};

/// The value of a scalar: by its tag (the name behind `!!`, nothing for a tag of another kind),
/// else by how it looks if it is plain, else a string. Says what is wrong if its tag does not fit.
pub(crate) fn read(content: Cow<'_, str>, plain: bool, tag: Option<&str>) -> Result<Value, String> {
    let tag = match tag {
        None if plain => {
            return resolve(&content).map_err(|_| format!("JSON has no number {content}"));
        }
        Some("binary") => {
            let compact: String = content.split_ascii_whitespace().collect();
            let bytes = STANDARD.decode(compact).ok();
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            return text
                .map(Value::String)
                .ok_or_else(|| "this !!binary is no base64 of text, which JSON needs".to_owned());
        }
        Some(tag @ ("int" | "float" | "bool" | "null")) => tag,
        // `!!str`, `!`, and the tags of others, which Kubernetes' reader takes for strings.
        _ => return Ok(Value::String(content.into_owned())),
    };
    let value = resolve(&content).ok();
    let value = value.filter(|value| match tag {
        "bool" => value.is_boolean(),
        "null" => value.is_null(),
        "int" => value.is_i64() || value.is_u64(),
        _ => value.is_number(),
    });
    value.ok_or_else(|| format!("{content:?} is no !!{tag}"))
}

/// Reads a plain scalar, or says that it is a number that JSON cannot carry.
fn resolve(plain: &str) -> Result<Value, NotFinite> {
    Ok(match plain {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Value::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF"
        | "-.inf" | "-.Inf" | "-.INF" => return Err(NotFinite),
        _ => number(plain)?.map_or_else(|| Value::String(plain.to_owned()), Value::Number),
    })
}

/// A number such as infinity, which YAML can write and JSON cannot.
#[derive(Debug, PartialEq, Eq)]
struct NotFinite;

fn number(plain: &str) -> Result<Option<Number>, NotFinite> {
    let Some(first) = plain.bytes().next() else {
        return Ok(None);
    };
    if !matches!(first, b'0'..=b'9' | b'+' | b'-' | b'.') || is_date(plain) {
        return Ok(None);
    }
    // A number that begins with a dot may hold no `_` in that library.
    let digits = if first == b'.' {
        plain.to_owned()
    } else {
        plain.replace('_', "")
    };
    if let Some(integer) = integer(&digits) {
        return Ok(Some(integer));
    }
    if !is_decimal(&digits) {
        return Ok(None);
    }
    match digits.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Some(shortest(value))),
        // Out of range: the library's own parser refuses it and the scalar stays a string.
        _ => Ok(None),
    }
}

/// Go writes a float without a fraction as an integer, and so the API server sees one.
fn shortest(value: f64) -> Number {
    // Exact: both bounds are far inside what an i64 and an f64 share.
    if value.fract() == 0.0 && value.abs() < 9.0e15 {
        return Number::from(value as i64);
    }
    Number::from_f64(value).unwrap_or_else(|| Number::from(0))
}

fn integer(text: &str) -> Option<Number> {
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (digits, radix) = radix(unsigned);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    if negative {
        return i64::from_str_radix(&format!("-{digits}"), radix)
            .ok()
            .map(Number::from);
    }
    u64::from_str_radix(digits, radix).ok().map(Number::from)
}

fn radix(text: &str) -> (&str, u32) {
    let mut bytes = text.bytes();
    match (bytes.next(), bytes.next()) {
        (Some(b'0'), Some(b'x' | b'X')) => (&text[2..], 16),
        (Some(b'0'), Some(b'o' | b'O')) => (&text[2..], 8),
        (Some(b'0'), Some(b'b' | b'B')) => (&text[2..], 2),
        (Some(b'0'), Some(_)) => (&text[1..], 8),
        _ => (text, 10),
    }
}

/// `12`, `1.`, `.5`, `1e3`, with a sign; not `inf`, which Rust would take.
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| {
            let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !exponent.is_empty() && digits(exponent)
        })
}

/// Dates stay strings, but a writer must quote them: other readers make timestamps of them.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 8
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && bytes[5].is_ascii_digit()
}

/// `12:30:45`, which YAML 1.1 (but not Kubernetes) reads in base 60.
fn is_sexagesimal(text: &str) -> bool {
    text.contains(':')
        && text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'))
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b':' | b'_' | b'+' | b'-' | b'.'))
}

/// Whether a plain scalar with this text would be read as this string by every reader of YAML
/// that a manifest meets, 1.1 or 1.2.
pub(crate) fn is_string_to_everyone(text: &str) -> bool {
    resolve(text).is_ok_and(|value| value.is_string())
        && !is_date(text)
        && !is_sexagesimal(text)
        && text.parse::<f64>().is_err()
        && !matches!(text, "=" | "<<")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_as_kubernetes_reads() {
        let cases = [
            ("", json!(null)),
            ("~", json!(null)),
            ("yes", json!(true)),
            ("n", json!(false)),
            ("nO", json!("nO")),
            ("0644", json!(420)),
            ("0o17", json!(15)),
            ("1_000", json!(1000)),
            ("1.0", json!(1)),
            ("1e3", json!(1000)),
            ("1.", json!(1)),
            (".5", json!(0.5)),
            ("-.5e-3", json!(-0.0005)),
            ("2001-01-01", json!("2001-01-01")),
            ("12:30:45", json!("12:30:45")),
            ("0x1F", json!(31)),
            ("0b11", json!(3)),
            ("+5", json!(5)),
            ("-0", json!(0)),
            ("09", json!(9)),
            ("08", json!(8)),
            ("010", json!(8)),
            ("18446744073709551615", json!(18446744073709551615_u64)),
            ("-9223372036854775808", json!(-9223372036854775808_i64)),
            (
                "123456789012345678901234567890",
                json!(1.2345678901234568e29),
            ),
            ("1e999", json!("1e999")),
            ("inf", json!("inf")),
            ("5m", json!("5m")),
            ("-", json!("-")),
            ("+-5", json!("+-5")),
            ("0x", json!("0x")),
            ("1.2.3", json!("1.2.3")),
        ];
        for (plain, value) in cases {
            assert_eq!(resolve(plain), Ok(value), "{plain}");
        }
        assert_eq!(resolve(".inf"), Err(NotFinite));
    }

    #[test]
    fn what_a_reader_would_mistake_is_quoted() {
        for text in [
            "yes",
            "null",
            "",
            "1.0",
            "0x1",
            "12:30",
            "2001-01-01",
            "inf",
            "1_0",
            "=",
            "<<",
            "0o7",
        ] {
            assert!(!is_string_to_everyone(text), "{text}");
        }
        for text in ["yess", "5m", "10.0.0.1", "/healthz", "http", "1.2.3"] {
            assert!(is_string_to_everyone(text), "{text}");
        }
    }
}
