//! `podgrace inject`: manifests in, the same manifests out, with what their pods lack.

use std::io::Write as _;

use super::Status;
use super::input::{Files, Input};
use super::rewrite::Rewriter;
use super::surroundings::Surroundings;
use crate::manifests;

/// Print manifests with what their pods lack; change nothing else.
///
/// Comments, quoting, key order and all other documents stay as they are, and a second run changes nothing.
/// Behind Kustomize or as a post-renderer of Helm: podgrace inject -f -
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("input").required(true).args(["filename"]))]
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
    let mut rewriter = Rewriter::new(input);
    let mut out = std::io::stdout().lock();
    let mut printed = Vec::new();
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
            let next = match printed.is_empty() {
                true => &injected[..],
                // It may stand at the beginning of a stream only.
                false => manifests::without_mark(&injected),
            };
            out.write_all(between(&printed, next))?;
            out.write_all(next)?;
            printed = injected;
        }
    }
    out.flush()?;
    Ok(rewriter.input.status)
}

/// What keeps two files that are printed one after the other documents of their own.
fn between(before: &[u8], after: &[u8]) -> &'static [u8] {
    // Directives belong to the document below them, and the one above must have ended.
    let has_directives = after
        .split(|byte| *byte == b'\n')
        .find(|line| !line.trim_ascii().is_empty() && !line.starts_with(b"#"))
        .is_some_and(|line| line.starts_with(b"%"));
    if has_directives {
        return match before.last() {
            None => b"",
            Some(b'\n') => b"...\n",
            Some(_) => b"\n...\n",
        };
    }
    match (before.last(), after.starts_with(b"---")) {
        (None, _) | (Some(b'\n'), true) => b"",
        (Some(b'\n'), false) => b"---\n",
        (Some(_), true) => b"\n",
        (Some(_), false) => b"\n---\n",
    }
}
