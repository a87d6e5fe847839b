//! Keeps the Secret, the `caBundle`s and what is served up to date, for ever.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::stream::{BoxStream, SelectAll, StreamExt as _, select_all};
use k8s_openapi::api::core::v1::Secret;
use kube::api::DynamicObject;
use kube::runtime::{WatchStreamExt as _, watcher};

use super::authority::Names;
use super::bundle::Configuration;
use super::change::after;
use super::contents::{Contents, Leaf, Unusable};
use super::state::{Schedule, Situation, Step, step};
use super::status::Status;
use super::store::Store;
use crate::cluster::{Contact, chain};

/// How soon what failed is tried again, at first; then after twice as long each time.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_MOST: Duration = Duration::from_secs(30);

/// The longest pause: a clock that was set, or a machine that slept, is noticed then.
const PAUSE_MOST: Duration = Duration::from_secs(60);

/// What is kept.
pub struct Settings {
    /// The Secret.
    pub store: Store,
    /// The configurations that carry the bundle.
    pub configurations: Vec<Configuration>,
    /// The names that the certificate is for.
    pub names: Names,
    /// How long everything takes.
    pub schedule: Schedule,
}

/// The task that keeps them.
pub struct Keeper<F> {
    settings: Settings,
    contact: Arc<Contact>,
    status: Arc<Status>,
    /// Serves a pair from now on.
    serve: F,
    /// The Secret as it was last seen; none before the first look, and where there is none.
    secret: Option<Option<Secret>>,
    /// The configurations, in order, likewise.
    seen: Vec<Option<Option<DynamicObject>>>,
    /// What is served, and was of use.
    served: Option<Contents>,
    /// The bundle that every configuration carries, and since when.
    in_place: Option<(String, SystemTime)>,
    retry: Duration,
}

enum Event {
    Secret(Option<Secret>),
    Configuration(usize, Option<DynamicObject>),
    Failed(watcher::Error),
}

impl<F: FnMut(&super::Pair) -> Result<(), String>> Keeper<F> {
    /// Has seen nothing yet.
    pub fn new(settings: Settings, contact: Arc<Contact>, serve: F) -> Self {
        Self {
            seen: vec![None; settings.configurations.len()],
            settings,
            contact,
            status: Arc::new(Status::new()),
            serve,
            secret: None,
            served: None,
            in_place: None,
            retry: RETRY,
        }
    }

