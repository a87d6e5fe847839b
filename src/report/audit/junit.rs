//! The report as JUnit XML, which most CI systems show as test results: a suite for each file, or each namespace
//! of a cluster, and a case for each workload and rule.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use super::xml::Escaped;
use super::{Run, sentences};
use crate::audit::{Found, Looked, Report, Unreadable};

/// What is known about one workload and one rule.
#[derive(Default)]
struct Case<'r> {
    found: Vec<&'r Found>,
    known: usize,
    accepted: Vec<&'r str>,
}

/// What a suite stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Of<'r> {
    File(&'r str),
    Namespace(&'r str),
    /// What of a cluster is in no namespace.
    Cluster,
}

/// One file or namespace.
#[derive(Default)]
struct Suite<'r> {
    unreadable: Vec<&'r Unreadable>,
    workloads: Vec<usize>,
}

#[derive(Default)]
struct Totals {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

/// A report as JUnit XML. A finding milder than what fails the run is told in a case that passes, so that the
/// suites and the exit code say the same.
pub fn junit(report: &Report, run: &Run) -> String {
    let cases = cases(report);
    // In the order of the input.
    let mut order: Vec<Of<'_>> = Vec::new();
    let mut suites: HashMap<Of<'_>, Suite<'_>> = HashMap::new();
    let workloads = report.workloads.iter().map(Of::workload);
    for of in workloads.chain(report.unreadable.iter().map(Of::unreadable)) {
        suites.entry(of).or_insert_with(|| {
            order.push(of);
            Suite::default()
        });
    }
    for (index, looked) in report.workloads.iter().enumerate() {
        let suite = suites.entry(Of::workload(looked)).or_default();
        suite.workloads.push(index);
    }
    for unreadable in &report.unreadable {
        let suite = suites.entry(Of::unreadable(unreadable)).or_default();
        suite.unreadable.push(unreadable);
    }
    let mut body = String::new();
    let mut all = Totals::default();
    for of in order {
        let totals = write_suite(&mut body, report, run, of, &suites[&of], &cases);
        all.add(&totals);
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"podgrace audit\" {}>\n{body}</testsuites>\n",
        all.attributes(false)
    )
}

impl<'r> Of<'r> {
    fn workload(looked: &'r Looked) -> Self {
        match (&looked.place, &looked.namespace) {
            (Some(place), _) => Self::File(&place.file),
            (None, Some(namespace)) => Self::Namespace(namespace),
            // A Namespace is told of beside its workloads.
            (None, None) => Self::Namespace(&looked.name),
        }
    }

    fn unreadable(unreadable: &'r Unreadable) -> Self {
        unreadable.file.as_deref().map_or(Self::Cluster, Self::File)
    }

    /// The file, where it is one.
    fn path(self, run: &Run) -> Option<String> {
        match self {
            Self::File(file) => Some(run.paths.relative(file)),
            Self::Namespace(_) | Self::Cluster => None,
        }
    }

