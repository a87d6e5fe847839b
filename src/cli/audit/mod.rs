//! `podgrace audit`: what would be injected, what contradicts itself, what loses requests.

mod fix;
mod known;
mod outputs;
mod progress;
mod rules;

use std::path::Path;

use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;

use super::input::{Files, Surroundings};
use super::{Status, complain};
use crate::audit::{Auditor, Options, Report};
use crate::lifecycle::audit::{RULES, Rule, Severity};
use crate::manifests::{self, Source, SourceError};
use crate::report::audit::{Next, Paths, Run};
use fix::fix;
use known::Known;
use outputs::Outputs;
use progress::Progress;

/// How many bytes of files are kept between the two looks at them; the rest are read again.
const KEPT: usize = 16 << 20;
/// How many bytes of files are judged at a time.
const AT_A_TIME: usize = 4 << 20;
/// How many unreadable documents are told one by one.
const TOLD: usize = 10;

/// Say what manifests would get, what contradicts itself in them, and what loses requests.
///
/// Worst first, with file, line, and what to write instead. Exit code 0 if nothing is found, 1 for findings
/// of the severity of --fail-on or worse, 2 if something could not be read.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    surroundings: Surroundings,
    #[command(flatten)]
    outputs: Outputs,
    /// The mildest severity that makes the exit code 1.
    #[arg(long, value_enum, default_value_t = FailOn::Warning, value_name = "SEVERITY")]
    fail_on: FailOn,
    /// Tell of this rule only; can be given several times.
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = rule())]
    rule: Vec<&'static Rule>,
    /// Do not tell of this rule; can be given several times.
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = rule())]
    skip_rule: Vec<&'static Rule>,
    #[command(flatten)]
    known: Known,
    /// First write into the files what podgrace adds, as podgrace inject --in-place does.
    #[arg(long)]
    fix: bool,
    /// Say nothing but the report: no progress, no complaints.
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Rules(rules::Arguments),
}

/// The mildest severity that makes the exit code 1.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum FailOn {
    Error,
    Warning,
    Info,
}

impl FailOn {
    pub(super) fn severity(self) -> Severity {
        match self {
            Self::Error => Severity::Error,
            Self::Warning => Severity::Warning,
            Self::Info => Severity::Info,
        }
    }
}

/// The name of a rule.
fn rule() -> impl clap::builder::TypedValueParser<Value = &'static Rule> {
    PossibleValuesParser::new(Rule::names())
        .try_map(|name| Rule::named(&name).ok_or("no such rule"))
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Status> {
    if let Some(Command::Rules(arguments)) = &arguments.command {
        return rules::run(arguments);
    }
    let baseline = arguments.known.read()?;
    let fixed = match arguments.fix {
        true => fix(&arguments.files, &arguments.surroundings, arguments.quiet)?,
        false => Status::Clean,
    };
    let mut report = report(arguments)?;
    if !arguments.quiet {
        tell_unreadable(&report);
    }
    let run = Run {
        rules: asked(arguments),
        fail_on: arguments.fail_on.severity(),
        paths: paths()?,
    };
    let quiet = arguments.quiet;
    arguments
        .known
        .settle(baseline.as_ref(), &mut report, &run.rules, quiet)?;
    let next = Next {
        inject: format!("podgrace inject --diff{}", arguments.files.arguments()),
    };
    arguments.outputs.write(&report, &run, &next)?;
    Ok(match fixed {
        Status::Error => fixed,
        _ => status(&report, run.fail_on),
    })
}

/// The rules that are told of.
fn asked(arguments: &Arguments) -> Vec<&'static Rule> {
    let (only, not) = (&arguments.rule, &arguments.skip_rule);
    let is_asked =
        |rule: &&'static Rule| (only.is_empty() || only.contains(rule)) && !not.contains(rule);
    RULES.into_iter().filter(is_asked).collect()
}

/// Where the files of a report are counted from: the root of the repository around the current folder.
fn paths() -> anyhow::Result<Paths> {
    let current = std::env::current_dir()?;
    let root = current
        .ancestors()
        .find(|folder| folder.join(".git").exists());
    let root = root.unwrap_or(&current).to_owned();
    Ok(Paths::new(current, root))
}

