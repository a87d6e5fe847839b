//! `podgrace audit rules`: the rules, or the page of one.

use std::io::Write as _;

use crate::cli::Status;
use crate::lifecycle::audit::{RULES, Rule};
use crate::report::audit::page;

/// List the rules, or explain one: what happens second by second, the fix, when to accept it.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The rule to explain.
    #[arg(value_name = "RULE", value_parser = super::rule())]
    rule: Option<&'static Rule>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Status> {
    let mut out = anstream::stdout().lock();
    match arguments.rule {
        Some(rule) => {
            out.write_all(page(rule).as_bytes())?;
        }
        None => {
            for rule in RULES {
                writeln!(
                    out,
                    "{:<7}  {:<26}  {}",
                    rule.severity.word(),
                    rule.name,
                    rule.about
                )?;
            }
            writeln!(out, "\nto explain one: podgrace audit rules RULE")?;
        }
    }
    out.flush()?;
    Ok(Status::Clean)
}
