//! The second, plain listener: health for kubelet, metrics for Prometheus.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::drain::Drain;
use super::metrics::{self, Metrics};
use super::reload::ReloadStatus;
use super::tls::Identity;

/// One line of `/readyz?verbose`.
pub struct Check {
    name: &'static str,
    look: Box<dyn Fn() -> Health + Send + Sync>,
}

/// What a [`Check`] finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Nothing to say.
    Ok,
    /// Ready, with something that somebody should look at.
    Degraded(String),
    /// Not ready, and why.
    Failed(String),
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Check").field(&self.name).finish()
    }
}

impl Check {
    /// A check that is made anew for every request, so it must be quick.
    pub fn new(name: &'static str, look: impl Fn() -> Health + Send + Sync + 'static) -> Self {
        Self {
            name,
            look: Box::new(look),
        }
    }

    pub(super) fn shutdown(drain: Drain) -> Self {
        Self::new("shutdown", move || {
            if drain.is_draining() {
                Health::Failed("draining; requests are still served".to_owned())
            } else {
                Health::Ok
            }
        })
    }

    /// An expired certificate fails nothing: without endpoints its clients would fare no better.
    pub(super) fn certificate(identity: Arc<Identity>) -> Self {
        Self::new("certificate", move || {
            match reloaded(identity.status(), "pair") {
                Health::Ok if identity.not_after() <= SystemTime::now() => {
                    Health::Degraded("it has expired".to_owned())
                }
                health => health,
            }
        })
    }
}

/// Something that goes on in its old form when a reload fails is degraded, not down.
pub(super) fn reloaded(status: &ReloadStatus, what: &str) -> Health {
    let Some(failure) = status.failure() else {
        return Health::Ok;
    };
    let ago = failure.at.elapsed().unwrap_or_default().as_secs();
    Health::Degraded(format!(
        "the reload {ago} s ago failed and the old {what} stays: {}",
        failure.error
    ))
}

struct Ops {
    checks: Vec<Check>,
    metrics: Arc<Metrics>,
}

/// The routes of the operations listener.
pub(super) fn router(checks: Vec<Check>, metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .with_state(Arc::new(Ops { checks, metrics }))
}

async fn scrape(State(ops): State<Arc<Ops>>) -> Response {
    let content_type = [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)];
    (content_type, ops.metrics.encode()).into_response()
}

/// In the form that Kubernetes' own components answer in, which tells every check when it fails.
async fn ready(State(ops): State<Arc<Ops>>, RawQuery(query): RawQuery) -> Response {
    let mut is_ready = true;
    let mut lines = String::new();
    for Check { name, look } in &ops.checks {
        let line = match look() {
            Health::Ok => format!("[+]{name} ok\n"),
            Health::Degraded(why) => format!("[+]{name} ok, but {why}\n"),
            Health::Failed(why) => {
                is_ready = false;
                format!("[-]{name} failed: {why}\n")
            }
        };
        lines.push_str(&line);
    }
    let verbose =
        query.is_some_and(|q| q.split('&').any(|p| p.split('=').next() == Some("verbose")));
    match (is_ready, verbose) {
        (true, false) => "ok".into_response(),
        (true, true) => (lines + "readyz check passed\n").into_response(),
        (false, _) => {
            let text = lines + "readyz check failed\n";
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}
