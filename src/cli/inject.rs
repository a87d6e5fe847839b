//! `podgrace inject`: manifests in, the same manifests out, with what their pods lack.

use std::io::Write as _;

use json_patch::jsonptr::PointerBuf;
use json_patch::{Patch, PatchOperation};

use super::input::{Files, Input, Surroundings, place};
use super::{Status, complain};
use crate::lifecycle::patch;
use crate::lifecycle::policy::Mode;
use crate::lifecycle::text;
use crate::manifests::{self, Document, EditError, Source};
use crate::workload::{Workload, workloads};

/// Print manifests with what their pods lack; change nothing else.
///
/// Comments, quoting, key order and all other documents stay as they are, and a second run changes nothing.
/// As a Helm or Kustomize post-renderer: podgrace inject -f -
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    surroundings: Surroundings,
    /// Print a unified diff instead of the manifests.
    #[arg(long, conflicts_with = "in_place")]
    diff: bool,
    /// Write the changes to the files instead of printing the manifests.
    #[arg(short, long)]
    in_place: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Status> {
    let (input, sources) = Input::open(&arguments.files, &arguments.surroundings)?;
    let mut injector = Injector { input };
    let mut out = std::io::stdout().lock();
    let mut printed = Vec::new();
    for source in sources {
        let injected = injector.inject(&source);
        if arguments.in_place {
            injector.write_back(&source, &injected)?;
        } else if arguments.diff {
            let (before, after) = (
                String::from_utf8_lossy(&source.bytes),
                String::from_utf8_lossy(&injected),
            );
            out.write_all(manifests::unified_diff(&source.name, &before, &after).as_bytes())?;
        } else {
            out.write_all(between(&printed, &injected))?;
            out.write_all(&injected)?;
            printed = injected;
        }
    }
    out.flush()?;
    Ok(injector.input.status)
}

/// What keeps two files that are printed one after the other documents of their own.
fn between(before: &[u8], after: &[u8]) -> &'static [u8] {
    match (before.last(), after.starts_with(b"---")) {
        (None, _) | (Some(b'\n'), true) => b"",
        (Some(b'\n'), false) => b"---\n",
        (Some(_), true) => b"\n",
        (Some(_), false) => b"\n---\n",
    }
}

struct Injector {
    input: Input,
}

impl Injector {
    /// A file's new text. A document that cannot be changed is reported and comes out as it went in.
    fn inject(&mut self, source: &Source) -> Vec<u8> {
        let mut out = Vec::with_capacity(source.bytes.len());
        for chunk in manifests::split(&source.bytes) {
            let document = self.input.document(source, &chunk);
            let edited = document.and_then(|document| self.edited(source, &document));
            match edited {
                Some(text) => out.extend_from_slice(text.as_bytes()),
                None => out.extend_from_slice(&source.bytes[chunk.range]),
            }
        }
        out
    }

    /// The document's new text, where it changes.
    fn edited(&mut self, source: &Source, document: &Document<'_>) -> Option<String> {
        let operations: Vec<PatchOperation> = workloads(document.value())
            .iter()
            .flat_map(|workload| self.operations(source, document, workload))
            .collect();
        if operations.is_empty() {
            return None;
        }
        match manifests::edit(document, &Patch(operations)) {
            Ok(text) => Some(text),
            Err(error) => {
                // All others begin with their place in the file.
                let space = if matches!(error, EditError::Patch(_)) {
                    " "
                } else {
                    ""
                };
                self.input.fail(&format!("{}:{space}{error}", source.name));
                None
            }
        }
    }

    /// What one workload needs, as operations on the whole document.
    fn operations(
        &mut self,
        source: &Source,
        document: &Document<'_>,
        workload: &Workload,
    ) -> Vec<PatchOperation> {
        let place = || place(source, document, workload);
        let planned = self
            .input
            .plan(source, document, workload, |_, _, pod, plan| {
                if plan.mode.value == Mode::Off {
                    return Vec::new();
                }
                for problem in &plan.problems {
                    complain(&format!("{}: {}", place(), text::problem(problem)));
                }
                for skipped in plan.skips.iter().filter(|s| s.why.is_refusal()) {
                    complain(&format!("{}: {}", place(), text::skipped(skipped)));
                }
                match plan.mode.value {
                    Mode::Off | Mode::Audit => {
                        for change in &plan.changes {
                            complain(&format!(
                                "{}: would inject {}",
                                place(),
                                text::change(change)
                            ));
                        }
                        Vec::new()
                    }
                    // The diff is the record: `inject` writes none.
                    Mode::Enforce => patch::patch(pod, &plan.changes, None).0,
                }
            });
        planned
            .into_iter()
            .flatten()
            .map(|operation| below(&workload.template, operation))
            .collect()
    }

    fn write_back(&mut self, source: &Source, injected: &[u8]) -> anyhow::Result<()> {
        if source.name == "-" {
            anyhow::bail!("standard input cannot be changed in place; leave --in-place out");
        }
        if source.bytes != injected
            && let Err(error) = std::fs::write(&source.name, injected)
        {
            self.input.fail(&format!("{}: {error}", source.name));
        }
        Ok(())
    }
}

/// The same operation on an object that stands deeper in a document.
fn below(pointer: &str, mut operation: PatchOperation) -> PatchOperation {
    let deeper = |path: &PointerBuf| {
        PointerBuf::parse(format!("{pointer}{path}")).unwrap_or_else(|_| path.clone())
    };
    match &mut operation {
        PatchOperation::Add(add) => add.path = deeper(&add.path),
        PatchOperation::Replace(replace) => replace.path = deeper(&replace.path),
        // A plan makes no others.
        _ => {}
    }
    operation
}
