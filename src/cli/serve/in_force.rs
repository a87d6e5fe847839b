//! What is in force: what the configuration says, with sleeps written as the cluster takes them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;

use crate::config::Configuration;
use crate::lifecycle::policy::{Policy, SleepAction};
use crate::server::files::{Contents, Watch};
use crate::server::{Engine, ReloadStatus};
use crate::workload::Kinds;

/// How often the configuration file is looked at: the kill switch acts after so long at most.
const FOLLOW_EVERY: Duration = Duration::from_secs(2);

/// Both parts of it, each changed by its own task.
pub(super) struct InForce {
    parts: Mutex<(Configuration, SleepAction)>,
    policy: Arc<ArcSwap<Policy>>,
    kinds: Arc<ArcSwap<Kinds>>,
}

impl InForce {
    /// What holds at first; the engine always has what holds now.
    pub(super) fn new(configuration: Configuration, action: SleepAction, engine: &Engine) -> Self {
        let in_force = Self {
            parts: Mutex::new((configuration, action)),
            policy: Arc::clone(&engine.policy),
            kinds: Arc::clone(&engine.kinds),
        };
        in_force.change(|_| ());
        in_force
    }

    /// How sleeps are to be written where the configuration leaves it open.
    pub(super) fn write_sleeps(&self, action: SleepAction) {
        self.change(|parts| parts.1 = action);
    }

    fn change(&self, change: impl FnOnce(&mut (Configuration, SleepAction))) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut parts);
        let (configuration, action) = &*parts;
        self.policy.store(Arc::new(configuration.policy(*action)));
        self.kinds.store(Arc::new(configuration.kinds().clone()));
    }

    /// Takes on the configuration file whenever it changes; a broken one keeps the old one.
    pub(super) async fn follow(
        self: Arc<Self>,
        mut watch: Watch,
        file: PathBuf,
        status: Arc<ReloadStatus>,
    ) {
        loop {
            match read(&file, watch.changed().await) {
                Ok(configuration) => {
                    self.change(|parts| parts.0 = configuration);
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
}

/// Reads the file, and watches it from then on.
pub(super) async fn watched(file: &Path) -> anyhow::Result<(Configuration, Watch)> {
    let watch = Watch::start([file], FOLLOW_EVERY).await;
    let configuration = read(file, watch.contents())?;
    Ok((configuration, watch))
}

fn read(file: &Path, contents: &Contents) -> anyhow::Result<Configuration> {
    let text = std::str::from_utf8(contents.get(0)?)
        .with_context(|| format!("{}: not UTF-8", file.display()))?;
    Ok(Configuration::parse(file, text)?)
}
