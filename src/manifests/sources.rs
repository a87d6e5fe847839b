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
#[derive(Debug, Clone, thiserror::Error)]
#[error("{name}: {message}")]
pub struct SourceError {
    /// The path.
    pub name: String,
    /// What is wrong.
    pub message: String,
}

/// Finds the files that `-f` names, in a stable order: files as given, folders by name (`*.yaml`, `*.yml` and
/// `*.json`) but not what is in hidden folders inside them, `-` for standard input.
#[derive(Debug)]
pub struct Names {
    arguments: std::vec::IntoIter<PathBuf>,
    recursive: bool,
    /// Whether standard input was named: it can be read only once.
    has_stdin: bool,
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

impl Names {
    /// `recursive` enters the folders inside folders too.
    pub fn new(arguments: Vec<PathBuf>, recursive: bool) -> Self {
        Self {
            arguments: arguments.into_iter(),
            recursive,
            has_stdin: false,
            walk: None,
        }
    }

    /// The next file of the folder that is being walked.
    fn found(&mut self) -> Option<Result<PathBuf, SourceError>> {
        let walk = self.walk.as_mut()?;
        for entry in &mut walk.entries {
            match entry {
                Ok(entry) if entry.file_type().is_file() && is_manifest(entry.path()) => {
                    walk.is_empty = false;
                    return Some(Ok(entry.into_path()));
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

    fn argument(&mut self, path: PathBuf) -> Option<Result<PathBuf, SourceError>> {
        if is_stdin(&path) {
            let was_there = std::mem::replace(&mut self.has_stdin, true);
            return Some(match was_there {
                true => Err(SourceError {
                    name: "-".to_owned(),
                    message: "standard input can be read only once".to_owned(),
                }),
                false => Ok(path),
            });
        }
        if !path.is_dir() {
            return Some(Ok(path));
        }
        let depth = if self.recursive { usize::MAX } else { 1 };
        let walk = WalkDir::new(&path).follow_links(true).max_depth(depth);
        let entries = walk.sort_by_file_name().into_iter();
        self.walk = Some(Walk {
            folder: path,
            entries: entries.filter_entry(is_shown),
            is_empty: true,
        });
        None
    }
}

impl Iterator for Names {
    type Item = Result<PathBuf, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.found() {
                return Some(found);
            }
            let path = self.arguments.next()?;
            if let Some(name) = self.argument(path) {
                return Some(name);
            }
        }
    }
}

/// Whether a name means standard input.
pub fn is_stdin(name: &Path) -> bool {
    name == Path::new("-")
}

/// Reads what [`Names`] finds, one file at a time.
#[derive(Debug)]
pub struct Sources<R> {
    names: Names,
    stdin: R,
}

impl<R: Read> Sources<R> {
    /// `stdin` is what `-` means.
    pub fn new(arguments: Vec<PathBuf>, recursive: bool, stdin: R) -> Self {
        Self {
            names: Names::new(arguments, recursive),
            stdin,
        }
    }
}

impl<R: Read> Iterator for Sources<R> {
    type Item = Result<Source, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.names.next()?;
        Some(name.and_then(|name| match is_stdin(&name) {
            true => Source::from(&mut self.stdin),
            false => Source::read(&name),
        }))
    }
}

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn read(path: &Path) -> Result<Self, SourceError> {
        let name = path.display().to_string();
        match fs::read(path) {
            Ok(bytes) => Ok(Self { name, bytes }),
            Err(error) => Err(failure(name, &error)),
        }
    }

    /// Reads standard input to its end.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn from(mut stdin: impl Read) -> Result<Self, SourceError> {
        let name = "-".to_owned();
        let mut bytes = Vec::new();
        match stdin.read_to_end(&mut bytes) {
            Ok(_) => Ok(Self { name, bytes }),
            Err(error) => Err(failure(name, &error)),
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
