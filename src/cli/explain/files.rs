//! Explanations of manifests.

use anyhow::bail;

use super::named::Named;
use super::{Arguments, Explained};
use crate::cli::Status;
use crate::cli::input::Input;
use crate::explain::{Explanation, Places, Subject, Template, explain};
use crate::manifests::{self, Document, Source};
use crate::workload::Workload;

/// Explains the workloads of files that are named, or all.
pub(super) fn explained(arguments: &Arguments, names: &[Named]) -> anyhow::Result<Explained> {
    let (mut input, sources) = Input::open(&arguments.files, &arguments.surroundings)?;
    let mut found = Found::default();
    for source in &sources {
        for chunk in manifests::split(&source.bytes) {
            if let Some(document) = input.document(source, &chunk) {
                found.explain(names, &mut input, source, &document);
            }
        }
    }
    if let Some(name) = names.iter().find(|name| !found.has(name)) {
        bail!(
            "there is no workload {}; there are: {}",
            name.title(),
            found.list()
        );
    }
    Ok(Explained {
        explanations: found.explanations,
        is_incomplete: input.status == Status::Error,
    })
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
        names: &[Named],
        input: &mut Input,
        source: &Source,
        document: &Document<'_>,
    ) {
        for workload in input.workloads(source, document) {
            self.workloads.push(workload.clone());
            if !names.is_empty() && !names.iter().any(|name| name.means(&workload)) {
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

    fn has(&self, name: &Named) -> bool {
        self.workloads.iter().any(|workload| name.means(workload))
    }

    fn list(&self) -> String {
        let titles: Vec<String> = self.workloads.iter().map(Workload::title).collect();
        if titles.is_empty() {
            return "none".to_owned();
        }
        titles.join(", ")
    }
}
