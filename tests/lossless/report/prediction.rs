//! What `podgrace explain` says of a row's manifests, and where that is not what was measured.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::json;

use super::data::{Client, Container, Pod, Results, Run, Side};
use super::rows::{Action, Circumstance, Row};
use super::words;

/// What may lie between a second that was predicted and what was measured: the kubelet's work and the machine's.
const SLACK: f64 = 2.5;

/// How much more for each pod of a run that is deleted: one kubelet ends them all.
const SLACK_EACH: f64 = 0.1;

/// The most connections that one client keeps.
const KEPT: u32 = 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    endpoint_removed_after: f64,
    workloads: Vec<Explanation>,
}

#[derive(Deserialize)]
struct Explanation {
    before: Life,
    after: Life,
}

#[derive(Deserialize)]
struct Life {
    starts: Vec<Start>,
    stops: Vec<Stop>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    container: String,
    given_up_after: Option<f64>,
}

#[derive(Deserialize)]
struct Stop {
    how: String,
    containers: Vec<Ending>,
    clients: Vec<Loss>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ending {
    container: String,
    sigterm: f64,
    sigterm_at_latest: f64,
    sigkill: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Loss {
    client: Client,
    ending: String,
    until_replacement_listens: bool,
}

/// Where what was measured is not what is predicted, one sentence each.
pub(crate) fn contradictions(program: &Path, row: &Row, results: &Results) -> Vec<String> {
    let document = explain(program, row);
    let explanation = document.workloads.first().expect("a workload");
    let mut wrong = Vec::new();
    for side in Side::ALL {
        let untouched = side == Side::Without || row.circumstance == Circumstance::PodgraceIsAway;
        let life = match untouched {
            true => &explanation.before,
            false => &explanation.after,
        };
        // A pod that was made while no replica answered is as it was written.
        let whole = |run: &&Run| {
            let mut new = run.pods.iter().filter(|pod| pod.created.is_some());
            row.circumstance != Circumstance::PodgraceIsKilled
                || untouched
                || new.all(|pod| pod.injected)
        };
        let runs: Vec<&Run> = results.of(side).filter(whole).collect();
        let judged = Judged {
            row,
            removed_after: document.endpoint_removed_after,
            life,
            runs,
        };
        let sentences = [judged.losses(), judged.seconds(), judged.restarts()].concat();
        let named = |sentence| format!("row {}, {}: {sentence}", row.id, words::side(side));
        wrong.extend(sentences.into_iter().map(named));
    }
    wrong
}

fn explain(program: &Path, row: &Row) -> Document {
    let annotations: BTreeMap<&str, &str> = row.namespace.iter().copied().collect();
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "row", "labels": {"podgrace.io/mode": "enforce"}, "annotations": annotations},
    });
    let manifest = std::fs::read_to_string(row.manifest_file()).expect("a manifest");
    let action = match row.circumstance {
        Circumstance::ExecSleep => "exec",
        _ => "native",
    };
    let mut command = Command::new(program);
    command
        .env_clear()
        .args(["explain", "-n", "row", "-o", "json"]);
    command.args(["-f", "-", "--sleep-action", action]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("podgrace explain");
    let mut input = child.stdin.take().expect("a pipe");
    write!(input, "{namespace}\n---\n{manifest}").expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// One side of a row, and what is predicted for it.
struct Judged<'j> {
    row: &'j Row,
    removed_after: f64,
    life: &'j Life,
    runs: Vec<&'j Run>,
}

