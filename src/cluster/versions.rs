//! Which versions the cluster runs, and so how sleeps can be written.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::Request;
use kube::Client;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde_json::Value;

use super::contact::Contact;
use crate::lifecycle::policy::SleepAction;

/// How often the versions are looked at, and with them whether the API server answers.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// How soon it is asked again when it does not, at first; then after twice as long each time.
const PAUSE: Duration = Duration::from_secs(1);

/// How long one look may take.
const LOOK_TIME: Duration = Duration::from_secs(10);

/// For how long a version that was seen counts: several API servers behind one address may differ, and
/// each look reaches one of them.
const REMEMBER: Duration = Duration::from_secs(600);

/// Nodes on a page.
const PAGE: u32 = 500;

const JSON: &str = "application/json";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";

/// What one look saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The minor version that the API server acts as: of 1.37, 37.
    pub server: u32,
    /// The nodes' kubelets.
    pub kubelets: Kubelets,
}

/// What is known of the nodes' kubelets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kubelets {
    /// The oldest one's minor version.
    Oldest(u32),
    /// There are no nodes.
    None,
    /// They cannot be listed, and why.
    Unreadable(String),
}

impl Seen {
    /// Looks at the API server's version and at the nodes'.
    ///
    /// # Errors
    /// When the API server does not answer, or not with a version.
    pub async fn look(client: &Client) -> Result<Self, kube::Error> {
        let version: Value = client.request(get("/version", JSON)?).await?;
        Ok(Self {
            server: server_minor(&version).ok_or_else(|| no_version(&version))?,
            kubelets: oldest_kubelet(client).await?,
        })
    }

    /// How sleeps are to be written.
    pub fn sleep_action(&self) -> SleepAction {
        let oldest = match self.kubelets {
            Kubelets::Oldest(minor) => Some(minor),
            Kubelets::None | Kubelets::Unreadable(_) => None,
        };
        SleepAction::for_versions(self.server, oldest)
    }

    /// What was seen, for people: `API server 1.37, oldest kubelet 1.36`.
    pub fn sentence(&self) -> String {
        let nodes = match &self.kubelets {
            Kubelets::Oldest(minor) => format!("oldest kubelet 1.{minor}"),
            Kubelets::None => "no nodes".to_owned(),
            Kubelets::Unreadable(why) => format!("kubelets unknown ({why})"),
        };
        format!("API server 1.{}, {nodes}", self.server)
    }
}

/// The version that an API server acts as: the emulated one where it says so (from 1.33), else its own.
fn server_minor(version: &Value) -> Option<u32> {
    let minor = |key: &str| version[key].as_str().and_then(leading_number);
    match version["emulationMajor"].as_str() {
        Some("1") => minor("emulationMinor").or_else(|| minor("minor")),
        _ => minor("minor"),
    }
}

/// The minor version of `v1.30.4-gke.100`.
fn minor(version: &str) -> Option<u32> {
    leading_number(version.trim_start_matches('v').strip_prefix("1.")?)
}

/// `28` of `28+`, as providers write it.
fn leading_number(text: &str) -> Option<u32> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text[..digits].parse().ok()
}

fn no_version(answer: &Value) -> kube::Error {
    let error = format!("/version says {answer}");
    kube::Error::Service(error.into())
}

/// The oldest kubelet. Nodes are read as kubectl prints them, a line each: an object of 20 KiB for each of
/// 5,000 nodes would be 100 MB.
async fn oldest_kubelet(client: &Client) -> Result<Kubelets, kube::Error> {
    let mut oldest: Option<u32> = None;
    let first = format!("/api/v1/nodes?limit={PAGE}&includeObject=None");
    let mut path = first.clone();
    loop {
        let request = get(&path, TABLE)?;
        let page: Value = match client.request(request).await {
            Ok(page) => page,
            Err(kube::Error::Api(status)) if status.is_forbidden() => {
                return Ok(Kubelets::Unreadable(
                    "no permission to list nodes".to_owned(),
                ));
            }
            Err(error) => return Err(error),
        };
        let columns = page["columnDefinitions"].as_array();
        let column = columns
            .and_then(|columns| columns.iter().position(|c| c["name"] == "Version"))
            .unwrap_or(usize::MAX);
        for row in page["rows"].as_array().into_iter().flatten() {
            let version = row["cells"][column].as_str().and_then(minor);
            oldest = version.into_iter().chain(oldest).min();
        }
        match page["metadata"]["continue"].as_str() {
            Some(token) if !token.is_empty() => path = format!("{first}&continue={token}"),
            _ => return Ok(oldest.map_or(Kubelets::None, Kubelets::Oldest)),
        }
    }
}

