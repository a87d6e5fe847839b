//! `podgrace audit rules`: the rules, or the page of one.

use std::io::Write as _;

use crate::cli::Status;
use crate::lifecycle::audit::{RULES, Rule};

/// List the rules, or explain one: what happens second by second, the fix, when to accept it.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The rule to explain.
    #[arg(value_name = "RULE", value_parser = super::rule())]
    rule: Option<&'static Rule>,
}

macro_rules! pages {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../docs/rules/", $name, ".md")))),*]
    };
}

/// The page of each rule.
const PAGES: [(&str, &str); 16] = pages![
    "traffic-before-ready",
    "startup-probe-missing",
    "startup-budget-short",
    "probe-port-unknown",
    "pre-stop-missing",
    "pre-stop-short",
    "pre-stop-exec-fails",
    "pre-stop-takes-grace",
    "grace-too-short",
    "grace-zero",
    "grace-above-autoscaler",
    "spring-shutdown-immediate",
    "spring-phase-exceeds-grace",
    "rollout-drops-capacity",
    "progress-deadline-short",
    "annotation-invalid",
];

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Status> {
    let mut out = anstream::stdout().lock();
    match arguments.rule {
        Some(rule) => {
            let page = PAGES.iter().find(|(name, _)| *name == rule.name);
            let page = page.map_or(rule.about, |(_, page)| page);
            out.write_all(page.as_bytes())?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_page_of_its_name_and_no_page_is_left_over() {
        let names: Vec<&str> = Rule::names().collect();
        assert_eq!(PAGES.map(|(name, _)| name).as_slice(), names);
        for (rule, (_, page)) in RULES.iter().zip(PAGES) {
            assert!(
                page.starts_with(&format!("# {}\n", rule.name)),
                "{}",
                rule.name
            );
            for part in [
                "\n## What happens\n",
                "\n## What to do\n",
                "\n## When to accept it\n",
                "podgrace.io/ignore",
            ] {
                assert!(page.contains(part), "{}: no {part:?}", rule.name);
            }
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rules");
        let files = std::fs::read_dir(folder).expect("the folder").count();
        assert_eq!(files, names.len(), "a page without a rule");
    }
}
