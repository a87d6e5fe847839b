//! The load: requests at a fixed rate from three kinds of clients side by side.
//!
//! `load PLAN` sends until SIGTERM. The loop is open: a request is sent when it is due, whatever became of those
//! before it, and its latency counts from then. So a server that stands still is seen by every request that was
//! due meanwhile.

#![allow(clippy::print_stderr, reason = "why it ended")]

mod http;
mod pool;
#[path = "../record.rs"]
mod record;
#[path = "../report"]
mod report {
    #![allow(dead_code, reason = "what is kept of requests is for others")]
    pub(crate) mod data;
}

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use http::{Broken, Connection};
use pool::Pool;
use record::{Plan, Record};
use report::data::{Client, Failure};

/// A generator that is this late has lost: what it sends now would only keep the machine from recovering.
const TOO_LATE: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let plan = std::env::args().nth(1).unwrap_or_default();
    match run(&plan) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("load: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Sends until SIGTERM, waits for what is under way and writes everything down.
fn run(plan: &str) -> Result<(), String> {
    let plan: Plan = serde_json::from_str(plan).map_err(|why| why.to_string())?;
    // One thread: what it costs the cluster goes without.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| why.to_string())?;
    let records = runtime.block_on(send(&plan));
    write(&plan.file, &records).map_err(|why| format!("{}: {why}", plan.file.display()))
}

fn write(file: &Path, records: &[Record]) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    for record in records {
        serde_json::to_writer(&mut out, record)?;
        writeln!(out)?;
    }
    out.flush()
}

async fn send(plan: &Plan) -> Vec<Record> {
    let mut told_to_end = signal(SignalKind::terminate()).expect("a handler");
    let (start, now) = (Instant::now(), SystemTime::now());
    let epoch = now.duration_since(UNIX_EPOCH).expect("after 1970");
    let sender = Arc::new(Sender {
        target: plan.target,
        timeout: Duration::from_secs(plan.timeout.into()),
        start,
        epoch: epoch.as_secs_f64(),
        keep_alive: Pool::default(),
        repeating: Pool::default(),
        too_late: AtomicBool::new(false),
        records: Mutex::default(),
    });
    let pace = Duration::from_secs(1) / plan.rate / 3;
    let mut due = start;
    let mut under_way = tokio::task::JoinSet::new();
    // Each kind has its own third of the period, so that they do not come in bursts.
    for client in Client::ALL.into_iter().cycle() {
        tokio::select! {
            biased;
            _ = told_to_end.recv() => break,
            () = tokio::time::sleep_until(due) => {}
        }
        let each = Arc::clone(&sender);
        under_way.spawn(async move { each.one(client, due).await });
        while under_way.try_join_next().is_some() {}
        if sender.too_late.load(Ordering::Relaxed) {
            break;
        }
        due += pace;
    }
    while under_way.join_next().await.is_some() {}
    let mut records = std::mem::take(&mut *sender.records.lock().expect("no panic"));
    records.sort_by(|a, b| a.due.total_cmp(&b.due));
    records
}

/// What all requests share.
struct Sender {
    target: SocketAddr,
    timeout: Duration,
    start: Instant,
    /// The start, in seconds since 1970.
    epoch: f64,
    keep_alive: Pool,
    repeating: Pool,
    too_late: AtomicBool,
    records: Mutex<Vec<Record>>,
}

/// What is known so far of whom a request met; more than nothing also where it fails.
#[derive(Default)]
struct Met {
    pod: Option<String>,
    connected: Option<Instant>,
}

impl Sender {
    async fn one(&self, client: Client, due: Instant) {
        let late = due.elapsed();
        if late > TOO_LATE {
            self.too_late.store(true, Ordering::Relaxed);
        }
        let mut met = Met::default();
        let answered = tokio::time::timeout_at(due + self.timeout, self.ask(client, &mut met));
        let failure = match answered.await {
            Ok(Ok(())) => None,
            Ok(Err(broken)) => Some(broken.failure()),
            Err(_) => Some(Failure::TimedOut),
        };
        let record = Record {
            client,
            due: self.seconds(due),
            late: late.as_secs_f64(),
            took: due.elapsed().as_secs_f64(),
            failure,
            pod: met.pod,
            connected: met.connected.map(|at| self.seconds(at)),
        };
        self.records.lock().expect("no panic").push(record);
    }

    fn seconds(&self, at: Instant) -> f64 {
        self.epoch + (at - self.start).as_secs_f64()
    }

    async fn ask(&self, client: Client, met: &mut Met) -> Result<(), Broken> {
        match client {
            Client::NewConnections => {
                let mut connection = self.connect(met).await?;
                connection.exchange("close", &mut met.pod).await?;
                Ok(())
            }
            Client::KeepAlive => self.on_kept(&self.keep_alive, true, met).await,
            Client::KeepAliveRepeating => match self.on_kept(&self.repeating, true, met).await {
                // RFC 9112 section 9.3.1; once, and on a new connection.
                Err(Broken::UsedBeforeAnswer(_)) => self.on_kept(&self.repeating, false, met).await,
                other => other,
            },
        }
    }

    async fn on_kept(&self, pool: &Pool, used: bool, met: &mut Met) -> Result<(), Broken> {
        let place = pool.enter();
        let kept = used.then(|| place.idle()).flatten();
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connect(met).await?,
        };
        let stays_open = connection.exchange("keep-alive", &mut met.pod).await?;
        if stays_open {
            place.give_back(connection);
        }
        Ok(())
    }

    async fn connect(&self, met: &mut Met) -> Result<Connection, Broken> {
        let connection = Connection::open(self.target).await?;
        met.connected = Some(Instant::now());
        Ok(connection)
    }
}
