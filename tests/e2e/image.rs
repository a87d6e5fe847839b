//! Container images without a container engine: a docker-archive of one layer, which `ctr images import` and
//! `docker load` read.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Seek as _, Write};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};
use serde_json::{Map, Value, json};

/// An image in the making. Paths in it are absolute.
pub(crate) struct Image {
    reference: String,
    entries: Vec<(String, Entry)>,
    env: Vec<String>,
    labels: Map<String, Value>,
    ports: Map<String, Value>,
    user: String,
    entrypoint: Vec<String>,
    directory: String,
}

enum Entry {
    Folder,
    File { from: PathBuf, mode: u32 },
    Text { text: String, mode: u32 },
    Link { to: String },
}

impl Image {
    /// Nothing yet; `reference` is what a pod calls it, `localhost/web:test`.
    pub(crate) fn new(reference: &str) -> Self {
        Self {
            reference: reference.to_owned(),
            entries: Vec::new(),
            env: Vec::new(),
            labels: Map::new(),
            ports: Map::new(),
            user: String::new(),
            entrypoint: Vec::new(),
            directory: "/".to_owned(),
        }
    }

    /// An empty folder. Those of files need not be named.
    pub(crate) fn folder(mut self, path: &str) -> Self {
        self.entries.push((path.to_owned(), Entry::Folder));
        self
    }

    /// A copy of a file of this machine.
    pub(crate) fn file(mut self, path: &str, from: &Path, mode: u32) -> Self {
        let from = from.to_owned();
        self.entries
            .push((path.to_owned(), Entry::File { from, mode }));
        self
    }

    pub(crate) fn text(mut self, path: &str, text: &str, mode: u32) -> Self {
        let text = text.to_owned();
        self.entries
            .push((path.to_owned(), Entry::Text { text, mode }));
        self
    }

    /// A symbolic link.
    pub(crate) fn link(mut self, path: &str, to: &str) -> Self {
        self.entries
            .push((path.to_owned(), Entry::Link { to: to.to_owned() }));
        self
    }

    /// A copy of a folder of this machine, links as links.
    pub(crate) fn tree(mut self, path: &str, from: &Path) -> Self {
        for entry in walkdir::WalkDir::new(from).sort_by_file_name() {
            let entry = entry.expect("a folder that can be read");
            let inside = entry.path().strip_prefix(from).expect("inside");
            let path = Path::new(path).join(inside).display().to_string();
            let kind = if entry.file_type().is_symlink() {
                let to = std::fs::read_link(entry.path()).expect("a link");
                Entry::Link {
                    to: to.display().to_string(),
                }
            } else if entry.file_type().is_dir() {
                Entry::Folder
            } else {
                use std::os::unix::fs::PermissionsExt as _;
                let mode = entry.metadata().expect("a file").permissions().mode();
                Entry::File {
                    from: entry.path().to_owned(),
                    mode: mode & 0o777,
                }
            };
            self.entries.push((path, kind));
        }
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push(format!("{name}={value}"));
        self
    }

