//! What was measured, as it is kept in `tests/lossless/results/`: one file for each row.
//!
//! Times are seconds after the action began, lengths are seconds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The folder of everything that belongs to the proof.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lossless")
}

/// A kind of client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Client {
    /// A new connection for each request.
    NewConnections,
    /// Persistent connections, and no request twice.
    KeepAlive,
    /// Persistent connections, and a request once more where a used connection closes before any answer.
    KeepAliveRepeating,
}

impl Client {
    pub(crate) const ALL: [Self; 3] = [
        Self::NewConnections,
        Self::KeepAlive,
        Self::KeepAliveRepeating,
    ];
}

/// A way in which a request is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Failure {
    /// Nobody listened.
    Refused,
    /// The connection was reset.
    Reset,
    /// A used connection was closed before any answer.
    ClosedUsed,
    /// A new connection was closed without an answer, or any in the middle of one.
    Cut,
    /// There was no answer in time.
    TimedOut,
    /// Nobody has the address.
    NoRoute,
    /// The answer was a 5xx.
    ServerError,
    /// Anything else.
    Other,
}

/// The two sides of each row: the same manifests, without and with Podgrace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Side {
    Without,
    With,
}

impl Side {
    pub(crate) const ALL: [Self; 2] = [Self::Without, Self::With];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Without => "without",
            Self::With => "with",
        }
    }

    /// The value of the label `podgrace.io/mode`, in which alone the Namespaces differ.
    pub(crate) fn mode(self) -> &'static str {
        match self {
            Self::Without => "off",
            Self::With => "enforce",
        }
    }
}

/// A row: its runs, and under which conditions they were made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Results {
    pub(crate) conditions: Conditions,
    /// The manifest with which it was measured, as a checksum.
    pub(crate) manifest: String,
    /// Runs that do not count: the generator was late, or something went wrong before anything was done.
    pub(crate) thrown_away: u32,
    /// The runs, each of both sides.
    pub(crate) runs: Vec<BTreeMap<Side, Run>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Conditions {
    pub(crate) date: String,
    pub(crate) podgrace: String,
    pub(crate) kubernetes: String,
    pub(crate) containerd: String,
    pub(crate) kernel: String,
    pub(crate) cores: usize,
    /// How many processes wanted to run in the minute before, others' included.
    pub(crate) load: String,
}

/// One side of a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Run {
    /// When the load began: before the action, so below 0.
    pub(crate) from: f64,
    pub(crate) until: f64,
    pub(crate) clients: BTreeMap<Client, Tally>,
    pub(crate) late: Lateness,
    /// What was done, and when it had taken effect.
    pub(crate) marks: Vec<Mark>,
    pub(crate) pods: Vec<Pod>,
    /// Requests that were lost before anything was done. A run in which there were any does not count.
    #[serde(skip)]
    pub(crate) lost_before: u32,
    /// Only of the run that is drawn.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) course: BTreeMap<Client, Vec<Slice>>,
}

/// What became of one kind of client's requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tally {
    pub(crate) sent: u32,
    pub(crate) failed: BTreeMap<Failure, u32>,
    /// Of what was answered, in milliseconds since it was due: the median, 99 and 99.9 of 100, the longest.
    pub(crate) latency: [f64; 4],
}

impl Tally {
    pub(crate) fn lost(&self) -> u32 {
        self.failed.values().sum()
    }
}

/// How much later than due the generator sent, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lateness {
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) at: f64,
    pub(crate) what: String,
}

/// The length of a [`Slice`].
pub(crate) const SLICE: f64 = 0.5;

/// How many requests that were due in half a second were answered and lost, and how long the slowest answer took, in
/// milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Slice(pub(crate) u32, pub(crate) u32, pub(crate) u32);

/// The moments of one pod; a moment that did not come, or came before the load, is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pod {
    /// The end of its name.
    pub(crate) name: String,
    /// Whether Podgrace has said on it that it added something.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) injected: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) created: Option<f64>,
    /// The EndpointSlice says that it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ready: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deleted: Option<f64>,
    /// The EndpointSlice says so no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unready: Option<f64>,
    /// The last new connection on which it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_new: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_answer: Option<f64>,
    /// When its readiness was OUT_OF_SERVICE, first and last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) out_of_service: Option<(f64, f64)>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) restarts: u32,
    /// Those of its containers, by name.
    pub(crate) containers: BTreeMap<String, Container>,
}

/// The moments of one container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Container {
    /// The application says that it listens, for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) listening: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pre_stop_end: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sigterm: Option<f64>,
    /// Whether SIGKILL ended it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) killed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) exit: Option<f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Pod {
    /// The container that answers: every manifest calls it so.
    pub(crate) fn serving(&self) -> Option<&Container> {
        self.containers.get("web")
    }
}

impl Results {
    /// What was measured of a row, if it was.
    pub(crate) fn read(row: &str) -> Option<Self> {
        let text = std::fs::read_to_string(Self::file(row)).ok()?;
        let results = serde_json::from_str(&text);
        Some(results.unwrap_or_else(|why| panic!("{}: {why}", Self::file(row).display())))
    }

    /// Keeps what was measured of a row.
    pub(crate) fn write(&self, row: &str) -> Result<(), String> {
        let file = Self::file(row);
        let text = serde_json::to_string(self).map_err(|why| why.to_string())?;
        std::fs::write(&file, text + "\n").map_err(|why| format!("{}: {why}", file.display()))
    }

    fn file(row: &str) -> PathBuf {
        root().join(format!("results/{row}.json"))
    }

    /// One side of every run.
    pub(crate) fn of(&self, side: Side) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter_map(move |run| run.get(&side))
    }
}
