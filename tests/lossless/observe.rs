//! What happens to a namespace's pods while the load runs: as the API server tells it, as the applications write
//! it down, and as the kubelet does.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde_json::Value;
use tokio::task::JoinHandle;

/// Now, in seconds since 1970.
pub(crate) fn now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("after 1970").as_secs_f64()
}

/// The moments of one pod, in seconds since 1970.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) injected: bool,
    pub(crate) created: Option<f64>,
    pub(crate) ready: Option<f64>,
    pub(crate) deleted: Option<f64>,
    pub(crate) unready: Option<f64>,
    pub(crate) restarts: u32,
    pub(crate) out_of_service: Option<(f64, f64)>,
    address: Option<String>,
    /// When the application in a container listened for the first time.
    pub(crate) listening: BTreeMap<String, f64>,
}

type All = Arc<Mutex<BTreeMap<String, Seen>>>;

/// Watches one namespace.
pub(crate) struct Observer {
    namespace: String,
    all: All,
    logs: Arc<Mutex<Logs>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Observer {
    /// `management` is where a pod that is told to end is asked for its readiness.
    pub(crate) fn start(client: &Client, namespace: &str, management: Option<u16>) -> Self {
        let all = All::default();
        let logs = Arc::new(Mutex::new(Logs::default()));
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), namespace);
        let mut tasks = vec![
            tokio::spawn(watch_pods(pods, Arc::clone(&all))),
            tokio::spawn(watch_endpoints(slices, Arc::clone(&all))),
            tokio::spawn(open_logs(namespace.to_owned(), Arc::clone(&logs))),
        ];
        if let Some(port) = management {
            tasks.push(tokio::spawn(ask_for_readiness(port, Arc::clone(&all))));
        }
        Self {
            namespace: namespace.to_owned(),
            all,
            logs,
            tasks,
        }
    }

    /// Everything that was seen, by pod.
    pub(crate) fn finish(self) -> BTreeMap<String, Seen> {
        for task in &self.tasks {
            task.abort();
        }
        let mut all = std::mem::take(&mut *self.all.lock().expect("no panic"));
        let mut logs = self.logs.lock().expect("no panic");
        logs.open_new(&self.namespace);
        for (log, file) in &mut logs.open {
            let Some(seen) = all.get_mut(&log.pod) else {
                continue;
            };
            let mut text = String::new();
            let _ = file.read_to_string(&mut text);
            if let Some(at) = listening(&text) {
                let first = seen.listening.entry(log.container.clone()).or_insert(at);
                *first = first.min(at);
            }
        }
        all
    }
}

async fn watch_pods(pods: Api<Pod>, all: All) {
    let mut events = std::pin::pin!(watcher(pods, watcher::Config::default()));
    while let Some(event) = events.next().await {
        let (pod, is_new) = match event {
            Ok(Event::Apply(pod) | Event::Delete(pod)) => (pod, true),
            Ok(Event::InitApply(pod)) => (pod, false),
            // It watches again by itself.
            Ok(Event::Init | Event::InitDone) | Err(_) => continue,
        };
        let mut all = all.lock().expect("no panic");
        let known = all.contains_key(&pod.name_any());
        let seen = all.entry(pod.name_any()).or_default();
        if is_new && !known {
            seen.created = Some(now());
        }
        if pod.metadata.deletion_timestamp.is_some() {
            seen.deleted.get_or_insert_with(now);
        }
        seen.injected = pod.annotations().contains_key("podgrace.io/injected");
        let status = pod.status.unwrap_or_default();
        seen.address = status.pod_ip;
        let containers = status.container_statuses.into_iter().flatten();
        let restarts = containers.map(|container| container.restart_count);
        seen.restarts = restarts.sum::<i32>().unsigned_abs();
    }
}

