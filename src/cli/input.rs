//! The manifests that commands read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::planner::Planner;
use super::surroundings::Surroundings;
use super::{Status, complain};
use crate::lifecycle::plan::Plan;
use crate::lifecycle::pod::Pod;
use crate::manifests::{self, Chunk, Document, Names, Source, SourceError, Sources, is_stdin};
use crate::workload::Workload;

/// Which manifests to read.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Files {
    /// A file, a folder, or - for standard input; can be given several times.
    #[arg(short, long = "filename", value_name = "FILE|DIR|-")]
    filename: Vec<PathBuf>,
    /// Read the folders inside folders too, but hidden ones.
    #[arg(short = 'R', long)]
    recursive: bool,
}

impl Files {
    /// What was given with `-f`, as it would be written again.
    pub(super) fn arguments(&self) -> String {
        let mut text = if self.recursive {
            " -R".to_owned()
        } else {
            String::new()
        };
        for name in &self.filename {
            text += &format!(" -f {}", quoted(name));
        }
        text
    }

    /// Whether none was given.
    pub(super) fn is_empty(&self) -> bool {
        self.filename.is_empty()
    }

    /// The files and folders that were given.
    pub(super) fn named(&self) -> impl Iterator<Item = &Path> {
        let named = self.filename.iter().map(|name| &**name);
        named.filter(|name| !is_stdin(name))
    }

    /// Whether standard input is among them.
    pub(super) fn has_stdin(&self) -> bool {
        self.filename.iter().any(|name| is_stdin(name))
    }

    /// Finds the files.
    pub(super) fn names(&self) -> Names {
        Names::new(self.filename.clone(), self.recursive)
    }

    /// Reads one file after the other.
    pub(super) fn sources(&self) -> impl Iterator<Item = Result<Source, SourceError>> {
        Sources::new(self.filename.clone(), self.recursive, std::io::stdin())
    }
}

/// A name as a shell takes it for one word.
pub(super) fn quoted(name: &Path) -> String {
    let name = name.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=+,@%".contains(c);
    match !name.is_empty() && name.chars().all(is_plain) {
        true => name,
        false => format!("'{}'", name.replace('\'', r"'\''")),
    }
}

/// The manifests of one run, and how it went so far. What cannot be read is told and left out.
pub(super) struct Input {
    pub(super) planner: Planner,
    pub(super) status: Status,
    /// The kinds of which it was told that nobody knows them.
    told: BTreeSet<(String, String)>,
    /// Whether somebody else tells what is wrong with the manifests.
    is_silent: bool,
}

impl Input {
    /// Reads the files, and what the Namespaces in them say: one may stand behind the workloads that it
    /// speaks to, or in another file.
    pub(super) fn open(
        files: &Files,
        surroundings: &Surroundings,
    ) -> anyhow::Result<(Self, Vec<Source>)> {
        Self::read(files, surroundings, false)
    }

    /// The same for who tells what is wrong with the manifests in another way.
    pub(super) fn open_silently(
        files: &Files,
        surroundings: &Surroundings,
    ) -> anyhow::Result<(Self, Vec<Source>)> {
        Self::read(files, surroundings, true)
    }

    fn read(
        files: &Files,
        surroundings: &Surroundings,
        is_silent: bool,
    ) -> anyhow::Result<(Self, Vec<Source>)> {
        let mut input = Self {
            planner: surroundings.planner()?,
            status: Status::Clean,
            told: BTreeSet::new(),
            is_silent,
        };
        let mut sources = Vec::new();
        for source in files.sources() {
            match source {
                Ok(source) => sources.push(source),
                Err(error) => input.fail(&error.to_string()),
            }
        }
        for source in &sources {
            input.planner.learn_from(source);
        }
        Ok((input, sources))
    }

    /// One document of a file.
    pub(super) fn document<'s>(
        &mut self,
        source: &'s Source,
        chunk: &Chunk,
    ) -> Option<Document<'s>> {
        manifests::read(&source.bytes, chunk)
            .map_err(|error| self.fail(&format!("{}:{error}", source.name)))
            .ok()
    }

    /// The workloads of a document. Of what seems to be one and is of a kind that is not known, it is told once
    /// for each kind.
    pub(super) fn workloads(&mut self, source: &Source, document: &Document<'_>) -> Vec<Workload> {
        let kinds = self.planner.configuration.kinds();
        let found = kinds.workloads(document.value());
        for unknown in kinds.unknown(document.value()) {
            let position = document.nearest(&unknown.object);
            let told = format!("{}:{position}: {}", source.name, unknown.sentence());
            if self.told.insert((unknown.group, unknown.kind)) {
                self.note(&told);
            }
        }
        found
    }

    /// Plans for a workload's pod and hands the pod, its JSON and its plan on.
    pub(super) fn plan<T>(
        &mut self,
        source: &Source,
        document: &Document<'_>,
        workload: &Workload,
        then: impl FnOnce(&Planner, &str, &Pod<'_>, &Plan) -> T,
    ) -> Option<T> {
        let planned = self.planner.plan(document.value(), workload, then);
        planned
            .map_err(|why| {
                let place = place(source, document, workload, &why.pointer);
                self.fail(&format!("{place}: {}", why.message));
            })
            .ok()
    }

    /// Says something about the manifests.
    pub(super) fn note(&self, message: &str) {
        if !self.is_silent {
            complain(message);
        }
    }

    /// Says that something is wrong with the manifests, and remembers it for the exit code.
    pub(super) fn fail(&mut self, message: &str) {
        self.note(message);
        self.status = Status::Error;
    }
}

/// The place of a field of a document, to stand before what is said about its workload.
pub(super) fn place(
    source: &Source,
    document: &Document<'_>,
    workload: &Workload,
    pointer: &str,
) -> String {
    let position = document.nearest(pointer);
    format!("{}:{position}: {}", source.name, workload.title())
}
