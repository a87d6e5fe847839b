//! An audit of files.

use std::path::Path;

use super::Arguments;
use super::progress::Progress;
use crate::audit::{Auditor, Report};
use crate::manifests::{Source, SourceError};

/// How many bytes of files are kept between the two looks at them; the rest are read again.
const KEPT: usize = 16 << 20;
/// How many bytes of files are judged at a time.
const AT_A_TIME: usize = 4 << 20;

/// A file between the two looks at it.
enum Entry {
    /// Still in memory: it is small, or can be read only once.
    Kept(Source),
    /// To be read again.
    Named(String),
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
    let entries = learn(arguments, &mut auditor);
    let mut progress = Progress::new(arguments.quiet);
    let total = entries.len();
    let mut done = 0;
    let mut judge = |auditor: &mut Auditor, batch: &mut Vec<Source>| {
        for part in auditor.judge_all(batch) {
            auditor.add(part);
        }
        done += batch.len();
        progress.tell(|| format!("{done} of {total} files"));
        batch.clear();
    };
    let mut batch = Vec::new();
    let mut bytes = 0;
    for entry in entries {
        let source = match entry {
            Entry::Kept(source) => Ok(source),
            Entry::Named(name) => read_again(name),
            Entry::Failed(error) => Err(error),
        };
        match source {
            Ok(source) => {
                bytes += source.bytes.len();
                batch.push(source);
            }
            // Behind what was read before it.
            Err(error) => {
                judge(&mut auditor, &mut batch);
                auditor.unreadable(error);
            }
        }
        if bytes >= AT_A_TIME {
            judge(&mut auditor, &mut batch);
            bytes = 0;
        }
    }
    judge(&mut auditor, &mut batch);
    Ok(auditor.finish())
}

/// The first look: what surrounds the workloads.
fn learn(arguments: &Arguments, auditor: &mut Auditor) -> Vec<Entry> {
    let mut kept = 0;
    let mut entries = Vec::new();
    for source in arguments.files.sources() {
        entries.push(match source {
            Ok(source) => {
                auditor.learn(&source);
                // Standard input and pipes are gone once they are read.
                let is_file = source.name != "-" && Path::new(&source.name).is_file();
                if is_file && kept + source.bytes.len() > KEPT {
                    Entry::Named(source.name)
                } else {
                    kept += source.bytes.len();
                    Entry::Kept(source)
                }
            }
            Err(error) => Entry::Failed(error),
        });
    }
    entries
}

fn read_again(name: String) -> Result<Source, SourceError> {
    match std::fs::read(&name) {
        Ok(bytes) => Ok(Source { name, bytes }),
        Err(error) => Err(SourceError {
            name,
            message: error.to_string(),
        }),
    }
}
