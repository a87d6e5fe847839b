//! Manifests with what their pods lack: a file's old text in, its new text out. `inject` prints it or writes
//! it back, and `audit --fix` writes it back.

use json_patch::jsonptr::PointerBuf;
use json_patch::{Patch, PatchOperation};

use super::input::{Input, place};
use super::{Status, complain};
use crate::lifecycle::audit::Controller;
use crate::lifecycle::patch;
use crate::lifecycle::plan::{Change, Plan};
use crate::lifecycle::pod::Pod;
use crate::lifecycle::policy::Mode;
use crate::lifecycle::text;
use crate::manifests::{self, Document, EditError, Source};
use crate::workload::{Workload, workloads};

/// Rewrites one file after the other.
pub(super) struct Rewriter {
    pub(super) input: Input,
}

impl Rewriter {
    /// A file's new text. A document that cannot be changed is reported and comes out as it went in.
    pub(super) fn rewrite(&mut self, source: &Source) -> Vec<u8> {
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

    /// Rewrites a file where it stands; whether that changed it.
    pub(super) fn rewrite_in_place(&mut self, source: &Source) -> bool {
        let rewritten = self.rewrite(source);
        if source.bytes == rewritten {
            return false;
        }
        let written = std::fs::write(&source.name, rewritten);
        if let Err(error) = &written {
            self.fail(&format!("{}: {error}", source.name));
        }
        written.is_ok()
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
                self.fail(&format!("{}:{space}{error}", source.name));
                None
            }
        }
    }

    /// Says what could not be written, which nobody else knows.
    fn fail(&mut self, message: &str) {
        complain(message);
        self.input.status = Status::Error;
    }

    /// What one workload needs, as operations on the whole document.
    fn operations(
        &mut self,
        source: &Source,
        document: &Document<'_>,
        workload: &Workload,
    ) -> Vec<PatchOperation> {
        let place = || place(source, document, workload);
        let mut notes = Vec::new();
        let object = document.value().pointer(&workload.object);
        let template = &workload.template[workload.object.len()..];
        let controller = object.map(|object| Controller::read(object, template));
        let planned = self
            .input
            .plan(source, document, workload, |_, _, pod, plan| {
                if plan.mode.value == Mode::Off {
                    return Vec::new();
                }
                notes.extend(plan.problems.iter().map(text::problem));
                let refusals = plan.skips.iter().filter(|s| s.why.is_refusal());
                notes.extend(refusals.map(text::skipped));
                let deadline = controller.as_ref().and_then(|c| c.progress_deadline);
                notes.extend(deadline.and_then(|deadline| overruns(pod, plan, deadline)));
                match plan.mode.value {
                    Mode::Off | Mode::Audit => {
                        let changes = plan.changes.iter().map(text::change);
                        notes.extend(changes.map(|change| format!("would inject {change}")));
                        Vec::new()
                    }
                    // The diff is the record: `inject` writes none.
                    Mode::Enforce => patch::patch(pod, &plan.changes, None).0,
                }
            });
        // What stands on the workload itself means nothing, whatever it says there.
        for (_, key) in controller.iter().flat_map(|c| &c.misplaced) {
            let kind = workload.kind.to_lowercase();
            notes.push(format!(
                "{key} is on the {kind} and not on its pod template, where it would count"
            ));
        }
        for note in notes {
            self.input.note(&format!("{}: {note}", place()));
        }
        planned
            .into_iter()
            .flatten()
            .map(|operation| below(&workload.template, operation))
            .collect()
    }
}

/// That a start may now take longer than the Deployment waits for it: Ready did not wait for it before. A
/// pod does not show what its Deployment states, so the webhook cannot know; whoever reads the file can.
fn overruns(pod: &Pod<'_>, plan: &Plan, deadline: i64) -> Option<String> {
    let was_ready_at_once = |name: &str| {
        let mut containers = pod.spec.containers.iter();
        containers.any(|c| &*c.name == name && c.readiness_probe.is_none())
    };
    let budgets = plan.changes.iter().filter_map(|change| match change {
        Change::StartupProbe { at, new, .. } if was_ready_at_once(&at.name) => {
            Some(new.timing.budget())
        }
        _ => None,
    });
    let budget = budgets.max()?;
    (i64::try_from(budget).unwrap_or(i64::MAX) > deadline).then(|| {
        format!(
            "a start may take {budget}s with the startupProbe, and progressDeadlineSeconds calls the rollout \
             failed after {deadline}s without Ready"
        )
    })
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
