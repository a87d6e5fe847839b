//! The tables of `docs/lossless.md`, of the README and of other pages, from what was measured.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::data::{Client, Container, Failure, Pod, Results, Run, Side};
use super::rows::{ROWS, Row};
use super::words;

/// Every row that was measured.
fn measured() -> impl Iterator<Item = (&'static Row, Results)> {
    ROWS.iter()
        .filter_map(|row| Some((row, Results::read(row.id)?)))
}

fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

/// What was lost in each row.
pub(crate) fn rows() -> String {
    let rows = measured().map(|(row, results)| {
        let mut cells = vec![
            format!("[{}](images/lossless/{}.svg)", row.id, row.id),
            format!(
                "[{}](../tests/lossless/manifests/{}.yaml)",
                row.title, row.manifest
            ) + &not_injected(&results),
        ];
        cells.extend(Client::ALL.map(|client| before_and_after(&results, client)));
        cells.push(results.runs.len().to_string());
        cells
    });
    table(&["#", "What happens", NEW, KEPT, REPEATING, "Runs"], rows)
}

const NEW: &str = "New connections";
const KEPT: &str = "Keep-alive";
const REPEATING: &str = "Keep-alive, repeats";

/// `1,280 of 6,875 → **0** of 6,858`, without and with. The number of requests is told for new connections only: the other
/// kinds of clients send as many, give or take one.
fn before_and_after(results: &Results, client: Client) -> String {
    let [without, with] = Side::ALL.map(|side| {
        let (lost, sent) = words::counts(results, side, client);
        let lost = words::number(lost);
        let lost = match side {
            Side::Without => lost,
            Side::With => format!("**{lost}**"),
        };
        match client {
            Client::NewConnections => format!("{lost} of {}", words::number(sent)),
            Client::KeepAlive | Client::KeepAliveRepeating => lost,
        }
    });
    format!("{without} → {with}")
}

/// How many pods came without what they should have got, where any did.
fn not_injected(results: &Results) -> String {
    let pods = || results.of(Side::With).flat_map(|run| &run.pods);
    let new = || pods().filter(|pod| pod.created.is_some());
    match new().filter(|pod| !pod.injected).count() {
        0 => String::new(),
        lacking => format!(
            " ({lacking} of {} new pods were not injected)",
            new().count()
        ),
    }
}

/// The rows that the README shows.
pub(crate) fn summary() -> String {
    const SHOWN: [&str; 7] = ["1a", "2a", "3a", "3b", "7b", "8d", "9b"];
    let rows = measured()
        .filter(|(row, _)| SHOWN.contains(&row.id))
        .map(|(row, results)| {
            let mut cells = vec![row.title.to_owned()];
            cells.extend(Client::ALL.map(|client| before_and_after(&results, client)));
            cells
        });
    table(
        &["Lost requests, without → with", NEW, KEPT, REPEATING],
        rows,
    )
}

/// What clients lose that keep their connections, by what the application does with SIGTERM.
pub(crate) fn keep_alive() -> String {
    const SHOWN: [(&str, &str); 7] = [
        ("3a", "exits at once, requests of 1 ms"),
        ("3b", "exits at once, requests of 50 ms"),
        (
            "3e",
            "drains as Go's `http.Server.Shutdown` does, requests of 50 ms",
        ),
        ("7a", "is Spring Boot 3.3 (Tomcat), graceful by the profile"),
        ("7b", "is Spring Boot 4.1 (Tomcat), graceful"),
        (
            "7e",
            "is the same with `SERVER_TOMCAT_MAX_KEEP_ALIVE_REQUESTS=1`",
        ),
        (
            "3f",
            "says `Connection: close` with every answer for 5 s after SIGTERM",
        ),
    ];
    let rows = SHOWN.iter().filter_map(|(id, what)| {
        let results = Results::read(id)?;
        let per_run = |side, client| {
            let runs = results.of(side);
            let lost: Vec<String> = runs
                .filter_map(|run| Some(run.clients.get(&client)?.lost().to_string()))
                .collect();
            lost.join(", ")
        };
        Some(vec![
            format!("{id}: {what}"),
            per_run(Side::Without, Client::KeepAlive),
            per_run(Side::With, Client::KeepAlive),
            per_run(Side::With, Client::KeepAliveRepeating),
        ])
    });
    table(
        &[
            "At SIGTERM the application",
            "Without",
            "With",
            "With, and the client repeats",
        ],
        rows,
    )
}