fn get(path: &str, accept: &str) -> Result<Request<Vec<u8>>, kube::Error> {
    let request = Request::get(path).header(http::header::ACCEPT, accept);
    let built = request.body(Vec::new());
    built
        .map_err(|error| kube::Error::BuildRequest(kube::core::request::Error::BuildRequest(error)))
}

/// How sleeps are written now, and why: for readiness detail and metrics.
#[derive(Default)]
pub struct Negotiated {
    seen: Mutex<Option<Seen>>,
    versions: Family<[(&'static str, String); 3], Gauge>,
}

impl Negotiated {
    /// What was seen last; nothing before the API server answered.
    pub fn seen(&self) -> Option<Seen> {
        self.lock().clone()
    }

    /// Publishes `sleep_action`, 1 for what holds, with the versions that it comes from.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "sleep_action",
            "How sleeps are written by the versions seen: 1 for what holds",
            self.versions.clone(),
        );
    }

    fn set(&self, seen: Seen) {
        let kubelet = match &seen.kubelets {
            Kubelets::Oldest(minor) => format!("1.{minor}"),
            Kubelets::None => "none".to_owned(),
            Kubelets::Unreadable(_) => "unknown".to_owned(),
        };
        self.versions.clear();
        let labels = [
            ("action", seen.sleep_action().word().to_owned()),
            ("apiserver", format!("1.{}", seen.server)),
            ("oldest_kubelet", kubelet),
        ];
        self.versions.get_or_create(&labels).set(1);
        *self.lock() = Some(seen);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks again and again, for ever, and tells `changed` whenever something else is seen. An API server
    /// that does not answer changes nothing; it is asked sooner again.
    pub async fn follow(&self, client: Client, contact: &Contact, changed: impl Fn(&Seen)) {
        let mut servers = Lately::default();
        let mut pause = PAUSE;
        loop {
            let look = tokio::time::timeout(LOOK_TIME, Seen::look(&client)).await;
            match look.unwrap_or_else(|late| Err(kube::Error::Service(Box::new(late)))) {
                Ok(mut seen) => {
                    contact.answered();
                    seen.server = servers.lowest(seen.server, Instant::now());
                    if self.seen().as_ref() != Some(&seen) {
                        self.set(seen.clone());
                        changed(&seen);
                    }
                    pause = PAUSE;
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Err(error) => {
                    contact.failed(&error);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LOOK_EVERY);
                }
            }
        }
    }
}

/// The API servers' versions seen lately.
#[derive(Default)]
struct Lately(Vec<(u32, Instant)>);

impl Lately {
    /// The lowest of them, with the one seen now.
    fn lowest(&mut self, minor: u32, now: Instant) -> u32 {
        self.0
            .retain(|(other, at)| *other != minor && now.duration_since(*at) < REMEMBER);
        self.0.push((minor, now));
        self.0
            .iter()
            .map(|(minor, _)| *minor)
            .min()
            .unwrap_or(minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_emulated_version_counts_and_what_providers_append_does_not() {
        let cases = [
            (json!({"major": "1", "minor": "37"}), Some(37)),
            (json!({"major": "1", "minor": "28+"}), Some(28)),
            (
                json!({"minor": "34", "emulationMajor": "1", "emulationMinor": "29"}),
                Some(29),
            ),
            (json!({"minor": ""}), None),
            (json!("no version"), None),
        ];
        for (version, expected) in cases {
            assert_eq!(server_minor(&version), expected, "{version}");
        }
        assert_eq!(minor("v1.30.4-gke.100"), Some(30));
        assert_eq!(minor("v1.29.6+k3s1"), Some(29));
        assert_eq!(minor("unknown"), None);
    }

    #[test]
    fn the_oldest_of_all_decides() {
        let action = |server, kubelets| Seen { server, kubelets }.sleep_action();
        assert_eq!(action(29, Kubelets::Oldest(29)), SleepAction::Exec);
        assert_eq!(action(32, Kubelets::Oldest(29)), SleepAction::Exec);
        assert_eq!(action(32, Kubelets::Oldest(30)), SleepAction::Native);
        assert_eq!(action(30, Kubelets::None), SleepAction::Native);
        assert_eq!(
            action(30, Kubelets::Unreadable("x".into())),
            SleepAction::Native
        );
    }

    #[test]
    fn the_lowest_server_counts_until_it_is_gone_for_long() {
        let mut servers = Lately::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(servers.lowest(30, at(0)), 30);
        assert_eq!(servers.lowest(29, at(30)), 29);
        assert_eq!(servers.lowest(30, at(60)), 29);
        assert_eq!(servers.lowest(30, at(629)), 29);
        assert_eq!(servers.lowest(30, at(660)), 30);
    }
}
