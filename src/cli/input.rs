//! What the commands that read manifests have in common: files, namespaces, configuration, versions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use json_patch::jsonptr::Token;
use serde_json::Value;

use super::{Status, complain};
use crate::config::Configuration;
use crate::explain::Place;
use crate::lifecycle::annotations::Said;
use crate::lifecycle::json::{Object, StrMap};
use crate::lifecycle::plan::{Context, Plan, plan};
use crate::lifecycle::pod::Pod;
use crate::lifecycle::policy::{Mode, Policy, SleepAction};
use crate::manifests::{self, Chunk, Document, Source, SourceError, Sources};
use crate::workload::{Workload, unreadable};

/// Which manifests to read.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Files {
    /// A file, a folder, or - for standard input; can be given several times.
    #[arg(short, long = "filename", value_name = "FILE|DIR|-")]
    filename: Vec<PathBuf>,
    /// Read the folders inside folders too.
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

    /// Whether standard input is among them.
    pub(super) fn has_stdin(&self) -> bool {
        self.filename.iter().any(|name| name == Path::new("-"))
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

/// What holds for the pods in them.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Surroundings {
    /// The configuration file.
    #[arg(long, env = "PODGRACE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The mode of pods that no label speaks for, instead of the configuration's.
    #[arg(long, value_enum)]
    mode: Option<ModeArgument>,
    /// Manifests of Namespaces whose labels and annotations count; those in the input count too.
    #[arg(long, value_name = "FILE")]
    namespace_file: Vec<PathBuf>,
    /// The namespace of manifests that name none.
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    /// The Kubernetes version that the manifests are for, as 1.32: how a sleep can be written depends on it.
    #[arg(long, value_name = "VERSION", value_parser = minor_version)]
    kube_version: Option<u32>,
    /// How sleeps are written, instead of what the configuration or the version says.
    #[arg(long, value_enum)]
    sleep_action: Option<SleepActionArgument>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeArgument {
    Enforce,
    Audit,
    Off,
}

/// How sleeps are written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum SleepActionArgument {
    /// As the versions allow.
    Auto,
    /// `sleep: {seconds: N}`.
    Native,
    /// `exec: {command: ["sleep", "N"]}`.
    Exec,
    /// Not at all.
    Off,
}

impl SleepActionArgument {
    /// What it says; none for `auto`.
    pub(super) fn action(self) -> Option<SleepAction> {
        match self {
            Self::Auto => None,
            Self::Native => Some(SleepAction::Native),
            Self::Exec => Some(SleepAction::Exec),
            Self::Off => Some(SleepAction::Off),
        }
    }
}

/// The minor version of `1.32`, `v1.32.4` or `1.32+`.
fn minor_version(text: &str) -> Result<u32, String> {
    text.trim_start_matches('v')
        .strip_prefix("1.")
        .and_then(|rest| {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            rest[..digits].parse().ok()
        })
        .ok_or_else(|| "not a Kubernetes version (write 1.32)".to_owned())
}

/// Policy and namespaces, ready to plan with.
#[derive(Debug)]
pub(super) struct Planner {
    /// The configuration, for the places of what it says.
    pub(super) configuration: Configuration,
    /// What holds for all pods.
    pub(super) policy: Policy,
    /// Whether the mode is the command line's, not the configuration's.
    pub(super) mode_is_argument: bool,
    /// What each known Namespace says.
    namespaces: BTreeMap<String, KnownNamespace>,
    /// The namespace of manifests that name none.
    default_namespace: Option<String>,
}

impl Surroundings {
    /// Reads the files of Namespaces.
    pub(super) fn namespace_sources(&self) -> anyhow::Result<Vec<Source>> {
        let read = |file: &PathBuf| {
            let name = file.display().to_string();
            let bytes = std::fs::read(file).with_context(|| name.clone())?;
            Ok(Source { name, bytes })
        };
        self.namespace_file.iter().map(read).collect()
    }

