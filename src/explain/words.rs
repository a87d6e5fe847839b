//! Why a change is good for a pod, and the arithmetic of the grace period, as sentences.

use super::Arithmetic;
use crate::lifecycle::plan::Change;
use crate::lifecycle::shutdown::{Grace, MINIMUM_AFTER_PRE_STOP};
use crate::lifecycle::timeline::{Life, Ready, Start};

/// Why a change is made.
pub(super) fn why(
    change: &Change,
    before: &Life,
    container: Option<&str>,
    grace: Option<&Grace>,
) -> String {
    let start = before
        .starts
        .iter()
        .find(|start| Some(start.container.as_str()) == container);
    match change {
        Change::StartupProbe { new, .. } => {
            start.map_or_else(String::new, |start| startup(start, new.timing.budget()))
        }
        Change::PreStop { seconds, .. } => format!(
            "After a deletion new connections still arrive for up to 1.2 s (measured). The container goes on \
             serving for {seconds} s, and only then gets SIGTERM."
        ),
        Change::Variable { name, value, .. } => match *name {
            "SERVER_SHUTDOWN" => {
                "On SIGTERM it finishes the requests that it has. Spring Boot 3.3 was seen to cut them; newer \
                 ones finish them anyway."
                    .into()
            }
            "MANAGEMENT_ENDPOINT_HEALTH_PROBES_ENABLED" => {
                "The actuator then has the liveness group that the startupProbe asks, whatever its version.".into()
            }
            _ => format!("Spring Boot then takes the {value} that shutdown-timeout states, not its own 30s."),
        },
        Change::GracePeriod { after, .. } => grown(*after, grace),
    }
}

/// What makes the grace period as long as it gets.
fn grown(after: i64, grace: Option<&Grace>) -> String {
    let Some(grace) = grace else {
        return String::new();
    };
    let is_after = |seconds: u64| i64::try_from(seconds).is_ok_and(|seconds| seconds == after);
    let need = grace
        .needs
        .iter()
        .find(|need| is_after(need.total().min(grace.cap.into())));
    if grace.before.saturating_add(grace.longest_sleep.into()) == after {
        "The sleep comes out of the grace period, which grows by as much: the application has no less time after \
         SIGTERM than before."
            .into()
    } else if let Some(need) = need {
        format!(
            "It has to fit the preStop hook of {}, what its application needs after SIGTERM, and a margin.",
            need.container
        )
    } else {
        "It is the least that is asked for, or that leaves the application its 2 s after the sleep."
            .into()
    }
}

fn startup(start: &Start, budget: u64) -> String {
    let traffic = match start.ready {
        _ if !start.serves => "The pod is not Ready before this container has answered.",
        Ready::AfterReadiness | Ready::AfterBoth => {
            "Its readinessProbe keeps traffic away until it answers; this asks sooner and gives it time to start."
        }
        Ready::AtOnce | Ready::AfterStartup => {
            "Without it no probe holds traffic back: clients come before it listens."
        }
    };
    match start.given_up_after {
        Some(seconds) if seconds < budget => format!(
            "{traffic} Its livenessProbe alone restarts it where a start takes more than {seconds} s."
        ),
        _ => traffic.to_owned(),
    }
}

/// The arithmetic in one sentence.
pub(super) fn arithmetic(sum: &Arithmetic) -> String {
    let Arithmetic {
        before,
        after,
        longest_sleep,
        with_sleep,
        ..
    } = sum;
    if sum.setting.value == "off" {
        return format!("grace-period is off: it stays {before} s");
    }
    let mut parts = vec![if *longest_sleep > 0 {
        format!("{before} s it has + {longest_sleep} s sleep = {with_sleep} s")
    } else {
        format!("{before} s it has")
    }];
    if let Some(least) = sum.least() {
        parts.push(format!("{least} s for the sleep and 2 s after it"));
    }
    for need in &sum.needs {
        parts.push(format!(
            "{} needs {} s preStop + {} s + {} s margin = {} s",
            need.container, need.pre_stop, need.application, need.margin, need.total
        ));
    }
    if sum.needs.iter().any(|need| sum.is_capped(need.total)) {
        parts.push(format!("stated needs count up to {}", sum.cap.value));
    }
    if sum.setting.value != "auto" {
        parts.push(format!("at least {}", sum.setting.value));
    }
    match parts.len() {
        1 => format!("{} -> {after} s", parts[0]),
        _ => format!("{}; the largest is {after} s", parts.join("; ")),
    }
}

impl Arithmetic {
    /// The sleep and what the kubelet leaves an application after it, where that is more than what the pod has
    /// and the sleep.
    pub(crate) fn least(&self) -> Option<i64> {
        let least = i64::from(self.longest_sleep) + MINIMUM_AFTER_PRE_STOP;
        (self.longest_sleep > 0 && least > self.with_sleep).then_some(least)
    }

    /// Whether a need asks for more than the cap allows.
    pub(crate) fn is_capped(&self, total: u64) -> bool {
        self.cap
            .value
            .trim_end_matches('s')
            .parse()
            .is_ok_and(|cap: u64| total > cap)
    }
}
