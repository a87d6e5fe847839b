//! Going through the input: once for what surrounds workloads, once to judge them.

use std::sync::Arc;

use serde_json::Value;

use super::around::{Around, said};
use super::report::{
    Accepted, Cluster, Found, Lives, Looked, NotLookedAt, Place, Report, Unreadable,
};
use super::threads::in_order;
use crate::lifecycle::audit::{self, Controller, Finding, Judgement, Rule, Subject};
use crate::lifecycle::json::Object;
use crate::lifecycle::loss::Others;
use crate::lifecycle::patch;
use crate::lifecycle::plan::{Context, Plan, plan};
use crate::lifecycle::pod::Pod;
use crate::lifecycle::policy::Policy;
use crate::lifecycle::text;
use crate::lifecycle::timeline::life;
use crate::manifests::{self, Chunk, Position, Source, SourceError};
use crate::workload::{Kinds, Workload, objects};

/// How many documents of one file are worth several threads.
const MANY: usize = 64;

/// What holds for an audit.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The configuration.
    pub policy: Policy,
    /// Where pod templates are looked for.
    pub kinds: Kinds,
    /// The namespace of objects that name none.
    pub default_namespace: Option<String>,
    /// The rules to tell of; all where it is empty.
    pub rules: Vec<&'static Rule>,
    /// The rules not to tell of.
    pub skipped_rules: Vec<&'static Rule>,
    /// Whether to keep what to write to end each finding.
    pub fixes: bool,
    /// Whether to keep what each pod gets, and to draw its life.
    pub lives: bool,
}

/// An audit under way. First everything is [learned](Self::learn), then judged, in any order or at once by
/// several threads, then [put together](Self::add) in the order of the input.
#[derive(Debug)]
pub struct Auditor {
    options: Options,
    around: Around,
    report: Report,
}

/// What one file, or one object of a cluster, adds to a report.
#[derive(Debug, Default)]
pub struct Part(Report);

/// Where in its file the thing stands that a JSON pointer names.
type Where<'w> = &'w dyn Fn(&str) -> Option<Place>;

