//! Files as the tools that read a report know them: relative to the root of the repository.

use std::path::{Component, Path, PathBuf};

/// Where files are counted from.
#[derive(Debug, Clone)]
pub struct Paths {
    /// Where the names of files were given.
    current: PathBuf,
    /// The root of the repository, or else the current folder.
    root: PathBuf,
}

impl Paths {
    /// Both are absolute.
    pub fn new(current: PathBuf, root: PathBuf) -> Self {
        Self { current, root }
    }

    /// A file's path from the root, with slashes; its absolute path where it is elsewhere. Links are not
    /// followed: a repository names its files as it sees them.
    pub(super) fn relative(&self, file: &str) -> String {
        if file == "-" {
            return "stdin".to_owned();
        }
        let whole = normal(&self.current.join(file));
        let path = whole.strip_prefix(&self.root).unwrap_or(&whole);
        let names: Vec<_> = path
            .components()
            .filter_map(|component| match component {
                Component::Normal(name) => Some(name.to_string_lossy()),
                _ => None,
            })
            .collect();
        let relative = names.join("/");
        if path.is_absolute() {
            format!("/{relative}")
        } else {
            relative
        }
    }

    /// The same as a URI reference: what is not plain is percent-encoded.
    pub(super) fn uri(&self, file: &str) -> String {
        let path = self.relative(file);
        let mut uri = if path.starts_with('/') {
            "file://".to_owned()
        } else {
            String::new()
        };
        for byte in path.bytes() {
            match byte {
                b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(byte)),
                _ if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
                _ => uri += &format!("%{byte:02X}"),
            }
        }
        uri
    }
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            _ => out.push(component),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_from_the_root_however_they_were_given() {
        let paths = Paths::new("/repo/shop/deploy".into(), "/repo/shop".into());
        for (given, path, uri) in [
            ("web.yaml", "deploy/web.yaml", "deploy/web.yaml"),
            ("./a b.yaml", "deploy/a b.yaml", "deploy/a%20b.yaml"),
            ("../web.yaml", "web.yaml", "web.yaml"),
            ("/repo/shop/x/é.yaml", "x/é.yaml", "x/%C3%A9.yaml"),
            (
                "../../else.yaml",
                "/repo/else.yaml",
                "file:///repo/else.yaml",
            ),
            ("a:b%.yaml", "deploy/a:b%.yaml", "deploy/a%3Ab%25.yaml"),
            ("-", "stdin", "stdin"),
        ] {
            assert_eq!(paths.relative(given), path);
            assert_eq!(paths.uri(given), uri);
        }
    }
}
