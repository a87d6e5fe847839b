//! `podgrace config`: look at a configuration file before the server does.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;

use super::{Status, complain};
use crate::config::{self, Configuration};

/// Check a configuration file, show what holds, print its JSON Schema.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say whether files are understood; exit 2 where one is not.
    Check {
        /// Configuration files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Show every key with the value that holds and where it comes from.
    Show {
        /// A configuration file; without one, what is built in.
        #[arg(long, env = "PODGRACE_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
        /// How to print it.
        #[arg(short, long, value_enum, default_value_t = Format::Table)]
        output: Format,
    },
    /// Print the JSON Schema of the configuration file, for editors and CI.
    Schema,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// Columns for people.
    Table,
    /// One JSON document.
    Json,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Status> {
    match &arguments.command {
        Command::Check { files } => check(files),
        Command::Show { config, output } => show(config.as_deref(), *output),
        Command::Schema => {
            let schema = serde_json::to_string_pretty(&config::schema())?;
            writeln!(std::io::stdout(), "{schema}")?;
            Ok(Status::Clean)
        }
    }
}

fn check(files: &[PathBuf]) -> anyhow::Result<Status> {
    let mut status = Status::Clean;
    for file in files {
        match Configuration::load(file) {
            Ok(_) => writeln!(std::io::stdout(), "{}: ok", file.display())?,
            Err(error) => {
                complain(&error.to_string());
                status = Status::Error;
            }
        }
    }
    Ok(status)
}

fn show(file: Option<&std::path::Path>, format: Format) -> anyhow::Result<Status> {
    let configuration = match file {
        Some(file) => Configuration::load(file).context("the configuration cannot be used")?,
        None => Configuration::default(),
    };
    let shown = config::show(&configuration);
    let mut out = std::io::stdout().lock();
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&shown)?)?,
        Format::Table => {
            let width = |text: fn(&config::Shown) -> &str| {
                shown.iter().map(|s| text(s).len()).max().unwrap_or(0)
            };
            let (keys, values) = (width(|s| &s.key), width(|s| &s.value));
            for line in &shown {
                writeln!(
                    out,
                    "{:keys$}  {:values$}  {}",
                    line.key, line.value, line.origin
                )?;
            }
        }
    }
    Ok(Status::Clean)
}
