//! Text as XML and HTML may hold it.

use std::fmt;

/// Text or the value of an attribute, escaped for both. A character that XML cannot hold, not even escaped,
/// becomes the replacement character.
pub(super) struct Escaped<'t>(pub(super) &'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(is_special) {
            f.write_str(&rest[..at])?;
            let mut behind = rest[at..].chars();
            f.write_str(match behind.next() {
                Some('&') => "&amp;",
                Some('<') => "&lt;",
                Some('>') => "&gt;",
                Some('"') => "&quot;",
                Some('\'') => "&#39;",
                // Parsers make a space of what stands for itself in an attribute.
                Some('\n') => "&#10;",
                Some('\t') => "&#9;",
                _ => "\u{fffd}",
            })?;
            rest = behind.as_str();
        }
        f.write_str(rest)
    }
}

fn is_special(c: char) -> bool {
    c.is_control() || matches!(c, '&' | '<' | '>' | '"' | '\'' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_end_what_it_stands_in() {
        let text = "<a href=\"x\">'&\n\u{1b}[31m\0\u{7f}é\u{ffff}</a>";
        assert_eq!(
            Escaped(text).to_string(),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#10;\u{fffd}[31m\u{fffd}\u{fffd}é\u{fffd}&lt;/a&gt;"
        );
    }
}
