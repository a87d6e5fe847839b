//! Whether somebody answers behind a Service, and where not, why.

use serde_json::Value;

use super::facts::{Backend, Facts};
use super::report::{Check, Topic};

const TOPIC: Topic = Topic::Webhook;

/// That nobody would answer, and why.
pub(super) fn no_endpoints(facts: &Facts, backend: &Backend) -> Check {
    let (title, kubectl) = (backend.target.title(), &facts.kubectl);
    let start = format!("{title} has no ready endpoint: nobody answers the API server");
    let check = |why: &str| Check::error(TOPIC, "no-endpoints", format!("{start}. {why}"));
    let Some(own) = backend.installation() else {
        return check("No Deployment of its namespace has pods that it selects").advise(
            "Compare the Service's selector with the labels of the Deployment's pod template; or the Deployment is \
             gone: apply it again",
        );
    };
    let (namespace, name) = (own.namespace(), own.name());
    let mut pods = backend.pods.iter().flatten();
    match (own.replicas(), pods.next()) {
        ((0, _), _) => check(&format!("{} is scaled to 0", own.title())).run(format!(
            "{kubectl} -n {namespace} scale deployment/{name} --replicas=2"
        )),
        ((wanted, _), None) => check(&format!(
            "{} wants {wanted} replicas and there is no pod: something keeps them from being made",
            own.title()
        ))
        .run(format!(
            "{kubectl} -n {namespace} describe deployment/{name}"
        ))
        .run(format!(
            "{kubectl} -n {namespace} get events --sort-by=.lastTimestamp"
        )),
        (_, Some(pod)) => {
            let pod_name = pod["metadata"]["name"].as_str().unwrap_or_default();
            check(&format!("Pod {pod_name} {}", state(pod)))
                .run(format!("{kubectl} -n {namespace} describe pod {pod_name}"))
                .run(format!(
                    "{kubectl} -n {namespace} logs {pod_name} --tail=20"
                ))
        }
    }
}

/// Why a pod is not ready, as far as its status says.
fn state(pod: &Value) -> String {
    let status = &pod["status"];
    let conditions = || status["conditions"].as_array().into_iter().flatten();
    if let Some(scheduled) =
        conditions().find(|c| c["type"] == "PodScheduled" && c["status"] == "False")
    {
        let why = scheduled["message"].as_str().unwrap_or("no node takes it");
        return format!("is not scheduled: {why}");
    }
    let containers = status["containerStatuses"].as_array();
    let waiting = containers.into_iter().flatten().find_map(|container| {
        let waiting = &container["state"]["waiting"];
        let reason = waiting["reason"].as_str()?;
        Some(match waiting["message"].as_str() {
            Some(message) => format!("waits: {reason} ({message})"),
            None => format!("waits: {reason}"),
        })
    });
    waiting.unwrap_or_else(|| match status["phase"].as_str() {
        Some("Running") => "runs, but is not Ready".to_owned(),
        phase => format!("is {}", phase.unwrap_or("of no phase")),
    })
}

/// How many of the replicas are ready.
pub(super) fn replicas(backend: &Backend, ready: usize) -> Check {
    let Some(own) = backend.installation() else {
        let message = format!("{} has {ready} ready endpoints", backend.target.title());
        return Check::well(TOPIC, "endpoints", message);
    };
    let (wanted, _) = own.replicas();
    let ops = backend.ops.as_ref().and_then(|ops| ops.as_ref().ok());
    let version = ops.and_then(|ops| ops.version.as_ref());
    let version = version.map_or_else(String::new, |version| format!("podgrace {version}, "));
    let message = format!(
        "{ready} of {wanted} replicas of {} are ready ({version}image {})",
        own.title(),
        own.image().unwrap_or("unknown")
    );
    if i64::try_from(ready).unwrap_or(i64::MAX) < wanted {
        Check::warning(TOPIC, "replicas-missing", message)
    } else {
        Check::well(TOPIC, "replicas", message)
    }
}
