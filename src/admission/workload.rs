//! What whoever writes a workload should know: its pods' warnings reach only the controller that makes them.

use serde_json::Value;

use super::draft::Draft;
use super::review::{UnreadReview, WorkloadReview};
use super::{Answer, Outcome};
use crate::lifecycle::annotations::Said;
use crate::lifecycle::audit::Controller;
use crate::lifecycle::json::Object;
use crate::lifecycle::plan::{Context, plan};
use crate::lifecycle::pod::Pod;
use crate::lifecycle::policy::Policy;
use crate::lifecycle::remarks;
use crate::workload::{Kinds, Workload};

impl UnreadReview<'_> {
    /// Answers with nothing: for overload, deadlines, panics and what is too large. Nobody loses more than a word by it.
    pub fn shed(&self) -> Answer {
        let request = &self.request;
        let title = format!("{}/{}", &*request.resource.resource, &*request.name);
        self.reply(&title, Outcome::Shed, Draft::default())
    }
}

impl WorkloadReview<'_> {
    /// Answers with what the creation of its pods would be warned of, and with what it says itself in vain.
    /// Nothing is said of a template that did not change: it was said before. `namespace` is what is known of
    /// [`WorkloadReview::namespace`].
    pub fn answer(&self, policy: &Policy, kinds: &Kinds, namespace: Option<&Said>) -> Answer {
        if !self.is_written() {
            return self.ignored();
        }
        let object = match &self.request.object {
            Some(Ok(Object(object))) => object,
            Some(Err(why)) => {
                return self.unreadable(&format!("the object could not be read: {why}"));
            }
            None => return self.unreadable("the request brings no object"),
        };
        // A pod's own creation is answered elsewhere.
        let mut workloads = kinds.workloads(object);
        workloads.retain(|workload| workload.kind != "Pod");
        // Whoever reads the answer must be a person.
        if workloads.is_empty() || is_made_by_a_controller(object) {
            return self.ignored();
        }
        let before: Option<Value> = self
            .request
            .old_object
            .and_then(|raw| serde_json::from_str(raw.get()).ok());
        let mut draft = Draft::default();
        for workload in &workloads {
            let controller = Controller::read(object, &workload.template);
            let is_news = |before| differs(before, object, &workload.template, &controller);
            if !before.as_ref().is_none_or(is_news) {
                continue;
            }
            let context = Context {
                policy,
                namespace: self.namespace(),
                namespace_said: namespace,
            };
            match said(workload, object, &controller, &context) {
                Ok(said) => draft.append(said),
                Err(why) => return self.unreadable(&format!("{}: {why}", workload.title())),
            }
        }
        let outcome = if draft.warnings.is_empty() {
            Outcome::Silent
        } else {
            Outcome::Warned
        };
        self.reply(&self.title(), outcome, draft)
    }

    /// Whether somebody writes an object, and not a part of it as its scale. Also true of what cannot be told.
    fn is_written(&self) -> bool {
        let is_write = matches!(&*self.request.operation, "CREATE" | "UPDATE");
        self.is_vague() || (is_write && self.request.sub_resource.is_empty())
    }

    fn ignored(&self) -> Answer {
        self.reply(&self.title(), Outcome::Ignored, Draft::default())
    }

    fn unreadable(&self, why: &str) -> Answer {
        let draft = Draft::warning(format!("podgrace: {why}; nothing is known of its pods"));
        self.reply(&self.title(), Outcome::Unreadable, draft)
    }

    /// `deployments/shop`, or what its name will begin with.
    fn title(&self) -> String {
        let request = &self.request;
        let name = match (&*request.name, &request.object) {
            ("", Some(Ok(object))) => object["metadata"]["generateName"]
                .as_str()
                .map_or_else(String::new, |start| format!("{start}*")),
            (name, _) => name.to_owned(),
        };
        format!("{}/{name}", &*request.resource.resource)
    }
}

/// What there is to say about the pods of one template.
fn said(
    workload: &Workload,
    object: &Value,
    controller: &Controller,
    context: &Context<'_>,
) -> Result<Draft, String> {
    let json = workload.pod_json(object).ok_or("it has no pod template")?;
    let Object(read) = workload
        .read::<Object<Pod<'_>>>(object, &json)
        .map_err(|why| format!("its pod template could not be read: {}", why.message))?;
    let plan = plan(&read, context);
    let remarks = remarks::on_workload(&read, &plan, controller);
    Ok(Draft::of(&plan, remarks))
}

/// Whether anything changed that something could be said about.
fn differs(before: &Value, now: &Value, template: &str, controller: &Controller) -> bool {
    let known = Controller::read(before, template);
    before.pointer(template) != now.pointer(template)
        || known.misplaced != controller.misplaced
        || known.progress_deadline != controller.progress_deadline
}

fn is_made_by_a_controller(object: &Value) -> bool {
    let owners = object["metadata"]["ownerReferences"].as_array();
    owners
        .into_iter()
        .flatten()
        .any(|owner| owner["controller"] == true)
}
