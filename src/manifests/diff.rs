//! What an edit changed, as a patch file.

use similar::TextDiff;

/// The difference between two texts of one file in unified format, as `git apply` and `patch`
/// accept it, also where the last line has no line feed. Empty where nothing changed.
#[must_use]
pub fn unified_diff(name: &str, before: &str, after: &str) -> String {
    // Our own lines: the library would also break them at a lone carriage return.
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    // `-f .` names files ./so, which git refuses.
    let name = name.trim_start_matches("./").trim_start_matches('/');
    // As git does it: without the tab a name ends at its first blank.
    let end = if name.contains(' ') { "\t" } else { "" };
    TextDiff::configure()
        .newline_terminated(true)
        .diff_slices(&old, &new)
        .unified_diff()
        .header(&format!("a/{name}{end}"), &format!("b/{name}{end}"))
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_patch_reads() {
        assert_eq!(unified_diff("x", "a\n", "a\n"), "");
        assert_eq!(
            unified_diff("d/x.yaml", "a\nb\n", "a\nc\nb\n"),
            "--- a/d/x.yaml\n+++ b/d/x.yaml\n@@ -1,2 +1,3 @@\n a\n+c\n b\n"
        );
        assert_eq!(
            unified_diff("./d/x.yaml", "a\n", "c\n"),
            "--- a/d/x.yaml\n+++ b/d/x.yaml\n@@ -1 +1 @@\n-a\n+c\n"
        );
        assert_eq!(
            unified_diff("my x", "a", "a\r\nb"),
            "--- a/my x\t\n+++ b/my x\t\n@@ -1 +1,2 @@\n-a\n\\ No newline at end of file\n\
             +a\r\n+b\n\\ No newline at end of file\n"
        );
    }
}
