//! A few fields as the YAML that people paste.

use serde_json::Value;

/// The lines of a value, in block style; ends in a line feed.
pub(super) fn lines(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, 0);
    out
}

fn write(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(fields) => {
            for (index, (key, value)) in fields.iter().enumerate() {
                // The first field of a list's item stands behind its dash.
                if index > 0 || !out.ends_with("- ") {
                    out.extend(std::iter::repeat_n(' ', indent));
                }
                out.push_str(&scalar(key));
                out.push(':');
                child(out, value, indent);
            }
        }
        Value::Array(items) => {
            for item in items {
                out.extend(std::iter::repeat_n(' ', indent));
                out.push_str("- ");
                match item {
                    Value::Object(fields) if !fields.is_empty() => write(out, item, indent + 2),
                    _ => {
                        out.push_str(&flow(item));
                        out.push('\n');
                    }
                }
            }
        }
        _ => {
            out.push_str(&flow(value));
            out.push('\n');
        }
    }
}

/// What stands behind a colon.
fn child(out: &mut String, value: &Value, indent: usize) {
    let is_list_of_objects =
        |items: &Vec<Value>| items.first().is_some_and(|item| item.is_object());
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            out.push('\n');
            write(out, value, indent + 2);
        }
        Value::Array(items) if is_list_of_objects(items) => {
            out.push('\n');
            write(out, value, indent);
        }
        _ => {
            out.push(' ');
            out.push_str(&flow(value));
            out.push('\n');
        }
    }
}

/// On one line. JSON is YAML.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        _ => value.to_string(),
    }
}

/// A string without quotes where it means the same in YAML 1.1.
fn scalar(text: &str) -> String {
    let words = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
        && !words.contains(&text.to_ascii_lowercase().as_str());
    if is_plain {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_come_out_as_people_write_them() {
        let value = json!({"spec": {"grace": 35, "containers": [
            {"name": "shop", "env": [{"name": "A", "value": "true"}], "lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}}},
            {"name": "log", "path": "/a b", "empty": {}},
        ]}});
        assert_eq!(
            lines(&value),
            r#"spec:
  grace: 35
  containers:
  - name: shop
    env:
    - name: A
      value: "true"
    lifecycle:
      preStop:
        exec:
          command: ["sleep","5"]
  - name: log
    path: "/a b"
    empty: {}
"#
        );
    }
}
