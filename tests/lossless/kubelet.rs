//! When the kubelet ended a hook, sent SIGTERM and saw the exit: it writes that into its own log (`--v=3`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// How a container ended, in seconds since 1970.
#[derive(Debug, Clone, Default)]
pub(crate) struct End {
    pub(crate) pre_stop: Option<f64>,
    pub(crate) sigterm: Option<f64>,
    pub(crate) exit: Option<f64>,
    /// What was left of the grace period at SIGTERM, in seconds.
    pub(crate) grace: f64,
}

/// A pod's name and a container's.
pub(crate) type Of = (String, String);

/// The kubelet's log from here on.
pub(crate) struct Log {
    file: PathBuf,
    from: u64,
}

impl Log {
    pub(crate) fn here(file: &Path) -> Self {
        let from = std::fs::metadata(file).map_or(0, |metadata| metadata.len());
        Self {
            file: file.to_owned(),
            from,
        }
    }

    /// What it says of a namespace's containers.
    pub(crate) fn ends(&self, namespace: &str) -> BTreeMap<Of, End> {
        let mut text = Vec::new();
        let read = File::open(&self.file).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.from))?;
            file.read_to_end(&mut text)
        });
        read.unwrap_or_else(|why| panic!("{}: {why}", self.file.display()));
        let mut ends: BTreeMap<Of, End> = BTreeMap::new();
        for line in String::from_utf8_lossy(&text).lines() {
            let Some((at, message, of)) = parse(line, namespace) else {
                continue;
            };
            let end = ends.entry(of).or_default();
            match message {
                "PreStop hook completed" | "PreStop hook not completed in grace period" => {
                    end.pre_stop = Some(at);
                }
                "Killing container with a grace period" => {
                    end.sigterm = Some(at);
                    let grace = value(line, "gracePeriod=").and_then(|text| text.parse().ok());
                    end.grace = grace.unwrap_or(0.0);
                }
                "Container exited normally" => end.exit = Some(at),
                _ => {}
            }
        }
        ends
    }
}

/// `I1125 10:11:12.131415    1 file.go:1] "MESSAGE" pod="NAMESPACE/POD" … containerName="CONTAINER" …`
fn parse<'l>(line: &'l str, namespace: &str) -> Option<(f64, &'l str, Of)> {
    let (own, pod) = value(line, "pod=\"")?.split_once('/')?;
    if own != namespace {
        return None;
    }
    let container = value(line, "containerName=\"")?;
    let message = value(line, "] \"")?;
    let at = time(line)?;
    Some((at, message, (pod.to_owned(), container.to_owned())))
}

/// What stands behind a word, up to the next quote or space.
fn value<'l>(line: &'l str, word: &str) -> Option<&'l str> {
    let (_, rest) = line.split_once(word)?;
    let end = if word.ends_with('"') { '"' } else { ' ' };
    rest.split(end).next()
}

/// The kubelet says neither the year nor the zone: it is told to use UTC.
fn time(line: &str) -> Option<f64> {
    let (day, rest) = line.get(1..)?.split_once(' ')?;
    let year = jiff::Timestamp::now().to_zoned(TimeZone::UTC).year();
    let text = format!(
        "{year}-{}-{}T{}",
        day.get(..2)?,
        day.get(2..)?,
        rest.get(..15)?
    );
    let time: DateTime = text.parse().ok()?;
    let zoned = time.to_zoned(TimeZone::UTC).ok()?;
    Some(zoned.timestamp().as_duration().as_secs_f64())
}
