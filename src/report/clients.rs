//! The ways to end a pod and what each kind of client can lose in them. Ways that are alike are told once.

use super::page::{AFTER, BEFORE, FAINT, HEADING, PLAIN, Page};
use super::words;
use crate::lifecycle::loss::{Client, ClientLoss};
use crate::lifecycle::timeline::{Life, Stop};

/// The width of the cells: whether it is before or after, and one for each kind of client.
const CELLS: [usize; 4] = [9, 19, 27, 21];

/// Ways to end a pod in which the same happens, each before and after.
struct Alike<'l> {
    ways: Vec<(&'l Stop, &'l Stop)>,
}

fn alike<'l>(before: &'l Life, after: &'l Life) -> Vec<Alike<'l>> {
    let mut all: Vec<Alike<'l>> = Vec::new();
    for old in &before.stops {
        let Some(new) = after.stops.iter().find(|stop| stop.how == old.how) else {
            continue;
        };
        let told = |one: &Stop, other: &Stop| {
            one.containers == other.containers
                && endings(one).eq(endings(other))
                && words::remark(one) == words::remark(other)
        };
        let same = |group: &&mut Alike<'l>| {
            let first = group.ways.first();
            first.is_some_and(|(b, a)| told(b, old) && told(a, new))
        };
        match all.iter_mut().find(same) {
            Some(group) => group.ways.push((old, new)),
            None => all.push(Alike {
                ways: vec![(old, new)],
            }),
        }
    }
    all
}

/// What is lost by the pod's end alone: its replacement has a row of its own.
fn endings(stop: &Stop) -> impl Iterator<Item = String> {
    stop.clients.iter().map(words::loss)
}

pub(super) fn table(page: &mut Page, before: &Life, after: &Life) {
    let clients = Client::ALL.map(words::client);
    row(page, FAINT, "", FAINT, clients.map(str::to_owned));
    replacement(page, before, after);
    for group in alike(before, after) {
        let Some((old, new)) = group.ways.first() else {
            continue;
        };
        let ways: Vec<String> = group.ways.iter().map(|(b, _)| words::how(b.how)).collect();
        page.paragraph(2, HEADING, &ways.join(", "));
        if let Some(seconds) = seconds(old, new) {
            page.paragraph(4, FAINT, &seconds);
        }
        if let Some(remark) = words::remark(new) {
            page.paragraph(4, FAINT, &remark);
        }
        let of = |stop: &Stop, client| {
            let found = stop.clients.iter().find(|loss| loss.client == client);
            found.map_or_else(String::new, words::loss)
        };
        let (was, is) = (
            Client::ALL.map(|client| of(old, client)),
            Client::ALL.map(|client| of(new, client)),
        );
        both(page, was, is);
    }
    let stops = before.stops.iter().chain(&after.stops);
    let losses: Vec<&ClientLoss> = stops.flat_map(|stop| &stop.clients).collect();
    page.blank();
    for (word, meaning) in words::meanings(losses.into_iter()) {
        page.labelled(2, 18, (FAINT, word), meaning);
    }
}

/// The pod that comes in a pod's place.
fn replacement(page: &mut Page, before: &Life, after: &Life) {
    let all = |life: &Life| life.stops.iter().any(|stop| stop.replaced);
    if !all(before) {
        return;
    }
    let lost = |life: &Life| {
        let mut losses = life.stops.iter().flat_map(|stop| &stop.clients);
        let word = if losses.any(|loss| loss.until_replacement_listens) {
            "until it listens"
        } else {
            "nothing"
        };
        [word; 3].map(str::to_owned)
    };
    page.paragraph(
        2,
        HEADING,
        "a new pod starts (rollout, scale-out, in place of a deleted one)",
    );
    both(page, lost(before), lost(after));
}

fn both(page: &mut Page, was: [String; 3], is: [String; 3]) {
    if was == is {
        return row(page, PLAIN, "both", PLAIN, is);
    }
    row(page, BEFORE, "before", PLAIN, was);
    row(page, AFTER, "after", PLAIN, is);
}

fn row(
    page: &mut Page,
    label_style: anstyle::Style,
    label: &str,
    style: anstyle::Style,
    cells: [String; 3],
) {
    let [first, widths @ ..] = CELLS;
    let mut all = vec![(label_style, label, first)];
    for (cell, width) in cells.iter().zip(widths) {
        all.push((style, cell.as_str(), width));
    }
    page.row(4, &all);
}

/// When SIGTERM and SIGKILL come to the first container that serves.
fn seconds(before: &Stop, after: &Stop) -> Option<String> {
    let times = |stop: &Stop| {
        let ending = stop.containers.iter().find(|ending| ending.serves)?;
        let sigterm = words::between(ending.sigterm, ending.sigterm_at_latest);
        Some((sigterm, ending.sigkill.to_string()))
    };
    let (was, is) = (times(before)?, times(after)?);
    let arrow = |was: String, is: String| {
        if was == is {
            format!("{is} s")
        } else {
            format!("{was} -> {is} s")
        }
    };
    Some(format!(
        "SIGTERM at {}, SIGKILL at {}.",
        arrow(was.0, is.0),
        arrow(was.1, is.1)
    ))
}
