//! What the server counts. Names follow controller-runtime's; nothing is labelled by the name of a
//! pod or a namespace, so the number of series does not grow with the cluster.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::Register;
use super::client_auth::ClientCa;
use super::handshake;
use super::reload::ReloadStatus;
use super::tls::Identity;
use crate::admission::{Decision, Outcome};
use crate::lifecycle::plan::Change;
use crate::lifecycle::skip::Skip;

/// The media type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What every name begins with; the server's own go on with [`SERVER`].
const PREFIX: &str = "podgrace";
const SERVER: &str = "webhook";
const OPERATIONS: [&str; 5] = ["CREATE", "UPDATE", "DELETE", "CONNECT", "other"];
const CODES: [&str; 6] = ["200", "400", "404", "405", "408", "413"];

/// A counter with one label, whose values are words of the program's own.
pub(super) type ByWord = Family<[(&'static str, &'static str); 1], Counter>;

/// Creates the series at 0, because a rate over a series that begins with 1 misses the first one.
fn at_zero(label: &'static str, words: impl IntoIterator<Item = &'static str>) -> ByWord {
    let family = ByWord::default();
    for word in words {
        drop(family.get_or_create(&[(label, word)]));
    }
    family
}

/// Everything that is counted, and the registry that prints it.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<[(&'static str, &'static str); 2], Counter>,
    skips: ByWord,
    changes: ByWord,
    responses: ByWord,
    shed: ByWord,
    workloads: ByWord,
    latency: Histogram,
    request_size: Histogram,
    response_size: Histogram,
    pub(super) in_flight: Gauge,
    pub(super) panics: Counter,
    pub(super) draining: Gauge,
    pub(super) connections: ConnectionMetrics,
}

/// What one listener counts of its connections.
#[derive(Debug, Clone)]
pub(super) struct ConnectionMetrics {
    pub(super) open: Gauge,
    pub(super) accepted: Counter,
    pub(super) refused: Counter,
    /// Connections ended because the peer was too slow, by what it was too slow with.
    pub(super) cut: ByWord,
    pub(super) handshake_errors: ByWord,
}

impl Default for ConnectionMetrics {
    fn default() -> Self {
        Self {
            open: Gauge::default(),
            accepted: Counter::default(),
            refused: Counter::default(),
            cut: at_zero("reason", ["header", "write"]),
            handshake_errors: at_zero("reason", handshake::REASONS),
        }
    }
}

/// Why a request was answered without looking at its pod.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shed {
    Overload,
    Deadline,
    Namespace,
    Panic,
}

impl Shed {
    const ALL: [Self; 4] = [Self::Overload, Self::Deadline, Self::Namespace, Self::Panic];

    fn code(self) -> &'static str {
        match self {
            Self::Overload => "overload",
            Self::Deadline => "deadline",
            Self::Namespace => "namespace",
            Self::Panic => "panic",
        }
    }

    /// What whoever makes the pod is told.
    pub(super) fn warning(self) -> &'static str {
        match self {
            Self::Overload => "Podgrace is overloaded and left this pod as it is",
            Self::Deadline => "Podgrace ran out of time and left this pod as it is",
            Self::Namespace => {
                "Podgrace could not find out what the namespace says and left this pod as it is"
            }
            Self::Panic => "Podgrace failed on this pod and left it as it is; please report it",
        }
    }
}

