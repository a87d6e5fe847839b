//! `podgrace doctor`: is the webhook there, does it work, and which pods run without what they would get?

mod backend;
mod handshake;
mod look;
mod pods;
mod trial;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use super::access::ClusterArguments;
use super::audit::FailOn;
use super::serve::duration;
use super::{Status, wait};
use crate::doctor::diagnose;
use crate::report::doctor as print;
use look::look;

/// How long it waits before it looks again.
const PAUSE: Duration = Duration::from_secs(2);

/// Look at the installed webhook: is it there, does it work, and which pods run without it?
///
/// The cluster, the webhook and what it points at, its certificate, how it is registered, whether a pod comes
/// back injected (by server-side dry run; nothing is made), which namespaces are in, which running pods were
/// missed and why; each with the command that mends it. It only reads. Exit code 0 if all is well, 1 for
/// findings of the severity of --fail-on or worse, 2 if the cluster does not answer.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    cluster: ClusterArguments,
    /// Look at the pods of this Namespace only, and try one there.
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    /// Look at the pods of all Namespaces, as without -n.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// Look at pods with these labels only, as kubectl takes them: app=shop,tier!=cache.
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// The configuration file, instead of the one in the cluster.
    #[arg(long, env = "PODGRACE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// A MutatingWebhookConfiguration that is Podgrace's whatever its webhooks are called. Those that are called
    /// ….podgrace.io are known.
    #[arg(long, value_name = "NAME")]
    webhook_configuration: Option<String>,
    /// The mildest severity that makes the exit code 1. What could not be looked at counts as a warning.
    #[arg(long, value_enum, default_value_t = FailOn::Warning, value_name = "SEVERITY")]
    fail_on: FailOn,
    /// Look again until nothing of that severity is found, for so long: an installation that is seconds old
    /// needs some more.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    wait: Duration,
    /// How it is told.
    #[arg(short, long, value_enum, default_value = "text")]
    output: Output,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

impl Arguments {
    /// How a program is called for the same cluster.
    fn called(&self, program: &str) -> String {
        program.to_owned() + &self.cluster.arguments()
    }
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Status> {
    wait(async {
        let since = Instant::now();
        let (report, is_found) = loop {
            let report = diagnose(&look(arguments).await?);
            let is_found = report.worst() >= Some(arguments.fail_on.severity());
            if !is_found || since.elapsed() >= arguments.wait {
                break (report, is_found);
            }
            tokio::time::sleep(PAUSE).await;
        };
        let mut out = anstream::stdout().lock();
        match arguments.output {
            Output::Text => write!(out, "{}", print::text(&report))?,
            Output::Json => {
                writeln!(
                    out,
                    "{}",
                    serde_json::to_string_pretty(&print::json(&report))?
                )?;
            }
        }
        out.flush()?;
        Ok(match is_found {
            true => Status::Findings,
            false => Status::Clean,
        })
    })
}
