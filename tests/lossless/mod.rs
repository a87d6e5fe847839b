//! The proof: what requests are lost without Podgrace and with it, on real containers.
//!
//! `e2e lossless [--short] [--runs=N] [ROW…]` measures; a ROW is a scenario's number or a row's. What was measured
//! is written into `results/`, row by row, so that it can be interrupted.

mod circumstances;
mod images;
mod kubelet;
mod measure;
mod observe;
mod outside;
mod place;
mod record;
pub(crate) mod report;
mod spring;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use place::Place;
use report::data::{Conditions, Results, Run, SLICE, Side};
use report::prediction::contradictions;
use report::rows::{Circumstance, ROWS, Row, USUAL};

use crate::cluster::Cluster;
use crate::deployed::Deployed;
use crate::step;
use crate::webhook::program;

/// A generator that was later than this has measured itself, in milliseconds: 1 of 100 requests, and the worst.
const LATE: (f64, f64) = (20.0, 400.0);

/// An application that takes this long for its millisecond before anything is done to it has no processor, in
/// milliseconds.
const SLOW: u32 = 1000;

/// How many runs in a row may be thrown away.
const PATIENCE: u32 = 5;

/// After how long the Service certainly leads to whoever is ready.
const KNOWN: Duration = Duration::from_secs(2);

/// What is to be measured.
struct Wanted {
    rows: Vec<&'static Row>,
    runs: usize,
    /// Whether a machine asks, which wants to know whether something is broken, and not a person who wants figures.
    short: bool,
}

impl Wanted {
    fn read(words: &[&str]) -> Result<Self, String> {
        let mut wanted = Self {
            rows: Vec::new(),
            runs: 3,
            short: false,
        };
        for word in words {
            if *word == "--short" {
                wanted.short = true;
                wanted.runs = 1;
                wanted.rows.extend(ROWS.iter().filter(|row| row.short));
            } else if let Some(runs) = word.strip_prefix("--runs=") {
                wanted.runs = runs.parse().map_err(|why| format!("{word}: {why}"))?;
            } else {
                let meant = |row: &&Row| row.id == *word || row.scenario() == *word;
                let before = wanted.rows.len();
                wanted.rows.extend(ROWS.iter().filter(meant));
                if wanted.rows.len() == before {
                    return Err(format!("there is no row {word}"));
                }
            }
        }
        if wanted.rows.is_empty() {
            wanted.rows.extend(ROWS);
        }
        Ok(wanted)
    }
}

/// Says what is wrong with these words before anything is started for them.
pub(crate) fn check(words: &[&str]) -> Result<(), String> {
    Wanted::read(words).map(|_| ())
}

/// Measures, in a capsule.
pub(crate) async fn run(folder: &Path, words: &[&str]) -> Result<(), String> {
    let wanted = Wanted::read(words)?;
    let since = Instant::now();
    let cluster = Arc::new(Cluster::open_node(folder).await?);
    images::import(cluster.node())?;
    if wanted.rows.iter().any(|row| row.scenario() == "7") {
        spring::import(cluster.node())?;
    }
    let podgrace = Arc::new(Deployed::install(&cluster, &[]).await);
    step("Podgrace is installed", since);
    let mut failed = Vec::new();
    for row in wanted.rows {
        let since = Instant::now();
        step(&format!("row {}: {}", row.id, row.title), since);
        let measured = measure_row(
            Arc::clone(&cluster),
            Arc::clone(&podgrace),
            row,
            wanted.runs,
        );
        // A task of its own, so that a panic is that row's alone.
        let measured = tokio::spawn(measured).await;
        let measured = measured.unwrap_or_else(|_| Err("it panicked".to_owned()));
        match measured.and_then(|results| judge(row, &results, wanted.short)) {
            Ok(()) => step(&format!("row {}", row.id), since),
            Err(why) => {
                step(&format!("row {}: FAILED, {why}", row.id), since);
                failed.push(row.id);
            }
        }
        circumstances::end(&podgrace, row.circumstance).await;
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(format!("rows that failed: {}", failed.join(", "))),
    }
}

