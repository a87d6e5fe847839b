//! What happens to one workload's pods and why, gathered from the engine: which changes, which setting won
//! and where it stands, the arithmetic, what is left alone, and the pod's life before and after.
//!
//! Nothing is decided here. An [`Explanation`] is data; [`report`](crate::report) prints it.

mod advice;
mod origin;
mod running;
mod words;

use serde::Serialize;
use serde_json::Value;

pub use advice::Caveat;
pub use origin::{Place, Places, Source, Stated, Template};
pub use running::{End, RunningContainer, RunningPod, Webhook, Why, running};

use crate::lifecycle::audit::Controller;
use crate::lifecycle::counted::{Counted, counted};
use crate::lifecycle::json::Object;
use crate::lifecycle::loss::Others;
use crate::lifecycle::patch;
use crate::lifecycle::plan::{Change, Context, Plan};
use crate::lifecycle::pod::Pod;
use crate::lifecycle::remarks;
use crate::lifecycle::settings::{GracePeriod, Setting};
use crate::lifecycle::shutdown::{Grace, Need, StatedBy};
use crate::lifecycle::skip::{Part, Skipped};
use crate::lifecycle::text;
use crate::lifecycle::timeline::{Life, life};
use crate::workload::Workload;

/// What happens to one workload's pods, and why. Serialized, this is one entry of the JSON document that
/// `docs/explain.md` describes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The workload, as kubectl names it: `deployment/shop`.
    pub title: String,
    /// Its namespace, where that is known.
    pub namespace: Option<String>,
    /// Where it is written.
    pub at: Option<Place>,
    /// Whether changes are made, told or not even made up, and who said so.
    pub mode: Stated,
    /// What its pods get.
    pub changes: Vec<ExplainedChange>,
    /// The arithmetic of the grace period; none where the pod is left alone.
    pub grace_period: Option<Arithmetic>,
    /// What is left as it is.
    pub left_alone: Vec<LeftAlone>,
    /// What is wrong with what the pod, its Namespace or the configuration says.
    pub problems: Vec<Warning>,
    /// Every setting that counts.
    pub settings: Vec<Stated>,
    /// What no change by Podgrace can help, and what does.
    pub caveats: Vec<Caveat>,
    /// The pod's life as it is written.
    pub before: Life,
    /// The pod's life with the changes; the same where there are none.
    pub after: Life,
    /// What its pods did that run now; none where it comes from a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<Vec<RunningPod>>,
}

/// A change with its reasons.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedChange {
    /// `startup_probe`, `pre_stop`, `variable` or `grace_period`.
    pub kind: &'static str,
    /// The container; none for what is the whole pod's.
    pub container: Option<String>,
    /// What is added, in one line.
    pub what: String,
    /// Why that is good for it.
    pub why: String,
    /// The settings that made it so, the most important first.
    pub settings: Vec<Stated>,
}

/// The arithmetic of the grace period, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Arithmetic {
    /// What the pod has.
    pub before: i64,
    /// Whether nobody wrote that and it is the API server's default.
    pub is_default: bool,
    /// The longest sleep that is added.
    pub longest_sleep: u32,
    /// What the pod has plus that sleep.
    pub with_sleep: i64,
    /// What the containers state that they need.
    pub needs: Vec<StatedNeed>,
    /// The most that a stated need may ask for.
    pub cap: Stated,
    /// What `grace-period` says: `auto`, `off`, or a floor.
    pub setting: Stated,
    /// What the pod gets: the largest of all of these.
    pub after: i64,
    /// The same as a sentence.
    pub sentence: String,
}

/// What one container states that it needs, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatedNeed {
    /// The container.
    pub container: String,
    /// Its preStop hook, ours or its own.
    pub pre_stop: u64,
    /// What the application needs after SIGTERM.
    pub application: u64,
    /// The margin on top.
    pub margin: u64,
    /// The sum.
    pub total: u64,
    /// Who states the application's time, in words.
    pub stated_by: String,
    /// The setting that does, where it is one.
    pub setting: Option<Stated>,
}

/// Something that is left as it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftAlone {
    /// The container; none for the whole pod.
    pub container: Option<String>,
    /// `everything`, `startupProbe`, `preStop`, `gracePeriod`, `variables` or `record`.
    pub part: &'static str,
    /// The reason's code, stable over releases.
    pub code: &'static str,
    /// The reason as a sentence.
    pub why: String,
    /// What to write to have it otherwise, where one line does it.
    pub write: Option<String>,
}

