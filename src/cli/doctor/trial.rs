//! Having a pod tried, and where it comes back as it was sent, asking why.

use std::time::Instant;

use serde_json::Value;

use super::handshake;
use crate::cli::call::review;
use crate::cluster::{Cause, ReadError, Reader, labels};
use crate::doctor::{
    Answer, Asked, Calls, Hook, Labels, Namespace, Target, Trial, Unanswered, calls, choose,
    pod_to_try,
};

/// What trials need.
pub(super) struct Trials<'l> {
    pub(super) errands: &'l Reader,
    pub(super) ours: &'l [&'l Hook],
    pub(super) image: &'l str,
}

impl Trials<'_> {
    /// Tries a pod where that tells most; none where no webhook would be asked. Where namespaces cannot be
    /// looked at, the pod says itself that it wants to be in.
    pub(super) async fn run(
        &self,
        namespaces: &[Namespace],
        asked_for: Option<&str>,
        are_unseen: bool,
    ) -> Option<Trial> {
        let (namespace, is_by_itself) = match asked_for {
            Some(name) if are_unseen => (name, true),
            _ => choose(namespaces, asked_for)?,
        };
        let pod = pod_to_try(self.image, is_by_itself);
        let mut trial = Trial {
            namespace: namespace.to_owned(),
            is_by_itself,
            tried: self.errands.try_pod(namespace, &pod).await,
            pod,
            asked: None,
            calls: None,
        };
        if trial.tried.is_ok() && !trial.is_proof() {
            self.find_out(&mut trial, namespaces).await;
        }
        Some(trial)
    }

    async fn find_out(&self, trial: &mut Trial, namespaces: &[Namespace]) {
        // Again, between two looks at what the API server counts.
        let before = self.errands.metrics_of_server().await;
        trial.tried = self.errands.try_pod(&trial.namespace, &trial.pod).await;
        let after = self.errands.metrics_of_server().await;
        if trial.tried.is_err() || trial.is_proof() {
            return;
        }
        trial.calls = before
            .zip(after)
            .map(|(before, after)| self.calls(&before, &after));
        let of = namespaces.iter().find(|n| n.name == trial.namespace);
        let of = of
            .map(|namespace| namespace.labels().clone())
            .unwrap_or_default();
        trial.asked = self.ask(trial, &of).await;
    }

    fn calls(&self, before: &str, after: &str) -> Calls {
        let names: Vec<&str> = self.ours.iter().map(|hook| &*hook.name).collect();
        calls(before, after, &names)
    }

    /// Asks the webhook that should have been asked about it.
    async fn ask(&self, trial: &Trial, namespace: &Labels) -> Option<Asked> {
        let pod = labels(&trial.pod);
        let hook = self.ours.iter().find(|hook| hook.sees(namespace, &pod))?;
        let stored = trial.tried.as_ref().map_or(&trial.pod, |tried| &tried.pod);
        let review = review(&trial.namespace, stored, true);
        let since = Instant::now();
        let (way, answer) = match &hook.target {
            Target::Service {
                namespace,
                name,
                port,
            } => {
                let port = format!("https:{name}:{port}");
                let path = format!("{}?timeout={}s", hook.path, hook.timeout);
                let asked = self
                    .errands
                    .ask_service(namespace, &port, &path, Some(&review));
                ("through the API server", asked.await.map_err(unanswered))
            }
            Target::Url(url) => {
                let answer = handshake::post(url, &review).await;
                let text = answer.map(|reply| reply.review.to_string());
                ("from here", text.map_err(Unanswered::Failed))
            }
        };
        let took = since.elapsed();
        let answer = answer.and_then(|text: String| {
            let review = serde_json::from_str::<Value>(&text);
            let no_review = |error| Unanswered::Failed(format!("it answers no review: {error}"));
            Ok(Answer::read(&review.map_err(no_review)?))
        });
        Some(Asked { way, answer, took })
    }
}

fn unanswered(error: ReadError) -> Unanswered {
    match error.cause {
        Cause::Forbidden(_) => Unanswered::Forbidden(Box::new(error)),
        Cause::Refused(status) => Unanswered::Failed(status.message),
        Cause::Unreachable(why) => Unanswered::Failed(why),
        Cause::Unauthorized | Cause::Unreadable(_) => Unanswered::Failed(error.to_string()),
    }
}
