//! Alerts and dashboard ask for metrics that are there.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use podgrace::server::{CertificateSource, Engine, Identity, Options};

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
    let asked: BTreeSet<_> = words
        .filter(|word| word.starts_with("podgrace_webhook_"))
        .collect();
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

async fn scrape() -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(["podgrace".to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let identity = Identity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut options = Options::new(any, CertificateSource::Held(Arc::new(identity)));
    options.ops_listen = Some(any);
    let bound = options.bind(Engine::default()).await.unwrap();
    let ops = bound.ops_address().unwrap();
    tokio::spawn(bound.run(std::future::pending(), std::future::pending()));
    let answer = reqwest::get(format!("http://{ops}/metrics")).await.unwrap();
    answer.text().await.unwrap()
}
