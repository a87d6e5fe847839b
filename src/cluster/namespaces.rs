//! What namespaces say to their pods: watched, metadata only, and asked for where the watch has not
//! brought it yet.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::future::{BoxFuture, Shared};
use futures::{FutureExt as _, StreamExt as _};
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher as watch};
use kube::{Api, Client, ResourceExt as _};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::contact::{Contact, chain};
use crate::lifecycle::annotations::{Said, is_ours};
use crate::lifecycle::json::StrMap;

/// For how long one namespace is waited for: a pod's creation waits as long, and may have 2 s.
const FETCH: Duration = Duration::from_millis(700);

/// Seconds after which a watch is begun anew. One whose API server vanished without a word is noticed a few seconds
/// later; until then it looks like one on which nothing happens.
const WATCH: u32 = 60;

/// For how long it is remembered that a namespace could not be had.
const REMEMBER_FAILURE: Duration = Duration::from_secs(1);

/// Why what a namespace says cannot be told.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LookupError {
    /// The API server knows no such namespace.
    #[error("there is no such namespace")]
    Missing,
    /// The API server did not answer in time.
    #[error("the API server took longer than {} ms", FETCH.as_millis())]
    TooLate,
    /// The API server answered with an error, or not at all.
    #[error("{0}")]
    Failed(String),
}

type Lookup = Result<Arc<Said>, LookupError>;

/// An answer that many may wait for.
type Asking = Shared<BoxFuture<'static, Lookup>>;

/// All namespaces of a cluster. Of each only what is said under our domain is kept.
pub struct Namespaces {
    api: Api<PartialObjectMeta<Namespace>>,
    contact: Arc<Contact>,
    known: RwLock<Known>,
    /// What is being asked for, and what lately could not be had.
    asked: Mutex<HashMap<String, Asked>>,
    /// What nearly all of them say, kept once.
    nothing: Arc<Said>,
    counted: Counted,
}

#[derive(Default)]
struct Known {
    said: HashMap<String, Arc<Said>>,
    /// Whether the watch has brought all of them once.
    is_listed: bool,
}

enum Asked {
    Now(Asking),
    InVain(Instant, LookupError),
}

#[derive(Default)]
struct Counted {
    known: Gauge,
    last_event: Gauge,
    lookups: Family<[(&'static str, &'static str); 1], Counter>,
}

impl Counted {
    fn lookup(&self, result: &'static str) {
        self.lookups.get_or_create(&[("result", result)]).inc();
    }
}

impl Namespaces {
    /// Knows none yet; [`Namespaces::watch`] brings them.
    pub fn new(client: Client, contact: Arc<Contact>) -> Self {
        let counted = Counted::default();
        for result in ["known", "fetched", "missing", "failed"] {
            drop(counted.lookups.get_or_create(&[("result", result)]));
        }
        Self {
            api: Api::all(client),
            contact,
            known: RwLock::default(),
            asked: Mutex::default(),
            nothing: Arc::default(),
            counted,
        }
    }

    /// Whether all of them are known.
    pub fn are_listed(&self) -> bool {
        self.known().is_listed
    }