impl Judged<'_> {
    fn stop(&self, how: &str) -> &Stop {
        let found = self.life.stops.iter().find(|stop| stop.how == how);
        found.unwrap_or_else(|| panic!("explain says nothing of {how}"))
    }

    /// What happens to pods in this row: how they end, and whether new ones come.
    fn way(&self) -> (&Stop, bool) {
        match self.row.action {
            Action::Rollout | Action::Update(_) => (self.stop("rollout"), true),
            Action::Scale(_) => (self.stop("scale-in"), true),
            Action::Delete => (self.stop("delete"), true),
            Action::DeleteAll => (self.stop("delete-all"), true),
            Action::Force => (self.stop("force"), true),
            Action::Evict => (self.stop("eviction"), true),
        }
    }

    /// Which kinds of clients lose what.
    fn losses(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let (stop, _) = self.way();
        // A pod that is new is new in whatever way it came.
        let starts = self.stop("rollout");
        for client in Client::ALL {
            let of = |stop: &Stop| {
                let mut all = stop.clients.iter();
                let loss = all.find(|loss| loss.client == client).expect("each client");
                (loss.ending.clone(), loss.until_replacement_listens)
            };
            let (ending, _) = of(stop);
            let (_, starting) = of(starts);
            let lost: Vec<u32> = self
                .runs
                .iter()
                .map(|run| run.clients[&client].lost())
                .collect();
            let all: u32 = lost.iter().sum();
            let name = words::client(client);
            let is_new = client == Client::NewConnections;
            match ending.as_str() {
                "nothing" if !starting && all > 0 && self.row.finishes => {
                    wrong.push(format!("{name} should lose nothing and lost {lost:?}"));
                }
                "one-per-connection" if !starting => {
                    for (run, lost) in self.runs.iter().zip(&lost) {
                        let deleted = run.pods.iter().filter(|pod| pod.deleted.is_some()).count();
                        let most = KEPT * u32::try_from(deleted).unwrap_or(u32::MAX);
                        if *lost > most {
                            wrong
                                .push(format!("{name} should lose {most} at most and lost {lost}"));
                        }
                    }
                }
                // Who keeps connections or repeats may be lucky with all of them.
                "first-second" if is_new && all == 0 && self.must_show() => {
                    wrong.push(format!(
                        "{name} should lose requests ({ending}) and lost none"
                    ));
                }
                _ if is_new && starting && all == 0 && self.listens_late() => {
                    wrong.push(format!(
                        "{name} should lose requests until a new pod listens and lost none"
                    ));
                }
                _ => {}
            }
        }
        wrong
    }

    /// When SIGTERM comes, and the end.
    fn seconds(&self) -> Vec<String> {
        let (stop, _) = self.way();
        let mut endings = stop.containers.iter();
        let ending = endings
            .find(|ending| ending.container == "web")
            .expect("web");
        let mut wrong = Vec::new();
        let slack = self.slack();
        // Where all are leaving, those that leave go on being called.
        let is_alone = stop
            .clients
            .iter()
            .any(|loss| loss.ending == "until-replaced");
        // A command that the image does not have fails at once.
        let may_fail = stop
            .clients
            .iter()
            .any(|loss| loss.ending == "first-second-without-program");
        let earliest = match may_fail {
            true => 0.0,
            false => ending.sigterm,
        };
        for (pod, own, deleted) in self.deleted() {
            if let Some(last) = pod.last_new.map(|at| at - deleted)
                && last > self.removed_after + slack
                && !is_alone
            {
                wrong.push(format!(
                    "pod {} should get new connections for {} s and got them for {last:.2} s",
                    pod.name, self.removed_after
                ));
            }
            if let Some(sigterm) = own.sigterm.map(|at| at - deleted)
                && !(earliest - slack..=ending.sigterm_at_latest + slack).contains(&sigterm)
            {
                wrong.push(format!(
                    "pod {} should get SIGTERM after {} s and got it after {sigterm:.2} s",
                    pod.name, ending.sigterm
                ));
            }
            let Some(exit) = own.exit.map(|at| at - deleted) else {
                continue;
            };
            if exit > ending.sigkill + slack {
                wrong.push(format!(
                    "pod {} should have ended after {} s and ended after {exit:.2} s",
                    pod.name, ending.sigkill
                ));
            }
            if own.killed && exit < ending.sigkill - slack {
                wrong.push(format!(
                    "pod {} should be killed after {} s and was after {exit:.2} s",
                    pod.name, ending.sigkill
                ));
            }
        }
        wrong
    }

    /// Whether a start is given up.
    fn restarts(&self) -> Vec<String> {
        let Action::Update(_) = self.row.action else {
            return Vec::new();
        };
        let mut starts = self.life.starts.iter();
        let start = starts.find(|start| start.container == "web").expect("web");
        // The version that comes listens after 6 s.
        let given_up = start.given_up_after.is_some_and(|after| after < 6.0);
        let restarted = self
            .runs
            .iter()
            .any(|run| run.pods.iter().any(|pod| pod.restarts > 0));
        match (given_up, restarted) {
            (true, false) => vec!["its start should be given up and was not".to_owned()],
            (false, true) => vec!["its start should not be given up and was".to_owned()],
            _ => Vec::new(),
        }
    }

    /// The pods that were deleted while it was watched.
    fn deleted(&self) -> impl Iterator<Item = (&Pod, &Container, f64)> {
        let pods = self.runs.iter().flat_map(|run| &run.pods);
        pods.filter_map(|pod| Some((pod, pod.serving()?, pod.deleted?)))
    }

    fn slack(&self) -> f64 {
        SLACK + SLACK_EACH * self.deleted().count() as f64 / self.runs.len().max(1) as f64
    }

    /// Whether so many pods ended that not all can have been lucky, of an application that does the worst at SIGTERM
    /// for new connections: predictions are for that.
    fn must_show(&self) -> bool {
        let manifest = std::fs::read_to_string(self.row.manifest_file()).expect("a manifest");
        !["ignore", "announce", "stay"]
            .iter()
            .any(|word| manifest.contains(&format!("--on-sigterm={word}")))
            && self.deleted().count() > 2
    }

    /// Whether the application takes its time to listen.
    fn listens_late(&self) -> bool {
        let manifest = std::fs::read_to_string(self.row.manifest_file()).expect("a manifest");
        manifest.contains("--listens-after") || manifest.contains("localhost/spring")
    }
}
