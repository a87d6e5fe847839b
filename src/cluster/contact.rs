//! Whether the API server answers us.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What everybody who asks the API server tells of it.
#[derive(Debug, Default)]
pub struct Contact {
    trouble: Mutex<Option<Trouble>>,
    reachable: Gauge,
    errors: Counter,
}

/// The API server does not answer.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// Since when.
    pub since: Instant,
    /// What came instead of an answer, last.
    pub error: String,
}

impl Contact {
    /// It answered.
    pub fn answered(&self) {
        self.reachable.set(1);
        let ended = self.lock().take();
        if let Some(Trouble { since, .. }) = ended {
            let seconds = since.elapsed().as_secs();
            tracing::info!(seconds, "the API server answers again");
        }
    }

    /// It did not. The first error of a row is logged, and all are counted.
    pub fn failed(&self, error: &(dyn std::error::Error + 'static)) {
        self.reachable.set(0);
        self.errors.inc();
        let error = chain(error);
        let mut trouble = self.lock();
        match &mut *trouble {
            Some(trouble) => trouble.error = error,
            None => {
                tracing::warn!(error, "the API server does not answer; what is known holds");
                let since = Instant::now();
                *trouble = Some(Trouble { since, error });
            }
        }
    }

    /// What is wrong now, if anything is.
    pub fn trouble(&self) -> Option<Trouble> {
        self.lock().clone()
    }

    /// Publishes `apiserver_reachable` and `apiserver_errors_total`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "apiserver_reachable",
            "Whether the API server answered when it was last asked",
            self.reachable.clone(),
        );
        registry.register(
            "apiserver_errors",
            "Questions to the API server that had no answer",
            self.errors.clone(),
        );
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error with its causes: the outermost of kube's says little. What the API server says is what it says, and
/// not the whole answer around it.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let said = |error: &(dyn std::error::Error + 'static)| match error.downcast_ref() {
        Some(kube::Error::Api(status)) => status.message.clone(),
        _ => error.to_string(),
    };
    let mut text = said(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        let inner = said(error);
        if !text.contains(&inner) {
            text = format!("{text}: {inner}");
        }
        cause = error.source();
    }
    text
}
