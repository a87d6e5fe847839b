//! What clients lose when a pod starts or ends: predictions, in a form that measurements can be held against.

use serde::Serialize;

use super::timeline::{Ending, How, PreStop, Ready, Start};

/// The shortest sleep that lost no new connection, in seconds.
pub const SHORTEST_LOSSLESS_SLEEP: u64 = 2;

/// A kind of client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Client {
    /// A new connection for each request.
    NewConnections,
    /// Persistent connections, and no request twice.
    KeepAlive,
    /// Persistent connections, and an idempotent request once more where a used connection closes before
    /// any answer (RFC 9112 section 9.3.1).
    KeepAliveRepeating,
}

impl Client {
    /// Every kind.
    pub const ALL: [Self; 3] = [
        Self::NewConnections,
        Self::KeepAlive,
        Self::KeepAliveRepeating,
    ];
}

/// What a kind of client can lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientLoss {
    /// The kind of client.
    pub client: Client,
    /// The worst that it can lose when the pod ends, whatever the application does with SIGTERM.
    pub ending: Loss,
    /// Whether it also loses what is sent to the pod that comes in its place before that listens.
    pub until_replacement_listens: bool,
}

impl ClientLoss {
    /// Whether nothing is lost.
    pub fn is_nothing(&self) -> bool {
        self.ending == Loss::Nothing && !self.until_replacement_listens
    }
}

/// What can be lost at a pod's end, from nothing to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Nothing.
    Nothing,
    /// At SIGTERM, what is in flight and one request of each connection in use, where the application
    /// closes connections without saying so.
    OnePerConnection,
    /// Now and then a request in the first second: the sleep is not longer than the slowest endpoint removal.
    FirstSecondRarely,
    /// Nothing more where the image has the `sleep` program that the hook runs; else the first second.
    FirstSecondWithoutProgram,
    /// What arrives between SIGTERM and the removal of the endpoint, about a second.
    FirstSecond,
    /// What one container passes on, by connections that are open, to another that has got SIGTERM already, until
    /// it gets its own; nothing more where none passes anything on.
    WhileAnotherServes,
    /// The hook's length is unknown, and with it what is lost.
    Unknown,
    /// Everything from SIGTERM until a pod serves that comes in its place: nobody else does. Nothing where that pod
    /// is in time.
    UntilReplaced,
}

/// Who serves while a pod ends, as far as its controller says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Others {
    /// It is the only one.
    pub none: bool,
    /// A rollout ends all that serve before a new one does.
    pub none_in_rollout: bool,
}

impl Others {
    /// Whether nobody else serves while a pod ends in that way.
    fn are_none(self, how: How) -> bool {
        match how {
            How::DeleteAll => true,
            How::Rollout => self.none_in_rollout,
            // Somebody wants fewer.
            How::ScaleIn => false,
            _ => self.none,
        }
    }
}

/// What each kind of client can lose with the container that loses most.
pub(super) fn losses(
    how: How,
    replaced: bool,
    others: Others,
    starts: &[Start],
    endings: &[Ending],
) -> Vec<ClientLoss> {
    if !endings.iter().any(|ending| ending.serves) {
        return Vec::new();
    }
    let gated = starts
        .iter()
        .filter(|start| start.serves)
        .all(|start| start.ready != Ready::AtOnce);
    let alone = replaced && others.are_none(how);
    let between = match do_all_end_at_once(endings) {
        true => Loss::Nothing,
        false => Loss::WhileAnotherServes,
    };
    let ending = |client| {
        let serving = endings.iter().filter(|ending| ending.serves);
        let worst = serving.map(|ending| loss(client, ending, how)).max();
        match (client, worst.unwrap_or(Loss::Nothing)) {
            _ if alone => Loss::UntilReplaced,
            // Whoever opens connections is sent elsewhere by then.
            (Client::NewConnections, worst) => worst,
            (Client::KeepAlive | Client::KeepAliveRepeating, worst) => worst.max(between),
        }
    };
    let losses = Client::ALL.map(|client| ClientLoss {
        client,
        ending: ending(client),
        until_replacement_listens: replaced && !gated,
    });
    losses.to_vec()
}

/// Whether all that serve get SIGTERM in the same second, or nearly at once. A native sidecar gets its own when those are gone that
/// it passes requests on to.
fn do_all_end_at_once(endings: &[Ending]) -> bool {
    let serving = || {
        endings
            .iter()
            .filter(|ending| ending.serves && !ending.after_main)
    };
    let first = serving().map(|ending| ending.sigterm).min();
    let last = serving().map(|ending| ending.sigterm).max();
    // In the first seconds the endpoint is what counts.
    first == last || last < Some(SHORTEST_LOSSLESS_SLEEP)
}

/// A hook counts for as long as it may run: a second where the deletion is forced. A native sidecar serves on while
/// the hooks of the main containers do.
fn loss(client: Client, ending: &Ending, how: How) -> Loss {
    let new = match ending.pre_stop {
        PreStop::Unknown => Loss::Unknown,
        PreStop::Sleep { exec: true, .. } => Loss::FirstSecondWithoutProgram,
        _ if ending.sigterm == 0 => Loss::FirstSecond,
        _ if ending.sigterm >= SHORTEST_LOSSLESS_SLEEP && how != How::Force => Loss::Nothing,
        _ => Loss::FirstSecondRarely,
    };
    match client {
        Client::NewConnections | Client::KeepAliveRepeating => new,
        Client::KeepAlive => new.max(Loss::OnePerConnection),
    }
}
