//! `podgrace audit --fix`: what `inject --in-place` does, before the files are audited.

use anyhow::bail;

use crate::cli::input::{Files, Input};
use crate::cli::rewrite::Rewriter;
use crate::cli::surroundings::Surroundings;
use crate::cli::{Status, complain};

/// Writes into the files what podgrace adds. What is wrong with them is told by the audit that follows.
pub(super) fn fix(
    files: &Files,
    surroundings: &Surroundings,
    is_quiet: bool,
) -> anyhow::Result<Status> {
    if files.has_stdin() {
        bail!("standard input cannot be changed in place; use podgrace inject -f -");
    }
    let (input, sources) = Input::open_silently(files, surroundings)?;
    let mut rewriter = Rewriter::new(input);
    let mut changed = 0;
    for source in &sources {
        changed += usize::from(rewriter.rewrite_in_place(source));
    }
    if !is_quiet {
        complain(&match changed {
            0 if rewriter.input.status != Status::Clean => {
                "no file changed: what could not be written is said above".to_owned()
            }
            0 => "nothing to write: no file lacks what podgrace adds".to_owned(),
            1 => "1 file changed; what is told is what is left".to_owned(),
            _ => format!("{changed} files changed; what is told is what is left"),
        });
    }
    Ok(rewriter.input.status)
}
