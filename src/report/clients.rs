//! The ways to end a pod and what each kind of client can lose in them. Ways that are alike are told once.

use super::page::{AFTER, BEFORE, FAINT, HEADING, PLAIN, Page};
use super::words;
use crate::lifecycle::loss::Client;
use crate::lifecycle::timeline::{Life, Stop};

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
        let same = |group: &&mut Alike<'l>| {
            group.ways.first().is_some_and(|(b, a)| {
                let told = |one: &Stop, other: &Stop| {
                    one.containers == other.containers
                        && one.clients == other.clients
                        && words::remark(one) == words::remark(other)
                };
                told(b, old) && told(a, new)
            })
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

pub(super) fn table(page: &mut Page, before: &Life, after: &Life) {
    const CLIENT: usize = 24;
    const CELL: usize = 27;
    let same = before == after;
    let mut header = vec![(FAINT, "client", CLIENT)];
    if !same {
        header.push((BEFORE, "can lose before", CELL));
    }
    let width = if same { 2 * CELL } else { CELL };
    header.push((
        AFTER,
        if same { "can lose" } else { "can lose after" },
        width,
    ));
    page.row(2, &header);
    for group in alike(before, after) {
        let Some((old, new)) = group.ways.first() else {
            continue;
        };
        let ways: Vec<String> = group.ways.iter().map(|(b, _)| words::how(b.how)).collect();
        page.paragraph(2, HEADING, &ways.join(", "));
        let mut remark = words::remark(new).unwrap_or_default();
        if let Some(seconds) = seconds(old, new) {
            if !remark.is_empty() {
                remark.push_str(". ");
            }
            remark.push_str(&seconds);
        }
        if !new.measured {
            remark.push_str(". Derived, not measured");
        }
        page.paragraph(4, FAINT, &remark);
        for client in Client::ALL {
            let of = |stop: &Stop| {
                let found = stop.clients.iter().find(|loss| loss.client == client);
                found.map_or_else(String::new, words::loss)
            };
            let (was, is) = (of(old), of(new));
            let mut cells = vec![(PLAIN, words::client(client), CLIENT - 2)];
            if !same {
                cells.push((PLAIN, &was, CELL));
            }
            cells.push((PLAIN, &is, width));
            page.row(4, &cells);
        }
    }
}

/// When SIGTERM and SIGKILL come to the first container that serves.
fn seconds(before: &Stop, after: &Stop) -> Option<String> {
    let times = |stop: &Stop| {
        let ending = stop.containers.iter().find(|ending| ending.serves)?;
        let sigterm = if ending.sigterm == ending.sigterm_at_latest {
            format!("{} s", ending.sigterm)
        } else {
            format!("{}–{} s", ending.sigterm, ending.sigterm_at_latest)
        };
        Some((sigterm, format!("{} s", ending.sigkill)))
    };
    let (was, is) = (times(before)?, times(after)?);
    let arrow = |was: String, is: String| {
        if was == is {
            is
        } else {
            format!("{was} -> {is}")
        }
    };
    Some(format!(
        "SIGTERM at {}, SIGKILL at {}",
        arrow(was.0, is.0),
        arrow(was.1, is.1)
    ))
}
