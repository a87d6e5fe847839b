//! Policy and namespaces, ready to plan with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use json_patch::jsonptr::Token;
use serde_json::Value;

use crate::config::Configuration;
use crate::explain::Place;
use crate::lifecycle::annotations::Said;
use crate::lifecycle::json::{Object, StrMap};
use crate::lifecycle::plan::{Context, Plan, plan};
use crate::lifecycle::pod::Pod;
use crate::lifecycle::policy::Policy;
use crate::manifests::{self, Document, Source};
use crate::workload::{Unreadable, Workload};

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

impl Planner {
    /// Plans by that policy of that configuration. `namespaces` are the one of manifests that name none, and
    /// files of Namespaces.
    pub(super) fn new(
        configuration: Configuration,
        policy: Policy,
        (default_namespace, files): (Option<String>, &[PathBuf]),
    ) -> anyhow::Result<Self> {
        let mut planner = Self {
            configuration,
            policy,
            mode_is_argument: false,
            namespaces: BTreeMap::new(),
            default_namespace,
        };
        for file in files {
            planner.read_namespaces(file)?;
        }
        // A file of one Namespace says where manifests go that do not say it themselves.
        if planner.default_namespace.is_none() && planner.namespaces.len() == 1 {
            planner.default_namespace = planner.namespaces.keys().next().cloned();
        }
        Ok(planner)
    }

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
    pub(super) fn learn_from(&mut self, source: &Source) {
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

    /// The place of a key of a workload's Namespace, to stand before what is said about it.
    pub(super) fn in_namespace(&self, workload: &Workload, key: &str) -> String {
        let name = self.namespace(workload).unwrap_or_default();
        let places = self.namespace_places(name);
        match places.and_then(|places| places.get(key)) {
            Some(Place { file, line, column }) => {
                format!("{file}:{line}:{}: namespace/{name}", column.unwrap_or(1))
            }
            None => format!("namespace/{name}"),
        }
    }

    /// Plans for a workload's pod and hands the pod, its JSON and its plan on. The error says why it cannot be
    /// read.
    pub(super) fn plan<T>(
        &self,
        document: &Value,
        workload: &Workload,
        then: impl FnOnce(&Self, &str, &Pod<'_>, &Plan) -> T,
    ) -> Result<T, Unreadable> {
        let json = workload.pod_json(document).ok_or_else(|| Unreadable {
            pointer: workload.template.clone(),
            message: "it has no pod template".to_owned(),
        })?;
        match workload.read::<Object<Pod<'_>>>(document, &json) {
            Ok(Object(pod)) => {
                let plan = plan(&pod, &self.context(workload));
                Ok(then(self, &json, &pod, &plan))
            }
            Err(mut why) => {
                why.message.insert_str(0, "not readable as a pod: ");
                Err(why)
            }
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
