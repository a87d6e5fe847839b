//! Accepts connections, and lets them all go in the end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::connection::{self, Connection};
use super::drain::{Drain, Phase};
use super::handshake;
use super::metrics::ConnectionMetrics;

/// Bounds of a listener and of each of its connections.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// Connections open at once. One more is closed at once instead of waiting: whoever connects
    /// has a deadline of seconds, which waiting behind idle connections only uses up.
    pub connections: usize,
    /// Time for a TLS handshake.
    pub handshake: Duration,
    /// Time for a request's head, from its first byte.
    pub header: Duration,
    /// Time for which a peer may take nothing of its answer.
    pub write: Duration,
    /// Time without a request after which a connection is closed. API servers keep theirs for 90 s
    /// and do not repeat a request that meets a closed one, so longer than that.
    pub idle: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            handshake: Duration::from_secs(5),
            header: Duration::from_secs(5),
            write: Duration::from_secs(10),
            idle: Duration::from_secs(150),
        }
    }
}

/// A bound socket and what its connections are served with.
pub(super) struct Listener {
    pub(super) tcp: TcpListener,
    /// Plain HTTP without it. Each handshake takes what is there when it begins.
    pub(super) tls: Option<Arc<ArcSwap<ServerConfig>>>,
    pub(super) router: Router,
    pub(super) limits: ConnectionLimits,
    pub(super) metrics: ConnectionMetrics,
    pub(super) drain: Drain,
}

impl Listener {
    /// Serves until the drain has come to its end, then finishes for at most `finish`. Returns the
    /// number of connections that were still busy after that.
    pub(super) async fn serve(self, finish: Duration) -> usize {
        let slots = self.limits.connections.min(Semaphore::MAX_PERMITS);
        let slots = Arc::new(Semaphore::new(slots));
        let shared = Arc::new(Shared {
            tls: self.tls,
            router: self.router,
            limits: self.limits,
            metrics: self.metrics,
            drain: self.drain,
        });
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                // Accepting comes first, so that what the kernel has already taken on is served.
                biased;
                accepted = self.tcp.accept() => accepted,
                Some(_) = connections.join_next() => continue,
                () = shared.drain.reached(Phase::Finishing) => break,
            };
            match accepted {
                Ok((stream, _)) => match Arc::clone(&slots).try_acquire_owned() {
                    Ok(slot) => {
                        connections.spawn(serve(Arc::clone(&shared), stream, slot));
                    }
                    Err(_) => {
                        shared.metrics.refused.inc();
                        tracing::debug!("too many connections: one more was closed");
                    }
                },
                Err(error) => accept_failed(&error).await,
            }
        }
        drop(self.tcp);
        let until = Instant::now() + finish;
        while tokio::time::timeout_at(until, connections.join_next())
            .await
            .is_ok_and(|ended| ended.is_some())
        {}
        connections.len()
    }
}

/// A peer that left while it waited is nothing; out of file descriptors needs a pause, because
/// accepting fails at once until some are free again.
async fn accept_failed(error: &io::Error) {
    let gone = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    );
    if !gone {
        tracing::error!(%error, "cannot accept connections");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

struct Shared {
    tls: Option<Arc<ArcSwap<ServerConfig>>>,
    router: Router,
    limits: ConnectionLimits,
    metrics: ConnectionMetrics,
    drain: Drain,
}

/// Serves one connection, holding its slot until the end.
async fn serve(shared: Arc<Shared>, stream: TcpStream, _slot: OwnedSemaphorePermit) {
    shared.metrics.accepted.inc();
    shared.metrics.open.inc();
    // Also when the task is aborted, or panics.
    let _open = Open(&shared.metrics);
    let served = Connection {
        router: shared.router.clone(),
        limits: &shared.limits,
        metrics: &shared.metrics,
        drain: &shared.drain,
    };
    // Answers are written whole; waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let Some(tls) = &shared.tls else {
        return connection::serve(served, stream).await;
    };
    let acceptor = TlsAcceptor::from(tls.load_full());
    let failed = match tokio::time::timeout(shared.limits.handshake, acceptor.accept(stream)).await
    {
        Ok(Ok(stream)) => return connection::serve(served, stream).await,
        Ok(Err(error)) => {
            let reason = handshake::reason(&error);
            tracing::debug!(%error, reason, "a TLS handshake failed");
            reason
        }
        Err(_) => "timeout",
    };
    let errors = &shared.metrics.handshake_errors;
    errors.get_or_create(&[("reason", failed)]).inc();
}

struct Open<'a>(&'a ConnectionMetrics);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.dec();
    }
}
