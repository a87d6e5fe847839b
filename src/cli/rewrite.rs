//! Manifests with what their pods lack: a file's old text in, its new text out. `inject` prints it or writes
//! it back, and `audit --fix` writes it back.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::Path;

use json_patch::jsonptr::PointerBuf;
use json_patch::{Patch, PatchOperation};

use super::input::{Input, place};
use super::{Status, complain};
use crate::lifecycle::audit::Controller;
use crate::lifecycle::patch;
use crate::lifecycle::policy::Mode;
use crate::lifecycle::remarks::{self, About};
use crate::manifests::{self, Document, EditError, Source};
use crate::workload::Workload;

/// Rewrites one file after the other.
pub(super) struct Rewriter {
    pub(super) input: Input,
    /// What was said about the manifests.
    told: HashSet<String>,
}

impl Rewriter {
    pub(super) fn new(input: Input) -> Self {
        Self {
            input,
            told: HashSet::new(),
        }
    }

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
        let written = replace(Path::new(&source.name), &rewritten);
        if let Err(error) = &written {
            self.fail(&format!("{}: it cannot be written: {error}", source.name));
        }
        written.is_ok()
    }

    /// The document's new text, where it changes.
    fn edited(&mut self, source: &Source, document: &Document<'_>) -> Option<String> {
        let workloads = self.input.workloads(source, document);
        let operations: Vec<PatchOperation> = workloads
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
        let object = document.value().pointer(&workload.object);
        let template = &workload.template[workload.object.len()..];
        let controller = object.map(|object| Controller::read(object, template));
        let controller = controller.unwrap_or_default();
        let mut notes = Vec::new();
        let planned = self
            .input
            .plan(source, document, workload, |planner, _, pod, plan| {
                let at = |about: &About| match about {
                    About::Pod(pointer) => {
                        let pointer = format!("{}{pointer}", workload.template);
                        place(source, document, workload, &pointer)
                    }
                    About::Maker(pointer) => {
                        let pointer = format!("{}{pointer}", workload.object);
                        place(source, document, workload, &pointer)
                    }
                    About::Namespace(key) => planner.in_namespace(workload, key),
                };
                let remarks = remarks::on_workload(pod, plan, &controller);
                let remarks = remarks.iter();
                notes.extend(
                    remarks.map(|remark| format!("{}: {}", at(&remark.about), remark.text)),
                );
                let place = place(source, document, workload, &workload.template);
                notes.extend(remarks::would_inject(plan).map(|told| format!("{place}: {told}")));
                match plan.mode.value {
                    Mode::Off | Mode::Audit => Vec::new(),
                    // The diff is the record: `inject` writes none.
                    Mode::Enforce => patch::patch(pod, &plan.changes, None).0,
                }
            });
        for note in notes {
            // What a Namespace says wrongly is wrong once, and not in each of its workloads.
            if !self.told.contains(&note) {
                self.input.note(&note);
                self.told.insert(note);
            }
        }
        planned
            .into_iter()
            .flatten()
            .map(|operation| below(&workload.template, operation))
            .collect()
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

/// Gives a file new contents, or leaves it as it is: never a half of either. A link stays a link.
fn replace(path: &Path, contents: &[u8]) -> std::io::Result<()> {
    let path = std::fs::canonicalize(path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let metadata = std::fs::metadata(&path)?;
    if metadata.permissions().readonly() {
        return Err(std::io::ErrorKind::PermissionDenied.into());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = folder.join(format!(".{name}.{}.podgrace", std::process::id()));
    let written = std::fs::File::create_new(&new).and_then(|mut file| {
        file.write_all(contents)?;
        file.set_permissions(metadata.permissions())?;
        file.sync_all()?;
        std::fs::rename(&new, &path)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
}
