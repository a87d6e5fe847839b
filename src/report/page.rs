//! A page of text: headings, wrapped paragraphs, columns. All that comes from manifests is cleaned of control
//! characters here.

use anstyle::{AnsiColor, Style};

/// How wide text gets where words can be moved to the next line.
pub const WIDTH: usize = 80;

pub(super) const HEADING: Style = Style::new().bold();
pub(super) const BEFORE: Style = AnsiColor::Yellow.on_default();
pub(super) const AFTER: Style = AnsiColor::Green.on_default();
pub(super) const FAINT: Style = Style::new().dimmed();
pub(super) const PLAIN: Style = Style::new();

/// Text that grows line by line.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// A heading with an empty line before it.
    pub(super) fn heading(&mut self, text: &str) {
        self.blank();
        self.styled(0, HEADING, text);
    }

    /// An empty line, but never two and none at the top.
    pub(super) fn blank(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// A line that is not wrapped.
    pub(super) fn styled(&mut self, indent: usize, style: Style, text: &str) {
        let text = clean(text);
        let text = text.trim_end();
        self.text.push_str(&" ".repeat(indent));
        self.text.push_str(&paint(style, text));
        self.text.push('\n');
    }

    /// A paragraph.
    pub(super) fn paragraph(&mut self, indent: usize, style: Style, text: &str) {
        for line in wrap(text, WIDTH - indent) {
            self.styled(indent, style, &line);
        }
    }

    /// Items one after the other; none is broken over two lines.
    pub(super) fn items(&mut self, indent: usize, style: Style, items: &[&str]) {
        let mut line = String::new();
        for item in items {
            let length = line.chars().count() + 3 + item.chars().count();
            if !line.is_empty() && indent + length > WIDTH {
                self.styled(indent, style, &line);
                line.clear();
            }
            if !line.is_empty() {
                line.push_str("   ");
            }
            line.push_str(item);
        }
        self.styled(indent, style, &line);
    }

    /// A paragraph with a label before its first line; the label may be empty.
    pub(super) fn labelled(
        &mut self,
        indent: usize,
        width: usize,
        label: (Style, &str),
        text: &str,
    ) {
        let (style, label) = label;
        let label = clean(label);
        let length = label.chars().count();
        let mut lines = wrap(text, WIDTH - indent - width).into_iter();
        // A label that is too long has a line of its own.
        let fits = length < width;
        if !fits {
            self.styled(indent, style, &label);
        }
        let mut first = fits;
        for line in lines.by_ref() {
            let label = if first {
                format!("{}{}", paint(style, &label), " ".repeat(width - length))
            } else {
                " ".repeat(width)
            };
            first = false;
            let line = clean(&line);
            self.text
                .push_str(format!("{}{label}{line}", " ".repeat(indent)).trim_end());
            self.text.push('\n');
        }
    }

    /// Cells beside each other, each wrapped to its width.
    pub(super) fn row(&mut self, indent: usize, cells: &[(Style, &str, usize)]) {
        let wrapped: Vec<Vec<String>> = cells
            .iter()
            .map(|(_, text, width)| wrap(text, width.saturating_sub(2)))
            .collect();
        let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
        for index in 0..height {
            let mut line = " ".repeat(indent);
            let mut gap = 0;
            for ((style, _, width), lines) in cells.iter().zip(&wrapped) {
                let text = clean(lines.get(index).map_or("", String::as_str));
                if !text.is_empty() {
                    line.push_str(&" ".repeat(gap));
                    line.push_str(&paint(*style, &text));
                    gap = 0;
                }
                gap += width.saturating_sub(text.chars().count());
            }
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }
}

fn paint(style: Style, text: &str) -> String {
    if style == PLAIN || text.is_empty() {
        return text.to_owned();
    }
    format!("{style}{text}{style:#}")
}

/// Text that a terminal cannot take for a command.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Words on lines of at most `width` characters; a word that is longer has a line of its own. A number and its
/// unit stay together.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut length = 0;
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let mut word = word.to_owned();
        if let Some(unit) = words.next_if(|next| is_unit(next)) {
            word.push(' ');
            word.push_str(unit);
        }
        let characters = word.chars().count();
        match lines.last_mut() {
            Some(line) if length + 1 + characters <= width => {
                line.push(' ');
                line.push_str(&word);
                length += 1 + characters;
            }
            _ => {
                lines.push(word);
                length = characters;
            }
        }
    }
    lines
}

fn is_unit(word: &str) -> bool {
    word.trim_end_matches(['.', ',', ';', ':', ')']) == "s"
}

/// A name cut to `width` characters.
pub(super) fn cut(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        None => text.to_owned(),
        Some(_) => {
            let kept: String = text.chars().take(width.saturating_sub(1)).collect();
            format!("{kept}…")
        }
    }
}