    pub(crate) fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.into());
        self
    }

    /// A TCP port that it listens on: for people, nothing is opened by it.
    pub(crate) fn port(mut self, port: &str) -> Self {
        self.ports.insert(format!("{port}/tcp"), json!({}));
        self
    }

    /// A name or number, with or without a group.
    pub(crate) fn user(mut self, user: &str) -> Self {
        user.clone_into(&mut self.user);
        self
    }

    pub(crate) fn entrypoint(mut self, words: &[&str]) -> Self {
        self.entrypoint = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// The folder that its program starts in.
    pub(crate) fn directory(mut self, path: &str) -> Self {
        path.clone_into(&mut self.directory);
        self
    }

    /// Writes the archive into a folder; returns its path.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<PathBuf> {
        let name: String = self.reference.replace(['/', ':'], "-");
        let layer = folder.join(format!("{name}.layer"));
        let mut hashed = Hashed {
            inner: BufWriter::new(File::create(&layer)?),
            context: Context::new(&SHA256),
        };
        self.write_layer(&mut hashed)?;
        hashed.inner.flush()?;
        let layer_id = hex(hashed.context.finish().as_ref());

        let config = self.config(&layer_id).to_string();
        let config_id = hex(ring::digest::digest(&SHA256, config.as_bytes()).as_ref());
        let config_name = format!("{config_id}.json");
        let manifest = json!([{
            "Config": config_name,
            "RepoTags": [self.reference],
            "Layers": ["layer.tar"],
        }]);
        let archive = folder.join(format!("{name}.tar"));
        let mut out = BufWriter::new(File::create(&archive)?);
        append(&mut out, &config_name, 0o644, config.as_bytes())?;
        append(
            &mut out,
            "manifest.json",
            0o644,
            manifest.to_string().as_bytes(),
        )?;
        append_file(&mut out, "layer.tar", 0o644, &layer)?;
        finish(&mut out)?;
        out.flush()?;
        std::fs::remove_file(layer)?;
        Ok(archive)
    }

    fn config(&self, layer: &str) -> Value {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        json!({
            "architecture": architecture,
            "os": "linux",
            "config": {
                "Env": self.env,
                "Labels": self.labels,
                "ExposedPorts": self.ports,
                "User": self.user,
                "Entrypoint": self.entrypoint,
                "WorkingDir": self.directory,
            },
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer}")]},
        })
    }

    fn write_layer(&self, out: &mut impl Write) -> io::Result<()> {
        let mut folders: Vec<String> = Vec::new();
        for (path, entry) in &self.entries {
            let path = path.trim_matches('/');
            // Parents first, each once.
            for (at, _) in path.match_indices('/') {
                let parent = format!("{}/", &path[..at]);
                if !folders.contains(&parent) {
                    header(out, &parent, 0o755, 0, b'5', "")?;
                    folders.push(parent);
                }
            }
            match entry {
                Entry::Folder => {
                    let folder = format!("{path}/");
                    if !path.is_empty() && !folders.contains(&folder) {
                        header(out, &folder, 0o755, 0, b'5', "")?;
                        folders.push(folder);
                    }
                }
                Entry::File { from, mode } => append_file(out, path, *mode, from)?,
                Entry::Text { text, mode } => append(out, path, *mode, text.as_bytes())?,
                Entry::Link { to } => header(out, path, 0o777, 0, b'2', to)?,
            }
        }
        finish(out)
    }
}

/// Counts what goes through into a checksum.
struct Hashed<W> {
    inner: W,
    context: Context,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.context.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn append(out: &mut impl Write, name: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
    header(out, name, mode, bytes.len() as u64, b'0', "")?;
    out.write_all(bytes)?;
    pad(out, bytes.len() as u64)
}

fn append_file(out: &mut impl Write, name: &str, mode: u32, from: &Path) -> io::Result<()> {
    let mut file = File::open(from)
        .map_err(|why| io::Error::new(why.kind(), format!("{}: {why}", from.display())))?;
    let size = file.seek(io::SeekFrom::End(0))?;
    file.rewind()?;
    header(out, name, mode, size, b'0', "")?;
    let copied = io::copy(&mut file.take(size), out)?;
    if copied != size {
        return Err(io::Error::other(format!("{} shrank", from.display())));
    }
    pad(out, size)
}

/// A header of POSIX' ustar format, owned by root and as old as the epoch: the same image has the same bytes.
fn header(
    out: &mut impl Write,
    name: &str,
    mode: u32,
    size: u64,
    kind: u8,
    link: &str,
) -> io::Result<()> {
    let mut block = [0_u8; 512];
    let (prefix, short) = split(name)
        .ok_or_else(|| io::Error::other(format!("a path too long for the archive: {name}")))?;
    if link.len() > 100 {
        return Err(io::Error::other(format!("a link too long: {link}")));
    }
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, short.as_bytes());
    put(100, format!("{mode:07o}\0").as_bytes());
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[kind]);
    put(157, link.as_bytes());
    put(257, b"ustar\x0000");
    put(345, prefix.as_bytes());
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    out.write_all(&block)
}

/// A path in the two fields that ustar has for it: at most 155 and 100 bytes.
fn split(name: &str) -> Option<(&str, &str)> {
    if name.len() <= 100 {
        return Some(("", name));
    }
    let parts = name.match_indices('/').map(|(at, _)| at);
    parts
        .map(|at| (&name[..at], &name[at + 1..]))
        .find(|(prefix, short)| prefix.len() <= 155 && !short.is_empty() && short.len() <= 100)
}

fn pad(out: &mut impl Write, size: u64) -> io::Result<()> {
    let over = (size % 512) as usize;
    if over > 0 {
        out.write_all(&[0; 512][over..])?;
    }
    Ok(())
}

/// Two empty blocks end an archive.
fn finish(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0; 1024])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
