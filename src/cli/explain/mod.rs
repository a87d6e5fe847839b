//! `podgrace explain`: what happens to a workload's pods, second by second, and why.

mod files;
mod live;
mod named;

use std::io::Write as _;

use anyhow::bail;
use clap::ArgGroup;

use super::access::ClusterArguments;
use super::input::Files;
use super::surroundings::Surroundings;
use super::{Status, wait};
use crate::explain::Explanation;
use crate::report;
use named::Named;

/// Explain what pods get, which setting said so, and what happens when they start and stop.
///
/// For each workload: what is added and why, the grace period's arithmetic, what is left alone, the start and
/// the stop second by second, and what each kind of client can lose, before and after.
///
/// Of manifests (-f), or else of a cluster, in the namespace -n or the context's: then also what its running
/// pods did, and whether they carry what they would get.
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("live").multiple(true).conflicts_with("filename")
    .args(["kubeconfig", "context"]))]
pub(super) struct Arguments {
    /// The workloads to explain, as shop, deploy/shop or deploy shop; of files all where none is named.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    cluster: ClusterArguments,
    #[command(flatten)]
    surroundings: Surroundings,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people, 80 columns wide.
    Text,
    /// One JSON document.
    Json,
    /// A picture of one workload's start and stop.
    Svg,
}

/// What there is to print.
#[derive(Default)]
struct Explained {
    explanations: Vec<Explanation>,
    /// Whether something could not be read, which has been said.
    is_incomplete: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Status> {
    let names = Named::all(&arguments.names);
    let Explained {
        explanations,
        is_incomplete,
    } = match arguments.files.is_empty() {
        true => wait(live::explained(arguments, &names))?,
        false => files::explained(arguments, &names)?,
    };
    let mut out = anstream::stdout().lock();
    match arguments.output {
        Format::Text => {
            for (index, explanation) in explanations.iter().enumerate() {
                if index > 0 {
                    writeln!(out, "\n{}\n", "═".repeat(report::WIDTH))?;
                }
                out.write_all(report::text(explanation).as_bytes())?;
            }
            if explanations.is_empty() && !is_incomplete {
                bail!("there is no workload in what was given");
            }
        }
        Format::Json => {
            let document = serde_json::to_string_pretty(&report::json(&explanations))?;
            writeln!(out, "{document}")?;
        }
        Format::Svg => match explanations.as_slice() {
            [explanation] => out.write_all(report::svg(explanation).as_bytes())?,
            [] if is_incomplete => {}
            [] => bail!("there is no workload in what was given"),
            all => {
                let titles: Vec<&str> = all.iter().map(|one| one.title.as_str()).collect();
                bail!(
                    "a picture shows one workload; name one of: {}",
                    titles.join(", ")
                )
            }
        },
    }
    out.flush()?;
    Ok(match is_incomplete {
        true => Status::Error,
        false => Status::Clean,
    })
}
