//! Alerts and dashboard ask for metrics that are there.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use super::helm::{chart, documents, render};

/// What a real server tells who scrapes it.
#[tokio::test]
async fn the_dashboard_asks_for_metrics_that_are_there() {
    let text = std::fs::read_to_string(chart().join("dashboards/podgrace.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut ids = BTreeSet::new();
    for panel in json["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].to_string()), "{}", panel["title"]);
        assert!(panel["description"].is_string(), "{}", panel["title"]);
    }
    assert_all_there(&text).await;
}

#[tokio::test]
#[ignore = "needs Helm: make chart-test"]
async fn alerts_ask_for_metrics_that_are_there() {
    let rendered = render(
        4,
        "podgrace",
        &["--set=prometheusRule.enabled=true".to_owned()],
    )
    .unwrap();
    let rules = documents(&rendered)
        .into_iter()
        .find(|object| object["kind"] == "PrometheusRule");
    assert_all_there(&rules.unwrap().to_string()).await;
}

async fn assert_all_there(text: &str) {
    let scraped = scrape().await;
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let asked: BTreeSet<_> = words.filter(|word| word.starts_with("podgrace_")).collect();
    assert!(asked.len() > 4, "{asked:?}");
    for name in asked {
        let series = [format!("\n{name} "), format!("\n{name}{{")];
        assert!(
            series.iter().any(|begin| scraped.contains(begin)),
            "{name} is not there:\n{scraped}"
        );
    }
    for (label, value) in [
        ("outcome", "injected"),
        ("reason", "server_certificate_refused"),
    ] {
        assert!(
            scraped.contains(&format!("{label}=\"{value}\"")),
            "{label}={value}"
        );
    }
}

/// What `podgrace serve` tells who scrapes it, as the chart runs it, but for an API server: none answers here.
async fn scrape() -> String {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let text = r#"{"apiVersion": "v1", "kind": "Config", "current-context": "nobody",
        "clusters": [{"name": "nobody", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "nobody", "user": {}}],
        "contexts": [{"name": "nobody", "context": {"cluster": "nobody", "user": "nobody"}}]}"#;
    std::fs::write(&kubeconfig, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_podgrace"));
    command.env_clear().arg("serve");
    command.arg("--kubeconfig").arg(kubeconfig);
    command.args(["--listen=127.0.0.1:0", "--ops-listen=127.0.0.1:0"]);
    command.args(["--log-format=json", "--namespace=podgrace"]);
    let mut server = Server(command.stderr(Stdio::piped()).spawn().unwrap());
    let log = BufReader::new(server.0.stderr.take().unwrap()).lines();
    let mut told = log.map(|line| serde_json::from_str(&line.unwrap()).unwrap());
    let ops = told
        .find_map(|line: serde_json::Value| line["ops"].as_str().map(str::to_owned))
        .expect("it serves");
    // reqwest wants one, also for plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let answer = reqwest::get(format!("http://{ops}/metrics")).await.unwrap();
    answer.text().await.unwrap()
}

/// It ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
