//! What was measured, in words.

use super::data::{Client, Failure, Pod, Results, Side};

pub(crate) fn side(side: Side) -> &'static str {
    match side {
        Side::Without => "Without Podgrace",
        Side::With => "With Podgrace",
    }
}

pub(crate) fn client(client: Client) -> &'static str {
    match client {
        Client::NewConnections => "new connections",
        Client::KeepAlive => "keep-alive",
        Client::KeepAliveRepeating => "keep-alive, repeats",
    }
}

pub(crate) fn failure(failure: Failure) -> &'static str {
    match failure {
        Failure::Refused => "refused",
        Failure::Reset => "reset",
        Failure::ClosedUsed => "closed before an answer",
        Failure::Cut => "cut",
        Failure::TimedOut => "timed out",
        Failure::NoRoute => "no route",
        Failure::ServerError => "5xx",
        Failure::Other => "otherwise",
    }
}

/// A pod's label.
pub(crate) fn pod(pod: &Pod) -> String {
    let restarts = match pod.restarts {
        0 => String::new(),
        1 => ", restarted".to_owned(),
        times => format!(", restarted {times} times"),
    };
    let age = if pod.created.is_some() { "new" } else { "old" };
    format!("{age} pod {}{restarts}", pod.name)
}

/// How many requests of all runs were lost.
pub(crate) fn lost(results: &Results, side: Side, client: Client) -> String {
    let (lost, sent) = counts(results, side, client);
    format!("{} of {}", number(lost), number(sent))
}

/// How many requests of all runs were lost, and how many were sent.
pub(crate) fn counts(results: &Results, side: Side, client: Client) -> (u32, u32) {
    let tallies = results.of(side).filter_map(|run| run.clients.get(&client));
    tallies.fold((0, 0), |(lost, sent), tally| {
        (lost + tally.lost(), sent + tally.sent)
    })
}

/// With a comma for thousands.
pub(crate) fn number(number: u32) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
