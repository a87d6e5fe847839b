//! The tables and the commands' output in the README and in `docs/` are made by what they describe.
//!
//! What stands between `<!-- generated: NAME -->` and `<!-- end -->` is written by the table of that
//! name below; `output` runs the commands (`$ …`) of the block that stands there, in `docs/examples/`.
//! The test fails where a page says something else; `UPDATE_README=1` rewrites the pages.

#![allow(clippy::unwrap_used)]

#[path = "lossless/report/mod.rs"]
mod proof;
#[path = "readme/values.rs"]
mod values;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use podgrace::lifecycle::handler::Source;
use podgrace::lifecycle::profiles::Profile;
use podgrace::lifecycle::settings::{DOMAIN, Setting};
use podgrace::lifecycle::skip::Skip;
use podgrace::manifests::unified_diff;
use podgrace::{cli, config};
use serde_json::Value;

const START: &str = "<!-- generated: ";
const END: &str = "<!-- end -->";

type Table = (&'static str, fn() -> String);

/// Every table by the name that pages use for it.
const TABLES: [Table; 14] = [
    ("settings", settings),
    ("profiles", profiles),
    ("commands", commands),
    ("flags", flags),
    ("skips", skips),
    ("configuration", configuration),
    ("lossless", proof::page::rows),
    ("lossless-conditions", proof::page::conditions),
    ("lossless-keep-alive", proof::page::keep_alive),
    ("lossless-kinds", proof::page::kinds),
    ("lossless-readiness", proof::page::readiness),
    ("lossless-seconds", proof::page::seconds),
    ("lossless-summary", proof::page::summary),
    ("values", || {
        table(["Value", "Default", "What it is"], values::rows())
    }),
];

#[test]
fn pages_say_what_the_code_says() {
    let update = std::env::var_os("UPDATE_README").is_some();
    let mut used = BTreeSet::new();
    let mut stale = String::new();
    for page in pages() {
        let before = fs::read_to_string(&page).unwrap();
        let after = filled(&page, &before, &mut used);
        if update && before != after {
            fs::write(&page, after).unwrap();
        } else {
            stale += &unified_diff(&page.display().to_string(), &before, &after);
        }
    }
    for (name, _) in TABLES {
        assert!(used.contains(name), "no page has the table {name}");
    }
    assert!(
        stale.is_empty(),
        "run UPDATE_README=1 cargo test --test readme, or make readme:\n{stale}"
    );
}

/// The READMEs and everything in `docs/`.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = walkdir::WalkDir::new(root.join("docs")).sort_by_file_name();
    docs.into_iter()
        .map(|entry| entry.unwrap().into_path())
        .chain(["README.md", "charts/podgrace/README.md"].map(|page| root.join(page)))
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

/// The page with its tables made anew.
fn filled(page: &Path, text: &str, used: &mut BTreeSet<String>) -> String {
    let page = page.display();
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(START) {
        let (name, behind) = rest[at + START.len()..].split_once(" -->").unwrap();
        let end = behind
            .find(END)
            .unwrap_or_else(|| panic!("{page}: the table {name} has no {END}"));
        let made = match TABLES.iter().find(|(known, _)| *known == name) {
            Some((_, table)) => table(),
            None if name == "output" => output(&behind[..end]),
            None => panic!("{page}: there is no table {name}"),
        };
        out += &rest[..at];
        out += &format!("{START}{name} -->\n{}\n{END}", made.trim_end());
        rest = &behind[end + END.len()..];
        used.insert(name.to_owned());
    }
    out + rest
}

/// The block with its commands run anew.
fn output(block: &str) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_podgrace"));
    let mut path = vec![binary.parent().unwrap().to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let mut out = "```console\n".to_owned();
    for command in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let ran = Command::new("sh")
            .args(["-c", &format!("{{ {command}\n}} 2>&1")])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples"))
            .env_clear()
            .env("PATH", std::env::join_paths(&path).unwrap())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        out += &format!("$ {command}\n{}", String::from_utf8_lossy(&ran.stdout));
    }
    out + "```"
}

/// A table in Markdown.
fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let line = |cells: [String; N]| format!("| {} |\n", cells.map(|c| cell(&c)).join(" | "));
    let mut text = line(head.map(str::to_owned));
    text += &format!("|{}\n", "---|".repeat(N));
    rows.into_iter().for_each(|row| text += &line(row));
    text
}