/// Something that is wrong with what somebody wrote for us.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Warning {
    /// The annotation's or label's key.
    pub key: String,
    /// What is wrong, and what counts instead.
    pub message: String,
    /// Where it is written.
    pub at: Option<Place>,
}

/// A workload's pod, and what is known about it besides itself.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'s> {
    /// The workload.
    pub workload: &'s Workload,
    /// The object that the workload is, for what only it says: replicas and how it is rolled out.
    pub object: Option<&'s Value>,
    /// The pod.
    pub pod: &'s Pod<'s>,
    /// The pod's JSON.
    pub json: &'s str,
    /// What it was planned with.
    pub context: &'s Context<'s>,
    /// The plan.
    pub plan: &'s Plan,
    /// Where everything is written, as far as that is known.
    pub places: &'s Places<'s>,
}

/// What the workload says itself in vain.
fn misplaced(subject: &Subject<'_>) -> Vec<Warning> {
    let Subject {
        workload, places, ..
    } = *subject;
    let Some(object) = subject.object else {
        return Vec::new();
    };
    let controller = Controller::read(object, workload.template_in_object());
    let of_key = |(pointer, key): &(String, String)| Warning {
        key: key.clone(),
        message: remarks::misplaced(&controller, key),
        at: places
            .template
            .as_ref()
            .map(|template| template.place(pointer)),
    };
    controller.misplaced.iter().map(of_key).collect()
}

/// Explains what happens to a workload's pods.
pub fn explain(subject: &Subject<'_>) -> Explanation {
    let Subject {
        pod, plan, places, ..
    } = *subject;
    let others = subject.others();
    let before = life(pod, others);
    let after = patched(subject, others).unwrap_or_else(|| before.clone());
    let settings: Vec<Stated> = counted(pod, subject.context)
        .iter()
        .map(|counted| stated(places, counted))
        .collect();
    Explanation {
        title: subject.workload.title(),
        namespace: subject.context.namespace.map(str::to_owned),
        at: places.template.as_ref().map(Template::at),
        mode: places.mode(&plan.mode),
        changes: plan
            .changes
            .iter()
            .map(|change| explained(subject, change, &settings, &before))
            .collect(),
        grace_period: plan
            .grace
            .as_ref()
            .map(|grace| arithmetic(pod, places, grace)),
        left_alone: plan
            .skips
            .iter()
            .map(|skipped| left_alone(subject, skipped))
            .collect(),
        problems: plan
            .problems
            .iter()
            .map(|problem| Warning {
                key: problem.key.clone(),
                message: text::problem(problem),
                at: places.problem(problem),
            })
            .chain(misplaced(subject))
            .collect(),
        caveats: advice::caveats(subject.workload, subject.object, &after),
        settings,
        before,
        after,
        running: None,
    }
}

/// The pod's life with the changes, read again from the patched JSON.
fn patched(subject: &Subject<'_>, others: Others) -> Option<Life> {
    if subject.plan.changes.is_empty() {
        return None;
    }
    let patch = patch::patch(subject.pod, &subject.plan.changes, None);
    let mut json: Value = serde_json::from_str(subject.json).ok()?;
    json_patch::patch(&mut json, &patch).ok()?;
    let json = json.to_string();
    let Object(pod): Object<Pod<'_>> = serde_json::from_str(&json).ok()?;
    Some(life(&pod, others))
}

impl Subject<'_> {
    /// Who serves while one of the workload's pods ends.
    fn others(&self) -> Others {
        // What its pods are like is not asked for.
        let read = |object| Controller::read(object, "").others();
        self.object.map(read).unwrap_or_default()
    }
}

fn stated(places: &Places<'_>, counted: &Counted) -> Stated {
    let container = counted.container.as_deref();
    let mut source = places.setting(&counted.origin, counted.setting, container);
    if counted.setting == Setting::Profile {
        // The value says it already.
        source.profile = None;
    }
    Stated {
        setting: counted.setting.name().to_owned(),
        container: counted.container.clone(),
        value: counted.value.clone(),
        source,
    }
}

