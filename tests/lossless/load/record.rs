//! What became of each request.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Client, Failure};

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

pub(super) fn write(file: &Path, records: &[Record]) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    for record in records {
        serde_json::to_writer(&mut out, record)?;
        writeln!(out)?;
    }
    out.flush()
}

pub(super) fn read(file: &Path) -> io::Result<Vec<Record>> {
    let lines = BufReader::new(File::open(file)?).lines();
    lines
        .map(|line| Ok(serde_json::from_str(&line?)?))
        .collect()
}
