//! Starts, ends and losses as words.

use crate::lifecycle::loss::{Client, ClientLoss, Loss};
use crate::lifecycle::timeline::{
    Asked, Ending, How, Life, NODE_SHUTDOWN_EXAMPLE, PreStop, Ready, SHORT_GRACE_EXAMPLE, Start,
    Stop,
};

/// How a container starts: when traffic comes, and when it is given up.
pub(super) fn start(start: &Start) -> Vec<String> {
    let gets = if start.serves {
        "Gets traffic"
    } else {
        "Ready"
    };
    let asks = |probe: &Option<Asked>| {
        probe.as_ref().map_or_else(String::new, |asked| {
            let delay = match asked.initial_delay {
                0 => String::new(),
                delay => format!(" after {delay} s"),
            };
            format!(" ({} every {} s{delay})", asked.handler, asked.period)
        })
    };
    let (startup, readiness) = (asks(&start.startup), asks(&start.readiness));
    let when = match start.ready {
        Ready::AtOnce if start.serves => {
            "Gets traffic at once, listening or not: no probe holds it back.".to_owned()
        }
        Ready::AtOnce => "Ready at once.".to_owned(),
        Ready::AfterStartup => format!("{gets} when its startupProbe succeeds{startup}."),
        Ready::AfterReadiness => format!("{gets} when its readinessProbe succeeds{readiness}."),
        Ready::AfterBoth => {
            format!(
                "{gets} when its startupProbe{startup} and then its readinessProbe{readiness} succeeds."
            )
        }
    };
    let seen = start
        .noticed_within
        .map(|seconds| format!(" That it answers is seen within {seconds} s."));
    let given_up = match (start.given_up_after, start.given_up_at_worst) {
        (Some(after), Some(worst)) => {
            let probe = if start.startup.is_some() {
                "startupProbe"
            } else {
                "livenessProbe"
            };
            let hangs = if worst > after {
                format!("; {worst} s where each probe hangs until its timeout")
            } else {
                String::new()
            };
            format!(
                "Given up and restarted by its {probe} after {after} s without an answer{hangs}."
            )
        }
        _ => "Never given up, however long it takes.".to_owned(),
    };
    vec![format!("{when}{}", seen.unwrap_or_default()), given_up]
}

/// The seconds of a container's end.
pub(super) fn ending(ending: &Ending) -> String {
    let Ending {
        sigterm,
        sigterm_at_latest: latest,
        sigkill,
        ..
    } = ending;
    if ending.after_main {
        return format!(
            "SIGTERM when the main containers are gone ({} s) · SIGKILL {sigkill} s",
            between(*sigterm, *latest)
        );
    }
    let hook = match ending.pre_stop {
        PreStop::None => String::new(),
        PreStop::Unknown => "preStop of unknown length · ".to_owned(),
        PreStop::Sleep { seconds, .. } if seconds > *sigterm => {
            format!("preStop {seconds} s, cut at {sigterm} s · ")
        }
        PreStop::Sleep { seconds, .. } => format!("preStop {seconds} s · "),
    };
    let left = ending
        .left()
        .map_or_else(String::new, |left| format!("{left} s to finish · "));
    format!(
        "{hook}SIGTERM {} s · {left}SIGKILL {sigkill} s",
        between(*sigterm, *latest)
    )
}

/// A second, or the first and last that it can be.
pub(super) fn between(earliest: u64, latest: u64) -> String {
    if earliest == latest {
        earliest.to_string()
    } else {
        format!("{earliest}–{latest}")
    }
}

/// A way to end a pod.
pub(super) fn how(how: How) -> String {
    match how {
        How::Delete => "delete".to_owned(),
        How::ScaleIn => "scale-in".to_owned(),
        How::Rollout => "rollout".to_owned(),
        How::Eviction => "eviction".to_owned(),
        How::DeleteAll => "all its pods deleted at once".to_owned(),
        How::ShortGrace => format!("delete --grace-period={SHORT_GRACE_EXAMPLE}"),
        How::NodeShutdown => "node shutdown".to_owned(),
        How::Force => "delete --grace-period=0 --force".to_owned(),
    }
}

/// What should be known of a way besides its numbers.
pub(super) fn remark(stop: &Stop) -> Option<String> {
    match stop.how {
        How::NodeShutdown => Some(format!(
            "With the kubelet's shutdownGracePeriod 30s, 10s of it for critical pods: at most {NODE_SHUTDOWN_EXAMPLE} s. \
             Without it, which is the default, the node waits for nothing. Derived, not measured."
        )),
        How::ShortGrace => Some(
            "As drain with a --grace-period: it takes the place of the pod's own. The seconds are measured, the losses derived."
                .to_owned(),
        ),
        How::Force => Some("A hook is cut at 1.0 s. No Kubernetes object waits for the process.".to_owned()),
        _ => None,
    }
}

/// A kind of client.
pub(super) fn client(client: Client) -> &'static str {
    match client {
        Client::NewConnections => "new connections",
        Client::KeepAlive => "keep-alive",
        Client::KeepAliveRepeating => "keep-alive, repeats",
    }
}