fn explained(
    subject: &Subject<'_>,
    change: &Change,
    settings: &[Stated],
    before: &Life,
) -> ExplainedChange {
    let container = match change {
        Change::StartupProbe { at, .. }
        | Change::PreStop { at, .. }
        | Change::Variable { at, .. } => Some(at.name.clone()),
        Change::GracePeriod { .. } => None,
    };
    let of = |setting: Setting| {
        settings
            .iter()
            .find(|s| s.setting == setting.name() && s.container == container)
            .cloned()
    };
    let mut won: Vec<Option<Stated>> = match change {
        Change::StartupProbe { .. } => vec![
            of(Setting::StartupProbe),
            of(Setting::StartupTimeout),
            of(Setting::StartupPeriod),
        ],
        Change::PreStop { .. } => vec![of(Setting::PreStopSleep)],
        Change::Variable { .. } => vec![of(Setting::Profile), of(Setting::ShutdownTimeout)],
        Change::GracePeriod { .. } => vec![of(Setting::GracePeriod)],
    };
    if let Change::Variable { name, .. } = change
        && !name.contains("TIMEOUT")
    {
        won.truncate(1);
    }
    if let Change::StartupProbe { new, origin, .. } = change {
        won.insert(1, subject.places.auto_source(new.source, origin, subject));
    }
    let text = text::change(change);
    let what = match &container {
        // The container's name stands for itself.
        Some(name) => text.strip_prefix(&format!("{name}: ")).unwrap_or(&text),
        None => &text,
    };
    ExplainedChange {
        kind: change.kind(),
        what: what.to_owned(),
        why: words::why(
            change,
            before,
            container.as_deref(),
            subject.plan.grace.as_ref(),
        ),
        container,
        settings: won.into_iter().flatten().collect(),
    }
}

fn arithmetic(pod: &Pod<'_>, places: &Places<'_>, grace: &Grace) -> Arithmetic {
    let told = Counted {
        container: None,
        setting: Setting::GracePeriod,
        value: match grace.setting.value {
            GracePeriod::Auto => "auto".to_owned(),
            GracePeriod::Off => "off".to_owned(),
            GracePeriod::AtLeast(seconds) => format!("{seconds}s"),
        },
        origin: grace.setting.origin.clone(),
    };
    let mut arithmetic = Arithmetic {
        before: grace.before,
        is_default: pod.spec.termination_grace_period_seconds.value().is_none(),
        longest_sleep: grace.longest_sleep,
        with_sleep: grace.before.saturating_add(grace.longest_sleep.into()),
        needs: grace
            .needs
            .iter()
            .map(|need| need_of(places, need))
            .collect(),
        cap: places.configured("maxGracePeriod", format!("{}s", grace.cap)),
        setting: stated(places, &told),
        after: grace.after,
        sentence: String::new(),
    };
    arithmetic.sentence = words::arithmetic(&arithmetic);
    arithmetic
}

fn need_of(places: &Places<'_>, need: &Need) -> StatedNeed {
    let setting = match &need.stated_by {
        StatedBy::Setting(origin) => Some(stated(
            places,
            &Counted {
                container: Some(need.container.clone()),
                setting: Setting::ShutdownTimeout,
                value: format!("{}s", need.application),
                origin: origin.clone(),
            },
        )),
        StatedBy::SpringBoot | StatedBy::NothingLeft => None,
    };
    StatedNeed {
        container: need.container.clone(),
        pre_stop: need.pre_stop,
        application: need.application,
        margin: need.margin,
        total: need.total(),
        stated_by: match &setting {
            Some(setting) => format!("shutdown-timeout {setting}"),
            None if need.stated_by == StatedBy::SpringBoot => {
                "the container's own spring.lifecycle.timeout-per-shutdown-phase".to_owned()
            }
            None => "nobody, but its own hook leaves it less than 2 s".to_owned(),
        },
        setting,
    }
}

fn left_alone(subject: &Subject<'_>, skipped: &Skipped) -> LeftAlone {
    LeftAlone {
        container: skipped.container.clone(),
        part: match skipped.part {
            Part::Everything => "everything",
            Part::StartupProbe => "startupProbe",
            Part::PreStop => "preStop",
            Part::GracePeriod => "gracePeriod",
            Part::Variables => "variables",
            Part::Record => "record",
        },
        code: skipped.why.code(),
        why: skipped.why.sentence(),
        write: advice::write(subject, skipped),
    }
}