/// Text that stays in its cell.
fn cell(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn settings() -> String {
    let rows = Setting::ALL.map(|setting| {
        let scope = match setting.is_per_container() {
            true => format!("`{}.{DOMAIN}/CONTAINER`", setting.name()),
            false => "no".to_owned(),
        };
        [
            code(&format!("{DOMAIN}/{}", setting.name())),
            setting.values().to_owned(),
            setting.default_text().to_owned(),
            scope,
        ]
    });
    table(
        ["Annotation", "Values", "Default", "For one container"],
        rows,
    )
}

fn profiles() -> String {
    let built_in = config::show(&config::Configuration::default());
    let rows = Profile::built_in_names().map(|name| {
        let profile = Profile::built_in(name).unwrap();
        let start = format!("profiles.{name}.");
        let mut sets: Vec<String> = built_in
            .iter()
            .filter_map(|shown| {
                let setting = shown.key.strip_prefix(&start)?;
                Some(code(&format!("{setting}: {}", shown.value)))
            })
            .collect();
        if profile.spring_boot {
            sets.push("Spring Boot's variables".into());
        }
        let page = format!("docs/profiles/{name}.md");
        assert!(
            Path::new(env!("CARGO_MANIFEST_DIR")).join(&page).exists(),
            "{page} is missing"
        );
        [
            format!("[`{name}`]({page})"),
            profile.about.to_owned(),
            sets.join(", "),
        ]
    });
    table(["Profile", "For", "Sets"], rows)
}

/// The commands that people see, with the path that leads to each.
fn visible(command: &clap::Command, path: &str) -> Vec<(String, clap::Command)> {
    let mut found = Vec::new();
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let path = format!("{path} {}", sub.get_name());
        found.push((path.clone(), sub.clone()));
        found.extend(visible(sub, &path));
    }
    found
}

fn text(styled: Option<&clap::builder::StyledStr>) -> String {
    styled.map(ToString::to_string).unwrap_or_default()
}

fn commands() -> String {
    let rows = visible(&cli::command(), "podgrace")
        .into_iter()
        .filter(|(_, command)| !command.is_subcommand_required_set())
        .map(|(path, command)| [code(&path), text(command.get_about())]);
    table(["Command", "Does"], rows)
}

fn flags() -> String {
    let mut out = String::new();
    for (path, command) in visible(&cli::command(), "podgrace") {
        if command.is_subcommand_required_set() {
            continue;
        }
        let about = text(command.get_long_about().or(command.get_about()));
        out += &format!("### {path}\n\n{}\n\n", about.trim());
        let arguments: Vec<_> = command
            .get_arguments()
            .filter(|argument| !argument.is_hide_set())
            .collect();
        if arguments.is_empty() {
            out += "It takes no flags.\n\n";
            continue;
        }
        out += &table(
            ["Flag", "What it is", "Environment"],
            arguments.into_iter().map(flag),
        );
        out += "\n";
    }
    out
}