/// Keeps what was measured, for tests to be held against; in short, holds it against `explain` at once.
fn judge(row: &Row, results: &Results, short: bool) -> Result<(), String> {
    let wrong = contradictions(&program(), row, results);
    if short {
        return match wrong.is_empty() {
            true => Ok(()),
            false => Err(wrong.join("; ")),
        };
    }
    for sentence in wrong {
        eprintln!("          explain says otherwise: {sentence}");
    }
    results.write(row.id)
}

async fn measure_row(
    cluster: Arc<Cluster>,
    podgrace: Arc<Deployed>,
    row: &'static Row,
    runs: usize,
) -> Result<Results, String> {
    let mut places = Vec::new();
    for side in Side::ALL {
        places.push(Place::make(&cluster, row, side).await);
    }
    circumstances::begin(&podgrace, row.circumstance).await;
    for place in &places {
        if place.side == Side::With && row.circumstance != Circumstance::PodgraceIsAway {
            podgrace.asked(&place.namespace).await;
        }
    }
    let mut results = Results {
        conditions: conditions(&cluster),
        manifest: row.digest(),
        thrown_away: 0,
        runs: Vec::new(),
    };
    let mut in_a_row = 0;
    while results.runs.len() < runs {
        let since = Instant::now();
        let mut run = run_once(&cluster, &podgrace, row, &places).await?;
        for (side, run) in &run {
            step(&format!("  {:7} {}", side.name(), in_short(run)), since);
        }
        if let Some(why) = run.values().find_map(|run| void(row, run)) {
            step(&format!("  thrown away: {why}"), since);
            results.thrown_away += 1;
            in_a_row += 1;
            if in_a_row == PATIENCE {
                return Err(format!(
                    "{why}, {PATIENCE} times in a row: this machine has too much else to do"
                ));
            }
            continue;
        }
        in_a_row = 0;
        if !results.runs.is_empty() {
            // One is drawn.
            run.values_mut().for_each(|run| run.course.clear());
        }
        results.runs.push(run);
    }
    for place in places {
        place.remove().await;
    }
    Ok(results)
}

/// Both sides once, at the same time where that is honest.
async fn run_once(
    cluster: &Arc<Cluster>,
    podgrace: &Deployed,
    row: &Row,
    places: &[Place],
) -> Result<BTreeMap<Side, Run>, String> {
    let mut both = BTreeMap::new();
    let at_once = if row.together { places.len() } else { 1 };
    for places in places.chunks(at_once) {
        for place in places {
            // Again, for what the last run has changed.
            place.apply(row).await;
            place.answers().await?;
        }
        // Who is ready is known to kube-proxy a second later.
        tokio::time::sleep(KNOWN).await;
        both.extend(measure::run(cluster, podgrace, row, places).await?);
    }
    Ok(both)
}

/// Why a run says nothing, if it does not.
fn void(row: &Row, run: &Run) -> Option<&'static str> {
    if run.late.p99 > LATE.0 || run.late.max > LATE.1 {
        return Some("the generator was late");
    }
    if run.lost_before > 0 {
        return Some("requests were lost before anything was done");
    }
    let before = (-run.from / SLICE) as usize;
    let mut slices = run
        .course
        .values()
        .flat_map(|course| course.iter().take(before));
    let slow = row.load == USUAL && slices.any(|slice| slice.2 > SLOW);
    slow.then_some("answers took more than a second before anything was done")
}

fn in_short(run: &Run) -> String {
    let clients = run.clients.values().map(|tally| {
        let how: Vec<String> = tally
            .failed
            .iter()
            .map(|(failure, count)| format!("{count} {failure:?}"))
            .collect();
        let how = if how.is_empty() {
            String::new()
        } else {
            format!(" ({})", how.join(", "))
        };
        format!("{} of {}{how}", tally.lost(), tally.sent)
    });
    let clients: Vec<String> = clients.collect();
    format!(
        "{}; late {:.1} ms, {:.0} at most",
        clients.join("; "),
        run.late.p99,
        run.late.max
    )
}

fn conditions(cluster: &Cluster) -> Conditions {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let load = read("/proc/loadavg");
    Conditions {
        date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        podgrace: env!("CARGO_PKG_VERSION").to_owned(),
        kubernetes: cluster.version.clone(),
        containerd: cluster.node().containerd_version(),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        load: load.split(' ').next().unwrap_or_default().to_owned(),
    }
}