async fn watch_endpoints(slices: Api<EndpointSlice>, all: All) {
    let mut events = std::pin::pin!(watcher(slices, watcher::Config::default()));
    while let Some(event) = events.next().await {
        let slice = match event {
            Ok(Event::Apply(slice) | Event::InitApply(slice)) => slice,
            Ok(Event::Init | Event::InitDone | Event::Delete(_)) | Err(_) => continue,
        };
        let ready: Vec<String> = slice
            .endpoints
            .into_iter()
            .filter(|endpoint| {
                let conditions = endpoint.conditions.as_ref();
                conditions.and_then(|conditions| conditions.ready) == Some(true)
            })
            .filter_map(|endpoint| endpoint.target_ref?.name)
            .collect();
        let mut all = all.lock().expect("no panic");
        for name in &ready {
            all.entry(name.clone())
                .or_default()
                .ready
                .get_or_insert_with(now);
        }
        for (name, seen) in all.iter_mut() {
            if seen.ready.is_some() && !ready.contains(name) {
                seen.unready.get_or_insert_with(now);
            }
        }
    }
}

/// Asks pods that are leaving for Spring Boot's readiness.
async fn ask_for_readiness(port: u16, all: All) {
    let client = reqwest::Client::new();
    loop {
        let leaving: Vec<(String, String)> = {
            let all = all.lock().expect("no panic");
            let leaving = all.iter().filter(|(_, seen)| seen.deleted.is_some());
            let known =
                leaving.filter_map(|(name, seen)| Some((name.clone(), seen.address.clone()?)));
            known.collect()
        };
        for (name, address) in leaving {
            let url = format!("http://{address}:{port}/actuator/health/readiness");
            let asked = client.get(url).timeout(Duration::from_millis(200)).send();
            let Ok(answer) = asked.await else { continue };
            if answer
                .text()
                .await
                .is_ok_and(|text| text.contains("OUT_OF_SERVICE"))
            {
                let mut all = all.lock().expect("no panic");
                let seen = all.entry(name).or_default();
                let (first, _) = seen.out_of_service.unwrap_or((now(), 0.0));
                seen.out_of_service = Some((first, now()));
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What containers write. The kubelet removes their files with the pods: one that is open can be read nevertheless.
#[derive(Default)]
struct Logs {
    open: Vec<(Log, File)>,
}

#[derive(PartialEq, Eq)]
struct Log {
    path: PathBuf,
    pod: String,
    container: String,
}

async fn open_logs(namespace: String, logs: Arc<Mutex<Logs>>) {
    loop {
        logs.lock().expect("no panic").open_new(&namespace);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

impl Logs {
    /// Opens what is new in `/var/log/pods/NAMESPACE_POD_UID/CONTAINER/`.
    fn open_new(&mut self, namespace: &str) {
        for folder in files_in("/var/log/pods".into()) {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            let mut parts = name.split('_');
            if parts.next() != Some(namespace) {
                continue;
            }
            let pod = parts.next().unwrap_or_default().to_owned();
            for container in files_in(folder.clone()) {
                for path in files_in(container.clone()) {
                    let container = container.file_name().unwrap_or_default();
                    let log = Log {
                        path: path.clone(),
                        pod: pod.clone(),
                        container: container.to_string_lossy().into_owned(),
                    };
                    if !self.open.iter().any(|(known, _)| *known == log)
                        && let Ok(file) = File::open(path)
                    {
                        self.open.push((log, file));
                    }
                }
            }
        }
    }
}

fn files_in(folder: PathBuf) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

/// When a log says so first: `TIME stdout F {"moment":"listening","at":SECONDS}`.
fn listening(text: &str) -> Option<f64> {
    let lines = text.lines().filter_map(|line| line.split_once('{'));
    let mut moments = lines.filter_map(|(_, rest)| {
        let moment: Value = serde_json::from_str(&format!("{{{rest}")).ok()?;
        (moment["moment"] == "listening").then_some(moment["at"].as_f64()?)
    });
    moments.next()
}