/// On what and when it was measured.
pub(crate) fn conditions() -> String {
    let all: Vec<(&Row, Results)> = measured().collect();
    let list = |of: &dyn Fn(&Results) -> String| {
        let values: BTreeSet<String> = all.iter().map(|(_, results)| of(results)).collect();
        values.into_iter().collect::<Vec<_>>().join(", ")
    };
    let runs: usize = all.iter().map(|(_, results)| results.runs.len()).sum();
    let thrown: u32 = all.iter().map(|(_, results)| results.thrown_away).sum();
    let sides = || {
        let runs = all.iter().flat_map(|(_, results)| &results.runs);
        runs.flat_map(|run| run.values())
    };
    let sent: u32 = sides()
        .flat_map(|run| run.clients.values())
        .map(|tally| tally.sent)
        .sum();
    let p99 = sides().map(|run| run.late.p99).fold(0.0, f64::max);
    let max = sides().map(|run| run.late.max).fold(0.0, f64::max);
    let loads: Vec<f64> = all
        .iter()
        .filter_map(|(_, results)| results.conditions.load.parse().ok())
        .collect();
    let (least, most) = (
        loads.iter().copied().fold(f64::MAX, f64::min),
        loads.iter().copied().fold(0.0, f64::max),
    );
    let lines = [
        ("Measured on", list(&|r| r.conditions.date.clone())),
        ("Podgrace", list(&|r| r.conditions.podgrace.clone())),
        (
            "Kubernetes",
            format!(
                "{}, one node, kube-proxy nftables",
                list(&|r| r.conditions.kubernetes.clone())
            ),
        ),
        ("containerd", list(&|r| r.conditions.containerd.clone())),
        (
            "Machine",
            format!(
                "{} cores, Linux {}; before each row {least} to {most} processes wanted to run (load average)",
                list(&|r| r.conditions.cores.to_string()),
                list(&|r| r.conditions.kernel.clone())
            ),
        ),
        (
            "Runs",
            format!(
                "{runs} of both sides in {} rows, {} requests; {thrown} more were thrown away, as the generator was late, or requests were lost or slow before anything was done",
                all.len(),
                words::number(sent)
            ),
        ),
        (
            "The generator was late",
            format!(
                "by {p99} ms or less for 99 of 100 requests in every run that counts, by {max} ms at most"
            ),
        ),
    ];
    table(
        &["", ""],
        lines.map(|(what, value)| vec![what.to_owned(), value]),
    )
}

/// For how long Spring Boot's readiness said that it is out of service.
pub(crate) fn readiness() -> String {
    let mut said = String::new();
    for (row, results) in measured() {
        let pods = results.of(Side::With).flat_map(|run| &run.pods);
        let seen: Vec<String> = pods
            .filter_map(|pod| {
                let (first, last) = pod.out_of_service?;
                let own = pod.serving()?;
                let (sigterm, exit) = (own.sigterm?, own.exit?);
                Some(format!(
                    "from {:.1} to {:.1} s after SIGTERM, of {:.1} s until its exit",
                    first - sigterm,
                    last - sigterm,
                    exit - sigterm
                ))
            })
            .collect();
        for sentence in seen {
            let _ = writeln!(said, "- Row {}: {sentence}", row.id);
        }
    }
    said
}

/// How requests were lost, and how long answers took.
pub(crate) fn kinds() -> String {
    let mut rows = Vec::new();
    for (row, results) in measured() {
        for side in Side::ALL {
            let mut cells = vec![row.id.to_owned(), side.name().to_owned()];
            cells.extend(Client::ALL.map(|client| lost_how(&results, side, client)));
            for part in [0, 1, 3] {
                cells.push(slowest(&results, side, part));
            }
            rows.push(cells);
        }
    }
    table(
        &[
            "#",
            "Side",
            "New connections",
            "Keep-alive",
            "Keep-alive, repeats",
            "Median",
            "99 of 100",
            "Longest",
        ],
        rows,
    )
}

/// `12 refused, 3 reset`.
fn lost_how(results: &Results, side: Side, client: Client) -> String {
    let mut all = std::collections::BTreeMap::<Failure, u32>::new();
    for tally in results.of(side).filter_map(|run| run.clients.get(&client)) {
        for (failure, count) in &tally.failed {
            *all.entry(*failure).or_default() += count;
        }
    }
    let said: Vec<String> = all
        .iter()
        .map(|(failure, count)| format!("{} {}", words::number(*count), words::failure(*failure)))
        .collect();
    said.join(", ")
}

/// One of the percentiles of new connections' answers in milliseconds: the worst run's.
fn slowest(results: &Results, side: Side, part: usize) -> String {
    let runs = results.of(side);
    let tallies = runs.filter_map(|run| run.clients.get(&Client::NewConnections));
    let worst = tallies.map(|tally| tally.latency[part]).fold(0.0, f64::max);
    format!("{worst:.0}")
}

/// What happened to deleted pods, and when.
pub(crate) fn seconds() -> String {
    let mut rows = Vec::new();
    for (row, results) in measured() {
        for side in Side::ALL {
            let pods: Vec<(&Pod, &Container, f64)> = results
                .of(side)
                .flat_map(|run: &Run| &run.pods)
                .filter_map(|pod| Some((pod, pod.serving()?, pod.deleted?)))
                .collect();
            let of = |moment: &dyn Fn(&Pod, &Container) -> Option<f64>| {
                let all = pods
                    .iter()
                    .filter_map(|(pod, own, deleted)| Some(moment(pod, own)? - deleted));
                median_and_most(all.collect())
            };
            rows.push(vec![
                row.id.to_owned(),
                side.name().to_owned(),
                pods.len().to_string(),
                of(&|pod, _| pod.unready),
                of(&|pod, _| pod.last_new),
                of(&|pod, _| pod.last_answer),
                of(&|_, own| own.pre_stop_end),
                of(&|_, own| own.sigterm),
                of(&|_, own| own.exit),
                if pods.iter().any(|(_, own, _)| own.killed) {
                    "yes".to_owned()
                } else {
                    String::new()
                },
            ]);
        }
    }
    table(
        &[
            "#",
            "Side",
            "Pods",
            "Endpoint not ready",
            "Last new connection",
            "Last answer",
            "preStop end",
            "SIGTERM",
            "Exit",
            "SIGKILL",
        ],
        rows,
    )
}

/// `0.9 (1.1)`.
fn median_and_most(mut all: Vec<f64>) -> String {
    all.sort_by(f64::total_cmp);
    match all.as_slice() {
        [] => String::new(),
        [.., most] => format!("{:.2} ({most:.2})", all[all.len() / 2]),
    }
}
