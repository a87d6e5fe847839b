//! The files behind `-f`.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, FilterEntry, IntoIter, WalkDir};

/// One file of manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its path as given or found, or `-` for standard input.
    pub name: String,
    /// What it contains.
    pub bytes: Vec<u8>,
}

/// A file or folder that could not be read. The others still can.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {message}")]
pub struct SourceError {
    /// The path.
    pub name: String,
    /// What is wrong.
    pub message: String,
}

/// Reads what `-f` names, one file at a time and in a stable order: files as given, folders by
/// name (`*.yaml`, `*.yml` and `*.json`) but not what is in hidden folders inside them, `-` for standard
/// input.
#[derive(Debug)]
pub struct Sources<R> {
    arguments: std::vec::IntoIter<PathBuf>,
    recursive: bool,
    stdin: Option<R>,
    walk: Option<Walk>,
}

/// A folder that is being read.
#[derive(Debug)]
struct Walk {
    folder: PathBuf,
    entries: FilterEntry<IntoIter, fn(&DirEntry) -> bool>,
    /// Whether anything was found in it.
    is_empty: bool,
}

impl<R: Read> Sources<R> {
    /// `recursive` enters the folders inside folders too; `stdin` is what `-` means.
    pub fn new(arguments: Vec<PathBuf>, recursive: bool, stdin: R) -> Self {
        Self {
            arguments: arguments.into_iter(),
            recursive,
            stdin: Some(stdin),
            walk: None,
        }
    }

    /// The next file of the folder that is being walked.
    fn found(&mut self) -> Option<Result<Source, SourceError>> {
        let walk = self.walk.as_mut()?;
        for entry in &mut walk.entries {
            match entry {
                Ok(entry) if entry.file_type().is_file() && is_manifest(entry.path()) => {
                    walk.is_empty = false;
                    return Some(file(entry.path()));
                }
                Ok(_) => {}
                Err(error) => {
                    walk.is_empty = false;
                    return Some(Err(walk_error(&error)));
                }
            }
        }
        let walk = self.walk.take().filter(|walk| walk.is_empty)?;
        let deeper = if self.recursive {
            ""
        } else {
            "; -R reads the folders inside it too"
        };
        // Nothing read must not look like nothing wrong.
        Some(Err(SourceError {
            name: walk.folder.display().to_string(),
            message: format!("no manifest (*.yaml, *.yml, *.json) in it{deeper}"),
        }))
    }

    fn argument(&mut self, path: &Path) -> Option<Result<Source, SourceError>> {
        if path == Path::new("-") {
            return Some(self.stdin());
        }
        if !path.is_dir() {
            return Some(file(path));
        }
        let depth = if self.recursive { usize::MAX } else { 1 };
        let walk = WalkDir::new(path).follow_links(true).max_depth(depth);
        let entries = walk.sort_by_file_name().into_iter();
        self.walk = Some(Walk {
            folder: path.to_owned(),
            entries: entries.filter_entry(is_shown),
            is_empty: true,
        });
        None
    }

    fn stdin(&mut self) -> Result<Source, SourceError> {
        let name = "-".to_owned();
        let Some(mut stdin) = self.stdin.take() else {
            let message = "standard input can be read only once".to_owned();
            return Err(SourceError { name, message });
        };
        let mut bytes = Vec::new();
        match stdin.read_to_end(&mut bytes) {
            Ok(_) => Ok(Source { name, bytes }),
            Err(error) => Err(failure(name, &error)),
        }
    }
}

impl<R: Read> Iterator for Sources<R> {
    type Item = Result<Source, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.found() {
                return Some(found);
            }
            let path = self.arguments.next()?;
            if let Some(source) = self.argument(&path) {
                return Some(source);
            }
        }
    }
}

/// What is in `.git` or `.cache` is no manifest of anybody; a folder that was named is entered, whatever its name.
fn is_shown(entry: &DirEntry) -> bool {
    let is_hidden = || entry.file_name().as_encoded_bytes().starts_with(b".");
    entry.depth() == 0 || !entry.file_type().is_dir() || !is_hidden()
}

fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("yaml" | "yml" | "json"))
}

fn file(path: &Path) -> Result<Source, SourceError> {
    let name = path.display().to_string();
    match fs::read(path) {
        Ok(bytes) => Ok(Source { name, bytes }),
        Err(error) => Err(failure(name, &error)),
    }
}

fn failure(name: String, error: &io::Error) -> SourceError {
    let message = match error.kind() {
        io::ErrorKind::NotFound if name.contains("://") => {
            "this is an address; download it and pipe it into `-f -`".to_owned()
        }
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "reading it is not permitted".to_owned(),
        _ => error.to_string(),
    };
    SourceError { name, message }
}

fn walk_error(error: &walkdir::Error) -> SourceError {
    let name = error
        .path()
        .map_or_else(String::new, |path| path.display().to_string());
    if let Some(ancestor) = error.loop_ancestor() {
        let message = format!("this link leads back to {}", ancestor.display());
        return SourceError { name, message };
    }
    match error.io_error() {
        Some(error) => failure(name, error),
        None => SourceError {
            name,
            message: error.to_string(),
        },
    }
}
