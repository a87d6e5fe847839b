//! `podgrace audit`: what would be injected, what contradicts itself, what loses requests.

mod files;
mod fix;
mod known;
mod live;
mod outputs;
pub(super) mod progress;
mod rules;

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::ArgGroup;
use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;

use super::input::Files;
use super::live::Selection;
use super::planner::Planner;
use super::surroundings::Surroundings;
use super::{Status, complain, wait};
use crate::audit::{Options, Report};
use crate::lifecycle::audit::{RULES, Rule, Severity};
use crate::manifests;
use crate::report::audit::{Next, Paths, Run};
use fix::fix;
use known::Known;
use outputs::Outputs;

/// How many unreadable documents are told one by one.
const TOLD: usize = 10;

/// Say what pods would get, what contradicts itself in them, and what loses requests.
///
/// Of manifests (-f), or else of a cluster: that of the kubeconfig's current context and its namespace, as
/// kubectl would take them, unless --context, -n or -A says otherwise. A cluster is only read.
///
/// Worst first, with file and line or the object's field, and what to write instead. Exit code 0 if nothing
/// is found, 1 for findings of the severity of --fail-on or worse, 2 if something could not be read.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(group = ArgGroup::new("live").multiple(true).conflicts_with("filename")
    .args(["kubeconfig", "context", "all_namespaces", "selector"]))]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    selection: Selection,
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
    if arguments.fix && arguments.files.is_empty() {
        bail!("--fix writes files, and a cluster is only read: name the files with -f");
    }
    let mut only = arguments.rule.iter();
    if let Some(rule) = only.find(|rule| arguments.skip_rule.contains(rule)) {
        bail!(
            "{} is given with --rule and with --skip-rule: it can be told of or not",
            rule.name
        );
    }
    if asked(arguments).is_empty() {
        bail!("--skip-rule leaves no rule to tell of");
    }
    let baseline = arguments.known.read()?;
    arguments.keep_inputs()?;
    let fixed = match arguments.fix {
        true => fix(&arguments.files, &arguments.surroundings, arguments.quiet)?,
        false => Status::Clean,
    };
    let mut report = match arguments.files.is_empty() {
        true => wait(live::report(arguments))?,
        false => files::report(arguments)?,
    };
    if !arguments.quiet {
        tell_unreadable(&report);
        for kind in &report.not_looked_at {
            complain(&kind.to_string());
        }
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
    let next = arguments.next();
    arguments.outputs.write(&report, &run, &next)?;
    Ok(match fixed {
        Status::Error => fixed,
        _ => status(&report, run.fail_on),
    })
}

impl Arguments {
    /// Refuses to write over what is read, and two things into one file.
    fn keep_inputs(&self) -> anyhow::Result<()> {
        let mut taken: Vec<PathBuf> = self.files.named().map(real).collect();
        let written = self.known.written()?.into_iter();
        for file in written.chain(self.outputs.files()) {
            let path = real(file);
            if taken.contains(&path) {
                bail!(
                    "{} would be written over: it is also an input or another output",
                    file.display()
                );
            }
            taken.push(path);
        }
        Ok(())
    }

    /// The command that shows what would be added.
    fn next(&self) -> Next {
        match self.files.is_empty() {
            true => {
                let cluster = self.selection.cluster.arguments();
                Next::Explain(format!("{cluster}{}", self.surroundings.arguments(false)))
            }
            false => Next::Inject(format!(
                "podgrace inject --diff{}{}",
                self.files.arguments(),
                self.surroundings.arguments(true)
            )),
        }
    }

    /// What holds for the audit.
    fn options(&self, planner: Planner) -> Options {
        Options {
            default_namespace: planner.default_namespace().map(str::to_owned),
            kinds: planner.configuration.kinds().clone(),
            policy: planner.policy,
            rules: self.rule.clone(),
            skipped_rules: self.skip_rule.clone(),
            fixes: self.outputs.write_fixes(),
            lives: self.outputs.show_lives(),
        }
    }
}

/// One path for each file, as far as it is there.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
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
            first.file.as_deref().unwrap_or("-")
        ));
    }
}
