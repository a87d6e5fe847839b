//! One HTTP/1.1 connection, from its first byte to its last.

use axum::Router;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};

use super::drain::{Drain, Phase};
use super::listener::ConnectionLimits;
use super::metrics::ConnectionMetrics;
use super::pace::{Activity, Paced};

/// Far above what an API server sends, and small enough for a thousand connections.
const HEADER_BYTES: usize = 32 * 1024;
const BUFFER_BYTES: usize = 64 * 1024;

/// What a connection is served with.
pub(super) struct Connection<'a> {
    pub(super) router: Router,
    pub(super) limits: &'a ConnectionLimits,
    pub(super) metrics: &'a ConnectionMetrics,
    pub(super) drain: &'a Drain,
}

/// Serves requests until the peer leaves, is too slow, or is let go by the drain.
pub(super) async fn serve<S>(served: Connection<'_>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let Connection {
        router,
        limits,
        metrics,
        drain,
    } = served;
    let came_before_the_drain = !drain.is_draining();
    let activity = Activity::default();
    let stream = Paced::new(
        stream,
        activity.clone(),
        limits.header,
        limits.write,
        metrics.cut.clone(),
    );
    let router = TowerToHyperService::new(router);
    let service = service_fn(|request: Request<Incoming>| {
        activity.answering();
        let answer = router.call(request);
        let activity = activity.clone();
        async move {
            let mut answer = answer.await;
            if let Ok(answer) = &mut answer
                && drain.is_draining()
            {
                // Asked in its answer to leave, a client never writes into a closing connection.
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(CONNECTION, close);
            }
            activity.idle();
            answer
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle)
        .max_header_size(HEADER_BYTES)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        // The connection comes first, so that what has arrived is read before it is called idle.
        biased;
        ended = connection.as_mut() => Some(ended),
        () = drain.reached(Phase::Finishing) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            // Idle since before the drain began: it is not in use, and closed. One that came later
            // has its first request still to send, and ends with the answer to it.
            if came_before_the_drain && activity.is_idle() {
                connection.as_mut().graceful_shutdown();
            }
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
