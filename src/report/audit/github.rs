//! The report as commands of a GitHub Actions workflow, which shows each as an annotation of its line.

use std::fmt::Write as _;

use super::{Run, sentences};
use crate::audit::Report;
use crate::lifecycle::audit::Severity;
use crate::report::page::clean;

/// A report as workflow commands, one line for each finding. GitHub shows the first ten errors, warnings and
/// notices of a step; they come worst first.
pub fn github(report: &Report, run: &Run) -> String {
    let mut out = String::new();
    for unreadable in &report.unreadable {
        let file = unreadable.file.as_deref();
        let properties = file.map_or(String::new(), |file| place(run, file, unreadable.at));
        let message = &unreadable.message;
        command(&mut out, "error", &properties, "not readable", message);
    }
    for found in &report.findings {
        let finding = &found.finding;
        let word = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let looked = &report.workloads[found.workload];
        // An object of a cluster is in no file, and its annotation stands with the run alone.
        let properties = found.place.as_ref().map_or(String::new(), |at| {
            place(run, &at.file, Some((at.line, at.column)))
        });
        let mut title = format!("{}: {}", finding.rule.name, looked.title());
        if let (None, Some(namespace)) = (&found.place, &looked.namespace) {
            title += &format!(" in {namespace}");
        }
        command(&mut out, word, &properties, &title, &sentences(found));
    }
    out
}

/// `file=…,line=…,col=…,`; nothing for standard input, which GitHub cannot show.
fn place(run: &Run, file: &str, at: Option<(usize, usize)>) -> String {
    if file == "-" {
        return String::new();
    }
    let file = property(&run.paths.relative(file));
    match at {
        Some((line, column)) => format!("file={file},line={line},col={column},"),
        None => format!("file={file},"),
    }
}

fn command(out: &mut String, word: &str, place: &str, title: &str, message: &str) {
    let (title, message) = (property(&clean(title)), data(message));
    // Writing to a string does not fail.
    let _ = writeln!(out, "::{word} {place}title={title}::{message}");
}

/// A message, of which a line break would be the end.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// The value of a property, of which a colon or a comma would be the end too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_command_is_escaped() {
        assert_eq!(data("100%: a, b\r\nc"), "100%25: a, b%0D%0Ac");
        assert_eq!(property("100%: a, b\nc"), "100%25%3A a%2C b%0Ac");
    }
}
