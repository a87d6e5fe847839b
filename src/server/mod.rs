//! The webhook's HTTPS server, from its options to its end:
//!
//! ```text
//! Options + Engine ─ bind ─→ Bound (addresses known) ─ run ─→ Stopped
//! ```
//!
//! ```text
//! listener → connection → handler → admission
//!    tls, client_auth       body      (bytes)
//! ```

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

mod body;
mod client_auth;
mod connection;
mod drain;
pub mod files;
mod handler;
mod handshake;
mod listener;
mod metrics;
mod ops;
mod pace;
mod reload;
mod tls;

pub use client_auth::{ClientAuth, ClientCaError};
pub use drain::signals;
pub use handler::{NamespaceLookup, PendingNamespace, RequestLimits, Unavailable};
pub use listener::ConnectionLimits;
pub use metrics::{CONTENT_TYPE, Metrics};
pub use ops::{Check, Health};
pub use reload::{Failure, ReloadStatus};
pub use tls::{CertificateSource, Identity, PairError};

use crate::lifecycle::policy::Policy;
use crate::workload::Kinds;
use client_auth::ClientCa;
use drain::{Drain, Phase};
use files::Watch;
use handler::Webhook;
use listener::Listener;

/// How to serve.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the webhook listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Where health and metrics are served, in plain HTTP.
    pub ops_listen: Option<SocketAddr>,
    /// What is shown to clients.
    pub certificate: CertificateSource,
    /// Which clients may call; anybody without it.
    pub client_auth: Option<ClientAuth>,
    /// Bounds of connections.
    pub connections: ConnectionLimits,
    /// Bounds of requests.
    pub requests: RequestLimits,
    /// How often certificate and CA files are looked at.
    pub poll_files: Duration,
    /// For how long everything is still served after the request to stop. Load balancers must have
    /// heard of the end by then.
    pub drain: Duration,
    /// For how long what has begun by then may take to finish.
    pub finish: Duration,
}

impl Options {
    /// Options for one listener, with defaults for all else.
    pub fn new(listen: SocketAddr, certificate: CertificateSource) -> Self {
        Self {
            listen,
            ops_listen: None,
            certificate,
            client_auth: None,
            connections: ConnectionLimits::default(),
            requests: RequestLimits::default(),
            poll_files: Duration::from_secs(5),
            drain: Duration::from_secs(10),
            finish: Duration::from_secs(5),
        }
    }
}

/// What decides: shared with those who keep it up to date.
#[derive(Default)]
pub struct Engine {
    /// The policy in force.
    pub policy: Arc<ArcSwap<Policy>>,
    /// The kinds in force, of what makes pods.
    pub kinds: Arc<ArcSwap<Kinds>>,
    /// How the configuration's last reload went, told by whoever follows its file.
    pub configuration: Arc<ReloadStatus>,
    /// Where namespaces are looked up; without it they say nothing.
    pub namespaces: Option<NamespaceLookup>,
    /// Further conditions of readiness.
    pub checks: Vec<Check>,
    /// What else is counted, `podgrace_…`.
    pub metrics: Vec<Register>,
}

/// Adds what somebody counts to what is printed.
pub type Register = Box<dyn FnOnce(&mut Registry) + Send>;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The certificate and key files are of no use.
    #[error("serving certificate {} with key {}: {error}", certificate.display(), key.display())]
    Certificate {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What is wrong.
        error: PairError,
    },
    /// The client CA file is of no use.
    #[error("client CA {}: {error}", ca.display())]
    ClientCa {
        /// The file.
        ca: PathBuf,
        /// What is wrong.
        error: ClientCaError,
    },
    /// TLS cannot be had with this build.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {error}; choose another address or stop what uses it")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
}

/// How the server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Nobody was waiting for anything any more.
    Drained,
    /// So many connections were still busy when the time to finish was over.
    CutShort(usize),
    /// The second request to stop came before the end.
    Aborted,
}

/// A server whose certificate is loaded and whose addresses are known and taken. Connections wait
/// in the kernel's queue until it runs.
pub struct Bound {
    webhook: Listener,
    ops: Option<Listener>,
    webhook_address: SocketAddr,
    ops_address: Option<SocketAddr>,
    metrics: Arc<Metrics>,
    drain: Drain,
    drain_time: Duration,
    finish_time: Duration,
    /// Tasks that follow files; they end with the server.
    followers: JoinSet<()>,
}

impl Options {
    /// Loads the certificate and takes the addresses. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the certificate or the client CA is of no use, or an address cannot be had.
    pub async fn bind(self, engine: Engine) -> Result<Bound, BindError> {
        let mut followers = JoinSet::new();
        let identity = self.identity(&mut followers).await?;
        let (clients, tls) = self.tls(&identity, &mut followers).await?;
        let metrics = Arc::new(Metrics::new(
            &identity,
            &engine.configuration,
            clients.as_deref(),
            engine.metrics,
        ));
        let drain = Drain::new();
        let checks = checks(
            engine.checks,
            identity,
            engine.configuration,
            clients,
            &drain,
        );
        let answers = Webhook::new(
            engine.policy,
            engine.kinds,
            engine.namespaces,
            Arc::clone(&metrics),
            self.requests,
        );
        let webhook = Listener {
            tcp: listen(self.listen).await?,
            tls: Some(tls),
            router: answers.router(),
            limits: self.connections,
            metrics: metrics.connections.clone(),
            drain: drain.clone(),
        };
        let ops = match self.ops_listen {
            None => None,
            Some(address) => Some(Listener {
                tcp: listen(address).await?,
                tls: None,
                router: ops::router(checks, Arc::clone(&metrics)),
                // Everybody reaches it, and a kubelet that does not restarts us: who connects and asks nothing
                // leaves soon.
                limits: ConnectionLimits {
                    connections: 512,
                    idle: Duration::from_secs(5),
                    ..ConnectionLimits::default()
                },
                metrics: metrics::ConnectionMetrics::default(),
                // It is there to the end, to tell of it.
                drain: Drain::new(),
            }),
        };
        Ok(Bound {
            webhook_address: webhook.tcp.local_addr().unwrap_or(self.listen),
            ops_address: ops
                .as_ref()
                .and_then(|ops| ops.tcp.local_addr().ok())
                .or(self.ops_listen),
            webhook,
            ops,
            metrics,
            drain,
            drain_time: self.drain,
            finish_time: self.finish,
            followers,
        })
    }