impl Auditor {
    /// An audit of nothing yet.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            around: Around::default(),
            report: Report::default(),
        }
    }

    /// Remembers what a file says about workloads that may be in another. What cannot be read is told when it
    /// is judged.
    pub fn learn(&mut self, source: &Source) {
        for object in &surroundings(source) {
            self.learn_object(object);
        }
    }

    /// Remembers what an object, or the items of a `List`, says about workloads.
    pub fn learn_object(&mut self, object: &Value) {
        let default = self.options.default_namespace.as_deref();
        let (around, policy) = (&mut self.around, &self.options.policy);
        for (_, object) in objects(object) {
            around.learn(object, default, policy);
        }
    }

    /// Judges the workloads of a file.
    pub fn judge(&self, source: &Source) -> Part {
        let file: Arc<str> = source.name.as_str().into();
        let chunks = manifests::split(&source.bytes);
        let judge = |chunk: &Chunk| self.judge_chunk(&source.bytes, chunk, &file);
        let mut report = Report {
            files: 1,
            ..Report::default()
        };
        // A long stream is worth a thread of its own for a part of it.
        match chunks.len() < MANY {
            true => chunks.iter().for_each(|chunk| report.append(judge(chunk))),
            false => in_order(&chunks, judge)
                .into_iter()
                .for_each(|part| report.append(part)),
        }
        Part(report)
    }

    fn judge_chunk(&self, bytes: &[u8], chunk: &Chunk, file: &Arc<str>) -> Report {
        let mut report = Report::default();
        match manifests::read(bytes, chunk) {
            Ok(document) => {
                let place = |pointer: &str| {
                    let Position { line, column } = document.nearest(pointer);
                    Some(Place {
                        file: Arc::clone(file),
                        line,
                        column,
                    })
                };
                self.judge_document(document.value(), &place, &mut report);
            }
            Err(error) => report.unreadable.push(Unreadable {
                file: Some(Arc::clone(file)),
                at: Some((error.position.line, error.position.column)),
                message: error.message,
            }),
        }
        report
    }

    /// Judges the Namespaces of a file, and nothing else in it.
    pub fn judge_namespaces(&self, source: &Source) -> Part {
        let mut part = self.judge(source);
        let report = &mut part.0;
        let is_namespace = |looked: &Looked| looked.kind == "Namespace";
        let workloads = &report.workloads;
        report
            .findings
            .retain(|found| is_namespace(&workloads[found.workload]));
        report.accepted.clear();
        report.not_looked_at.clear();
        // Their places are counted anew where others stood between them.
        let mut kept = 0;
        let places: Vec<usize> = report
            .workloads
            .iter()
            .map(|looked| {
                kept += usize::from(is_namespace(looked));
                kept.saturating_sub(1)
            })
            .collect();
        for found in &mut report.findings {
            found.workload = places[found.workload];
        }
        report.workloads.retain(is_namespace);
        part
    }

    /// Judges an object of a cluster, which is in no file.
    pub fn judge_object(&self, object: &Value) -> Part {
        let mut part = Part::default();
        self.judge_document(object, &|_| None, &mut part.0);
        part
    }

    /// Puts a part behind those that are there.
    pub fn add(&mut self, part: Part) {
        self.report.append(part.0);
    }

    /// Remembers a file or folder that could not be read.
    pub fn unreadable(&mut self, error: SourceError) {
        self.report.unreadable.push(Unreadable {
            file: Some(error.name.into()),
            at: None,
            message: error.message,
        });
    }

    /// Remembers that a part of a cluster could not be read.
    pub fn missing(&mut self, message: String) {
        self.report.unreadable.push(Unreadable {
            file: None,
            at: None,
            message,
        });
    }

    /// Remembers that it is a cluster that is looked at.
    pub fn of_cluster(&mut self, cluster: Cluster) {
        self.report.cluster = Some(cluster);
    }

    /// The report.
    pub fn finish(mut self) -> Report {
        self.report.sort();
        self.report
    }

    fn judge_document(&self, document: &Value, place: Where<'_>, report: &mut Report) {
        for (pointer, object) in objects(document) {
            if object["kind"] == "Namespace" && object["apiVersion"] == "v1" {
                self.judge_namespace(object, &pointer, place, report);
            }
        }
        let kinds = &self.options.kinds;
        for workload in kinds.workloads(document) {
            self.judge_workload(document, &workload, place, report);
        }
        for unknown in kinds.unknown(document) {
            report.pass_over(NotLookedAt {
                first: place(&unknown.object),
                sentence: unknown.sentence(),
                group: unknown.group,
                kind: unknown.kind,
                objects: 1,
            });
        }
    }

    /// What a Namespace says wrongly; one that says nothing wrong is not worth a line.
    fn judge_namespace(
        &self,
        namespace: &Value,
        pointer: &str,
        place: Where<'_>,
        report: &mut Report,
    ) {
        let problems = said(namespace, &self.options.policy).problems;
        if problems.is_empty() {
            return;
        }
        let name = namespace["metadata"]["name"].as_str().unwrap_or_default();
        let looked = Looked {
            kind: "Namespace".to_owned(),
            name: name.to_owned(),
            namespace: None,
            place: place(pointer),
            mode: self.options.policy.mode.word(),
            is_left_alone: false,
            changes: Vec::new(),
            skips: Vec::new(),
            lives: None,
        };
        let judgement = Judgement {
            findings: problems.iter().map(audit::of_namespace).collect(),
            accepted: Vec::new(),
        };
        self.tell(judgement, looked, pointer, place, report);
    }

    fn judge_workload(
        &self,
        document: &Value,
        workload: &Workload,
        place: Where<'_>,
        report: &mut Report,
    ) {
        let mut unreadable = |pointer: &str, message: String| {
            let place = place(pointer);
            report.unreadable.push(Unreadable {
                at: place.as_ref().map(|place| (place.line, place.column)),
                file: place.map(|place| place.file),
                message: format!("{}: {message}", workload.title()),
            });
        };
        let Some(written) = workload.pod_json(document) else {
            return unreadable(&workload.template, "it has no pod template".to_owned());
        };
        let pod = match workload.read::<Object<Pod<'_>>>(document, &written) {
            Ok(Object(pod)) => pod,
            Err(why) => {
                let message = format!("not readable as a pod: {}", why.message);
                return unreadable(&why.pointer, message);
            }
        };
        let default = self.options.default_namespace.as_deref();
        let namespace = workload.namespace.as_deref().or(default);
        let context = Context {
            policy: &self.options.policy,
            namespace,
            namespace_said: self.around.said(namespace),
        };
        let plan = plan(&pod, &context);
        let template = workload.template_in_object();
        let object = document.pointer(&workload.object).unwrap_or(document);
        let mut controller = Controller::read(object, template);
        let labels = &pod.meta().labels;
        self.around
            .complete(&mut controller, &workload.name, namespace, labels);
        let mut subject = Subject::new(&pod, &plan, &context, &controller, template);
        subject.writes_fixes = self.options.fixes;
        let judgement = audit::judge(&subject);
        let looked = Looked {
            kind: workload.kind.clone(),
            name: workload.name.clone(),
            namespace: namespace.map(str::to_owned),
            place: place(&workload.object),
            mode: plan.mode.value.word(),
            is_left_alone: subject.is_left_alone(),
            changes: self.told(&plan.changes, text::change),
            skips: self.told(&plan.skips, text::skipped),
            lives: self
                .options
                .lives
                .then(|| Box::new(lives(&pod, &written, &plan, controller.others()))),
        };
        self.tell(judgement, looked, &workload.object, place, report);
    }

    fn tell(
        &self,
        judgement: Judgement,
        looked: Looked,
        object: &str,
        place: Where<'_>,
        report: &mut Report,
    ) {
        let workload = report.workloads.len();
        report.workloads.push(looked);
        let found = |finding: Finding| Found {
            workload,
            place: place(&format!("{object}{}", finding.pointer)),
            finding,
        };
        let findings = judgement.findings.into_iter();
        let findings = findings.filter(|f| self.tells_of(f.rule)).map(found);
        report.findings.extend(findings);
        let accepted = judgement.accepted.into_iter();
        let accepted = accepted.filter(|(f, _)| self.tells_of(f.rule));
        report
            .accepted
            .extend(accepted.map(|(finding, reason)| Accepted {
                found: found(finding),
                reason,
            }));
    }

    /// The words for what a page shows of each workload.
    fn told<T>(&self, all: &[T], word: impl Fn(&T) -> String) -> Vec<String> {
        let shown = if self.options.lives { all } else { &[] };
        shown.iter().map(word).collect()
    }

    fn tells_of(&self, rule: &'static Rule) -> bool {
        let Options {
            rules,
            skipped_rules,
            ..
        } = &self.options;
        (rules.is_empty() || rules.contains(&rule)) && !skipped_rules.contains(&rule)
    }
}

