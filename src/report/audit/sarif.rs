//! The report as SARIF 2.1.0, for code scanning services and editors.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::{Value, json};

use super::{Run, page, sentences};
use crate::audit::{Found, Place, Report};
use crate::lifecycle::audit::{Rule, Severity};

/// Tells readers which version of the format this is.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The whole document. What somebody accepts and what is in the baseline is not in it: services that do not
/// read suppressions would open an alert for each.
#[derive(Debug, Serialize)]
pub struct Sarif {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [OneRun; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OneRun {
    tool: Value,
    invocations: [Value; 1],
    /// Columns are counted in characters.
    column_kind: &'static str,
    /// There when nothing was found too: without it, services do not close what was found before.
    results: Vec<OneResult>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OneResult {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Text,
    locations: [Location; 1],
    partial_fingerprints: BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize)]
struct Text {
    text: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    physical_location: Option<Value>,
    logical_locations: [Value; 1],
}

/// A report as SARIF.
pub fn sarif(report: &Report, run: &Run) -> Sarif {
    let places: HashMap<&str, usize> = run
        .rules
        .iter()
        .enumerate()
        .map(|(index, rule)| (rule.name, index))
        .collect();
    let mut seen: HashMap<u64, usize> = HashMap::new();
    let results = report.findings.iter().map(|found| {
        let hash = report.fingerprint(found).hash();
        let times = seen.entry(hash).or_insert(0);
        *times += 1;
        let name = found.finding.rule.name;
        OneResult {
            rule_id: name,
            rule_index: places.get(name).copied().unwrap_or_default(),
            level: level(found.finding.severity),
            message: Text {
                text: sentences(found),
            },
            locations: [location(report, run, found)],
            // The first name is the one that code scanning compares; it counts what is alike behind a colon.
            partial_fingerprints: BTreeMap::from([
                ("primaryLocationLineHash", format!("{hash:016x}:{times}")),
                ("podgrace/v1", format!("{hash:016x}")),
            ]),
        }
    });
    let unreadable = report.unreadable.iter().map(|unreadable| {
        let file = unreadable.file.as_deref();
        let location = file.map(|file| physical(run, file, unreadable.at));
        notification("error", &unreadable.message, location)
    });
    let not_looked_at = report.not_looked_at.iter().map(|kind| {
        let location = kind
            .first
            .as_ref()
            .map(|Place { file, line, column }| physical(run, file, Some((*line, *column))));
        notification("note", &kind.sentence, location)
    });
    let notifications: Vec<Value> = unreadable.chain(not_looked_at).collect();
    Sarif {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [OneRun {
            tool: json!({"driver": {
                "name": "Podgrace",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "shortDescription": {"text": env!("CARGO_PKG_DESCRIPTION")},
                "rules": run.rules.iter().map(|rule| descriptor(rule)).collect::<Vec<Value>>(),
            }}),
            column_kind: "unicodeCodePoints",
            results: results.collect(),
            invocations: [json!({
                "executionSuccessful": notifications.is_empty(),
                "toolExecutionNotifications": notifications,
            })],
        }],
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

/// A rule, for readers that show its help beside what it found.
fn descriptor(rule: &Rule) -> Value {
    let address = rule.page();
    let mut about = rule.about.to_owned();
    if let Some(first) = about.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let name: String = rule
        .name
        .split('-')
        .map(|word| word[..1].to_ascii_uppercase() + &word[1..])
        .collect();
    let mut descriptor = json!({
        "id": rule.name,
        "name": name,
        "shortDescription": {"text": format!("{about}.")},
        "fullDescription": {"text": format!("{about}.")},
        "help": {
            "text": format!("{about}. To read more: podgrace audit rules {}", rule.name),
            "markdown": page(rule),
        },
        "defaultConfiguration": {"level": level(rule.severity)},
        "properties": {
            "tags": ["kubernetes", "reliability"],
            "precision": "high",
            "problem.severity": match rule.severity {
                Severity::Info => "recommendation",
                other => other.word(),
            },
        },
    });
    // An address, not the path of a file: readers follow it.
    if address.contains("://") {
        descriptor["helpUri"] = address.into();
    }
    descriptor
}

fn location(report: &Report, run: &Run, found: &Found) -> Location {
    let looked = &report.workloads[found.workload];
    let mut whole = looked.title();
    if let Some(namespace) = &looked.namespace {
        whole = format!("{namespace}/{whole}");
    }
    if let Some(container) = &found.finding.container {
        whole += &format!("/{container}");
    }
    let place = found.place.as_ref();
    if place.is_none() {
        whole += &format!("/{}", found.finding.field());
    }
    Location {
        // An object of a cluster is in no file.
        physical_location: place
            .map(|place| physical(run, &place.file, Some((place.line, place.column)))),
        logical_locations: [json!({
            "name": looked.name,
            "fullyQualifiedName": whole,
            "kind": "resource",
        })],
    }
}

fn physical(run: &Run, file: &str, at: Option<(usize, usize)>) -> Value {
    let uri = run.paths.uri(file);
    let mut location = json!({"artifactLocation": {"uri": uri}});
    if !uri.starts_with("file:") {
        location["artifactLocation"]["uriBaseId"] = "%SRCROOT%".into();
    }
    if let Some((line, column)) = at {
        location["region"] = json!({"startLine": line, "startColumn": column});
    }
    location
}

fn notification(level: &str, message: &str, location: Option<Value>) -> Value {
    let mut notification = json!({"level": level, "message": {"text": message}});
    if let Some(location) = location {
        notification["locations"] = json!([{"physicalLocation": location}]);
    }
    notification
}
