//! The chart's values as a table: what `values.yaml` says of a key stands above it.

use std::path::Path;

use serde_json::Value;

/// Each value by its path, with its default and the comment above it.
pub(crate) fn rows() -> Vec<[String; 3]> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/podgrace/values.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    let values: Value = serde_saphyr::from_str(&text).unwrap();
    let mut rows = Vec::new();
    let (mut path, mut comment) = (Vec::<&str>::new(), String::new());
    // What is inside of a value that has a comment of its own is its default.
    let mut inside = usize::MAX;
    for line in text.lines() {
        let code = line.trim_start();
        let depth = (line.len() - code.len()) / 2;
        if let Some(said) = code.strip_prefix("# ") {
            comment += &format!("{said} ");
            continue;
        }
        let key = code.split_once(':').map(|(key, _)| key);
        let Some(key) = key.filter(|_| depth <= inside && !code.starts_with('-')) else {
            comment.clear();
            continue;
        };
        inside = usize::MAX;
        path.truncate(depth);
        path.push(key);
        let default = values.pointer(&format!("/{}", path.join("/"))).unwrap();
        if comment.is_empty() {
            assert!(
                default.is_object(),
                "{}: nothing is said of it",
                path.join(".")
            );
        } else {
            rows.push([
                format!("`{}`", path.join(".")),
                shown(default),
                comment.trim().to_owned(),
            ]);
            inside = depth;
        }
        comment.clear();
    }
    rows
}

fn shown(default: &Value) -> String {
    match default {
        Value::String(text) if !text.is_empty() => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}
