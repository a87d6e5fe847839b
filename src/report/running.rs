//! What pods that run now really did, as text.

use std::cmp::Reverse;

use super::page::{AFTER, BEFORE, FAINT, HEADING, PLAIN, Page};
use crate::explain::{End, Explanation, RunningContainer, RunningPod, Why};

/// How many pods are told one by one.
const TOLD: usize = 10;

/// The pods of an explanation that was made from a cluster.
pub(super) fn draw(page: &mut Page, explanation: &Explanation) {
    let Some(pods) = &explanation.running else {
        return;
    };
    page.heading(&match pods.len() {
        1 => "RUNNING: 1 pod".to_owned(),
        count => format!("RUNNING: {count} pods"),
    });
    if pods.is_empty() {
        page.paragraph(2, PLAIN, "None.");
        return;
    }
    let mut told = 0;
    for group in groups(pods) {
        draw_group(page, &group);
        for pod in group.iter().take(TOLD.saturating_sub(told)) {
            draw_pod(page, pod);
        }
        told += group.len();
    }
    if let Some(more) = pods.len().checked_sub(TOLD).filter(|more| *more > 0) {
        page.paragraph(
            2,
            FAINT,
            &format!("… and {more} more (-o json has them all)"),
        );
    }
    if let Some(sentence) = what_to_do(explanation, pods) {
        page.paragraph(2, PLAIN, &sentence);
    }
}

/// Pods that lack and carry the same, those that lack something first; in each those that were restarted first.
fn groups(pods: &[RunningPod]) -> Vec<Vec<&RunningPod>> {
    let mut groups: Vec<Vec<&RunningPod>> = Vec::new();
    let same = |pod: &RunningPod| (pod.lacks.clone(), pod.why, pod.injected.clone());
    for pod in pods {
        match groups.iter_mut().find(|group| same(group[0]) == same(pod)) {
            Some(group) => group.push(pod),
            None => groups.push(vec![pod]),
        }
    }
    groups.sort_by_key(|group| group[0].lacks.is_empty());
    for group in &mut groups {
        let restarts = |pod: &&RunningPod| pod.containers.iter().map(|c| c.restarts).sum::<i64>();
        group.sort_by_key(|pod| Reverse(restarts(pod)));
    }
    groups
}

/// What the pods of a group lack, or carry.
fn draw_group(page: &mut Page, group: &[&RunningPod]) {
    let pod = group[0];
    let (pods, lack, carry) = match group.len() {
        1 => ("1 pod".to_owned(), "lacks", "carries"),
        count => (format!("{count} pods"), "lack", "carry"),
    };
    match (&pod.why, &pod.injected) {
        (Some(why), _) => {
            let because = sentence(*why);
            page.paragraph(2, BEFORE, &format!("{pods} {lack} this: {because}"));
            for lack in &pod.lacks {
                page.labelled(4, 2, (PLAIN, "-"), lack);
            }
        }
        (None, Some(injected)) => {
            page.paragraph(2, AFTER, &format!("{pods} {carry} it, by {injected}"));
        }
        (None, None) => page.paragraph(2, AFTER, &format!("{pods} {lack} nothing")),
    }
}

fn draw_pod(page: &mut Page, pod: &RunningPod) {
    let mut line = format!("{}  {}", pod.name, pod.phase);
    if let Some(node) = &pod.node {
        line += &format!(" on {node}");
    }
    if let Some(created) = pod.created {
        line += &format!(", made {created}");
    }
    if pod.is_leaving {
        line += ", being deleted";
    }
    page.styled(2, HEADING, &line);
    if let Some(why) = &pod.waits {
        page.labelled(4, 9, (BEFORE, "waits"), why);
    }
    for container in &pod.containers {
        let text = did(container, pod);
        page.labelled(4, 9, (PLAIN, &container.name), &text);
    }
}

