//! The page of each rule, as the documentation has it.

use crate::lifecycle::audit::Rule;

macro_rules! pages {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../docs/rules/", $name, ".md")))),*]
    };
}

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

/// A rule's page, as Markdown: what happens, the fix, when to accept it.
pub fn page(rule: &Rule) -> &'static str {
    let page = PAGES.iter().find(|(name, _)| *name == rule.name);
    page.map_or(rule.about, |(_, page)| page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::audit::RULES;

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