    async fn identity(&self, followers: &mut JoinSet<()>) -> Result<Arc<Identity>, BindError> {
        let (certificate, key) = match &self.certificate {
            CertificateSource::Held(identity) => return Ok(Arc::clone(identity)),
            CertificateSource::Files { certificate, key } => (certificate, key),
        };
        let files = Watch::start([certificate, key], self.poll_files).await;
        let identity =
            Identity::from_files(files.contents()).map_err(|error| BindError::Certificate {
                certificate: certificate.clone(),
                key: key.clone(),
                error,
            })?;
        let identity = Arc::new(identity);
        followers.spawn(Arc::clone(&identity).follow(files));
        Ok(identity)
    }

    async fn tls(
        &self,
        identity: &Arc<Identity>,
        followers: &mut JoinSet<()>,
    ) -> Result<(Option<Arc<ClientCa>>, Arc<ArcSwap<rustls::ServerConfig>>), BindError> {
        let Some(ClientAuth { ca, names }) = &self.client_auth else {
            let config = tls::server_config(identity, None)?;
            return Ok((None, Arc::new(ArcSwap::new(config))));
        };
        let files = Watch::start([ca], self.poll_files).await;
        let clients = Arc::new(ClientCa::new(names));
        let verifier = clients
            .verifier(files.contents())
            .map_err(|error| BindError::ClientCa {
                ca: ca.clone(),
                error,
            })?;
        let config = tls::server_config(identity, Some(verifier))?;
        let config = Arc::new(ArcSwap::new(config));
        followers.spawn(Arc::clone(&clients).follow(
            files,
            Arc::clone(identity),
            Arc::clone(&config),
        ));
        Ok((Some(clients), config))
    }
}

/// All addresses of IPv6 are those of IPv4 too, where there is IPv6; where there is none, IPv4's alone.
async fn listen(address: SocketAddr) -> Result<TcpListener, BindError> {
    let bound = match TcpListener::bind(address).await {
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && lacks_ipv6(&error) => {
            tracing::info!(%address, %error, "no IPv6 here: listening on all addresses of IPv4");
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
        }
        bound => bound,
    };
    bound.map_err(|error| BindError::Listen { address, error })
}

/// `ipv6.disable=1` has no such family of addresses; `net.ipv6.conf.all.disable_ipv6` has no such address.
fn lacks_ipv6(error: &io::Error) -> bool {
    const EAFNOSUPPORT: i32 = 97;
    error.raw_os_error() == Some(EAFNOSUPPORT) || error.kind() == io::ErrorKind::AddrNotAvailable
}

fn checks(
    further: Vec<Check>,
    identity: Arc<Identity>,
    configuration: Arc<ReloadStatus>,
    clients: Option<Arc<ClientCa>>,
    drain: &Drain,
) -> Vec<Check> {
    let mut checks = vec![
        Check::certificate(identity),
        Check::new("configuration", move || {
            ops::reloaded(&configuration, "configuration")
        }),
    ];
    if let Some(clients) = clients {
        checks.push(Check::new("client-ca", move || {
            ops::reloaded(clients.status(), "CA")
        }));
    }
    checks.extend(further);
    checks.push(Check::shutdown(drain.clone()));
    checks
}

impl Bound {
    /// Where the webhook listens.
    pub fn webhook_address(&self) -> SocketAddr {
        self.webhook_address
    }

    /// Where health and metrics are served.
    pub fn ops_address(&self) -> Option<SocketAddr> {
        self.ops_address
    }

    /// What is counted.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// Serves until `shutdown`, then drains: not ready at once, everything still served with
    /// `Connection: close` for the drain time, then no new connections, then the end of what has
    /// begun. `abort` ends it all at any time. [`signals`] makes both.
    pub async fn run(
        self,
        shutdown: impl Future<Output = ()>,
        abort: impl Future<Output = ()>,
    ) -> Stopped {
        // Dropped, and so ended, with this future.
        let _followers = self.followers;
        let mut ops_task = JoinSet::new();
        if let Some(ops) = self.ops {
            ops_task.spawn(ops.serve(Duration::ZERO));
        }
        let serve = self.webhook.serve(self.finish_time);
        let stop = async {
            shutdown.await;
            tracing::info!(for_seconds = self.drain_time.as_secs_f64(), "draining");
            self.metrics.draining.set(1);
            self.drain.enter(Phase::LameDuck);
            tokio::time::sleep(self.drain_time).await;
            self.drain.enter(Phase::Finishing);
        };
        let stopped = tokio::select! {
            (busy, ()) = async { tokio::join!(serve, stop) } => match busy {
                0 => Stopped::Drained,
                busy => Stopped::CutShort(busy),
            },
            () = abort => Stopped::Aborted,
        };
        tracing::info!(?stopped, "stopped serving");
        stopped
    }
}
