//! One run: the load, the action, and what became of both.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::circumstances;
use super::kubelet::{self, End};
use super::observe::{Observer, Seen, now};
use super::outside::Outside;
use super::place::Place;
use super::record::{Plan, Record};
use super::report::data::{Client, Container, Lateness, Mark, Pod, Run, SLICE, Side, Slice, Tally};
use super::report::rows::{Action, Row};
use crate::cluster::Cluster;
use crate::deployed::Deployed;

/// How long the load runs before the action, and after it has had its effect.
const QUIET: Duration = Duration::from_secs(3);

/// Runs the action on all of these places at once.
pub(crate) async fn run(
    cluster: &Arc<Cluster>,
    podgrace: &Deployed,
    row: &Row,
    places: &[Place],
) -> Result<BTreeMap<Side, Run>, String> {
    let mut loads = Vec::new();
    for place in places {
        loads.push(UnderLoad::start(cluster, row, place).await?);
    }
    tokio::time::sleep(QUIET).await;
    let acts = places.iter().map(|place| place.act(row.action));
    let marks = tokio::select! {
        marks = futures::future::join_all(acts) => marks,
        never = circumstances::meanwhile(podgrace, row.circumstance) => never,
    };
    // Pods that nobody holds back are there long before they answer. Those of an update may never answer.
    if !matches!(row.action, Action::Update(_)) {
        for place in places {
            place.answers().await?;
        }
    }
    tokio::time::sleep(QUIET).await;
    for load in &loads {
        load.stop()?;
    }
    let mut runs = BTreeMap::new();
    for ((load, place), marks) in loads.into_iter().zip(places).zip(marks) {
        runs.insert(place.side, load.finish(place, marks).await?);
    }
    Ok(runs)
}

/// A namespace with its load.
struct UnderLoad {
    cluster: Arc<Cluster>,
    /// The load's process.
    name: String,
    file: PathBuf,
    observer: Observer,
    kubelet: kubelet::Log,
    _outside: Outside,
}

impl UnderLoad {
    async fn start(cluster: &Arc<Cluster>, row: &Row, place: &Place) -> Result<Self, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let target = place.address().await;
        let name = format!("load{number}");
        let file = cluster.folder.join(format!("{name}.records"));
        let plan = Plan {
            target: target.parse().map_err(|why| format!("{target}: {why}"))?,
            rate: row.load.rate,
            timeout: row.load.timeout,
            file: file.clone(),
        };
        let outside = Outside::new(number)?;
        let mut command = outside.command();
        command.arg(super::images::built("load")?);
        command.arg(serde_json::to_string(&plan).map_err(|why| why.to_string())?);
        let observer = Observer::start(&cluster.client(), &place.namespace, row.management);
        let mut processes = cluster.processes.lock().expect("no panic");
        let kubelet = kubelet::Log::here(&processes.log("kubelet"));
        processes.start(&name, command)?;
        drop(processes);
        Ok(Self {
            cluster: Arc::clone(cluster),
            name,
            file,
            observer,
            kubelet,
            _outside: outside,
        })
    }

    /// Has the load end; requests that are under way are waited for.
    fn stop(&self) -> Result<(), String> {
        let processes = self.cluster.processes.lock().expect("no panic");
        let id = processes.id(&self.name).ok_or("the load does not run")?;
        let status = std::process::Command::new("kill")
            .arg(id.to_string())
            .status();
        status.map_err(|why| why.to_string())?;
        Ok(())
    }

    async fn finish(self, place: &Place, marks: Vec<Mark>) -> Result<Run, String> {
        let ended = loop {
            let ended = {
                let mut processes = self.cluster.processes.lock().expect("no panic");
                let ended = processes.ended(&self.name);
                if ended.is_some() {
                    processes.kill(&self.name);
                }
                ended
            };
            match ended {
                Some(ended) => break ended,
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        if !ended.success() {
            return Err(format!("the load ended with {ended}"));
        }
        let records = read(&self.file);
        let records = records.map_err(|why| format!("{}: {why}", self.file.display()))?;
        let _ = std::fs::remove_file(&self.file);
        let seen = self.observer.finish();
        let ends = self.kubelet.ends(&place.namespace);
        Ok(summary(&records, &seen, &ends, marks))
    }
}

/// What the load wrote down.
fn read(file: &Path) -> io::Result<Vec<Record>> {
    let lines = BufReader::new(File::open(file)?).lines();
    lines
        .map(|line| Ok(serde_json::from_str(&line?)?))
        .collect()
}

/// What is kept of a run.
fn summary(
    records: &[Record],
    seen: &BTreeMap<String, Seen>,
    ends: &BTreeMap<kubelet::Of, End>,
    marks: Vec<Mark>,
) -> Run {
    let action = marks.first().map_or_else(now, |mark| mark.at);
    let after = |at: f64| round(at - action, 3);
    let (first, last) = (records.first(), records.last());
    let mut run = Run {
        from: first.map_or(0.0, |record| after(record.due)),
        until: last.map_or(0.0, |record| after(record.due)),
        late: lateness(records),
        lost_before: {
            let lost = records.iter().filter(|record| record.failure.is_some());
            let before = lost.filter(|record| record.due + record.took < action);
            u32::try_from(before.count()).unwrap_or(u32::MAX)
        },
        marks: marks
            .into_iter()
            .map(|mark| Mark {
                at: after(mark.at),
                ..mark
            })
            .collect(),
        ..Run::default()
    };
    for client in Client::ALL {
        let own = || records.iter().filter(|record| record.client == client);
        run.clients.insert(client, tally(own()));
        let slices = run.course.entry(client).or_default();
        for record in own() {
            let slice = ((after(record.due) - run.from) / SLICE) as usize;
            if slices.len() <= slice {
                slices.resize(slice + 1, Slice::default());
            }
            let Slice(answered, lost, slowest) = &mut slices[slice];
            match record.failure {
                None => {
                    *answered += 1;
                    *slowest = (*slowest).max((record.took * 1000.0) as u32);
                }
                Some(_) => *lost += 1,
            }
        }
    }
    for (name, seen) in seen {
        run.pods.push(pod(name, seen, ends, records, after));
    }
    // In the order in which they came, and those that were there in that in which they go.
    let came = |pod: &Pod| pod.created.unwrap_or(f64::MIN);
    let goes = |pod: &Pod| pod.deleted.unwrap_or(f64::MAX);
    run.pods.sort_by(|a, b| {
        came(a)
            .total_cmp(&came(b))
            .then(goes(a).total_cmp(&goes(b)))
    });
    run
}

fn tally<'r>(records: impl Iterator<Item = &'r Record>) -> Tally {
    let mut tally = Tally::default();
    let mut took = Vec::new();
    for record in records {
        tally.sent += 1;
        match record.failure {
            Some(failure) => *tally.failed.entry(failure).or_default() += 1,
            None => took.push(record.took),
        }
    }
    took.sort_by(f64::total_cmp);
    tally.latency = [0.5, 0.99, 0.999, 1.0].map(|part| milliseconds(&took, part));
    tally
}