/// What a container did, in one sentence.
fn did(container: &RunningContainer, pod: &RunningPod) -> String {
    let mut parts = Vec::new();
    match (container.state, container.started) {
        ("running", Some(started)) => {
            let after =
                container
                    .started_after
                    .map_or(String::new(), |seconds| match container.restarts {
                        0 => format!(", {seconds} s after its pod was made"),
                        _ => String::new(),
                    });
            parts.push(format!("runs since {started}{after}"));
        }
        ("terminated", _) => {}
        (state, _) => parts.push(match &container.reason {
            Some(reason) => format!("{state}: {reason}"),
            None => "has not started".to_owned(),
        }),
    }
    if container.state == "running" {
        parts.push(
            match (container.ready, pod.ready_after, pod.containers.len()) {
                (false, ..) => "not Ready".to_owned(),
                (true, Some(seconds), 1) => format!("Ready {seconds} s later"),
                (true, Some(seconds), _) => {
                    format!("Ready, its pod {seconds} s after its last container started")
                }
                (true, None, _) => "Ready".to_owned(),
            },
        );
    }
    let restarts = match container.restarts {
        0 => None,
        1 => Some("restarted once".to_owned()),
        count => Some(format!("restarted {count} times")),
    };
    parts.extend(restarts);
    let mut text = parts.join("; ");
    if let Some(end) = &container.last_end {
        if !text.is_empty() {
            text += "; ";
        }
        text += &ended(end, container);
    }
    text
}

/// How a container ended, and how long its probes would have waited.
fn ended(end: &End, container: &RunningContainer) -> String {
    let mut text = match container.state {
        "terminated" => "ended".to_owned(),
        _ => "it last ended".to_owned(),
    };
    if let Some(ran) = end.ran {
        text += &format!(" after {ran} s");
    }
    text += &format!(" with exit code {}", end.exit_code);
    let signal = end.signal.map(signal);
    let told: Vec<&str> = signal
        .as_deref()
        .into_iter()
        .chain(end.reason.as_deref())
        .collect();
    if !told.is_empty() {
        text += &format!(" ({})", told.join(", "));
    }
    // Whoever was ended by a signal, but not for its memory, may have been ended by its probes.
    if let (Some(given_up), Some(ran), Some(_)) = (container.given_up_after, end.ran, end.signal)
        && end.reason.as_deref() != Some("OOMKilled")
        && u64::try_from(ran).is_ok_and(|ran| ran >= given_up)
    {
        text += &format!(". Its probes give a start up after {given_up} s");
    }
    text
}

fn signal(number: i64) -> String {
    match number {
        6 => "SIGABRT".to_owned(),
        9 => "SIGKILL".to_owned(),
        11 => "SIGSEGV".to_owned(),
        15 => "SIGTERM".to_owned(),
        number => format!("signal {number}"),
    }
}

fn sentence(why: Why) -> &'static str {
    match why {
        Why::NoWebhook => "no webhook of Podgrace is installed in this cluster",
        Why::Unknown => "whether a webhook of Podgrace is installed may not be seen",
        Why::BeforeTheWebhook => "it was made before the webhook was installed",
        Why::NotSelected => {
            "the webhook's selectors leave it out (label its Namespace or its template podgrace.io/mode: enforce)"
        }
        Why::ModeAudit => "mode audit: it is told, not added",
        Why::Missed => {
            "it was made with the webhook there: it did not answer, or what counts has changed since"
        }
    }
}

/// How the pods that lack something get it.
fn what_to_do(explanation: &Explanation, pods: &[RunningPod]) -> Option<String> {
    let new_ones_get_it =
        |pod: &RunningPod| matches!(pod.why, Some(Why::BeforeTheWebhook | Why::Missed));
    if !pods.iter().any(new_ones_get_it) {
        return None;
    }
    let title = &explanation.title;
    let namespace = explanation.namespace.as_deref().unwrap_or("default");
    let rolls_out = ["deployment/", "statefulset/", "daemonset/"];
    Some(match rolls_out.iter().any(|kind| title.starts_with(kind)) {
        true => format!("New pods get it: kubectl rollout restart {title} -n {namespace}"),
        false => "Pods that are made anew get it.".to_owned(),
    })
}
