//! `podgrace serve`: the webhook.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use arc_swap::ArcSwap;
use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::prelude::*;

use super::Status;
use super::input::SleepActionArgument;
use crate::config::Configuration;
use crate::lifecycle::policy::{Policy, SleepAction};
use crate::server::files::{Contents, Watch};
use crate::server::{
    CertificateSource, ClientAuth, Engine, Options, ReloadStatus, Stopped, signals,
};

/// How often the configuration file is looked at: the kill switch acts after so long at most.
const FOLLOW_EVERY: Duration = Duration::from_secs(2);

/// Serve the admission webhook over HTTPS.
///
/// Every flag can also be set by the environment. The certificate, the client CA and the configuration are
/// followed: a changed file counts without a restart, a broken one keeps what serves.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration file.
    #[arg(long, env = "PODGRACE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the webhook listens.
    #[arg(
        long,
        env = "PODGRACE_LISTEN",
        value_name = "ADDR",
        default_value = "[::]:10250"
    )]
    listen: SocketAddr,
    /// Where /livez, /readyz and /metrics are served, in plain HTTP.
    #[arg(
        long,
        env = "PODGRACE_OPS_LISTEN",
        value_name = "ADDR",
        default_value = "[::]:8080"
    )]
    ops_listen: SocketAddr,
    /// The serving certificate, in PEM: the leaf, then its intermediates.
    #[arg(long, env = "PODGRACE_TLS_CERT_FILE", value_name = "FILE")]
    tls_cert_file: PathBuf,
    /// The leaf's private key, in PEM.
    #[arg(long, env = "PODGRACE_TLS_KEY_FILE", value_name = "FILE")]
    tls_key_file: PathBuf,
    /// Answer only clients with a certificate of this CA.
    #[arg(long, env = "PODGRACE_CLIENT_CA_FILE", value_name = "FILE")]
    client_ca_file: Option<PathBuf>,
    /// Of those, only these: a common name or DNS name of the certificate; can be given several times.
    #[arg(
        long,
        env = "PODGRACE_CLIENT_NAME",
        value_name = "NAME",
        value_delimiter = ',',
        requires = "client_ca_file"
    )]
    client_name: Vec<String>,
    /// Run on the configuration alone, without an API server.
    #[arg(long, env = "PODGRACE_OFFLINE")]
    offline: bool,
    /// How sleeps are written where the configuration leaves it open; auto without an API server is native.
    #[arg(
        long,
        env = "PODGRACE_SLEEP_ACTION",
        value_enum,
        default_value = "auto"
    )]
    sleep_action: SleepActionArgument,
    /// For how long everything is still served after SIGTERM, while load balancers learn of the end.
    #[arg(long, env = "PODGRACE_DRAIN_TIME", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    drain_time: Duration,
    /// Connections open at once; one more is closed at once.
    #[arg(
        long,
        env = "PODGRACE_MAX_CONNECTIONS",
        value_name = "N",
        default_value_t = 1024
    )]
    max_connections: usize,
    /// Requests looked at at once; one more is answered without looking at its pod.
    #[arg(
        long,
        env = "PODGRACE_MAX_IN_FLIGHT",
        value_name = "N",
        default_value_t = 256
    )]
    max_in_flight: usize,
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

fn duration(text: &str) -> Result<Duration, String> {
    let duration: jiff::SignedDuration = text
        .parse()
        .map_err(|_| "not a duration (write 10s)".to_owned())?;
    Duration::try_from(duration).map_err(|_| "a negative duration".to_owned())
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Status> {
    log(arguments)?;
    std::panic::set_hook(Box::new(|panic| {
        // The message may quote an object, and logs must not.
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "a panic");
    }));
    if !arguments.offline {
        bail!("this release runs without an API server only: add --offline");
    }
    tokio::runtime::Runtime::new()
        .context("the runtime does not start")?
        .block_on(serve(arguments))
}

fn log(arguments: &Arguments) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&arguments.log).context("--log")?;
    let colour = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(colour)
        .with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    match arguments.log_format {
        LogFormat::Text => registry.with(lines.with_target(false)).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    }
    .context("logging does not start")
}

async fn serve(arguments: &Arguments) -> anyhow::Result<Status> {
    // A second signal ends everything at once, from here on.
    let (stop, abort) = signals().context("signals cannot be received")?;
    let action = arguments
        .sleep_action
        .action()
        .unwrap_or(SleepAction::Native);
    let engine = Engine::default();
    match &arguments.config {
        None => {
            let policy = Configuration::default().policy(action);
            engine.policy.store(Arc::new(policy));
        }
        Some(file) => {
            let watch = Watch::start([file], FOLLOW_EVERY).await;
            let configuration = read(file, watch.contents())?;
            engine.policy.store(Arc::new(configuration.policy(action)));
            tokio::spawn(follow(
                watch,
                file.clone(),
                action,
                Arc::clone(&engine.policy),
                Arc::clone(&engine.configuration),
            ));
        }
    }
    let bound = options(arguments).bind(engine).await?;
    tracing::info!(
        webhook = %bound.webhook_address(),
        ops = %bound.ops_address().unwrap_or(arguments.ops_listen),
        version = env!("CARGO_PKG_VERSION"),
        "serving"
    );
    Ok(match bound.run(stop, abort).await {
        Stopped::Drained => Status::Clean,
        Stopped::CutShort(_) | Stopped::Aborted => Status::Error,
    })
}

fn options(arguments: &Arguments) -> Options {
    let certificate = CertificateSource::Files {
        certificate: arguments.tls_cert_file.clone(),
        key: arguments.tls_key_file.clone(),
    };
    let mut options = Options::new(arguments.listen, certificate);
    options.ops_listen = Some(arguments.ops_listen);
    options.client_auth = arguments.client_ca_file.clone().map(|ca| ClientAuth {
        ca,
        names: arguments.client_name.clone(),
    });
    options.connections.connections = arguments.max_connections;
    options.requests.in_flight = arguments.max_in_flight;
    options.drain = arguments.drain_time;
    options
}

fn read(file: &Path, contents: &Contents) -> anyhow::Result<Configuration> {
    let text = std::str::from_utf8(contents.get(0)?)
        .with_context(|| format!("{}: not UTF-8", file.display()))?;
    Ok(Configuration::parse(file, text)?)
}

/// Takes on the configuration file whenever it changes; a broken one keeps the old one.
async fn follow(
    mut watch: Watch,
    file: PathBuf,
    action: SleepAction,
    policy: Arc<ArcSwap<Policy>>,
    status: Arc<ReloadStatus>,
) {
    loop {
        match read(&file, watch.changed().await) {
            Ok(configuration) => {
                policy.store(Arc::new(configuration.policy(action)));
                status.succeeded();
                tracing::info!(file = %file.display(), "the new configuration holds");
            }
            Err(error) => {
                tracing::error!("{error:#}; the old configuration stays");
                status.failed(format!("{error:#}"));
            }
        }
    }
}