impl Metrics {
    pub(super) fn new(
        identity: &Identity,
        configuration: &ReloadStatus,
        client_ca: Option<&ClientCa>,
        further: Vec<Register>,
    ) -> Self {
        // From 50 µs, where a small pod is, in doublings to 1.6 s, where the API server gives up.
        let latency = Histogram::new(exponential_buckets(50e-6, 2.0, 16));
        let bytes = || Histogram::new(exponential_buckets(1024.0, 4.0, 7));
        let requests = Family::<[(&'static str, &'static str); 2], Counter>::default();
        for operation in OPERATIONS {
            for outcome in Outcome::OF_PODS {
                drop(
                    requests
                        .get_or_create(&[("operation", operation), ("outcome", outcome.code())]),
                );
            }
        }
        let mut metrics = Self {
            registry: Registry::with_prefix(PREFIX),
            requests,
            skips: at_zero("reason", Skip::CODES),
            changes: at_zero("kind", Change::KINDS),
            responses: at_zero("code", CODES),
            shed: at_zero("reason", Shed::ALL.map(Shed::code)),
            workloads: at_zero("outcome", Outcome::OF_WORKLOADS.map(Outcome::code)),
            latency,
            request_size: bytes(),
            response_size: bytes(),
            in_flight: Gauge::default(),
            panics: Counter::default(),
            draining: Gauge::default(),
            connections: ConnectionMetrics::default(),
        };
        metrics.register_requests();
        metrics.register_process();
        let registry = metrics.registry.sub_registry_with_prefix(SERVER);
        configuration.register(registry, "config");
        identity.status().register(registry, "certificate");
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When the serving certificate expires, in seconds since 1970",
            identity.expiry(),
        );
        if let Some(client_ca) = client_ca {
            client_ca.status().register(registry, "client_ca");
        }
        for register in further {
            register(&mut metrics.registry);
        }
        metrics
    }

    fn register_requests(&mut self) {
        let registry = self.registry.sub_registry_with_prefix(SERVER);
        registry.register(
            "requests",
            "Admission requests for pods answered, by operation and by what came of them",
            self.requests.clone(),
        );
        registry.register(
            "skips",
            "Things left alone in pods, by reason",
            self.skips.clone(),
        );
        registry.register(
            "patch_operations",
            "Changes made to pods, or in audit mode that would have been made, by kind",
            self.changes.clone(),
        );
        registry.register(
            "responses",
            "HTTP responses of the webhook listener, by status code",
            self.responses.clone(),
        );
        registry.register(
            "shed",
            "Requests allowed without looking at the pod, by reason",
            self.shed.clone(),
        );
        registry.register(
            "workloads",
            "Requests answered about what makes pods, whose writers are only told something, by what came of them",
            self.workloads.clone(),
        );
        registry.register(
            "latency_seconds",
            "Time from a request's head to its answer",
            self.latency.clone(),
        );
        registry.register(
            "request_size_bytes",
            "Sizes of request bodies",
            self.request_size.clone(),
        );
        registry.register(
            "response_size_bytes",
            "Sizes of answers",
            self.response_size.clone(),
        );
        registry.register(
            "in_flight",
            "Requests being read or answered now",
            self.in_flight.clone(),
        );
        registry.register(
            "panics",
            "Panics while answering; each was answered all the same",
            self.panics.clone(),
        );
    }

    fn register_process(&mut self) {
        let registry = self.registry.sub_registry_with_prefix(SERVER);
        let connections = &self.connections;
        registry.register(
            "open_connections",
            "Connections open on the webhook listener now",
            connections.open.clone(),
        );
        registry.register(
            "connections_accepted",
            "Connections accepted on the webhook listener",
            connections.accepted.clone(),
        );
        registry.register(
            "connections_refused",
            "Connections closed at once because too many were open",
            connections.refused.clone(),
        );
        registry.register(
            "connections_cut",
            "Connections ended because the peer was too slow, by what it was too slow with",
            connections.cut.clone(),
        );
        registry.register(
            "tls_handshake_errors",
            "TLS handshakes that failed, by reason",
            connections.handshake_errors.clone(),
        );
        registry.register(
            "draining",
            "Whether the server is on its way out",
            self.draining.clone(),
        );
        registry.register(
            "build",
            "What is running",
            Info::new([
                ("version", env!("CARGO_PKG_VERSION")),
                ("os", std::env::consts::OS),
                ("arch", std::env::consts::ARCH),
            ]),
        );
    }

    pub(super) fn decided(&self, decision: &Decision) {
        let labels = [
            ("operation", decision.operation),
            ("outcome", decision.outcome.code()),
        ];
        self.requests.get_or_create(&labels).inc();
        for reason in &decision.skips {
            self.skips.get_or_create(&[("reason", reason)]).inc();
        }
        for kind in &decision.changes {
            self.changes.get_or_create(&[("kind", kind)]).inc();
        }
    }

    /// Counts a request about a workload. Its pods count when they are made.
    pub(super) fn told(&self, outcome: Outcome) {
        let labels = [("outcome", outcome.code())];
        self.workloads.get_or_create(&labels).inc();
    }

    pub(super) fn shed(&self, why: Shed) {
        self.shed.get_or_create(&[("reason", why.code())]).inc();
    }

    pub(super) fn received(&self, bytes: usize) {
        self.request_size.observe(bytes as f64);
    }

    pub(super) fn answered(&self, bytes: usize, seconds: f64) {
        self.response_size.observe(bytes as f64);
        self.latency.observe(seconds);
    }

    pub(super) fn responded(&self, status: axum::http::StatusCode) {
        let status = status.as_str();
        let code = CODES.iter().find(|code| **code == status);
        let labels = [("code", code.copied().unwrap_or("other"))];
        self.responses.get_or_create(&labels).inc();
    }

    /// The registry's text in the OpenMetrics format.
    pub fn encode(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail; an encoder's error would leave what was written so far.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}

/// A gauge of seconds since 1970.
pub(super) type Timestamp = Gauge<f64, AtomicU64>;