/// What a kind of client can lose when a pod ends, in a few words that [`meanings`] explains.
pub(super) fn loss(loss: &ClientLoss) -> String {
    let ending = match loss.ending {
        Loss::Nothing => "nothing",
        Loss::OnePerConnection => return "in flight".to_owned(),
        Loss::FirstSecondRarely => "rarely one",
        Loss::FirstSecondWithoutProgram => "first second?",
        Loss::FirstSecond => "first second",
        Loss::WhileAnotherServes => "until all end",
        Loss::Unknown => "unknown",
        Loss::UntilReplaced => return "until replaced".to_owned(),
    };
    match loss.client {
        Client::KeepAlive if loss.ending != Loss::Nothing => format!("{ending}, in flight"),
        _ => ending.to_owned(),
    }
}

/// The words of [`loss`] that are used, with what they mean.
pub(super) fn meanings<'l>(
    losses: impl Iterator<Item = &'l ClientLoss>,
) -> Vec<(&'static str, &'static str)> {
    let all: Vec<&ClientLoss> = losses.collect();
    let has = |loss: Loss| all.iter().any(|l| l.ending == loss);
    let in_flight = all
        .iter()
        .filter(|l| l.client == Client::KeepAlive)
        .any(|l| !matches!(l.ending, Loss::Nothing | Loss::UntilReplaced));
    [
        (
            all.iter().any(|l| l.until_replacement_listens),
            "until it listens",
            "every request that a pod gets before its application listens",
        ),
        (
            has(Loss::FirstSecond) || has(Loss::FirstSecondWithoutProgram),
            "first second",
            "what is sent to the pod before its endpoint is gone, up to 1.2 s after the deletion",
        ),
        (
            has(Loss::FirstSecondWithoutProgram),
            "first second?",
            "nothing where the image has the sleep program, else the first second",
        ),
        (
            has(Loss::FirstSecondRarely),
            "rarely one",
            "the sleep is about as long as the endpoint takes to go: 10 of 26,850 were lost",
        ),
        (
            in_flight,
            "in flight",
            "what runs at SIGTERM if the application does not finish it, and one request per connection if it \
             closes without saying so",
        ),
        (
            has(Loss::Unknown),
            "unknown",
            "nothing where the hook takes 2 s or more, else the first second",
        ),
        (
            has(Loss::WhileAnotherServes),
            "until all end",
            "what a container that serves on passes to one that has got SIGTERM before it; nothing where it passes \
             nothing on",
        ),
        (
            has(Loss::UntilReplaced),
            "until replaced",
            "everything from SIGTERM until a new pod serves, as nobody else does; nothing where that one is in time",
        ),
    ]
    .into_iter()
    .filter(|(used, ..)| *used)
    .map(|(_, word, meaning)| (word, meaning))
    .collect()
}

/// The end of an application that ignores SIGTERM, before and after.
pub(super) fn ignoring(before: &Life, after: &Life) -> Option<String> {
    let second = |life: &Life| {
        let stop = life.stops.iter().find(|stop| stop.how == How::Delete)?;
        let main = stop.containers.iter().filter(|e| !e.after_main);
        main.map(|ending| ending.sigkill).max()
    };
    let (before, after) = (second(before)?, second(after)?);
    let when = if before == after {
        format!("{after} s after the deletion")
    } else {
        format!("{after} s after the deletion ({before} s before)")
    };
    Some(format!(
        "An application that ignores SIGTERM (process 1 without a handler does) serves on until SIGKILL, {when}."
    ))
}

/// The whole in a few sentences, for clients that open a connection for each request: most do in the end.
pub(super) fn verdict(before: &Life, after: &Life) -> Option<String> {
    let new_connections = |life: &Life| -> Option<(bool, Loss)> {
        let losses = || {
            let stops = life.stops.iter();
            stops.filter_map(|stop| Some((stop.how, stop.clients.first()?)))
        };
        let starting = losses().any(|(_, loss)| loss.until_replacement_listens);
        // What is most often done to it.
        let of = |way| losses().find(|(how, _)| *how == way);
        let (_, usual) = of(How::Rollout).or_else(|| of(How::Delete))?;
        Some((starting, usual.ending))
    };
    let ((start, stop), (start_after, stop_after)) =
        (new_connections(before)?, new_connections(after)?);
    let at = |start: bool, stop: Loss| match (start, stop != Loss::Nothing) {
        (true, true) => Some("when a pod starts and when one stops"),
        (true, false) => Some("when a pod starts"),
        (false, true) => Some("when a pod stops"),
        (false, false) => None,
    };
    Some(match (at(start, stop), at(start_after, stop_after)) {
        (None, _) => "Clients that open new connections lose nothing, as it is.".to_owned(),
        (Some(was), None) => format!(
            "As it is, clients can lose requests {was}. With the changes those that open new connections lose none."
        ),
        (Some(was), Some(_)) if stop_after == Loss::UntilReplaced => format!(
            "Clients can lose requests {was}: the way in which its pods are replaced leaves nobody to serve, and no \
             change to a pod ends that."
        ),
        (Some(was), Some(_)) if before == after => {
            format!("Clients can lose requests {was}, and nothing is added that would change that.")
        }
        (Some(was), Some(is)) if was == is => {
            format!(
                "Clients can lose requests {was}, and nothing that is added ends that for every container."
            )
        }
        (Some(was), Some(is)) => {
            format!("As it is, clients can lose requests {was}. With the changes, still {is}.")
        }
    })
}
