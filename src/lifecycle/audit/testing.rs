//! Workloads for the rules' tests.

use super::super::annotations::Said;
use super::super::json::{Object, StrMap};
use super::super::plan::{Context, plan};
use super::super::pod::Pod;
use super::super::policy::Policy;
use super::{Controller, Finding, Judgement, Rule, Subject, judge};

/// A Deployment with a pod, to be judged.
pub(super) struct Case {
    pod: serde_json::Value,
    pub(super) policy: Policy,
    pub(super) controller: Controller,
    namespace: Vec<(&'static str, &'static str)>,
}

impl Case {
    /// A pod, as JSON.
    pub(super) fn new(pod: &str) -> Self {
        Self {
            pod: serde_json::from_str(pod).expect("JSON"),
            policy: Policy::default(),
            controller: Controller {
                kind: "Deployment".into(),
                ..Controller::default()
            },
            namespace: Vec::new(),
        }
    }

    /// A pod of one container `shop`, as JSON fields of the container.
    pub(super) fn container(fields: &str) -> Self {
        Self::new(&format!(
            r#"{{"spec": {{"containers": [{{"name": "shop"{fields}}}]}}}}"#
        ))
    }

    pub(super) fn annotation(mut self, key: &str, value: &str) -> Self {
        self.pod["metadata"]["annotations"][key] = value.into();
        self
    }

    pub(super) fn label(mut self, key: &str, value: &str) -> Self {
        self.pod["metadata"]["labels"][key] = value.into();
        self
    }

    pub(super) fn grace(mut self, seconds: i64) -> Self {
        self.pod["spec"]["terminationGracePeriodSeconds"] = seconds.into();
        self
    }

    pub(super) fn namespace_annotation(mut self, key: &'static str, value: &'static str) -> Self {
        self.namespace.push((key, value));
        self
    }

    pub(super) fn controller(mut self, change: impl FnOnce(&mut Controller)) -> Self {
        change(&mut self.controller);
        self
    }

    pub(super) fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.policy);
        self
    }

    pub(super) fn judge(&self) -> Judgement {
        let text = self.pod.to_string();
        let Object(pod): Object<Pod<'_>> = serde_json::from_str(&text).expect("a pod");
        let annotations: StrMap<'_> = self.namespace.iter().copied().collect();
        let said = Said::by_namespace(&StrMap::EMPTY, &annotations);
        let context = Context {
            policy: &self.policy,
            namespace: Some("shop"),
            namespace_said: Some(&said),
        };
        let plan = plan(&pod, &context);
        judge(&Subject::new(
            &pod,
            &plan,
            &context,
            &self.controller,
            "/spec/template",
        ))
    }

    /// The names of the rules that find something.
    pub(super) fn names(&self) -> Vec<&'static str> {
        let findings = self.judge().findings;
        findings.iter().map(|finding| finding.rule.name).collect()
    }

    /// What one rule finds.
    pub(super) fn found(&self, rule: &Rule) -> Vec<Finding> {
        let mut findings = self.judge().findings;
        findings.retain(|finding| finding.rule == rule);
        findings
    }

    /// The one message of a rule.
    pub(super) fn message(&self, rule: &Rule) -> String {
        match self.found(rule).as_slice() {
            [finding] => finding.message.clone(),
            found => panic!("not one finding: {found:?}"),
        }
    }
}
