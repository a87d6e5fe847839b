//! The known name that somebody probably meant.

/// The longest name that is compared, in bytes: what Kubernetes allows for a container or a setting, which are
/// checked only behind webhooks. Comparing takes the product of both lengths.
const LONGEST: usize = 63;

/// The candidate most like `name`, if one is like it at all.
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // Jaro-Winkler of 0.8 takes a slip or two of the keyboard and refuses another word; of short names it
    // sees too little to take even one: wbe for web.
    let likeness = |candidate| match strsim::osa_distance(name, candidate) {
        1 if name.len() > 2 => 1.0,
        _ => strsim::jaro_winkler(name, candidate),
    };
    candidates
        .into_iter()
        .filter(|candidate| name.len().max(candidate.len()) <= LONGEST)
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_taken_and_other_words_are_not() {
        for (name, known, expected) in [
            ("pre-stop-slep", "pre-stop-sleep", true),
            ("wbe", "web", true),
            ("we", "web", true),
            ("db", "web", false),
            ("ap", "db", false),
            ("nonsense", "ignore", false),
        ] {
            assert_eq!(nearest(name, [known]).is_some(), expected, "{name}");
        }
    }

    #[test]
    fn what_no_name_can_be_is_not_compared() {
        let (long, longer) = ("a".repeat(1 << 20), "a".repeat((1 << 20) + 1));
        assert_eq!(nearest(&long, [longer.as_str()]), None);
        assert_eq!(nearest("web", [long.as_str(), "wbe"]), Some("wbe"));
    }
}
