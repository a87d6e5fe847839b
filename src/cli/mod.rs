//! The command line: arguments in, exit code out. Commands fetch, call the engine and print.

mod access;
mod audit;
mod call;
mod certs;
mod completions;
mod config;
mod demo;
mod doctor;
mod explain;
mod inject;
mod input;
mod live;
mod planner;
mod rewrite;
mod serve;
mod surroundings;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser, Subcommand};

/// How a command ended; the same numbers for every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Everything is as it should be.
    Clean,
    /// Something was found.
    Findings,
    /// Wrong usage, unreadable input, or a cluster that does not answer.
    Error,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(match status {
            Status::Clean => 0,
            Status::Findings => 1,
            Status::Error => 2,
        })
    }
}

/// Every pod starts when it is ready and leaves when it is drained.
///
/// Podgrace adds to pods what they lack to start and stop without losing a request: a startupProbe, a
/// preStop sleep, and a terminationGracePeriodSeconds that fits both.
#[derive(Debug, Parser)]
#[command(name = "podgrace", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Arguments),
    Demo(demo::Arguments),
    Audit(audit::Arguments),
    Inject(inject::Arguments),
    Explain(explain::Arguments),
    Doctor(doctor::Arguments),
    Certs(certs::Arguments),
    Config(config::Arguments),
    Completions(completions::Arguments),
    #[command(hide = true)]
    Man(completions::Man),
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let arguments = parse();
    let result = match arguments.command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Inject(arguments) => inject::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Certs(arguments) => certs::run(&arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => completions::man(&arguments),
    };
    match result {
        Ok(status) => status.into(),
        // Whoever reads our output has had enough: `podgrace … | head` is no error.
        Err(error) if is_closed_pipe(&error) => Status::Clean.into(),
        Err(error) => {
            complain(&format!("{error:#}"));
            Status::Error.into()
        }
    }
}

/// Reads the arguments. As a kubectl plugin we are called by another name, and help says so.
fn parse() -> Arguments {
    let mut arguments: Vec<_> = std::env::args_os().collect();
    if let Some(name) = arguments.first_mut()
        && std::path::Path::new(name).file_stem() == Some("kubectl-podgrace".as_ref())
    {
        *name = "kubectl podgrace".into();
    }
    Arguments::parse_from(arguments)
}

/// The whole command line, for completions, the man page and the documentation.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs what waits for a cluster.
fn wait<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .context("the runtime does not start")?
        .block_on(work)
}

/// Says something went wrong, on standard error.
fn complain(message: &str) {
    use std::io::Write as _;
    // Where standard error is closed there is nobody left to tell.
    let _ = writeln!(anstream::stderr(), "podgrace: {message}");
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
