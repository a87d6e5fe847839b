//! Whether the webhook is registered, and whether what that points at is there and ready.

use std::collections::BTreeSet;

use serde_json::Value;

use super::endpoints::{no_endpoints, replicas};
use super::facts::{Backend, Facts, Ops, Served, ready_endpoints};
use super::hooks::{Hook, Target};
use super::installation::Installation;
use super::report::{Check, Report, Topic};

const TOPIC: Topic = Topic::Webhook;

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    for error in [&facts.hooks, &facts.validating]
        .into_iter()
        .filter_map(|h| h.as_ref().err())
    {
        report.add(Check::unseen(TOPIC, error));
    }
    if facts.hooks.is_err() {
        return;
    }
    if !facts.ours().any(Hook::changes_pods) {
        report.add(not_registered(facts));
    }
    let mut told = BTreeSet::new();
    for hook in facts.ours() {
        if told.insert((&hook.kind, &hook.configuration)) {
            let of = |other: &&Hook| other.title() == hook.title();
            let names: Vec<&str> = facts.ours().filter(of).map(|h| &*h.name).collect();
            let (title, target) = (hook.title(), hook.target.title());
            let message = format!("{title} calls {target} ({})", names.join(", "));
            report.add(Check::well(TOPIC, "registered", message));
        }
    }
    for backend in &facts.backends {
        match &backend.target {
            Target::Service { .. } => service(facts, backend, report),
            Target::Url(url) => address(facts, backend, url, report),
        }
        if let Some(Ok(ops)) = &backend.ops {
            troubles(ops, report);
        }
    }
}

fn not_registered(facts: &Facts) -> Check {
    let Some(deployment) = facts.unregistered.first() else {
        return Check::error(
            TOPIC,
            "not-installed",
            "no MutatingWebhookConfiguration has a webhook named ….podgrace.io that is about pods, and no Deployment \
             is labelled app.kubernetes.io/name=podgrace: Podgrace is not in this cluster",
        )
        .advise("To install it: docs/install.md. Where its webhook has another name, say --webhook-configuration NAME");
    };
    let installation = Installation::of(deployment);
    let check = Check::error(
        TOPIC,
        "no-configuration",
        format!(
            "{} is there, but no MutatingWebhookConfiguration has a webhook named ….podgrace.io that is about pods: \
             no API server asks it, and every pod is made as it is written",
            installation.title()
        ),
    );
    restored(check, &installation, facts, "the configuration")
}

/// With what makes something again that is gone.
fn restored(check: Check, installation: &Installation<'_>, facts: &Facts, what: &str) -> Check {
    match installation.restore(&facts.kubectl) {
        Some(command) => check
            .advise(format!(
                "Helm has {what} in its manifest; what is there stays as it is:"
            ))
            .run(command),
        None => check.advise(format!(
            "Apply {what} again from the manifests that it was installed with"
        )),
    }
}

