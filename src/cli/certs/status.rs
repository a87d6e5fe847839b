//! `podgrace certs status`.

use std::io::Write as _;
use std::time::SystemTime;

use anyhow::Context as _;
use clap::ValueEnum;
use jiff::Timestamp;

use super::Where;
use crate::certs::{Certificate, Inspection};
use crate::cli::Status;
use crate::lifecycle::seconds;

/// Tell how the certificate is doing that podgrace serve keeps: 0 where all is well, 1 where not.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Where,
    /// How it is told.
    #[arg(short, long, value_enum, default_value = "text")]
    output: Output,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<Status> {
    let found = look(&arguments.place).await?;
    let mut out = anstream::stdout();
    match arguments.output {
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&found)?)?,
        Output::Text => write!(out, "{}", text(&found, Timestamp::now()))?,
    }
    Ok(match found.problems.is_empty() {
        true => Status::Clean,
        false => Status::Findings,
    })
}

/// Reads the Secret and the configurations.
pub(super) async fn look(place: &Where) -> anyhow::Result<Inspection> {
    let client = place.cluster.access().client().await?;
    let store = place.objects.store(&client);
    let secret = store
        .get()
        .await
        .with_context(|| format!("Secret {}", store.name()))?;
    let mut configurations = Vec::new();
    for configuration in place.objects.configurations(&client) {
        let object = configuration
            .get()
            .await
            .with_context(|| configuration.title())?;
        configurations.push((configuration, object));
    }
    let names = place.objects.names(&client);
    Ok(Inspection::of(
        &store,
        secret.as_ref(),
        &configurations,
        &names,
        SystemTime::now(),
    ))
}

fn text(found: &Inspection, now: Timestamp) -> String {
    let mut text = String::new();
    for (title, certificate) in [("served", &found.certificate), ("next", &found.next)] {
        if let Some(certificate) = certificate {
            text += &format!(
                "{title:<8} {}\n         names {}\n",
                line(certificate, now),
                certificate.names.join(", ")
            );
        }
    }
    for ca in &found.trusted {
        text += &format!("trusted  {}\n", line(ca, now));
    }
    for webhook in &found.webhooks {
        let trusts = if webhook.trusts {
            "trusts it"
        } else {
            "DOES NOT TRUST it"
        };
        text += &format!(
            "webhook  {} in {} {trusts}\n",
            webhook.name, webhook.configuration
        );
    }
    for problem in &found.problems {
        text += &format!("problem: {problem}\n");
    }
    if found.problems.is_empty() {
        text += "All is well.\n";
    }
    text
}

fn line(certificate: &Certificate, now: Timestamp) -> String {
    let left = certificate.not_after.duration_since(now);
    let left = match left.is_negative() {
        true => "EXPIRED".to_owned(),
        false => format!("{} left", seconds::rough(left.as_secs().unsigned_abs())),
    };
    format!(
        "{} by {}, until {} ({left}), SHA-256 {}…",
        certificate.subject,
        certificate.issuer,
        certificate.not_after,
        certificate.fingerprint.get(..16).unwrap_or_default()
    )
}
