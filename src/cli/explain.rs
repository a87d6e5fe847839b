//! `podgrace explain`: what happens to a workload's pods, second by second, and why.

use std::io::Write as _;

use anyhow::bail;

use super::Status;
use super::input::{Files, Input, Surroundings};
use crate::explain::{Explanation, Places, Subject, Template, explain};
use crate::manifests::{self, Document, Source};
use crate::report;
use crate::workload::Workload;

/// Explain what pods get, which setting said so, and what happens when they start and stop.
///
/// For each workload: what is added and why, the grace period's arithmetic, what is left alone, the start and
/// the stop second by second, and what each kind of client can lose, before and after.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The workloads to explain, as shop or deployment/shop; all where none is named.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    surroundings: Surroundings,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people, 80 columns wide.
    Text,
    /// One JSON document.
    Json,
    /// A picture of one workload's start and stop.
    Svg,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Status> {
    let (mut input, sources) = Input::open(&arguments.files, &arguments.surroundings)?;
    let mut found = Found::default();
    for source in &sources {
        for chunk in manifests::split(&source.bytes) {
            if let Some(document) = input.document(source, &chunk) {
                found.explain(arguments, &mut input, source, &document);
            }
        }
    }
    if let Some(name) = arguments.names.iter().find(|n| !found.is_named(n)) {
        bail!("there is no workload {name}; there are: {}", found.list());
    }
    let mut out = anstream::stdout().lock();
    match arguments.output {
        Format::Text => {
            for (index, explanation) in found.explanations.iter().enumerate() {
                if index > 0 {
                    writeln!(out, "\n{}\n", "═".repeat(report::WIDTH))?;
                }
                out.write_all(report::text(explanation).as_bytes())?;
            }
            if found.explanations.is_empty() && input.status == Status::Clean {
                input.fail("there is no workload in what was given");
            }
        }
        Format::Json => {
            let document = serde_json::to_string_pretty(&report::json(&found.explanations))?;
            writeln!(out, "{document}")?;
        }
        Format::Svg => match found.explanations.as_slice() {
            [explanation] => out.write_all(report::svg(explanation).as_bytes())?,
            [] if input.status == Status::Error => {}
            [] => bail!("there is no workload in what was given"),
            _ => bail!(
                "a picture shows one workload; name one of: {}",
                found.list()
            ),
        },
    }
    out.flush()?;
    Ok(input.status)
}

/// What was found so far.
#[derive(Default)]
struct Found {
    explanations: Vec<Explanation>,
    /// All workloads, also those that nobody asked for.
    workloads: Vec<Workload>,
}

impl Found {
    fn explain(
        &mut self,
        arguments: &Arguments,
        input: &mut Input,
        source: &Source,
        document: &Document<'_>,
    ) {
        for workload in input.workloads(source, document) {
            self.workloads.push(workload.clone());
            let asked = |name: &String| names(name, &workload);
            if !arguments.names.is_empty() && !arguments.names.iter().any(asked) {
                continue;
            }
            let explanation =
                input.plan(source, document, &workload, |planner, json, pod, plan| {
                    let context = planner.context(&workload);
                    let places = Places {
                        template: Some(Template {
                            file: &source.name,
                            document,
                            object: &workload.object,
                            pointer: &workload.template,
                        }),
                        namespace: context.namespace.and_then(|n| planner.namespace_places(n)),
                        configuration: Some(&planner.configuration),
                        mode_is_argument: planner.mode_is_argument,
                    };
                    explain(&Subject {
                        workload: &workload,
                        object: document.value().pointer(&workload.object),
                        pod,
                        json,
                        context: &context,
                        plan,
                        places: &places,
                    })
                });
            self.explanations.extend(explanation);
        }
    }

    fn is_named(&self, name: &str) -> bool {
        self.workloads.iter().any(|workload| names(name, workload))
    }

    fn list(&self) -> String {
        let titles: Vec<String> = self.workloads.iter().map(Workload::title).collect();
        if titles.is_empty() {
            return "none".to_owned();
        }
        titles.join(", ")
    }
}

/// Whether somebody means a workload: by its name, or its kind and name.
fn names(asked: &str, workload: &Workload) -> bool {
    match asked.split_once('/') {
        Some((kind, name)) => kind.eq_ignore_ascii_case(&workload.kind) && name == workload.name,
        None => asked == workload.name,
    }
}