fn service(facts: &Facts, backend: &Backend, report: &mut Report) {
    let Target::Service {
        namespace,
        name,
        port,
    } = &backend.target
    else {
        return;
    };
    let title = backend.target.title();
    let service = match &backend.service {
        Err(error) => return report.add(Check::unseen(TOPIC, error)),
        Ok(Some(service)) => service,
        Ok(None) => {
            let message =
                format!("{title} does not exist: no call of the webhook arrives anywhere");
            let check = Check::error(TOPIC, "service-missing", message);
            let deployment = backend
                .deployments
                .iter()
                .flatten()
                .find(|d| is_podgrace(d));
            return report.add(match deployment {
                Some(deployment) => restored(check, &Installation::of(deployment), facts, "the Service"),
                None => check.advise(format!(
                    "Nothing in namespace {namespace} looks like Podgrace either. If it was removed, remove its webhook \
                     configuration too; else install it again: docs/install.md"
                )),
            });
        }
    };
    let mut ports = service["spec"]["ports"].as_array().into_iter().flatten();
    if !ports.any(|p| p["port"] == *port) {
        let message = format!("{title} has no port {port}, which the webhook configuration calls");
        report.add(Check::error(TOPIC, "service-port", message).run(format!(
            "{} -n {namespace} edit service {name}",
            facts.kubectl
        )));
    }
    match &backend.slices {
        Err(error) => report.add(Check::unseen(TOPIC, error)),
        Ok(slices) if ready_endpoints(slices) == 0 => report.add(no_endpoints(facts, backend)),
        Ok(slices) => report.add(replicas(backend, ready_endpoints(slices))),
    }
    for looked in [&backend.deployments, &backend.pods] {
        if let Err(error) = looked {
            report.add(Check::unseen(TOPIC, error));
        }
    }
    let images: BTreeSet<&str> = backend.pods.iter().flatten().filter_map(image).collect();
    if images.len() > 1 {
        let images = images.into_iter().collect::<Vec<_>>().join(" and ");
        report.add(
            Check::warning(
                TOPIC,
                "versions-differ",
                format!("replicas of different images answer: {images}. One pod may get other fields than the next"),
            )
            .advise("Normal while a rollout lasts. Whether one does:")
            .run(rollout_status(facts, backend, namespace)),
        );
    }
    if let Some(Err(error)) = &backend.ops {
        report.add(if error.is_forbidden() {
            Check::unseen(TOPIC, error)
        } else {
            Check::note(
                TOPIC,
                "ops-silent",
                format!("no replica says how it is: {error}"),
            )
        });
    }
}

fn is_podgrace(deployment: &Value) -> bool {
    deployment["metadata"]["labels"]["app.kubernetes.io/name"] == "podgrace"
        || Installation::of(deployment)
            .image()
            .is_some_and(|i| i.contains("podgrace"))
}

fn rollout_status(facts: &Facts, backend: &Backend, namespace: &str) -> String {
    let kubectl = &facts.kubectl;
    match backend.installation() {
        Some(own) => format!(
            "{kubectl} -n {namespace} rollout status deployment/{}",
            own.name()
        ),
        None => format!("{kubectl} -n {namespace} get pods"),
    }
}

fn image(pod: &Value) -> Option<&str> {
    pod["spec"]["containers"][0]["image"].as_str()
}

/// An address that only the API server must reach; from here is the best that can be tried.
fn address(facts: &Facts, backend: &Backend, url: &str, report: &mut Report) {
    let Served::Handshake(handshake) = &backend.served else {
        return;
    };
    match &handshake.error {
        Some(error) if handshake.chain.is_empty() => {
            let message = format!("{url} does not answer from here: {error}");
            report.add(if facts.is_proven() {
                Check::note(TOPIC, "address-silent", message).advise("The API server reaches it all the same")
            } else {
                Check::error(TOPIC, "address-silent", message).advise(
                    "Start podgrace serve there, or correct clientConfig.url in the webhook configuration. Where only the \
                     API server is to reach it, run this command from there",
                )
            });
        }
        _ => report.add(Check::well(
            TOPIC,
            "address",
            format!("{url} answers from here"),
        )),
    }
}

