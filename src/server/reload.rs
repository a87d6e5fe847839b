//! How the last reload of something went: the configuration, the certificate, the client CA.

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

type Results = Family<[(&'static str, &'static str); 1], Counter>;

/// The state of one thing that is loaded at the start and reloaded when it changes.
///
/// A failed reload never takes away what serves: it is told here, in metrics and in readiness
/// detail, until a later one succeeds.
#[derive(Debug)]
pub struct ReloadStatus {
    failure: ArcSwapOption<Failure>,
    results: Results,
    successful: Gauge,
}

/// Why the last reload failed, and since when that is so.
#[derive(Debug, Clone)]
pub struct Failure {
    /// One sentence.
    pub error: String,
    /// When the reload was tried.
    pub at: SystemTime,
}

impl Default for ReloadStatus {
    fn default() -> Self {
        let results = Results::default();
        for result in ["success", "failure"] {
            drop(results.get_or_create(&[("result", result)]));
        }
        let successful = Gauge::default();
        successful.set(1);
        Self {
            failure: ArcSwapOption::empty(),
            results,
            successful,
        }
    }
}

impl ReloadStatus {
    /// A reload went well; what it loaded serves from now on.
    pub fn succeeded(&self) {
        self.failure.store(None);
        self.successful.set(1);
        self.results.get_or_create(&[("result", "success")]).inc();
    }

    /// A reload failed; what was there before goes on serving.
    pub fn failed(&self, error: impl ToString) {
        self.failure.store(Some(Arc::new(Failure {
            error: error.to_string(),
            at: SystemTime::now(),
        })));
        self.successful.set(0);
        self.results.get_or_create(&[("result", "failure")]).inc();
    }

    /// The failure of the last reload, if it failed.
    pub fn failure(&self) -> Option<Arc<Failure>> {
        self.failure.load_full()
    }

    /// Publishes `{what}_reloads_total{result}` and `{what}_last_reload_successful`.
    pub(super) fn register(&self, registry: &mut Registry, what: &str) {
        registry.register(
            format!("{what}_reloads"),
            format!("Reloads of the {}, by result", what.replace('_', " ")),
            self.results.clone(),
        );
        registry.register(
            format!("{what}_last_reload_successful"),
            format!(
                "Whether what serves is the newest {}: 0 after a failed reload",
                what.replace('_', " ")
            ),
            self.successful.clone(),
        );
    }
}