    /// Reads the configuration and the namespace files.
    pub(super) fn planner(&self) -> anyhow::Result<Planner> {
        let configuration = self.configuration()?.unwrap_or_default();
        self.planner_of(configuration, SleepAction::for_versions(u32::MAX, None))
    }

    /// Reads the configuration, where one is named.
    pub(super) fn configuration(&self) -> anyhow::Result<Option<Configuration>> {
        Ok(self
            .config
            .as_deref()
            .map(Configuration::load)
            .transpose()?)
    }

    /// What was given, as it would be written again, with or without the namespace.
    pub(super) fn arguments(&self, with_namespace: bool) -> String {
        let mut text = String::new();
        let mut add = |name: &str, value: &dyn AsRef<Path>| {
            text += &format!(" --{name} {}", quoted(value.as_ref()));
        };
        if let Some(file) = &self.config {
            add("config", file);
        }
        if let Some(mode) = self.mode.and_then(|mode| mode.to_possible_value()) {
            add("mode", &mode.get_name());
        }
        for file in &self.namespace_file {
            add("namespace-file", file);
        }
        if let Some(name) = self.namespace.as_ref().filter(|_| with_namespace) {
            add("namespace", name);
        }
        if let Some(minor) = self.kube_version {
            add("kube-version", &format!("1.{minor}"));
        }
        let action = self.sleep_action;
        if let Some(action) = action.and_then(|action| action.to_possible_value()) {
            add("sleep-action", &action.get_name());
        }
        text
    }

    /// The namespace that is named.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Whether the cluster's versions are to decide how sleeps are written.
    pub(super) fn is_negotiated(&self) -> bool {
        let by_argument = self.sleep_action.and_then(SleepActionArgument::action);
        self.kube_version.is_none() && by_argument.is_none()
    }

    /// Reads the namespace files. `by_version` is how sleeps are written where no argument says it.
    pub(super) fn planner_of(
        &self,
        configuration: Configuration,
        by_version: SleepAction,
    ) -> anyhow::Result<Planner> {
        let stated = self.kube_version;
        let by_version = stated.map_or(by_version, |minor| SleepAction::for_versions(minor, None));
        let mut policy = configuration.policy(by_version);
        if let Some(mode) = self.mode {
            policy.mode = match mode {
                ModeArgument::Enforce => Mode::Enforce,
                ModeArgument::Audit => Mode::Audit,
                ModeArgument::Off => Mode::Off,
            };
        }
        if let Some(action) = self.sleep_action {
            policy.sleep_action = action.action().unwrap_or(by_version);
        }
        let mut planner = Planner {
            configuration,
            policy,
            mode_is_argument: self.mode.is_some(),
            namespaces: BTreeMap::new(),
            default_namespace: self.namespace.clone(),
        };
        for file in &self.namespace_file {
            planner.read_namespaces(file)?;
        }
        // A file of one Namespace says where manifests go that do not say it themselves.
        if planner.default_namespace.is_none() && planner.namespaces.len() == 1 {
            planner.default_namespace = planner.namespaces.keys().next().cloned();
        }
        Ok(planner)
    }
}

impl Planner {
    fn read_namespaces(&mut self, file: &Path) -> anyhow::Result<()> {
        let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
        let before = self.namespaces.len();
        let name = file.display().to_string();
        for chunk in manifests::split(&bytes) {
            let document = manifests::read(&bytes, &chunk).with_context(|| name.clone())?;
            self.learn(&name, &document, "", document.value());
        }
        if self.namespaces.len() == before {
            bail!("{name}: there is no Namespace in it");
        }
        Ok(())
    }

    /// Remembers what the Namespaces in a file say to their pods. Documents that cannot be read are left to
    /// whoever needs them.
    fn learn_from(&mut self, source: &Source) {
        for chunk in manifests::split(&source.bytes) {
            let bytes = &source.bytes[chunk.range.clone()];
            // Most files have none, and reading a document costs a thousand times this look.
            if bytes.windows(9).any(|word| word == b"Namespace")
                && let Ok(document) = manifests::read(&source.bytes, &chunk)
            {
                self.learn(&source.name, &document, "", document.value());
            }
        }
    }

