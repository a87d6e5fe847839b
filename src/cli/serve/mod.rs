//! `podgrace serve`: the webhook.

mod certificates;
mod cluster;
mod in_force;
mod log;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinSet;

use self::certificates::CertificateArguments;
use self::in_force::InForce;
use self::log::LogArguments;
use super::Status;
use super::access::ClusterArguments;
use super::surroundings::SleepActionArgument;
use crate::cluster::Contact;
use crate::config::Configuration;
use crate::lifecycle::policy::SleepAction;
use crate::server::{CertificateSource, ClientAuth, Engine, Options, Stopped, signals};

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
    #[command(flatten)]
    certificates: CertificateArguments,
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
    /// Run on the configuration alone, without an API server: what namespaces say does not count then.
    #[arg(long, env = "PODGRACE_OFFLINE", requires = "tls_cert_file", conflicts_with_all = ["kubeconfig", "context"])]
    offline: bool,
    #[command(flatten)]
    cluster: ClusterArguments,
    /// How sleeps are written where the configuration leaves it open; auto is as the API server's and the
    /// nodes' versions allow, and native without an API server.
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
    #[command(flatten)]
    log: LogArguments,
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration: jiff::SignedDuration = text
        .parse()
        .map_err(|_| "not a duration (write 10s)".to_owned())?;
    Duration::try_from(duration).map_err(|_| "a negative duration".to_owned())
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Status> {
    arguments.log.start()?;
    tokio::runtime::Runtime::new()
        .context("the runtime does not start")?
        .block_on(serve(arguments))
}

async fn serve(arguments: &Arguments) -> anyhow::Result<Status> {
    // A second signal ends everything at once, from here on.
    let (stop, abort) = signals().context("signals cannot be received")?;
    // They end with this.
    let mut tasks = JoinSet::new();
    let mut engine = Engine::default();
    let (configuration, watch) = match &arguments.config {
        None => (Configuration::default(), None),
        Some(file) => {
            let (configuration, watch) = in_force::watched(file).await?;
            (configuration, Some((watch, file.clone())))
        }
    };
    let stated = arguments.sleep_action.action();
    let action = stated.unwrap_or(if arguments.offline {
        SleepAction::Native
    } else {
        cluster::UNTIL_KNOWN
    });
    let in_force = Arc::new(InForce::new(configuration, action, &engine));
    if let Some((watch, file)) = watch {
        let status = Arc::clone(&engine.configuration);
        tasks.spawn(Arc::clone(&in_force).follow(watch, file, status));
    }
    let mut certificate = arguments.certificates.files();
    if !arguments.offline {
        let client = arguments.cluster.access().client().await?;
        let contact = Arc::new(Contact::default());
        if certificate.is_none() {
            let (client, contact) = (client.clone(), Arc::clone(&contact));
            let kept = arguments
                .certificates
                .kept(client, contact, &mut engine, &mut tasks)?;
            certificate = Some(kept);
        }
        let negotiate = stated.is_none();
        cluster::follow(
            client,
            contact,
            &mut engine,
            in_force,
            negotiate,
            &mut tasks,
        );
    }
    let certificate =
        certificate.context("without a cluster there must be a certificate: --tls-cert-file")?;
    let bound = options(arguments, certificate).bind(engine).await?;
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

fn options(arguments: &Arguments, certificate: CertificateSource) -> Options {
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
