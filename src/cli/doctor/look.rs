//! Looking at a cluster, in the order in which it matters.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, anyhow, bail};
use jiff::Timestamp;
use kube::Client;
use serde_json::Value;

use super::Arguments;
use super::backend::backend;
use super::pods::count;
use super::trial::Trials;
use crate::cli::live::namespace_name;
use crate::cluster::{
    ConfigurationFile, DEPLOYMENTS, MUTATING_WEBHOOKS, NAMESPACES, Reader, Resource, Scope, Seen,
    VALIDATING_WEBHOOKS, WORKLOADS, chain, labelled_since,
};
use crate::config::Configuration;
use crate::doctor::{
    Backend, Census, Configured, ConfiguredState, Facts, Hook, Looked, Namespace, Owner, Target,
};
use crate::lifecycle::policy::Policy;
use crate::lifecycle::settings::MODE_LABEL;

/// The label of a Deployment that the chart made.
const OURS: &str = "app.kubernetes.io/name=podgrace";

/// How many workloads and namespaces are looked at one by one: where more miss something, each would take longer
/// than it is worth.
const ONE_BY_ONE: usize = 100;

/// Kinds of which it matters how they are rolled out.
const RESTARTABLE: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];

pub(super) async fn look(arguments: &Arguments) -> anyhow::Result<Facts> {
    if let Some(name) = &arguments.namespace {
        namespace_name(name)?;
    }
    let access = arguments.cluster.access();
    let mut config = access.config().await?;
    let server = config.cluster_url.to_string();
    let made = |config| Client::try_from(config).context("the cluster's client cannot be made");
    let client = made(config.clone())?;
    let reader = Reader::new(client.clone());
    // That a Service does not answer is what is asked, and not to be tried again for a quarter of a minute.
    config.default_retry = false;
    let errands = Reader::new(made(config)?);
    let seen = Seen::look(&client).await.map_err(|error| match &error {
        kube::Error::Api(status) if status.code == 401 => anyhow!(
            "the API server {server} does not know who we are (401): the kubeconfig's token or certificate may have \
             expired, log in again"
        ),
        error => anyhow!(
            "the API server {server} does not answer: {}; is it the right one (--kubeconfig, --context)?",
            chain(error)
        ),
    })?;

    let hooks = hooks(&reader, &MUTATING_WEBHOOKS, arguments).await;
    let validating = self::hooks(&reader, &VALIDATING_WEBHOOKS, arguments).await;
    for error in [&hooks, &validating]
        .into_iter()
        .filter_map(|h| h.as_ref().err())
    {
        if error.is_everywhere() {
            return Err(anyhow!("{error}"));
        }
    }
    let all = hooks.iter().chain(&validating).flatten();
    let ours: Vec<&Hook> = all.filter(|hook| hook.is_ours).collect();
    let targets: BTreeSet<&Target> = ours.iter().map(|hook| &hook.target).collect();
    let mut backends = Vec::new();
    for target in targets {
        backends.push(backend(&reader, &errands, target).await);
    }
    let is_registered = ours.iter().any(|hook| hook.changes_pods());
    let unregistered = match is_registered {
        true => Vec::new(),
        false => look_alikes(&reader).await,
    };
    let (policy, configured) = configuration(arguments, &reader, &ours, &seen).await?;
    let namespaces = namespaces(arguments, &reader).await;
    if let (Ok([]), Some(name)) = (namespaces.as_deref(), &arguments.namespace) {
        bail!("there is no namespace {name} in the cluster of {server}");
    }
    let understood = understand(&namespaces, &ours, &policy);

    let is_unseen = hooks.is_err() || namespaces.is_err();
    let trial = match is_registered || hooks.is_err() {
        false => None,
        true => {
            let trials = Trials {
                errands: &errands,
                ours: &ours,
                image: image(&backends),
            };
            let asked_for = arguments.namespace.as_deref();
            trials.run(&understood, asked_for, is_unseen).await
        }
    };

    let pod_hooks = ours.iter().map(|hook| (*hook).clone()).collect();
    let mut census = Census::new(pod_hooks, policy.clone(), understood);
    let unread_pods = match is_registered {
        true => count(arguments, &reader, &mut census).await,
        false => Vec::new(),
    };
    let controllers = controllers(&reader, &census).await;
    let labelled = labelled(&client, &census).await;
    Ok(Facts {
        now: Timestamp::now(),
        kubectl: arguments.called("kubectl"),
        explain: arguments.called("podgrace explain"),
        seen,
        hooks,
        validating,
        unregistered,
        backends,
        policy,
        configured,
        namespaces,
        asked_for: arguments.namespace.clone(),
        trial,
        census,
        unread_pods,
        controllers,
        labelled,
    })
}

