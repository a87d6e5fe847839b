//! Files that change under a running process: certificates, keys, the configuration.
//!
//! Contents are polled and compared. Notifications are not used: kubelet publishes a new Secret or
//! ConfigMap by renaming a symlink two levels above the file, which watchers of the file never see.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a set of files held at one moment, in the order in which they were named.
#[derive(Clone, PartialEq, Eq)]
pub struct Contents(Vec<Result<Vec<u8>, FileError>>);

/// Sizes only: some of the files are private keys.
impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = self.0.iter().map(|file| file.as_ref().map(Vec::len));
        f.debug_list().entries(sizes).finish()
    }
}

/// A file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {}: {reason}", path.display())]
pub struct FileError {
    path: PathBuf,
    reason: String,
}

impl Contents {
    /// Reads every file once.
    pub async fn read(paths: &[PathBuf]) -> Self {
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            files.push(tokio::fs::read(path).await.map_err(|error| FileError {
                path: path.clone(),
                reason: error.to_string(),
            }));
        }
        Self(files)
    }

    /// The bytes of the file that was named at `index`.
    ///
    /// # Errors
    /// When that file could not be read, or was never named.
    pub fn get(&self, index: usize) -> Result<&[u8], FileError> {
        match self.0.get(index) {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(error)) => Err(error.clone()),
            None => Err(FileError {
                path: PathBuf::new(),
                reason: format!("no file was named at {index}"),
            }),
        }
    }
}

/// Waits for a set of files to hold something else than before.
#[derive(Debug)]
pub struct Watch {
    paths: Vec<PathBuf>,
    every: Duration,
    last: Contents,
}

impl Watch {
    /// Reads the files, so that what is loaded first is also what the first comparison is made with.
    pub async fn start(paths: impl IntoIterator<Item = impl AsRef<Path>>, every: Duration) -> Self {
        let paths: Vec<PathBuf> = paths.into_iter().map(|p| p.as_ref().to_owned()).collect();
        let last = Contents::read(&paths).await;
        Self { paths, every, last }
    }

    /// What the files held when they were last read.
    pub fn contents(&self) -> &Contents {
        &self.last
    }

    /// The files' names, for whoever has to mend them.
    pub fn names(&self) -> String {
        let names: Vec<String> = self.paths.iter().map(|p| p.display().to_string()).collect();
        names.join(" and ")
    }

    /// Returns when the files hold something else, with exactly the bytes that were compared.
    ///
    /// A change counts when two reads in a row agree on it: one read may take the certificate from
    /// before a symlink swap and its key from after it.
    pub async fn changed(&mut self) -> &Contents {
        loop {
            tokio::time::sleep(self.every).await;
            let seen = Contents::read(&self.paths).await;
            if seen != self.last && seen == Contents::read(&self.paths).await {
                self.last = seen;
                return &self.last;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_returned_once_and_a_missing_file_is_a_change() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("a");
        std::fs::write(&file, "one").expect("written");
        let mut watch = Watch::start([&file], Duration::from_millis(1)).await;
        assert_eq!(watch.contents().get(0), Ok(&b"one"[..]));

        std::fs::write(&file, "two").expect("written");
        assert_eq!(watch.changed().await.get(0), Ok(&b"two"[..]));
        let same = tokio::time::timeout(Duration::from_millis(20), watch.changed()).await;
        assert!(same.is_err(), "nothing changed since");

        std::fs::remove_file(&file).expect("removed");
        let error = watch.changed().await.get(0).expect_err("gone").to_string();
        assert!(error.contains(&*file.to_string_lossy()), "{error}");
    }
}