/// A pod's life as it is written and as it would be.
fn lives(pod: &Pod<'_>, json: &str, plan: &Plan, others: Others) -> Lives {
    let before = life(pod, others);
    let operations = patch::patch(pod, &plan.changes, None);
    let mut patched: Value = serde_json::from_str(json).unwrap_or_default();
    let after = json_patch::patch(&mut patched, &operations)
        .ok()
        .and_then(|()| {
            let text = patched.to_string();
            let Object(pod) = serde_json::from_str::<Object<Pod<'_>>>(&text).ok()?;
            Some(life(&pod, others))
        });
    Lives {
        // A plan's patch applies to its pod; were it not so, nothing would be sent either.
        after: after.unwrap_or_else(|| before.clone()),
        before,
    }
}

/// What in a file says something about workloads that may be in another.
pub fn surroundings(source: &Source) -> Vec<Value> {
    let chunks = manifests::split(&source.bytes);
    chunks
        .iter()
        // Most documents are none of these, and reading one costs a hundred times this look.
        .filter(|chunk| may_matter(&source.bytes[chunk.range.clone()]))
        .filter_map(|chunk| Some(manifests::read(&source.bytes, chunk).ok()?.into_value()))
        .collect()
}

/// Whether the text of a document can be of a kind that workloads depend on: one of the words stands behind
/// `kind` on its line.
fn may_matter(text: &[u8]) -> bool {
    const KINDS: [&str; 4] = [
        "Namespace",
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
        "Service",
    ];
    // What is not UTF-8 cannot be read either.
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    text.match_indices("kind").any(|(at, _)| {
        let line = text[at..].lines().next().unwrap_or_default();
        KINDS.iter().any(|kind| line.contains(kind))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_documents_that_matter_are_read_twice() {
        for (text, expected) in [
            ("apiVersion: v1\nkind: Service\n", true),
            (
                "{\"kind\":\"List\",\"items\":[{\"kind\":\"Namespace\"}]}",
                true,
            ),
            ("\"kind\" : 'PodDisruptionBudget'", true),
            ("kind: Deployment\nmetadata: {name: Service}\n", false),
            ("kind: ConfigMap", false),
        ] {
            assert_eq!(may_matter(text.as_bytes()), expected, "{text}");
        }
    }
}
