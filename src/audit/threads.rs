//! Several files or objects at a time.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use super::auditor::{Auditor, Part};
use crate::manifests::Source;

impl Auditor {
    /// Judges files on all processors; the parts come in the order of the files.
    pub fn judge_all(&self, sources: &[Source]) -> Vec<Part> {
        in_order(sources, |source| self.judge(source))
    }

    /// Judges objects of a cluster on all processors; the parts come in the order of the objects.
    pub fn judge_objects(&self, objects: &[Value]) -> Vec<Part> {
        in_order(objects, |object| self.judge_object(object))
    }
}

/// What becomes of each of them, in their order.
fn in_order<T: Sync>(items: &[T], judge: impl Fn(&T) -> Part + Sync) -> Vec<Part> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = threads.min(items.len());
    if threads < 2 {
        return items.iter().map(judge).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut parts = Vec::new();
        while let Some((index, item)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            items.get(index).map(|item| (index, item))
        } {
            parts.push((index, judge(item)));
        }
        parts
    };
    let mut parts: Vec<(usize, Part)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(&work)).collect();
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