    /// What the Namespaces in an object say to their pods; what was known before stays. `pointer` is the
    /// object's in the document.
    fn learn(&mut self, file: &str, document: &Document<'_>, pointer: &str, object: &Value) {
        if object["kind"] == "List" {
            let items = object["items"].as_array().into_iter().flatten();
            for (index, item) in items.enumerate() {
                self.learn(file, document, &format!("{pointer}/items/{index}"), item);
            }
        }
        if object["kind"] != "Namespace" || object["apiVersion"] != "v1" {
            return;
        }
        let Some(name) = object["metadata"]["name"].as_str() else {
            return;
        };
        let mut places = BTreeMap::new();
        for kind in ["labels", "annotations"] {
            for (key, _) in object["metadata"][kind].as_object().into_iter().flatten() {
                let at = format!("{pointer}/metadata/{kind}/{}", Token::new(key).encoded());
                places.insert(key.to_owned(), Place::new(file, document.nearest(&at)));
            }
        }
        self.learn_namespace(name, object, places);
    }

    /// Remembers what a Namespace says to its pods, and where; what was known before stays.
    pub(super) fn learn_namespace(
        &mut self,
        name: &str,
        object: &Value,
        places: BTreeMap<String, Place>,
    ) {
        let metadata = &object["metadata"];
        let said = Said::by_namespace(
            &StrMap::from(&metadata["labels"]),
            &StrMap::from(&metadata["annotations"]),
        );
        self.namespaces
            .entry(name.to_owned())
            .or_insert(KnownNamespace { said, places });
    }

    /// The namespace that a workload goes to, where that is known.
    pub(super) fn namespace<'p>(&'p self, workload: &'p Workload) -> Option<&'p str> {
        workload
            .namespace
            .as_deref()
            .or(self.default_namespace.as_deref())
    }

    /// The namespace of manifests that name none.
    pub(super) fn default_namespace(&self) -> Option<&str> {
        self.default_namespace.as_deref()
    }

    /// Where a Namespace says what it says, by key.
    pub(super) fn namespace_places(&self, name: &str) -> Option<&BTreeMap<String, Place>> {
        self.namespaces.get(name).map(|known| &known.places)
    }

    /// Plans for a workload's pod and hands the pod, its JSON and its plan on. The error says why it cannot be
    /// read.
    pub(super) fn plan<T>(
        &self,
        document: &Value,
        workload: &Workload,
        then: impl FnOnce(&Self, &str, &Pod<'_>, &Plan) -> T,
    ) -> Result<T, String> {
        let pod = workload.pod(document).ok_or("it has no pod template")?;
        let json = pod.to_string();
        match serde_json::from_str::<Object<Pod<'_>>>(&json) {
            Ok(Object(pod)) => {
                let plan = plan(&pod, &self.context(workload));
                Ok(then(self, &json, &pod, &plan))
            }
            Err(error) => Err(format!(
                "not readable as a pod: {}",
                unreadable(&pod, &error)
            )),
        }
    }

    /// What is known about a workload's pod besides itself.
    pub(super) fn context<'p>(&'p self, workload: &'p Workload) -> Context<'p> {
        let namespace = self.namespace(workload);
        Context {
            policy: &self.policy,
            namespace,
            namespace_said: namespace
                .and_then(|name| self.namespaces.get(name))
                .map(|known| &known.said),
        }
    }
}

/// What a Namespace says, and where.
#[derive(Debug)]
struct KnownNamespace {
    said: Said,
    places: BTreeMap<String, Place>,
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
        let place = || place(source, document, workload);
        planned
            .map_err(|why| self.fail(&format!("{}: {why}", place())))
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

/// A workload's place, to stand before what is said about it.
pub(super) fn place(source: &Source, document: &Document<'_>, workload: &Workload) -> String {
    let position = document.nearest(&workload.template);
    format!("{}:{position}: {}", source.name, workload.title())
}
