//! `podgrace completions` and the man page, both made from the command line itself.

use std::io::Write as _;
use std::path::PathBuf;

use super::Status;

/// Print a completion script for a shell.
///
/// For bash: podgrace completions bash > /etc/bash_completion.d/podgrace
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The shell.
    shell: clap_complete::Shell,
}

/// Write the man pages, one for each command, into a folder.
#[derive(Debug, clap::Args)]
pub(super) struct Man {
    /// The folder; it must exist.
    folder: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Status> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut super::command(),
        "podgrace",
        &mut script,
    );
    std::io::stdout().write_all(&script)?;
    Ok(Status::Clean)
}

pub(super) fn man(arguments: &Man) -> anyhow::Result<Status> {
    clap_mangen::generate_to(super::command(), &arguments.folder)?;
    Ok(Status::Clean)
}