fn troubles(ops: &Ops, report: &mut Report) {
    let own = env!("CARGO_PKG_VERSION");
    match &ops.version {
        Some(version) if version != own => report.add(Check::note(
            TOPIC,
            "other-version",
            format!(
                "the webhook is podgrace {version} and this program {own}: what is said about pods below is by the \
                 rules of {own}"
            ),
        )),
        _ => {}
    }
    for trouble in &ops.troubles {
        let message = format!("a replica says of itself: {trouble}");
        report.add(Check::warning(TOPIC, "replica-troubled", message));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::forbidden;
    use super::*;

    #[test]
    fn why_nobody_answers_is_said_with_the_command_for_it() {
        let empty = || {
            let mut facts = Facts::well();
            facts.trial = None;
            facts.backends[0].slices = Ok(vec![
                json!({"endpoints": [{"conditions": {"ready": false}}]}),
            ]);
            facts
        };
        let check = |facts: &Facts| {
            let check = facts.check("no-endpoints");
            (
                check.message,
                check.commands.into_iter().next().unwrap_or_default(),
            )
        };
        let mut facts = empty();
        facts.backends[0].deployments.as_mut().expect("one")[0]["spec"]["replicas"] = 0.into();
        let (message, command) = check(&facts);
        assert!(
            message.ends_with("Deployment podgrace/podgrace is scaled to 0"),
            "{message}"
        );
        assert_eq!(
            command,
            "kubectl -n podgrace scale deployment/podgrace --replicas=2"
        );

        let mut facts = empty();
        facts.backends[0].pods = Ok(Vec::new());
        let (message, command) = check(&facts);
        assert!(
            message.ends_with("something keeps them from being made"),
            "{message}"
        );
        assert_eq!(command, "kubectl -n podgrace describe deployment/podgrace");

        for (status, why) in [
            (
                json!({"phase": "Pending", "containerStatuses": [
                    {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}},
                ]}),
                "Pod p waits: ImagePullBackOff (no such image)",
            ),
            (
                json!({"phase": "Pending", "conditions": [
                    {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"},
                ]}),
                "Pod p is not scheduled: 0/3 nodes are available",
            ),
            (json!({"phase": "Running"}), "Pod p runs, but is not Ready"),
        ] {
            let mut facts = empty();
            facts.backends[0].pods = Ok(vec![json!({"metadata": {"name": "p"}, "status": status})]);
            let (message, command) = check(&facts);
            assert!(message.ends_with(why), "{message}");
            assert_eq!(command, "kubectl -n podgrace describe pod p");
        }

        let mut facts = empty();
        facts.backends[0].deployments = Ok(Vec::new());
        let (message, _) = check(&facts);
        assert!(
            message.ends_with("No Deployment of its namespace has pods that it selects"),
            "{message}"
        );
    }

    #[test]
    fn what_it_points_at_is_missing_in_part() {
        let mut facts = Facts::well();
        facts.backends[0]
            .service
            .as_mut()
            .expect("read")
            .as_mut()
            .expect("there")["spec"]["ports"] = json!([{"port": 8443}]);
        assert_eq!(facts.findings(), ["service-port"]);

        let mut facts = Facts::well();
        facts.backends[0].pods = Ok(["podgrace:1", "podgrace:2"]
            .map(|image| json!({"spec": {"containers": [{"image": image}]}}))
            .into());
        assert_eq!(facts.findings(), ["versions-differ"]);

        let mut facts = Facts::well();
        facts.backends[0].slices = Ok(vec![
            json!({"endpoints": [{"conditions": {"ready": true}}]}),
        ]);
        assert_eq!(facts.findings(), ["replicas-missing"]);

        let mut facts = Facts::well();
        facts.backends[0].ops = Some(Ok(Ops {
            version: Some("9.9.9".into()),
            troubles: vec!["configuration: the reload failed".into()],
            ..Ops::default()
        }));
        assert_eq!(facts.findings(), ["replica-troubled"]);
        assert!(
            facts
                .check("other-version")
                .message
                .contains("podgrace 9.9.9")
        );
        facts.backends[0].ops = Some(Err(forbidden()));
        assert_eq!(facts.findings(), ["forbidden"]);
    }

    #[test]
    fn helm_makes_again_what_is_gone() {
        let mut facts = Facts::well();
        facts.unregistered = facts.backends[0].deployments.as_ref().expect("one").clone();
        facts.hooks = Ok(Vec::new());
        assert_eq!(facts.findings()[0], "no-configuration");
        let restore = "helm -n podgrace get manifest podgrace | kubectl -n podgrace apply -f -";
        assert_eq!(facts.check("no-configuration").commands, [restore]);
        let mut facts = Facts::well();
        facts.backends[0].service = Ok(None);
        assert_eq!(facts.check("service-missing").commands, [restore]);
        facts.hooks = Err(forbidden());
        assert_eq!(facts.findings()[0], "forbidden");
    }
}
