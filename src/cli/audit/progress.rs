//! How far a long scan is, for people who wait for it.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How long nobody wonders.
const SILENT_FOR: Duration = Duration::from_secs(1);
/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(200);

/// A line on a terminal that says how far it is, once a scan takes long.
pub(in crate::cli) struct Progress {
    next: Option<Instant>,
    is_shown: bool,
}

impl Progress {
    /// Nothing is shown where nobody sees it, or wants to.
    pub(in crate::cli) fn new(quiet: bool) -> Self {
        let is_seen = !quiet && std::io::stderr().is_terminal();
        Self {
            next: is_seen.then(|| Instant::now() + SILENT_FOR),
            is_shown: false,
        }
    }

    /// This far it is.
    pub(in crate::cli) fn tell(&mut self, text: impl FnOnce() -> String) {
        let now = Instant::now();
        if self.next.is_some_and(|next| now >= next) {
            self.next = Some(now + EVERY);
            self.is_shown = true;
            self.write(&format!("podgrace: {}", text()));
        }
    }

    fn write(&self, text: &str) {
        let mut err = anstream::stderr().lock();
        // Whoever closed it does not wait for this.
        let _ = write!(err, "\r\x1b[K{text}");
        let _ = err.flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            self.write("");
        }
    }
}
