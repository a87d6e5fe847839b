//! Explanations of workloads of a cluster, beside what their pods did.

use anyhow::bail;
use serde_json::Value;

use super::named::Named;
use super::{Arguments, Explained};
use crate::cli::complain;
use crate::cli::live::Live;
use crate::cluster::Resource;
use crate::explain::{Explanation, Places, RunningPod, Subject, Webhook, explain, running};

/// Explains the workloads that are named.
pub(super) async fn explained(arguments: &Arguments, names: &[Named]) -> anyhow::Result<Explained> {
    if names.is_empty() {
        bail!(
            "name a workload of the cluster, as in podgrace explain deployment/shop -n web, or files with -f"
        );
    }
    let mut live = Live::open(&arguments.cluster, &arguments.surroundings, false).await?;
    let namespace = live.default_namespace.clone();
    let said = match live.namespaces(Some(&namespace)).await? {
        Ok(mut namespaces) => namespaces.pop().unwrap_or_default(),
        Err(error) => {
            complain(&format!("what the Namespace says is not known: {error}"));
            Value::Null
        }
    };
    let resources = live.workloads().await?;
    let mut explained = Explained::default();
    for name in names {
        for object in find(&live, name, &resources).await? {
            let pods = match pods(&live, &object, &said).await {
                Ok(pods) => Some(pods),
                Err(error) => {
                    complain(&format!("what its pods did is not known: {error:#}"));
                    explained.is_incomplete = true;
                    None
                }
            };
            for mut explanation in explanations(&live, &object)? {
                explanation.running.clone_from(&pods);
                explained.explanations.push(explanation);
            }
        }
    }
    Ok(explained)
}

/// The objects of that name, of the kind that was named or of any.
async fn find(live: &Live, name: &Named, among: &[Resource]) -> anyhow::Result<Vec<Value>> {
    let resources = name.resources(among);
    if resources.is_empty() {
        bail!(
            "{}: this is no kind that makes pods; there are pod, deploy, sts, ds, job, cj, rs, rc and those in the \
             configuration's workloads",
            name.title()
        );
    }
    let namespace = Some(live.default_namespace.as_str());
    let (mut found, mut forbidden) = (Vec::new(), None);
    for resource in resources {
        match live.reader.get(resource, namespace, &name.name).await {
            Ok(object) => found.extend(object),
            Err(error) if error.is_forbidden() => forbidden = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    match (found.is_empty(), forbidden) {
        (true, Some(error)) => Err(error.into()),
        (true, None) => bail!(
            "there is no workload {} in namespace {}{}",
            name.title(),
            live.default_namespace,
            live.in_cluster()
        ),
        (false, _) => Ok(found),
    }
}

/// One for each of its pod templates.
fn explanations(live: &Live, object: &Value) -> anyhow::Result<Vec<Explanation>> {
    let planner = &live.planner;
    let workloads = planner.configuration.kinds().workloads(object);
    if workloads.is_empty() {
        let (kind, name) = (&object["kind"], &object["metadata"]["name"]);
        bail!("{kind} {name} has no pod template of its own: another workload has it");
    }
    let explanations = workloads.iter().map(|workload| {
        let explanation = planner.plan(object, workload, |planner, json, pod, plan| {
            let context = planner.context(workload);
            let places = Places {
                configuration: Some(&planner.configuration),
                mode_is_argument: planner.mode_is_argument,
                ..Places::default()
            };
            explain(&Subject {
                workload,
                object: Some(object),
                pod,
                json,
                context: &context,
                plan,
                places: &places,
            })
        });
        explanation.map_err(|why| anyhow::anyhow!("{}: {}", workload.title(), why.message))
    });
    explanations.collect()
}

/// What its pods did, and why they lack what they lack.
async fn pods(live: &Live, object: &Value, namespace: &Value) -> anyhow::Result<Vec<RunningPod>> {
    let pods = live.reader.pods_of(object).await?;
    let webhook = |pod: &Value| match &live.installed {
        Ok(None) => Webhook::None,
        Ok(Some(installed)) => Webhook::Installed {
            since: installed.created,
            selects: installed.selects(namespace, pod),
        },
        Err(_) => Webhook::Unknown,
    };
    let kinds = live.planner.configuration.kinds();
    let told = pods.iter().filter_map(|pod| {
        let workload = kinds.workloads(pod).pop()?;
        running(pod, &live.planner.context(&workload), webhook(pod))
    });
    Ok(told.collect())
}
