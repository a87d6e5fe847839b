//! Starts, ends and losses as words.

use crate::lifecycle::loss::{Client, ClientLoss, Loss};
use crate::lifecycle::timeline::{
    Ending, How, Life, PreStop, Ready, SHORT_GRACE_EXAMPLE, Start, Stop,
};

/// How a container starts: when traffic comes, and when it is given up.
pub(super) fn start(start: &Start) -> Vec<String> {
    let within = start
        .noticed_within
        .map_or_else(String::new, |seconds| format!(", seen within {seconds} s"));
    let asks = |probe: &Option<crate::lifecycle::timeline::Asked>| {
        probe.as_ref().map_or_else(String::new, |asked| {
            let first = match asked.initial_delay {
                0 => String::new(),
                delay => format!(" after {delay} s"),
            };
            format!("{} every {} s{first}", asked.handler, asked.period)
        })
    };
    let gets = if start.serves {
        "Ready, so clients come,"
    } else {
        "Ready"
    };
    let mut lines = vec![match start.ready {
        Ready::AtOnce if start.serves => {
            "Ready, so clients come, at once: before it listens. No probe holds them back."
                .to_owned()
        }
        Ready::AtOnce => "Ready at once".to_owned(),
        Ready::AfterStartup => format!(
            "{gets} when its startupProbe succeeds{within}: {}",
            asks(&start.startup)
        ),
        Ready::AfterReadiness => format!(
            "{gets} when its readinessProbe succeeds{within}: {}",
            asks(&start.readiness)
        ),
        Ready::AfterBoth => format!(
            "{gets} when its startupProbe succeeds{within}, and then its readinessProbe, asked at once: {}",
            asks(&start.startup)
        ),
    }];
    lines.push(match (start.given_up_after, start.given_up_at_worst) {
        (Some(after), Some(worst)) => {
            let probe = if start.startup.is_some() {
                "startupProbe"
            } else {
                "livenessProbe"
            };
            let worst = if worst > after {
                format!(" ({worst} s where each probe hangs until its timeout)")
            } else {
                String::new()
            };
            format!("Restarted by its {probe} if it does not answer for {after} s{worst}.")
        }
        _ => "Never restarted, however long it takes.".to_owned(),
    });
    lines
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
            "native sidecar: SIGTERM when the main containers are gone, {} s; SIGKILL at {sigkill} s",
            between(*sigterm, *latest)
        );
    }
    let hook = match ending.pre_stop {
        PreStop::None => String::new(),
        PreStop::Unknown => "preStop of unknown length, then ".to_owned(),
        PreStop::Sleep { seconds, .. } if seconds > *sigterm => {
            format!("preStop sleep {seconds} s, cut at {sigterm} s, ")
        }
        PreStop::Sleep { seconds, .. } => format!("preStop sleep {seconds} s, "),
    };
    match ending.left() {
        Some(left) => {
            format!("{hook}SIGTERM at {sigterm} s, {left} s to finish, SIGKILL at {sigkill} s")
        }
        None => format!(
            "{hook}SIGTERM at {} s, SIGKILL at {sigkill} s",
            between(*sigterm, *latest)
        ),
    }
}

fn between(earliest: u64, latest: u64) -> String {
    if earliest == latest {
        earliest.to_string()
    } else {
        format!("{earliest}–{latest}")
    }
}

/// A way to end a pod.
pub(super) fn how(how: How) -> String {
    match how {
        How::Delete => "kubectl delete".to_owned(),
        How::ScaleIn => "scale-in".to_owned(),
        How::Rollout => "rollout".to_owned(),
        How::Eviction => "eviction (drain, autoscaler)".to_owned(),
        How::ShortGrace => format!("kubectl delete --grace-period={SHORT_GRACE_EXAMPLE}"),
        How::NodeShutdown => "node shutdown".to_owned(),
        How::Force => "kubectl delete --grace-period=0 --force".to_owned(),
    }
}

/// What should be known of a way besides its numbers.
pub(super) fn remark(stop: &Stop) -> Option<String> {
    match stop.how {
        How::NodeShutdown => Some(format!(
            "where the kubelet has shutdownGracePeriod 30s, 10s of it for critical pods: {} s; without it, as \
             by default, nothing is waited for",
            stop.grace
        )),
        How::ShortGrace => {
            Some("a shorter grace period shortens everything; so does drain".to_owned())
        }
        How::Force => {
            Some("the hook is cut at 1.0 s; the pod is gone from the API at once".to_owned())
        }
        _ => None,
    }
}

/// A kind of client.
pub(super) fn client(client: Client) -> &'static str {
    match client {
        Client::NewConnections => "a connection each time",
        Client::KeepAlive => "keep-alive",
        Client::KeepAliveRepeating => "keep-alive, repeats",
    }
}

/// What a kind of client can lose.
pub(super) fn loss(loss: &ClientLoss) -> String {
    let ending = match (loss.ending, loss.client) {
        (Loss::Nothing, _) => None,
        (Loss::OnePerConnection, _) => {
            Some("what is in flight at SIGTERM and 1 request per connection")
        }
        (Loss::FirstSecondRarely, _) => Some("rarely a request in the first 1.2 s"),
        (Loss::FirstSecondWithoutProgram, _) => {
            Some("nothing if the image has `sleep`, else the first 1.2 s")
        }
        (Loss::FirstSecond, Client::KeepAlive) => {
            Some("what is in flight, 1 request per connection, and new ones for 1.2 s")
        }
        (Loss::FirstSecond, _) => Some("what comes in the first 1.2 s"),
        (Loss::Unknown, _) => Some("depends on how long the hook takes"),
    };
    match (ending, loss.until_replacement_listens) {
        (None, false) => "nothing".to_owned(),
        (Some(ending), false) => ending.to_owned(),
        (None, true) => "what the next pod gets before it listens".to_owned(),
        (Some(ending), true) => format!("{ending}; what the next pod gets before it listens"),
    }
}

/// The end of an application that ignores SIGTERM, before and after.
pub(super) fn ignoring(before: &Life, after: &Life) -> Option<String> {
    let second = |life: &Life| {
        let stop = life.stops.iter().find(|stop| stop.how == How::Delete)?;
        stop.containers.iter().map(|ending| ending.sigkill).max()
    };
    let (before, after) = (second(before)?, second(after)?);
    let when = if before == after {
        format!("{after} s after the deletion")
    } else {
        format!("{after} s after the deletion ({before} s before)")
    };
    Some(format!(
        "An application that ignores SIGTERM, as a process 1 without a handler does, goes on serving and is \
         killed with SIGKILL {when}."
    ))
}
