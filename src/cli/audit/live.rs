//! An audit of a cluster: only what the rules read, and of each kind one page at a time.

use serde_json::Value;

use super::Arguments;
use super::progress::Progress;
use crate::audit::{Auditor, Cluster, Report, in_order};
use crate::cli::live::Live;
use crate::cluster::{
    AUTOSCALERS, DISRUPTION_BUDGETS, Makers, POD_TEMPLATES, SERVICES, Scope, maker,
};

/// Audits a cluster, or a namespace of it.
pub(super) async fn report(arguments: &Arguments) -> anyhow::Result<Report> {
    let selection = &arguments.selection;
    let mut live = Live::open(&selection.cluster, &arguments.surroundings, arguments.quiet).await?;
    let scope = Scope {
        namespace: match selection.all_namespaces {
            true => None,
            false => Some(live.default_namespace.clone()),
        },
        selector: selection.selector.clone(),
    };
    let namespaces = live.namespaces(scope.namespace.as_deref()).await?;
    let workloads = live.workloads().await?;
    let Live {
        reader,
        planner,
        context,
        ..
    } = live;
    let mut auditor = Auditor::new(arguments.options(planner));
    auditor.of_cluster(Cluster {
        context,
        namespace: scope.namespace.clone(),
    });
    // What these say counts before what the cluster says.
    for source in arguments.surroundings.namespace_sources()? {
        auditor.learn(&source);
        let part = auditor.judge_namespaces(&source);
        auditor.add(part);
    }

    let around = Scope {
        selector: None,
        ..scope.clone()
    };
    let all = |resource| reader.list(resource, &around).all();
    let (services, autoscalers, budgets) =
        tokio::join!(all(&SERVICES), all(&AUTOSCALERS), all(&DISRUPTION_BUDGETS));
    for objects in [services, autoscalers, budgets] {
        match objects {
            Ok(objects) => objects
                .iter()
                .for_each(|object| auditor.learn_object(object)),
            Err(error) if error.is_forbidden() => auditor.missing(error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    match namespaces {
        Ok(namespaces) => {
            namespaces
                .iter()
                .for_each(|object| auditor.learn_object(object));
            judge(&mut auditor, &namespaces);
        }
        Err(error) => auditor.missing(error.to_string()),
    }

    let mut makers = Makers::default();
    let mut progress = Progress::new(arguments.quiet);
    let mut read = 0;
    for resource in &workloads {
        let mut pages = reader.list(resource, &scope);
        loop {
            let page = match pages.next().await {
                Ok(Some(page)) => page,
                Ok(None) => break,
                // The ClusterRole view does not have them, and nothing makes pods of them by itself.
                Err(error) if error.is_forbidden() && *resource == POD_TEMPLATES => break,
                Err(error) if error.is_forbidden() => {
                    auditor.missing(error.to_string());
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            read += page.len();
            let own = page
                .into_iter()
                .filter(|object| is_own(&mut makers, object));
            judge(&mut auditor, &own.collect::<Vec<Value>>());
            progress.tell(|| format!("{read} objects, now {}", resource.title()));
        }
    }
    Ok(auditor.finish())
}

fn judge(auditor: &mut Auditor, objects: &[Value]) {
    for part in in_order(objects, |object| auditor.judge_object(object)) {
        auditor.add(part);
    }
}

/// Whether an object is told of by itself: nobody who was read makes it.
fn is_own(makers: &mut Makers, object: &Value) -> bool {
    // Old revisions, kept for a way back by a controller that is not ours to know.
    let is_empty = object["kind"] == "ReplicaSet"
        && object["spec"]["replicas"] == 0
        && maker(object).is_some();
    !makers.add(object) && !is_empty
}
