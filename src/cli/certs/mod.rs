//! `podgrace certs`: how the serving certificate is doing, a renewal before its time, a pair in files.

mod generate;
mod objects;
mod rotate;
mod status;

use super::access::ClusterArguments;
use super::{Status, wait};
pub(super) use objects::CertificateObjects;

/// Look at the serving certificate, renew it, or make one for files.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Status(status::Arguments),
    Rotate(rotate::Arguments),
    Generate(generate::Arguments),
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Status> {
    match &arguments.command {
        Command::Status(arguments) => wait(status::run(arguments)),
        Command::Rotate(arguments) => wait(rotate::run(arguments)),
        Command::Generate(arguments) => generate::run(arguments),
    }
}

/// The cluster, and what in it has to do with the certificate.
#[derive(Debug, clap::Args)]
struct Where {
    #[command(flatten)]
    cluster: ClusterArguments,
    #[command(flatten)]
    objects: CertificateObjects,
}
