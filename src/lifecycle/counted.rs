//! Every setting that counts for a pod, with who said it: for explanations, which ask for more than a plan
//! tells.

use super::annotations::{Level, Said};
use super::plan::{Context, Place, all_containers, left_alone};
use super::pod::Pod;
use super::resolve::{Levels, Origin, Resolved};
use super::settings::{GracePeriod, Setting};
use super::skip::Skip;
use super::text;

/// A setting that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The container; none for what is the whole pod's.
    pub container: Option<String>,
    /// The setting.
    pub setting: Setting,
    /// Its value, as it would be written.
    pub value: String,
    /// Who said it.
    pub origin: Origin,
}

/// What counts for each container that is not left alone, and for the pod. Only what is resolved is told: a
/// pod that is left alone has settings too.
pub fn counted(pod: &Pod<'_>, context: &Context<'_>) -> Vec<Counted> {
    let policy = context.policy;
    let containers: Vec<_> = all_containers(pod)
        .map(|(place, c)| (place, c, left_alone(pod, policy, place, c)))
        .collect();
    let names: Vec<&str> = containers.iter().map(|(_, c, _)| &*c.name).collect();
    let metadata = pod.meta();
    let said = Said::by_pod(&metadata.labels, metadata.annotations.value(), &names);
    let eligible: Vec<usize> = containers
        .iter()
        .filter_map(|(place, _, why)| match (place, why) {
            (Place::Container(index), None) => Some(*index),
            _ => None,
        })
        .collect();
    // The plan tells them.
    let mut problems = Vec::new();
    let namespace = context.namespace_said;
    let levels = Levels::new(pod, policy, namespace, &said, &eligible, &mut problems);
    let mut all = Vec::new();
    for (place, container, why) in &containers {
        if !matches!(why, None | Some(Skip::NativeSidecar | Skip::MeshProxy)) {
            continue;
        }
        let index = match place {
            Place::Container(index) => Some(*index),
            Place::NativeSidecar(_) => None,
        };
        let resolved = levels.of(container, index, &mut problems);
        let of_this = of(&container.name, &resolved);
        // What is left alone has only what names it.
        all.extend(of_this.filter(|c| why.is_none() || c.origin.level == Level::Container));
    }
    let grace = levels.grace_period();
    all.push(Counted {
        container: None,
        setting: Setting::GracePeriod,
        value: match grace.value {
            GracePeriod::Auto => "auto".to_owned(),
            GracePeriod::Off => "off".to_owned(),
            GracePeriod::AtLeast(seconds) => format!("{seconds}s"),
        },
        origin: grace.origin,
    });
    all
}

fn of(container: &str, resolved: &Resolved<'_>) -> impl Iterator<Item = Counted> {
    let seconds = |value: u32| format!("{value}s");
    let (probe, sleep) = (&resolved.startup_probe, &resolved.pre_stop_sleep);
    let timeout = &resolved.startup_timeout;
    let period = resolved.startup_period.as_ref();
    let shutdown = resolved.shutdown_timeout.as_ref();
    let told = [
        resolved
            .spring_boot
            .as_ref()
            .map(|origin| (Setting::Profile, "spring-boot".to_owned(), origin)),
        Some((
            Setting::StartupProbe,
            text::startup_probe(probe.value).to_owned(),
            &probe.origin,
        )),
        Some((
            Setting::StartupTimeout,
            seconds(timeout.value),
            &timeout.origin,
        )),
        period.map(|p| (Setting::StartupPeriod, seconds(p.value), &p.origin)),
        Some((
            Setting::PreStopSleep,
            text::sleep(sleep.value),
            &sleep.origin,
        )),
        shutdown.map(|s| (Setting::ShutdownTimeout, seconds(s.value), &s.origin)),
    ];
    let told: Vec<Counted> = told
        .into_iter()
        .flatten()
        .map(|(setting, value, origin)| Counted {
            container: Some(container.to_owned()),
            setting,
            value,
            origin: origin.clone(),
        })
        .collect();
    told.into_iter()
}
