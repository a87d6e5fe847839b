//! How the certificates are doing: for readiness, metrics and logs.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::contents::seconds;

/// What the steps are called in metrics.
const STEPS: [&str; 5] = ["make", "restore", "stage", "promote", "retire"];

/// What the keeper tells of.
#[derive(Debug, Default)]
pub struct Status {
    now: Mutex<Now>,
    steps: Family<[(&'static str, &'static str); 1], Counter>,
    patches: Counter,
    errors: Counter,
    in_place: Gauge,
    renewal: Gauge,
}

#[derive(Debug, Default)]
struct Now {
    /// Whether something of use is served.
    has_certificate: bool,
    /// What went wrong last, until something goes well.
    error: Option<String>,
    /// Which configurations do not carry the bundle, a sentence each.
    without_bundle: Vec<String>,
}

impl Status {
    pub(super) fn new() -> Self {
        let status = Self::default();
        for step in STEPS {
            drop(status.steps.get_or_create(&[("step", step)]));
        }
        status
    }

    /// Why there is nothing to serve with; none where there is.
    pub fn missing(&self) -> Option<String> {
        let now = self.lock();
        let why = || match &now.error {
            Some(error) => format!("there is no certificate yet: {error}"),
            None => "there is no certificate yet".to_owned(),
        };
        (!now.has_certificate).then(why)
    }

    /// What somebody should look at; none where all is well.
    pub fn trouble(&self) -> Option<String> {
        let now = self.lock();
        let without = (!now.without_bundle.is_empty()).then(|| now.without_bundle.join(" and "));
        now.error.clone().or(without)
    }

    pub(super) fn serves(&self) {
        self.lock().has_certificate = true;
    }

    pub(super) fn stepped(&self, step: &'static str) {
        self.steps.get_or_create(&[("step", step)]).inc();
    }

    pub(super) fn patched(&self) {
        self.patches.inc();
    }

    /// Says what went wrong, or that nothing does any more. Returns whether that is new.
    pub(super) fn went(&self, error: Option<String>) -> bool {
        if error.is_some() {
            self.errors.inc();
        }
        let mut now = self.lock();
        let is_new = now.error != error;
        now.error = error;
        is_new
    }

    pub(super) fn bundles(&self, without: Vec<String>) {
        self.in_place.set(i64::from(without.is_empty()));
        self.lock().without_bundle = without;
    }

    pub(super) fn next_step(&self, at: SystemTime) {
        self.renewal.set(seconds(at).try_into().unwrap_or(i64::MAX));
    }

    /// Publishes all of it.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("certificate");
        registry.register(
            "steps",
            "Changes of the Secret: make, restore, stage, promote, retire",
            self.steps.clone(),
        );
        registry.register(
            "bundle_patches",
            "Patches of a configuration's caBundle",
            self.patches.clone(),
        );
        registry.register(
            "errors",
            "Attempts to keep Secret and caBundle that failed",
            self.errors.clone(),
        );
        registry.register(
            "bundle_in_place",
            "Whether every webhook of ours carries the bundle",
            self.in_place.clone(),
        );
        registry.register(
            "next_step_timestamp_seconds",
            "When the Secret is changed next, in seconds since 1970",
            self.renewal.clone(),
        );
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
