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
    use super::nearest;

    #[test]
    fn one_slip_is_seen_in_short_names_too() {
        let known = ["web", "db", "istio-proxy", "pre-stop-sleep"];
        for (name, meant) in [
            ("wbe", Some("web")),
            ("webb", Some("web")),
            ("pre-stop-slep", Some("pre-stop-sleep")),
            ("istio", Some("istio-proxy")),
            // Two letters are nobody's slip.
            ("da", None),
            ("cache", None),
        ] {
            assert_eq!(nearest(name, known), meant, "{name}");
        }
    }
}
