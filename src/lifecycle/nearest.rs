//! The known name that somebody probably meant.

/// The candidate most like `name`, if one is like it at all.
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // Jaro-Winkler of 0.8 takes a slip or two of the keyboard and refuses another word. In a short name it
    // takes too few: there one slip (a letter too many, missing, wrong, or two swapped) is enough.
    let alike = |candidate: &str| {
        let likeness = strsim::jaro_winkler(name, candidate);
        let one_slip = candidate.len() > 2 && strsim::osa_distance(name, candidate) == 1;
        (likeness >= 0.8 || one_slip).then_some(likeness)
    };
    candidates
        .into_iter()
        .filter_map(|candidate| Some((alike(candidate)?, candidate)))
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
