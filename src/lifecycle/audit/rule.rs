//! What a rule is.

use std::fmt;

use serde::Serialize;

use super::finding::Finding;
use super::subject::Subject;

/// Where the pages of the rules are: a folder of the repository, or an address that ends in a slash.
pub const PAGES: &str = "docs/rules/";

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Requests are lost at a rollout, a scale-in or a drain.
    Warning,
    /// It does not work as it is written.
    Error,
}

impl Severity {
    /// Every severity, worst first.
    pub const WORST_FIRST: [Self; 3] = [Self::Error, Self::Warning, Self::Info];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A rule of the audit.
pub struct Rule {
    /// Its name, as `podgrace.io/ignore` and the page call it.
    pub name: &'static str,
    /// How bad what it finds is; a finding can be milder where somebody must have meant it.
    pub severity: Severity,
    /// What it finds, in one clause.
    pub about: &'static str,
    /// How much is lost by what it finds, of 100: orders findings of one severity. The numbers follow the
    /// measurements of a rollout where there are some.
    pub harm: u8,
    /// Whether it judges workloads too that are left alone as a whole.
    pub(super) judges_all: bool,
    /// Adds what it finds.
    pub(super) judge: fn(&Subject<'_>, &mut Vec<Finding>),
}

impl Rule {
    /// The rule of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        super::RULES.into_iter().find(|rule| rule.name == name)
    }

    /// The names of all rules.
    pub fn names() -> impl Iterator<Item = &'static str> {
        super::RULES.iter().map(|rule| rule.name)
    }

    /// Where its page is.
    pub fn page(&self) -> String {
        format!("{PAGES}{}.md", self.name)
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rule").field(&self.name).finish()
    }
}
