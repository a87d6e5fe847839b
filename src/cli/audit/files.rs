//! An audit of files.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Arguments;
use super::progress::Progress;
use crate::audit::{Auditor, Report, in_order, surroundings};
use crate::manifests::{Source, SourceError, is_stdin};

/// How many bytes of files are kept between the two looks at them; the rest are read again.
const KEPT: usize = 4 << 20;
/// A file that is longer is not kept.
const SMALL: usize = 64 << 10;
/// How many files are looked at before it is said how far it is.
const AT_A_TIME: usize = 256;

/// A file between the two looks at it.
enum Entry {
    /// Still in memory: it is small, or can be read only once.
    Kept(Source),
    /// To be read again.
    Named(PathBuf),
    /// Not readable.
    Failed(SourceError),
}

/// Audits the files.
pub(super) fn report(arguments: &Arguments) -> anyhow::Result<Report> {
    let mut auditor = Auditor::new(arguments.options(arguments.surroundings.planner()?));
    // What these say counts before what the input says.
    for source in arguments.surroundings.namespace_sources()? {
        auditor.learn(&source);
        let part = auditor.judge_namespaces(&source);
        auditor.add(part);
    }
    let mut entries = learn(arguments, &mut auditor);
    let mut progress = Progress::new(arguments.quiet);
    let (total, mut done) = (entries.len(), 0);
    for batch in entries.chunks_mut(AT_A_TIME) {
        let judge = |entry: &Entry| match entry {
            Entry::Kept(source) => Some(Ok(auditor.judge(source))),
            Entry::Named(path) => Some(Source::read(path).map(|source| auditor.judge(&source))),
            Entry::Failed(_) => None,
        };
        let judged = in_order(batch, judge);
        for (entry, judged) in batch.iter_mut().zip(judged) {
            // What was kept of it is not needed any more.
            let entry = std::mem::replace(entry, Entry::Named(PathBuf::new()));
            match (judged, entry) {
                (Some(Ok(part)), _) => auditor.add(part),
                (Some(Err(error)), _) | (None, Entry::Failed(error)) => auditor.unreadable(error),
                (None, _) => {}
            }
        }
        done += batch.len();
        progress.tell(|| format!("{done} of {total} files"));
    }
    Ok(auditor.finish())
}

/// The first look: what surrounds the workloads.
fn learn(arguments: &Arguments, auditor: &mut Auditor) -> Vec<Entry> {
    let names: Vec<Result<PathBuf, SourceError>> = arguments.files.names().collect();
    let mut entries = Vec::with_capacity(names.len());
    let mut kept = 0;
    for batch in names.chunks(AT_A_TIME) {
        for (name, looked) in batch.iter().zip(in_order(batch, look)) {
            let (entry, objects) = looked;
            for object in &objects {
                auditor.learn_object(object);
            }
            entries.push(match (entry, name) {
                (Entry::Kept(source), Ok(path)) if kept > KEPT && is_there(path) => {
                    drop(source);
                    Entry::Named(path.clone())
                }
                (entry, _) => entry,
            });
            if let Some(Entry::Kept(source)) = entries.last() {
                kept += source.bytes.len();
            }
        }
    }
    entries
}

/// Reads a file for the first time.
fn look(name: &Result<PathBuf, SourceError>) -> (Entry, Vec<Value>) {
    let failed = |error| (Entry::Failed(error), Vec::new());
    let path = match name {
        Ok(path) => path,
        Err(error) => return failed(error.clone()),
    };
    let source = match is_stdin(path) {
        true => Source::from(std::io::stdin()),
        false => Source::read(path),
    };
    match source {
        Ok(source) => {
            let objects = surroundings(&source);
            let entry = match source.bytes.len() > SMALL && is_there(path) {
                true => Entry::Named(path.clone()),
                false => Entry::Kept(source),
            };
            (entry, objects)
        }
        Err(error) => failed(error),
    }
}

/// Whether it can be read again: standard input and pipes are gone once they are read.
fn is_there(path: &Path) -> bool {
    !is_stdin(path) && path.is_file()
}
