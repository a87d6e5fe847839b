//! What `serve` takes from the cluster: what namespaces say, and which versions are at hand.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::in_force::InForce;
use crate::cluster::{Contact, Kubelets, Namespaces, Negotiated, Seen};
use crate::lifecycle::policy::SleepAction;
use crate::server::{Check, Engine, Health, Unavailable};

/// How sleeps are written until the versions are known. The other way an API server before 1.30 would turn
/// the pod away; a command that an image does not have costs only the sleep.
pub(super) const UNTIL_KNOWN: SleepAction = SleepAction::Exec;

/// Plugs the cluster into the engine; the tasks follow it from then on. Nothing waits for it: an API server
/// that is away must not keep the webhook from answering.
pub(super) fn follow(
    client: kube::Client,
    contact: Arc<Contact>,
    engine: &mut Engine,
    in_force: Arc<InForce>,
    is_negotiated: bool,
    tasks: &mut JoinSet<()>,
) {
    let namespaces = Arc::new(Namespaces::new(client.clone(), Arc::clone(&contact)));
    let negotiated = Arc::new(Negotiated::default());

    let lookup = Arc::clone(&namespaces);
    engine.namespaces = Some(Arc::new(move |name: &str| {
        let said = Arc::clone(&lookup).said(name.to_owned());
        Box::pin(async move { said.await.map_err(|why| Unavailable(why.to_string())) })
    }));
    engine.checks.push(api_server(Arc::clone(&contact)));
    engine.checks.push(listed(Arc::clone(&namespaces)));
    if is_negotiated {
        engine.checks.push(versions(Arc::clone(&negotiated)));
    }
    let counted = (
        Arc::clone(&contact),
        Arc::clone(&namespaces),
        Arc::clone(&negotiated),
    );
    engine.metrics.push(Box::new(move |registry| {
        counted.0.register(registry);
        counted.1.register(registry);
        if is_negotiated {
            counted.2.register(registry);
        }
    }));

    tasks.spawn(namespaces.watch());
    tasks.spawn(async move {
        let changed = |seen: &Seen| {
            let action = seen.sleep_action();
            if is_negotiated {
                tracing::info!(action = action.word(), because = seen.sentence(), "sleeps");
                in_force.write_sleeps(action);
            }
        };
        negotiated.follow(client, &contact, changed).await;
    });
}

/// An API server that is away fails nothing: without us, pods would go without.
fn api_server(contact: Arc<Contact>) -> Check {
    Check::new("api-server", move || match contact.trouble() {
        None => Health::Ok,
        Some(trouble) => Health::Degraded(format!(
            "it has not answered for {} s, what was known then holds: {}",
            trouble.since.elapsed().as_secs(),
            trouble.error
        )),
    })
}

fn listed(namespaces: Arc<Namespaces>) -> Check {
    Check::new("namespaces", move || {
        if namespaces.are_listed() {
            Health::Ok
        } else {
            Health::Degraded("not listed yet: each is asked for when a pod of it comes".to_owned())
        }
    })
}

fn versions(negotiated: Arc<Negotiated>) -> Check {
    Check::new("sleep-action", move || match negotiated.seen() {
        None => Health::Degraded(format!(
            "{} until the versions are known",
            UNTIL_KNOWN.word()
        )),
        Some(seen) => match &seen.kubelets {
            Kubelets::Unreadable(_) => Health::Degraded(format!(
                "{} by the API server's version alone: {}",
                seen.sleep_action().word(),
                seen.sentence()
            )),
            Kubelets::Oldest(_) | Kubelets::None => Health::Ok,
        },
    })
}
