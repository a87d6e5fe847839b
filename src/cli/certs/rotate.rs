//! `podgrace certs rotate`.

use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, bail};

use super::Where;
use crate::certs::{Step, Store, after};
use crate::cli::Status;
use crate::cli::serve::duration;

/// Renew CA and certificate before their time. The replicas that run do the rest: the new CA joins every
/// caBundle, a minute later its certificate is served, and ten minutes later the old CA is trusted no more.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Where,
    /// How long the new certificate is valid.
    #[arg(long, env = "PODGRACE_CERTIFICATE_LIFETIME", value_name = "DURATION", default_value = "2160h", value_parser = duration)]
    certificate_lifetime: Duration,
    /// For how long to wait until the new certificate is served; 0s does not wait.
    #[arg(long, value_name = "DURATION", default_value = "3m", value_parser = duration)]
    timeout: Duration,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<Status> {
    let mut out = anstream::stdout();
    let client = arguments.place.cluster.access().client().await?;
    let objects = &arguments.place.objects;
    let names = objects.names(&client);
    let store = &objects.store(&client);
    let title = || format!("Secret {}", store.name());
    let staged = loop {
        let secret = store.get().await.with_context(title)?;
        let stored = Store::contents(secret.as_ref());
        if let Err(why) = &stored {
            bail!("{}: {why}; podgrace serve fills it when it runs", title());
        }
        let now = SystemTime::now();
        let lifetime = arguments.certificate_lifetime;
        let (_, contents) =
            after(Step::Stage, &names, lifetime, &stored, None, now).map_err(anyhow::Error::msg)?;
        if store
            .write(secret.as_ref(), &contents)
            .await
            .with_context(title)?
        {
            break contents.next;
        }
        // Somebody changed it between reading and writing.
    };
    writeln!(out, "the next CA and certificate are in {}", title())?;
    let since = Instant::now();
    while since.elapsed() < arguments.timeout {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let secret = store.get().await.with_context(title)?;
        if let Ok(contents) = Store::contents(secret.as_ref())
            && Some(&contents.leaf) == staged.as_ref()
        {
            let seconds = since.elapsed().as_secs();
            writeln!(
                out,
                "the new certificate is served, {seconds} s later; the old CA leaves the bundle by itself"
            )?;
            return Ok(Status::Clean);
        }
    }
    if arguments.timeout.is_zero() {
        return Ok(Status::Clean);
    }
    bail!(
        "no replica has taken the new certificate after {} s: does podgrace serve run, and may it write {}? \
         podgrace certs status tells more",
        arguments.timeout.as_secs(),
        title()
    );
}
