//! What is known already: the baseline that a run is compared with, and the one that it writes.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::audit::{Baseline, Report};
use crate::cli::complain;
use crate::lifecycle::audit::Rule;

/// How many findings are told one by one.
const TOLD: usize = 10;

/// The baseline's files.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Known {
    /// Tell only of what is not in this file, and fail for nothing else.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write all that is found into a baseline: from then on it is known.
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
}

impl Known {
    /// Reads the baseline before anything else is done.
    pub(super) fn read(&self) -> anyhow::Result<Option<Baseline>> {
        let Some(file) = &self.baseline else {
            return Ok(None);
        };
        let name = || file.display().to_string();
        let text = std::fs::read_to_string(file).with_context(name)?;
        Ok(Some(Baseline::parse(&text).with_context(name)?))
    }

    /// The file that is written, which may replace a baseline and nothing else.
    ///
    /// # Errors
    /// Where it is something else.
    pub(super) fn written(&self) -> anyhow::Result<Option<&Path>> {
        let Some(file) = self.write_baseline.as_deref() else {
            return Ok(None);
        };
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if !text.trim().is_empty() && Baseline::parse(&text).is_err() {
            anyhow::bail!(
                "{} is no baseline, and --write-baseline would replace it: name another file",
                file.display()
            );
        }
        Ok(Some(file))
    }

    /// Takes what is known out of the report; then writes the new baseline, where one is asked for.
    pub(super) fn settle(
        &self,
        baseline: Option<&Baseline>,
        report: &mut Report,
        rules: &[&'static Rule],
        is_quiet: bool,
    ) -> anyhow::Result<()> {
        if let Some(baseline) = baseline {
            baseline.apply(report, rules);
            if !is_quiet {
                tell_gone(report);
            }
        }
        if let Some(file) = &self.write_baseline {
            let written = match baseline {
                Some(old) => old.renewed(report, rules),
                None => Baseline::of(report),
            };
            write(file, &written.text())?;
            written.apply(report, rules);
        }
        Ok(())
    }
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| file.display().to_string())
}

/// What is in the baseline and was not found: mended, and to be taken out, or not looked at.
fn tell_gone(report: &Report) {
    let (mended, unseen): (Vec<_>, Vec<_>) = report.gone.iter().partition(|gone| gone.is_mended);
    for gone in mended.iter().take(TOLD) {
        complain(&format!("mended since the baseline: {}", gone.fingerprint));
    }
    if let Some(more) = mended.len().checked_sub(TOLD).filter(|more| *more > 0) {
        complain(&format!("… and {more} more that are mended"));
    }
    if !unseen.is_empty() {
        complain(&format!(
            "{} of the baseline not looked at: the workload was not in the input, the first is {}",
            unseen.len(),
            unseen[0].fingerprint
        ));
    }
}
