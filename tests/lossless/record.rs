//! What the generator is told, and what it tells: the words between its process and that of the proof.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::report::data::{Client, Failure};

/// What is sent where, and how often.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Whom to ask.
    pub(crate) target: SocketAddr,
    /// How many requests of each kind of client are due in a second.
    pub(crate) rate: u32,
    /// After how many seconds a request counts as lost.
    pub(crate) timeout: u32,
    /// Takes a [`Record`] for each request at the end, one a line.
    pub(crate) file: PathBuf,
}

/// One request. Times are seconds since 1970, lengths are seconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) client: Client,
    /// When it should have been sent.
    pub(crate) due: f64,
    /// How much later it was.
    pub(crate) late: f64,
    /// How long it took since it was due.
    pub(crate) took: f64,
    /// How it was lost; none where it was answered.
    pub(crate) failure: Option<Failure>,
    /// Who answered.
    pub(crate) pod: Option<String>,
    /// When its connection was made, where it made one.
    pub(crate) connected: Option<f64>,
}