fn lateness(records: &[Record]) -> Lateness {
    let mut late: Vec<f64> = records.iter().map(|record| record.late).collect();
    late.sort_by(f64::total_cmp);
    Lateness {
        p99: milliseconds(&late, 0.99),
        max: milliseconds(&late, 1.0),
    }
}

/// The smallest of these sorted seconds that no more than the rest exceed.
fn milliseconds(sorted: &[f64], part: f64) -> f64 {
    let rank = (sorted.len() as f64 * part).ceil() as usize;
    let found = sorted.get(rank.saturating_sub(1)).copied();
    round(found.unwrap_or(0.0) * 1000.0, 1)
}

fn pod(
    name: &str,
    seen: &Seen,
    ends: &BTreeMap<kubelet::Of, End>,
    records: &[Record],
    after: impl Fn(f64) -> f64 + Copy,
) -> Pod {
    let answered = || {
        let own = records
            .iter()
            .filter(|record| record.pod.as_deref() == Some(name));
        own.filter(|record| record.failure.is_none())
    };
    let last = |moments: &mut dyn Iterator<Item = f64>| moments.max_by(f64::total_cmp).map(after);
    let mut pod = Pod {
        name: name.rsplit('-').next().unwrap_or(name).to_owned(),
        injected: seen.injected,
        created: seen.created.map(after),
        ready: seen.ready.map(after),
        deleted: seen.deleted.map(after),
        unready: seen.unready.map(after),
        last_new: last(&mut answered().filter_map(|record| record.connected)),
        last_answer: last(&mut answered().map(|record| record.due + record.took)),
        out_of_service: seen
            .out_of_service
            .map(|(first, last)| (after(first), after(last))),
        restarts: seen.restarts,
        containers: BTreeMap::new(),
    };
    for (container, at) in &seen.listening {
        let own = pod.containers.entry(container.clone()).or_default();
        own.listening = Some(after(*at));
    }
    for ((_, container), end) in ends.iter().filter(|((of, _), _)| of == name) {
        let lasted = end
            .sigterm
            .zip(end.exit)
            .map(|(sigterm, exit)| exit - sigterm);
        let own = pod.containers.entry(container.clone()).or_default();
        *own = Container {
            pre_stop_end: end.pre_stop.map(after),
            sigterm: end.sigterm.map(after),
            killed: lasted.is_some_and(|lasted| lasted >= end.grace - 0.1),
            exit: end.exit.map(after),
            ..own.clone()
        };
    }
    pod
}

fn round(number: f64, digits: i32) -> f64 {
    let factor = 10_f64.powi(digits);
    (number * factor).round() / factor
}
