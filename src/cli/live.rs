//! A cluster as commands look at it: what holds for its pods is what the installed webhook goes by.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::access::ClusterArguments;
use super::complain;
use super::planner::Planner;
use super::surroundings::Surroundings;
use crate::cluster::{
    Access, Installed, NAMESPACES, ReadError, Reader, Resource, Scope, Seen, WORKLOADS,
};
use crate::config::Configuration;
use crate::lifecycle::policy::SleepAction;

/// Namespaces whose pods the chart's webhooks never see.
const NEVER_SEEN: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// Which workloads of which cluster.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Selection {
    #[command(flatten)]
    pub(super) cluster: ClusterArguments,
    /// The workloads of all namespaces of the cluster.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub(super) all_namespaces: bool,
    /// Only workloads of the cluster with these labels, as kubectl takes them: app=shop,tier!=front.
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub(super) selector: Option<String>,
}

/// A cluster that is looked at.
pub(super) struct Live {
    pub(super) reader: Reader,
    pub(super) planner: Planner,
    /// The namespace that is meant where none is named: the context's.
    pub(super) default_namespace: String,
    /// The context, where one says which cluster it is.
    pub(super) context: Option<String>,
    /// The webhook, as far as it may be seen.
    pub(super) installed: Result<Option<Installed>, ReadError>,
}

impl Live {
    /// Finds out what holds for the pods of a cluster. What cannot be found out is said, unless `is_quiet`.
    pub(super) async fn open(
        cluster: &ClusterArguments,
        surroundings: &Surroundings,
        is_quiet: bool,
    ) -> anyhow::Result<Self> {
        let note = |message: &str| {
            if !is_quiet {
                complain(message);
            }
        };
        let access: Access = cluster.access();
        let client = access.client().await;
        let client = client.context("no file is named with -f, so a cluster is looked for")?;
        let default_namespace = match surroundings.namespace() {
            Some(name) => namespace_name(name)?,
            None => client.default_namespace().to_owned(),
        };
        let reader = Reader::new(client.clone());
        let named = surroundings.configuration()?;
        let versions = async {
            match surroundings.is_negotiated() {
                true => Some(Seen::look(&client).await),
                false => None,
            }
        };
        let (versions, installed) = tokio::join!(versions, Installed::find(&reader));
        let installed = match installed {
            Err(error) if !error.is_forbidden() => return Err(error.into()),
            other => other,
        };
        let by_version = match versions {
            Some(Ok(seen)) => seen.sleep_action(),
            Some(Err(error)) => {
                note(&format!(
                    "the versions of the cluster cannot be read, sleeps are written as the newest take them \
                     (--kube-version says otherwise): {error}"
                ));
                SleepAction::Native
            }
            None => SleepAction::Native,
        };
        let configuration = match named {
            Some(configuration) => configuration,
            None => configured(&reader, &installed, &note).await?,
        };
        let mut planner = surroundings.planner_of(configuration, by_version)?;
        let never_seen = match &installed {
            Ok(Some(installed)) => installed.excluded_namespaces.clone(),
            Ok(None) | Err(_) => NEVER_SEEN.map(str::to_owned).into(),
        };
        planner.policy.excluded_namespaces.extend(never_seen);
        Ok(Self {
            reader,
            planner,
            default_namespace,
            context: access.context_name(),
            installed,
        })
    }

    /// The Namespaces of a scope, and what they say is known from then on. Where they may not be read that is
    /// the error inside.
    pub(super) async fn namespaces(
        &mut self,
        namespace: Option<&str>,
    ) -> anyhow::Result<Result<Vec<Value>, ReadError>> {
        let namespaces = match namespace {
            None => self.reader.list(&NAMESPACES, &Scope::default()).all().await,
            Some(name) => match self.reader.get(&NAMESPACES, None, name).await {
                Ok(None) => bail!("there is no namespace {name}{}", self.in_cluster()),
                Ok(Some(object)) => Ok(vec![object]),
                Err(error) => Err(error),
            },
        };
        let namespaces = match namespaces {
            Err(error) if !error.is_forbidden() => return Err(error.into()),
            other => other,
        };
        for object in namespaces.iter().flatten() {
            if let Some(name) = object["metadata"]["name"].as_str() {
                self.planner.learn_namespace(name, object, BTreeMap::new());
            }
        }
        Ok(namespaces)
    }

    /// The kinds that make pods, those that make others before those that are made: what the configuration names
    /// and this cluster has, then Kubernetes' own.
    pub(super) async fn workloads(&self) -> Result<Vec<Resource>, ReadError> {
        let mut all = Vec::new();
        let custom = self.planner.configuration.kinds().custom();
        for kind in custom.iter().filter(|kind| !kind.templates.is_empty()) {
            all.extend(self.reader.served(&kind.group, &kind.kind).await?);
        }
        all.extend(WORKLOADS);
        Ok(all)
    }

    /// ` of prod`, where the cluster has a name.
    pub(super) fn in_cluster(&self) -> String {
        let context = self.context.as_ref();
        context.map_or(String::new(), |context| format!(" of {context}"))
    }
}

/// The configuration of the webhook that is installed; the built-in one where there is none, or none to be seen.
async fn configured(
    reader: &Reader,
    installed: &Result<Option<Installed>, ReadError>,
    note: &dyn Fn(&str),
) -> anyhow::Result<Configuration> {
    let built_in = |why: &str| {
        note(&format!(
            "the built-in configuration counts (--config names another): {why}"
        ));
        Ok(Configuration::default())
    };
    let installed = match installed {
        Ok(Some(installed)) => installed,
        Ok(None) => return Ok(Configuration::default()),
        Err(error) => return built_in(&error.to_string()),
    };
    let Some(file) = installed.configuration() else {
        return built_in("the installed webhook is called by address, and its file is not known");
    };
    let title = file.title();
    match file.read(reader).await {
        Ok(Some(text)) => {
            note(&format!(
                "the configuration of the installed webhook counts: {title}"
            ));
            let configuration = Configuration::parse(Path::new(&title), &text);
            configuration.context("the configuration of the installed webhook")
        }
        Ok(None) => built_in(&format!("the installed webhook has none in {title}")),
        Err(error) if error.is_forbidden() => built_in(&error.to_string()),
        Err(error) => Err(error.into()),
    }
}

/// A name that may stand in an address (RFC 1123, as the API server checks it).
pub(super) fn namespace_name(name: &str) -> anyhow::Result<String> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || !name.chars().all(is_plain) {
        bail!("{name:?} is no namespace: their names are made of a-z, 0-9 and -");
    }
    Ok(name.to_owned())
}
