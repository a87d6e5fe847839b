//! Several files at a time.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::auditor::{Auditor, Part};
use crate::manifests::Source;

impl Auditor {
    /// Judges files on all processors; the parts come in the order of the files.
    pub fn judge_all(&self, sources: &[Source]) -> Vec<Part> {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let threads = threads.min(sources.len());
        if threads < 2 {
            return sources.iter().map(|source| self.judge(source)).collect();
        }
        let next = AtomicUsize::new(0);
        let work = || {
            let mut parts = Vec::new();
            while let Some((index, source)) = {
                let index = next.fetch_add(1, Ordering::Relaxed);
                sources.get(index).map(|source| (index, source))
            } {
                parts.push((index, self.judge(source)));
            }
            parts
        };
        let mut parts: Vec<(usize, Part)> = thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers
                .into_iter()
                .flat_map(|worker| match worker.join() {
                    Ok(parts) => parts,
                    Err(panic) => std::panic::resume_unwind(panic),
                })
                .collect()
        });
        parts.sort_by_key(|(index, _)| *index);
        parts.into_iter().map(|(_, part)| part).collect()
    }
}