    fn name(self, run: &Run) -> String {
        match self {
            Self::File(file) => run.paths.relative(file),
            Self::Namespace(name) => name.to_owned(),
            Self::Cluster => "cluster".to_owned(),
        }
    }
}

fn cases(report: &Report) -> HashMap<usize, BTreeMap<&'static str, Case<'_>>> {
    let mut cases: HashMap<usize, BTreeMap<&'static str, Case<'_>>> = HashMap::new();
    for found in &report.findings {
        entry(&mut cases, found).found.push(found);
    }
    for found in &report.known {
        entry(&mut cases, found).known += 1;
    }
    for accepted in &report.accepted {
        let case = entry(&mut cases, &accepted.found);
        case.accepted.push(&accepted.reason);
    }
    cases
}

fn entry<'c, 'r>(
    cases: &'c mut HashMap<usize, BTreeMap<&'static str, Case<'r>>>,
    found: &Found,
) -> &'c mut Case<'r> {
    let of_workload = cases.entry(found.workload).or_default();
    of_workload.entry(found.finding.rule.name).or_default()
}

fn write_suite(
    out: &mut String,
    report: &Report,
    run: &Run,
    of: Of<'_>,
    suite: &Suite<'_>,
    cases: &HashMap<usize, BTreeMap<&'static str, Case<'_>>>,
) -> Totals {
    let path = of.path(run);
    let path = path.as_deref();
    let name = of.name(run);
    let mut totals = Totals::default();
    let mut body = String::new();
    for unreadable in &suite.unreadable {
        totals.tests += 1;
        totals.errors += 1;
        let at = match unreadable.at {
            Some((line, column)) => format!("{name}:{line}:{column}"),
            None => name.clone(),
        };
        open_case(&mut body, "readable", &at, path);
        let (at, message) = (Escaped(&at), Escaped(&unreadable.message));
        // Writing to a string does not fail.
        let _ = writeln!(
            body,
            ">\n      <error type=\"unreadable\" message=\"{message}\">{at}: {message}</error>\n    </testcase>"
        );
    }
    let nothing = BTreeMap::new();
    for index in &suite.workloads {
        let looked = &report.workloads[*index];
        let of_workload = cases.get(index).unwrap_or(&nothing);
        for rule in &run.rules {
            let case = of_workload.get(rule.name);
            // Of a Namespace only what it says is judged.
            if case.is_some() || looked.kind != "Namespace" {
                totals.tests += 1;
                open_case(&mut body, rule.name, &class(looked), path);
                write_case(&mut body, &mut totals, run, rule.name, case);
            }
        }
    }
    let name = Escaped(&name);
    let attributes = totals.attributes(true);
    let _ = writeln!(
        out,
        "  <testsuite name=\"{name}\" {attributes}>\n{body}  </testsuite>"
    );
    totals
}

/// What a case belongs to; namespaces first, so that viewers that make a tree of the dots have a good one.
fn class(looked: &Looked) -> String {
    match &looked.namespace {
        Some(namespace) => format!("{namespace}.{}", looked.title()),
        None => looked.title(),
    }
}

/// A case up to the end of its attributes. `file` is not in every schema; GitLab makes a link of it.
fn open_case(out: &mut String, name: &str, class: &str, path: Option<&str>) {
    let (name, class) = (Escaped(name), Escaped(class));
    let file = path.map_or(String::new(), |path| format!(" file=\"{}\"", Escaped(path)));
    let _ = write!(
        out,
        "    <testcase name=\"{name}\" classname=\"{class}\"{file} time=\"0\""
    );
}

fn write_case(
    out: &mut String,
    totals: &mut Totals,
    run: &Run,
    rule: &str,
    case: Option<&Case<'_>>,
) {
    let Some(case) = case else {
        out.push_str("/>\n");
        return;
    };
    let fails = |found: &&&Found| found.finding.severity >= run.fail_on;
    let told: Vec<String> = case.found.iter().map(|found| told(run, found)).collect();
    let told = told.join("\n");
    let text = Escaped(&told);
    out.push_str(">\n      ");
    if let Some(first) = case.found.iter().find(fails) {
        totals.failures += 1;
        let message = Escaped(&first.finding.message);
        let _ = writeln!(
            out,
            "<failure type=\"{rule}\" message=\"{message}\">{text}</failure>"
        );
    } else if !case.found.is_empty() {
        let _ = writeln!(out, "<system-out>{text}</system-out>");
    } else if let Some(reason) = case.accepted.first() {
        totals.skipped += 1;
        let _ = writeln!(out, "<skipped message=\"accepted: {}\"/>", Escaped(reason));
    } else if case.known > 0 {
        totals.skipped += 1;
        let _ = writeln!(out, "<skipped message=\"in the baseline\"/>");
    }
    out.push_str("    </testcase>\n");
}

/// A finding with its place and its fix.
fn told(run: &Run, found: &Found) -> String {
    let at = run.place(found);
    let mut text = format!(
        "{at}: {}: {}",
        found.finding.severity.word(),
        sentences(found)
    );
    let fix = found.finding.fix.as_ref();
    if let Some(yaml) = fix.and_then(|fix| fix.yaml.as_deref()) {
        text.push('\n');
        text.push_str(yaml.trim_end());
    }
    text
}

impl Totals {
    fn add(&mut self, other: &Self) {
        self.tests += other.tests;
        self.failures += other.failures;
        self.errors += other.errors;
        self.skipped += other.skipped;
    }

    fn attributes(&self, with_skipped: bool) -> String {
        let Self {
            tests,
            failures,
            errors,
            skipped,
        } = self;
        let skipped = if with_skipped {
            format!("skipped=\"{skipped}\" ")
        } else {
            String::new()
        };
        format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" {skipped}time=\"0\"")
    }
}
