//! The known name that somebody probably meant.

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
}