fn flag(argument: &clap::Arg) -> [String; 3] {
    let takes_value = argument.get_action().takes_values();
    let value: Vec<String> = match argument.get_value_names() {
        Some(names) if takes_value => names.iter().map(|name| name.to_string()).collect(),
        _ => Vec::new(),
    };
    let long = argument.get_long().map(|long| format!("--{long}"));
    let short = argument.get_short().map(|short| format!("-{short}"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let written = [names.join(", "), value.join(" ")];
    let mut help = text(argument.get_long_help().or(argument.get_help()));
    let full_stop = |text: &mut String| {
        if !text.trim_end().ends_with('.') {
            text.push('.');
        }
    };
    full_stop(&mut help);
    let possible: Vec<String> = argument
        .get_possible_values()
        .iter()
        .map(|value| code(value.get_name()))
        .collect();
    if takes_value && !possible.is_empty() {
        help += &format!(" One of {}.", possible.join(", "));
    }
    let default: Vec<String> = argument
        .get_default_values()
        .iter()
        .map(|value| code(&value.to_string_lossy()))
        .collect();
    if takes_value && !default.is_empty() {
        help += &format!(" Default: {}.", default.join(", "));
    }
    let environment = argument.get_env().map(|name| code(&name.to_string_lossy()));
    [
        code(written.join(" ").trim()),
        help,
        environment.unwrap_or_default(),
    ]
}

/// One of each reason, with what it is about.
fn reasons() -> [(&'static str, Vec<Skip>); 6] {
    [
        (
            "the pod",
            vec![
                Skip::ModeOff,
                Skip::MirrorPod,
                Skip::NamespaceExcluded("NAME".into()),
                Skip::PriorityClass("NAME".into()),
                Skip::GraceZero(0),
                Skip::TooManyContainers(257),
            ],
        ),
        (
            "a container",
            vec![
                Skip::RestartPolicy("OnFailure".into()),
                Skip::RestartRules,
                Skip::InitContainer,
                Skip::NativeSidecar,
                Skip::MeshProxy,
                Skip::ContainerExcluded,
            ],
        ),
        (
            "its startup probe",
            vec![
                Skip::StartupProbePresent,
                Skip::StartupProbeOff,
                Skip::SourceMissing(Source::Liveness),
                Skip::SourceMissing(Source::Readiness),
                Skip::SourceMissing(Source::Port),
                Skip::ExecProbe,
                Skip::PeersNeedReady,
                Skip::ProgressDeadline(900),
                Skip::DelayTooLong(2_147_483_647),
                Skip::PeriodTooLong(900),
                Skip::PortUndeclared("NAME".into()),
                Skip::PortUnclear,
                Skip::ProbeUnreadable,
                Skip::HostNetwork,
                Skip::SpringPortUnclear,
                Skip::SpringTls,
                Skip::SpringActuatorUnclear,
            ],
        ),
        (
            "its sleep",
            vec![
                Skip::PreStopPresent,
                Skip::SleepOff,
                Skip::NotServing,
                Skip::ProbeGrace,
                Skip::MeshProxyLeavesFirst("istio-proxy".into()),
                Skip::GraceOff,
                Skip::SleepExceedsGrace(60, 30),
                Skip::SleepActionOff,
                Skip::WindowsExec,
            ],
        ),
        (
            "Spring Boot's variables",
            vec![Skip::EnvFrom, Skip::VariableStated("server.shutdown")],
        ),
        ("the record", vec![Skip::AnnotationsFull]),
    ]
}

fn skips() -> String {
    let reasons = reasons();
    let codes: Vec<&str> = reasons
        .iter()
        .flat_map(|(_, all)| all)
        .map(Skip::code)
        .collect();
    assert_eq!(codes, Skip::CODES, "every reason, in the order of the code");
    let rows = reasons.iter().flat_map(|(part, all)| {
        all.iter()
            .map(|skip| [code(skip.code()), (*part).to_owned(), skip.sentence()])
    });
    table(["Code", "Left alone", "Sentence"], rows)
}

/// The keys of the configuration file, from its JSON Schema.
fn configuration() -> String {
    let schema = serde_json::to_value(config::schema()).unwrap();
    let mut rows = Vec::new();
    keys(&schema, &schema, "", &mut rows);
    table(["Key", "What it is"], rows)
}

fn keys(root: &Value, object: &Value, path: &str, rows: &mut Vec<[String; 2]>) {
    for (name, property) in object["properties"].as_object().unwrap() {
        let path = format!("{path}{name}");
        let about = property["description"].as_str().unwrap_or_default();
        let values = allowed(root, property);
        let about = match values.is_empty() {
            true => about.to_owned(),
            false => format!("{about} One of {}.", values.join(", ")),
        };
        rows.push([code(&path), about]);
        for inner in alternatives(root, property) {
            if inner["properties"].is_object() {
                keys(root, inner, &format!("{path}."), rows);
            }
        }
    }
}

/// A schema, and those that it refers to.
fn alternatives<'s>(root: &'s Value, schema: &'s Value) -> Vec<&'s Value> {
    let own = [schema].into_iter();
    let any = schema["anyOf"].as_array().into_iter().flatten();
    let items = schema.get("items").into_iter();
    own.chain(any)
        .chain(items)
        .map(|schema| match schema["$ref"].as_str() {
            Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
            None => schema,
        })
        .collect()
}

/// The words that a key takes, where it takes only some.
fn allowed(root: &Value, property: &Value) -> Vec<String> {
    let mut words = Vec::new();
    for schema in alternatives(root, property) {
        let one_of = schema["oneOf"].as_array().into_iter().flatten();
        let constants = one_of
            .chain([schema])
            .filter_map(|schema| schema.get("const"));
        let listed = schema["enum"].as_array().into_iter().flatten();
        words.extend(constants.chain(listed).filter_map(Value::as_str).map(code));
    }
    words
}