async fn hooks(reader: &Reader, resource: &Resource, arguments: &Arguments) -> Looked<Vec<Hook>> {
    let configurations = reader.list(resource, &Scope::default()).all().await?;
    let named = arguments.webhook_configuration.as_deref();
    Ok(Hook::all(&configurations, named))
}

/// Deployments that look like ours, wherever they are.
async fn look_alikes(reader: &Reader) -> Vec<Value> {
    let scope = Scope {
        namespace: None,
        selector: Some(OURS.to_owned()),
    };
    // Whoever may not look learns that nothing is registered, which is the news.
    reader
        .list(&DEPLOYMENTS, &scope)
        .all()
        .await
        .unwrap_or_default()
}

/// What pods are judged by, and where that is from.
async fn configuration(
    arguments: &Arguments,
    reader: &Reader,
    ours: &[&Hook],
    seen: &Seen,
) -> anyhow::Result<(Policy, Option<Configured>)> {
    let action = seen.sleep_action();
    if let Some(file) = &arguments.config {
        let configured = Configured {
            title: file.display().to_string(),
            edit: None,
            state: Ok(ConfiguredState::Read),
        };
        return Ok((Configuration::load(file)?.policy(action), Some(configured)));
    }
    let defaults = || Configuration::default().policy(action);
    let file = ours.iter().find_map(|hook| match &hook.target {
        Target::Service { namespace, .. } => Some(ConfigurationFile {
            namespace: namespace.clone(),
            name: hook.configuration.clone(),
        }),
        Target::Url(_) => None,
    });
    let Some(file) = file else {
        return Ok((defaults(), None));
    };
    let title = file.title();
    let (policy, state) = match file.read(reader).await {
        Err(error) => (defaults(), Err(error)),
        Ok(None) => (defaults(), Ok(ConfiguredState::Missing)),
        Ok(Some(text)) => match Configuration::parse(title.as_ref(), &text) {
            Ok(configuration) => (configuration.policy(action), Ok(ConfiguredState::Read)),
            Err(error) => (defaults(), Ok(ConfiguredState::Broken(error.to_string()))),
        },
    };
    let edit = format!(
        "{} -n {} edit configmap {}",
        arguments.called("kubectl"),
        file.namespace,
        file.name
    );
    let configured = Configured {
        title,
        edit: Some(edit),
        state,
    };
    Ok((policy, Some(configured)))
}

async fn namespaces(arguments: &Arguments, reader: &Reader) -> Looked<Vec<Value>> {
    match &arguments.namespace {
        Some(name) => {
            let found = reader.get(&NAMESPACES, None, name).await?;
            Ok(found.into_iter().collect())
        }
        None => reader.list(&NAMESPACES, &Scope::default()).all().await,
    }
}

fn understand(namespaces: &Looked<Vec<Value>>, ours: &[&Hook], policy: &Policy) -> Vec<Namespace> {
    let objects = namespaces.iter().flatten();
    objects
        .map(|object| Namespace::of(object, ours, policy))
        .collect()
}

/// An image that this cluster is known to take.
fn image(backends: &[Backend]) -> &str {
    let installations = backends.iter().filter_map(Backend::installation);
    let image = installations
        .filter_map(|installation| installation.image())
        .next();
    image.unwrap_or("registry.k8s.io/pause:3.10")
}

/// The workloads that would be restarted.
async fn controllers(reader: &Reader, census: &Census) -> BTreeMap<Owner, Value> {
    let mut found = BTreeMap::new();
    for owner in census.missed().take(ONE_BY_ONE) {
        let mut restartable = WORKLOADS
            .into_iter()
            .filter(|r| RESTARTABLE.contains(&&*r.kind));
        let Some(resource) = restartable.find(|r| r.kind == *owner.kind) else {
            continue;
        };
        // Without it the usual command is advised.
        let namespace = Some(owner.namespace.as_str());
        if let Ok(Some(object)) = reader.get(&resource, namespace, &owner.name).await {
            found.insert(owner.clone(), object);
        }
    }
    found
}

async fn labelled(client: &Client, census: &Census) -> BTreeMap<String, Timestamp> {
    let mut found = BTreeMap::new();
    for name in census.labelled().into_iter().take(ONE_BY_ONE) {
        if let Some(since) = labelled_since(client, name, MODE_LABEL).await {
            found.insert(name.to_owned(), since);
        }
    }
    found
}
