//! `podgrace inject`: manifests in, the same manifests out, with what their pods lack.

use std::io::Write as _;

use super::Status;
use super::input::{Files, Input, Surroundings};
use super::rewrite::Rewriter;
use crate::manifests;

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
    let mut rewriter = Rewriter { input };
    let mut out = std::io::stdout().lock();
    let mut first = true;
    for source in sources {
        if arguments.in_place {
            if source.name == "-" {
                anyhow::bail!("standard input cannot be changed in place; leave --in-place out");
            }
            rewriter.rewrite_in_place(&source);
            continue;
        }
        let injected = rewriter.rewrite(&source);
        if arguments.diff {
            let (before, after) = (
                String::from_utf8_lossy(&source.bytes),
                String::from_utf8_lossy(&injected),
            );
            out.write_all(manifests::unified_diff(&source.name, &before, &after).as_bytes())?;
        } else {
            // Files that are printed one after the other must stay documents of their own.
            if !first && !starts_document(&injected) {
                out.write_all(b"---\n")?;
            }
            out.write_all(&injected)?;
            first = false;
        }
    }
    out.flush()?;
    Ok(rewriter.input.status)
}

fn starts_document(text: &[u8]) -> bool {
    text.starts_with(b"---")
}
