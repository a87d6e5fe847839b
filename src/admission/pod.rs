//! What a pod gets: its patch in enforce mode, warnings in audit mode.

use super::draft::Draft;
use super::review::Review;
use super::{Answer, Outcome};
use crate::lifecycle::annotations::Said;
use crate::lifecycle::patch;
use crate::lifecycle::plan::{Context, Plan, plan};
use crate::lifecycle::pod::Pod;
use crate::lifecycle::policy::{Mode, Policy};
use crate::lifecycle::remarks;

impl Review<'_> {
    /// Decides and answers. `namespace` is what is known of [`Review::namespace`].
    pub fn answer(&self, policy: &Policy, namespace: Option<&Said>) -> Answer {
        if !self.is_pod_creation() {
            return self.reply(&self.title(), Outcome::Ignored, Draft::default());
        }
        let pod = match &self.request.object {
            Some(Ok(pod)) => pod,
            Some(Err(why)) => {
                return self.unreadable(&format!("the object could not be read as a pod: {why}"));
            }
            None => return self.unreadable("the request brings no object"),
        };
        let context = Context {
            policy,
            namespace: self.namespace(),
            namespace_said: namespace,
        };
        self.carry_out(pod, &plan(pod, &context))
    }

    /// Answers `allowed: true` with that warning and no patch: for overload, deadlines and panics.
    pub fn shed(&self, warning: &str) -> Answer {
        let draft = Draft::warning(warning.to_owned());
        self.reply(&self.title(), Outcome::Shed, draft)
    }

    /// Whether this is what we patch: the creation of a pod. Also true of what cannot be told.
    fn is_pod_creation(&self) -> bool {
        let request = &self.request;
        let resource = &request.resource;
        let is_pod = resource.group.is_empty() && &*resource.resource == "pods";
        let is_creation = request.sub_resource.is_empty() && &*request.operation == "CREATE";
        self.is_vague() || (is_pod && is_creation)
    }

    fn unreadable(&self, why: &str) -> Answer {
        let draft = Draft::warning(format!("podgrace: {why}; it is left as it is"));
        self.reply(&self.title(), Outcome::Unreadable, draft)
    }

    /// Turns a plan into an answer.
    fn carry_out(&self, pod: &Pod<'_>, plan: &Plan) -> Answer {
        let mut draft = Draft::of(plan, remarks::on_pod(plan));
        let outcome = match plan.mode.value {
            Mode::Off => Outcome::Ignored,
            _ if plan.changes.is_empty() => Outcome::Unchanged,
            Mode::Audit => Outcome::Audited,
            Mode::Enforce => {
                let record = draft.record(pod);
                let patch = patch::patch(pod, &plan.changes, record.as_deref());
                let sendable = patch::check(pod, &patch)
                    .map_err(|why| why.to_string())
                    .and_then(|()| serde_json::to_vec(&patch).map_err(|why| why.to_string()));
                match sendable {
                    Ok(bytes) => {
                        draft.patch = Some(bytes);
                        Outcome::Injected
                    }
                    Err(why) => {
                        // Ours is the fault: the pod goes through, and the counter says so.
                        let warning = format!("podgrace: {why}; the pod is left as it is");
                        draft.undo();
                        draft.warnings.insert(0, warning);
                        Outcome::PatchRefused
                    }
                }
            }
        };
        self.reply(&self.title(), outcome, draft)
    }

    /// The pod's name, or what it will begin with.
    fn title(&self) -> String {
        match (&*self.request.name, &self.request.object) {
            ("", Some(Ok(pod))) => pod
                .meta()
                .generate_name
                .as_deref()
                .map_or_else(String::new, |start| format!("{start}*")),
            (name, _) => name.to_owned(),
        }
    }
}
