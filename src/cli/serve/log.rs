//! How and what `serve` logs, on standard error.

use anyhow::Context as _;
use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::prelude::*;

#[derive(Debug, clap::Args)]
pub(super) struct LogArguments {
    /// How log lines are written, on standard error.
    #[arg(long, env = "PODGRACE_LOG_FORMAT", value_enum, default_value = "text")]
    log_format: LogFormat,
    /// What is logged: error, warn, info (what was injected), debug (every decision), or a filter by module.
    #[arg(
        long,
        env = "PODGRACE_LOG",
        value_name = "FILTER",
        default_value = "info"
    )]
    log: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogArguments {
    /// Begins to log, panics too: where they were, not what they say, which may quote an object.
    pub(super) fn start(&self) -> anyhow::Result<()> {
        let filter = EnvFilter::try_new(&self.log).context("--log")?;
        let colour =
            anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(colour)
            .with_writer(std::io::stderr);
        let registry = tracing_subscriber::registry().with(filter);
        match self.log_format {
            LogFormat::Text => registry.with(lines.with_target(false)).try_init(),
            LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
        }
        .context("logging does not start")?;
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string);
            tracing::error!(place, "a panic");
        }));
        Ok(())
    }
}