    /// How it goes.
    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status)
    }

    /// Looks, does what is to be done, and looks again when anything changes or it is time to.
    pub async fn keep(mut self) {
        let mut events = self.events();
        loop {
            let pause = match self.look().await {
                Ok(pause) => {
                    self.retry = RETRY;
                    self.tell(None);
                    pause
                }
                Err(error) => {
                    self.tell(Some(error));
                    let pause = self.retry;
                    self.retry = (self.retry * 2).min(RETRY_MOST);
                    pause
                }
            };
            // Everything that has happened by now counts before the next look.
            if let Ok(Some(event)) = tokio::time::timeout(pause, events.next()).await {
                self.take(event);
            }
        }
    }

    fn tell(&self, error: Option<String>) {
        let failed = error.clone();
        if self.status.went(error)
            && let Some(error) = failed
        {
            tracing::warn!(
                error,
                "the certificates are not in order; it is tried again"
            );
        }
    }

    fn events(&self) -> SelectAll<BoxStream<'static, Event>> {
        let store = &self.settings.store;
        let secret = watcher::watch_object(store.api(), store.name()).default_backoff();
        let mut all = vec![
            secret
                .map(|event| event.map_or_else(Event::Failed, Event::Secret))
                .boxed(),
        ];
        for (at, configuration) in self.settings.configurations.iter().enumerate() {
            let event = move |event: watcher::Result<_>| {
                event.map_or_else(Event::Failed, |object| Event::Configuration(at, object))
            };
            all.push(configuration.watch().map(event).boxed());
        }
        select_all(all)
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Secret(secret) => self.secret = Some(secret),
            Event::Configuration(at, object) => self.seen[at] = Some(object),
            Event::Failed(error) => {
                self.contact.failed(&error);
                return;
            }
        }
        self.contact.answered();
    }

    /// One look at everything. Returns how long nothing is to be done.
    async fn look(&mut self) -> Result<Duration, String> {
        let Some(secret) = self.secret.clone() else {
            return match self.contact.trouble() {
                Some(trouble) => Err(trouble.error),
                None => Ok(PAUSE_MOST),
            };
        };
        let now = SystemTime::now();
        let stored = Store::contents(secret.as_ref());
        self.adopt(&stored, now)?;
        let bundles = self.spread(now).await;
        let situation = Situation {
            stored: stored.as_ref(),
            served: self.served.as_ref(),
            in_place: self.in_place.as_ref().map(|(_, since)| *since),
            now,
        };
        let step = step(&self.settings.schedule, &self.settings.names, &situation);
        let pause = match step {
            Step::Wait(then) => {
                self.status.next_step(then);
                then.duration_since(now).unwrap_or_default()
            }
            step => {
                self.write(secret.as_ref(), &stored, step, now).await?;
                PAUSE_MOST
            }
        };
        bundles?;
        Ok(pause.clamp(Duration::from_millis(50), PAUSE_MOST))
    }

    /// Serves what the Secret holds, where it is of use.
    fn adopt(
        &mut self,
        stored: &Result<Contents, Unusable>,
        now: SystemTime,
    ) -> Result<(), String> {
        let Ok(contents) = stored else { return Ok(()) };
        if self.served.as_ref() == Some(contents) {
            return Ok(());
        }
        let names = &self.settings.names;
        let Ok(leaf) = Leaf::check(&contents.leaf, &contents.bundle, names, now) else {
            return Ok(());
        };
        if self.served.as_ref().map(|served| &served.leaf) != Some(&contents.leaf) {
            (self.serve)(&contents.leaf)?;
            let until = jiff::Timestamp::try_from(leaf.not_after).unwrap_or_default();
            tracing::info!(%until, secret = self.settings.store.name(), "a certificate of the Secret is served");
            self.status.serves();
        }
        self.served = Some(contents.clone());
        Ok(())
    }

    /// Has every configuration carry the bundle of what is served.
    async fn spread(&mut self, now: SystemTime) -> Result<(), String> {
        let Some(served) = &self.served else {
            return Ok(());
        };
        let bundle = served.bundle_pem();
        let (mut without, mut failed, mut waits) = (Vec::new(), Vec::new(), false);
        for (configuration, seen) in self.settings.configurations.iter().zip(&mut self.seen) {
            let title = configuration.title();
            let object = match seen {
                None => {
                    waits = true;
                    without.push(format!("{title} could not be read yet"));
                    continue;
                }
                // Nobody calls us by it, so that nothing waits for it; when it is there again, it is seen to.
                Some(None) => {
                    without.push(format!("{title} does not exist"));
                    continue;
                }
                Some(Some(object)) => object,
            };
            let patch = configuration.patch(object, &bundle);
            if patch.is_empty() {
                continue;
            }
            match configuration.apply(patch).await {
                Ok(patched) => {
                    self.status.patched();
                    tracing::info!(configuration = title, "its caBundle is ours again");
                    *object = patched;
                }
                Err(error) => {
                    waits = true;
                    without.push(format!("{title} has another caBundle"));
                    failed.push(format!("{title}: {}", chain(&error)));
                }
            }
        }
        if waits {
            self.in_place = None;
        } else if self.in_place.as_ref().is_none_or(|(old, _)| *old != bundle) {
            self.in_place = Some((bundle, now));
        }
        self.status.bundles(without);
        match failed.is_empty() {
            true => Ok(()),
            false => Err(failed.join("; ")),
        }
    }

    /// Does a step by writing the Secret.
    async fn write(
        &mut self,
        secret: Option<&Secret>,
        stored: &Result<Contents, Unusable>,
        step: Step,
        now: SystemTime,
    ) -> Result<(), String> {
        let Settings {
            names, schedule, ..
        } = &self.settings;
        let lifetime = schedule.lifetime;
        let (word, contents) = after(step, names, lifetime, stored, self.served.as_ref(), now)?;
        let written = self.settings.store.write(secret, &contents).await;
        let written = written.map_err(|error| {
            let name = self.settings.store.name();
            match &error {
                // The chart makes it: a right to create Secrets cannot be given by name.
                kube::Error::Api(status) if secret.is_none() && status.is_forbidden() => format!(
                    "Secret {name} does not exist and may not be made by Podgrace: apply the chart's again (helm upgrade)"
                ),
                error => format!("Secret {name}: {}", chain(error)),
            }
        })?;
        if written {
            self.status.stepped(word);
            tracing::info!(
                step = word,
                secret = self.settings.store.name(),
                "certificates"
            );
        }
        // What it holds now is read at once: the watch may take a while.
        let error = |error: kube::Error| chain(&error);
        self.secret = Some(self.settings.store.get().await.map_err(error)?);
        Ok(())
    }
}
