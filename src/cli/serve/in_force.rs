//! The policy in force: what the configuration says, with sleeps written as the cluster takes them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;

use crate::config::Configuration;
use crate::lifecycle::policy::{Policy, SleepAction};
use crate::server::ReloadStatus;
use crate::server::files::{Contents, Watch};

/// How often the configuration file is looked at: the kill switch acts after so long at most.
const FOLLOW_EVERY: Duration = Duration::from_secs(2);

/// Both parts of the policy, each changed by its own task.
pub(super) struct InForce {
    parts: Mutex<(Configuration, SleepAction)>,
    policy: Arc<ArcSwap<Policy>>,
}

impl InForce {
    /// What holds at first; `policy` always has what holds now.
    pub(super) fn new(
        configuration: Configuration,
        action: SleepAction,
        policy: Arc<ArcSwap<Policy>>,
    ) -> Self {
        policy.store(Arc::new(configuration.policy(action)));
        Self {
            parts: Mutex::new((configuration, action)),
            policy,
        }
    }

    /// How sleeps are to be written where the configuration leaves it open.
    pub(super) fn write_sleeps(&self, action: SleepAction) {
        self.change(|parts| parts.1 = action);
    }

    fn change(&self, change: impl FnOnce(&mut (Configuration, SleepAction))) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut parts);
        self.policy.store(Arc::new(parts.0.policy(parts.1)));
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