    /// Publishes how many are known and how looking them up goes.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "namespaces_known",
            "Namespaces that the watch has brought, or that were asked for",
            self.counted.known.clone(),
        );
        registry.register(
            "namespaces_last_event_timestamp_seconds",
            "When the watch last brought something, in seconds since 1970",
            self.counted.last_event.clone(),
        );
        registry.register(
            "namespace_lookups",
            "Namespaces looked up for a request: known, fetched, missing or failed",
            self.counted.lookups.clone(),
        );
    }

    /// Follows all namespaces, for ever. Where the API server is away, what is known stays.
    pub async fn watch(self: Arc<Self>) {
        let config = watcher::Config::default().timeout(WATCH);
        let mut events = watch(self.api.clone(), config).default_backoff().boxed();
        // What a list brings counts when it is whole.
        let mut list = HashMap::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    self.contact.answered();
                    self.take(event, &mut list);
                }
                Err(error) => self.contact.failed(&error),
            }
        }
    }

    fn take(
        &self,
        event: Event<PartialObjectMeta<Namespace>>,
        list: &mut HashMap<String, Arc<Said>>,
    ) {
        match event {
            Event::Init => list.clear(),
            Event::InitApply(namespace) => {
                list.insert(namespace.name_any(), self.said_by(&namespace));
            }
            Event::InitDone => {
                let mut known = self.known_mut();
                known.said = std::mem::take(list);
                if !known.is_listed {
                    known.is_listed = true;
                    tracing::info!(namespaces = known.said.len(), "namespaces are watched");
                }
            }
            Event::Apply(namespace) => {
                let said = self.said_by(&namespace);
                self.known_mut().said.insert(namespace.name_any(), said);
            }
            Event::Delete(namespace) => {
                self.known_mut().said.remove(&namespace.name_any());
            }
        }
        self.counted.known.set(self.known().said.len() as i64);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = now.map_or(0, |since| since.as_secs());
        self.counted.last_event.set(seconds.try_into().unwrap_or(0));
    }

    fn said_by(&self, namespace: &PartialObjectMeta<Namespace>) -> Arc<Said> {
        let (labels, annotations) = (namespace.labels(), namespace.annotations());
        if !labels
            .keys()
            .chain(annotations.keys())
            .any(|key| is_ours(key))
        {
            return Arc::clone(&self.nothing);
        }
        Arc::new(Said::by_namespace(&text(labels), &text(annotations)))
    }

    /// What a namespace says to its pods. One that the watch has not brought yet is asked for, once for
    /// all who wait for it.
    ///
    /// # Errors
    /// When the API server does not know it, or does not answer in time. What is not had is not asked for
    /// again for a second.
    pub async fn said(self: Arc<Self>, name: String) -> Lookup {
        if !is_name(&name) {
            // It would be a path of its own, asked for with our rights.
            return Err(LookupError::Missing);
        }
        if let Some(said) = self.known().said.get(&name) {
            self.counted.lookup("known");
            return Ok(Arc::clone(said));
        }
        self.asking(name)?.await
    }

    /// The answer that is waited for, by one or by many.
    fn asking(self: Arc<Self>, name: String) -> Result<Asking, LookupError> {
        let namespaces = Arc::clone(&self);
        let mut asked = namespaces.asked();
        match asked.get(&name) {
            Some(Asked::Now(asking)) => Ok(asking.clone()),
            Some(Asked::InVain(at, error)) if at.elapsed() < REMEMBER_FAILURE => Err(error.clone()),
            _ => {
                let asking = self.ask(name.clone());
                asked.insert(name, Asked::Now(asking.clone()));
                Ok(asking)
            }
        }
    }

    /// Asks, in a task of its own: whoever waits may give up.
    fn ask(self: Arc<Self>, name: String) -> Asking {
        let task = tokio::spawn(async move {
            let result = self.fetch(&name).await;
            let mut asked = self.asked();
            asked.retain(|_, asked| match asked {
                Asked::Now(_) => true,
                Asked::InVain(at, _) => at.elapsed() < REMEMBER_FAILURE,
            });
            match &result {
                Ok(_) => asked.remove(&name),
                Err(error) => asked.insert(name, Asked::InVain(Instant::now(), error.clone())),
            };
            result
        });
        let joined = task.map(|result| {
            result.unwrap_or_else(|error| Err(LookupError::Failed(error.to_string())))
        });
        joined.boxed().shared()
    }

    async fn fetch(&self, name: &str) -> Lookup {
        let (word, result) = match tokio::time::timeout(FETCH, self.api.get(name)).await {
            Err(_) => ("failed", Err(LookupError::TooLate)),
            Ok(Ok(namespace)) if namespace.metadata.name.as_deref() != Some(name) => {
                let why = "the API server answered with another namespace".to_owned();
                ("failed", Err(LookupError::Failed(why)))
            }
            Ok(Ok(namespace)) => {
                let said = self.said_by(&namespace);
                let mut known = self.known_mut();
                // What the watch has brought meanwhile is newer.
                let said = known.said.entry(name.to_owned()).or_insert(said);
                ("fetched", Ok(Arc::clone(said)))
            }
            Ok(Err(kube::Error::Api(status))) if status.is_not_found() => {
                ("missing", Err(LookupError::Missing))
            }
            Ok(Err(error)) => ("failed", Err(LookupError::Failed(chain(&error)))),
        };
        self.counted.lookup(word);
        result
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<String, Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a namespace can be called so (RFC 1123: `IsDNS1123Label`, k8s.io/apimachinery/pkg/util/validation).
/// Reviews come from anybody who reaches the port.
fn is_name(name: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    bytes.len() <= 63
        && is_end(bytes.first())
        && is_end(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
}

fn text(map: &BTreeMap<String, String>) -> StrMap<'_> {
    let pairs = map.iter();
    pairs
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn only_names_become_paths() {
        for name in ["shop", "a", "kube-system", "0-9", &"a".repeat(63)] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "",
            "-a",
            "a-",
            "A",
            "a.b",
            "shop?x=1",
            "podgrace/secrets/podgrace-tls",
            "../nodes",
            "ä",
            &"a".repeat(64),
        ] {
            assert!(!is_name(name), "{name}");
        }
    }
}