/// The exit code, the same for every format.
fn status(report: &Report, fail_on: Severity) -> Status {
    if !report.unreadable.is_empty() {
        Status::Error
    } else if report.worst() >= Some(fail_on) {
        Status::Findings
    } else {
        Status::Clean
    }
}

fn tell_unreadable(report: &Report) {
    let (templates, others): (Vec<_>, Vec<_>) = report
        .unreadable
        .iter()
        .partition(|unreadable| unreadable.message.ends_with(manifests::TEMPLATE_HINT));
    // A folder of charts has hundreds, and one thing to do about them.
    let (templates, others) = match templates.as_slice() {
        [_, _, _, _, ..] => (templates, others),
        _ => (Vec::new(), report.unreadable.iter().collect()),
    };
    for unreadable in others.iter().take(TOLD) {
        complain(&unreadable.to_string());
    }
    if let Some(more) = others.len().checked_sub(TOLD).filter(|n| *n > 0) {
        complain(&format!(
            "… and {more} more that could not be read (-o json has them all)"
        ));
    }
    if let Some(first) = templates.first() {
        complain(&format!(
            "{} documents are templates, the first in {}; render them first: helm template CHART | podgrace \
             audit -f -",
            templates.len(),
            first.file
        ));
    }
}

/// A file between the two looks at it.
enum Entry {
    /// Still in memory: it is small, or can be read only once.
    Kept(Source),
    /// To be read again.
    Named(String),
    /// Not readable.
    Failed(SourceError),
}

fn report(arguments: &Arguments) -> anyhow::Result<Report> {
    let planner = arguments.surroundings.planner()?;
    let mut auditor = Auditor::new(Options {
        default_namespace: planner.default_namespace().map(str::to_owned),
        policy: planner.policy,
        rules: arguments.rule.clone(),
        skipped_rules: arguments.skip_rule.clone(),
        lives: arguments.outputs.show_lives(),
    });
    // What these say counts before what the input says.
    for source in arguments.surroundings.namespace_sources()? {
        auditor.learn(&source);
        let part = auditor.judge_namespaces(&source);
        auditor.add(part);
    }
    let entries = learn(arguments, &mut auditor);
    let mut progress = Progress::new(entries.len(), arguments.quiet);
    let mut batch = Vec::new();
    let mut bytes = 0;
    for entry in entries {
        let source = match entry {
            Entry::Kept(source) => Ok(source),
            Entry::Named(name) => read_again(name),
            Entry::Failed(error) => Err(error),
        };
        match source {
            Ok(source) => {
                bytes += source.bytes.len();
                batch.push(source);
            }
            // Behind what was read before it.
            Err(error) => {
                judge(&mut auditor, &mut batch, &mut progress);
                auditor.unreadable(error);
            }
        }
        if bytes >= AT_A_TIME {
            judge(&mut auditor, &mut batch, &mut progress);
            bytes = 0;
        }
    }
    judge(&mut auditor, &mut batch, &mut progress);
    Ok(auditor.finish())
}

/// The first look: what surrounds the workloads.
fn learn(arguments: &Arguments, auditor: &mut Auditor) -> Vec<Entry> {
    let mut kept = 0;
    let mut entries = Vec::new();
    for source in arguments.files.sources() {
        entries.push(match source {
            Ok(source) => {
                auditor.learn(&source);
                // Standard input and pipes are gone once they are read.
                let is_file = source.name != "-" && Path::new(&source.name).is_file();
                if is_file && kept + source.bytes.len() > KEPT {
                    Entry::Named(source.name)
                } else {
                    kept += source.bytes.len();
                    Entry::Kept(source)
                }
            }
            Err(error) => Entry::Failed(error),
        });
    }
    entries
}

fn read_again(name: String) -> Result<Source, SourceError> {
    match std::fs::read(&name) {
        Ok(bytes) => Ok(Source { name, bytes }),
        Err(error) => Err(SourceError {
            name,
            message: error.to_string(),
        }),
    }
}

/// The second look.
fn judge(auditor: &mut Auditor, batch: &mut Vec<Source>, progress: &mut Progress) {
    for part in auditor.judge_all(batch) {
        auditor.add(part);
    }
    progress.advance(batch.len());
    batch.clear();
}
