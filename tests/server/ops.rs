//! Health and metrics.

use std::collections::HashSet;

use podgrace::server::{CONTENT_TYPE, Check, Health};

use crate::running::{review, start};

#[tokio::test]
async fn a_server_that_serves_is_alive_and_ready() {
    let running = start(|_, _| ()).await;
    assert_eq!(running.ops("/livez").await.text(), "ok");
    assert_eq!(running.ops("/readyz").await.text(), "ok");
    let verbose = running.ops("/readyz?verbose").await;
    assert_eq!(
        verbose.text(),
        "[+]certificate ok\n[+]configuration ok\n[+]shutdown ok\nreadyz check passed\n"
    );
    assert_eq!(running.ops("/mutate").await.status, 404);
}

#[tokio::test]
async fn a_configuration_that_failed_to_reload_is_told_and_fails_nothing() {
    let mut configuration = None;
    let running = start(|_, engine| configuration = Some(engine.configuration.clone())).await;
    let configuration = configuration.expect("set");
    configuration.failed("line 3: unknown key `mod`");
    let verbose = running.ops("/readyz?verbose").await;
    assert_eq!(verbose.status, 200);
    assert!(
        verbose.text().contains("[+]configuration ok, but"),
        "{}",
        verbose.text()
    );
    assert!(
        verbose.text().contains("line 3: unknown key `mod`"),
        "{}",
        verbose.text()
    );
    assert_eq!(
        running
            .metric("podgrace_webhook_config_last_reload_successful")
            .await,
        0.0
    );
    let failures = r#"podgrace_webhook_config_reloads_total{result="failure"}"#;
    assert_eq!(running.metric(failures).await, 1.0);

    configuration.succeeded();
    let verbose = running.ops("/readyz?verbose").await;
    assert!(
        verbose.text().contains("[+]configuration ok\n"),
        "{}",
        verbose.text()
    );
    assert_eq!(
        running
            .metric("podgrace_webhook_config_last_reload_successful")
            .await,
        1.0
    );
}

#[tokio::test]
async fn a_failed_check_is_not_ready_and_told_without_being_asked() {
    let running = start(|_, engine| {
        let failed = || Health::Failed("not listed yet".to_owned());
        engine.checks.push(Check::new("namespaces", failed));
    })
    .await;
    let ready = running.ops("/readyz").await;
    assert_eq!(ready.status, 503);
    assert!(
        ready
            .text()
            .contains("[-]namespaces failed: not listed yet\n"),
        "{}",
        ready.text()
    );
    assert_eq!(running.ops("/livez").await.status, 200);
}

#[tokio::test]
async fn every_series_is_there_from_the_start() {
    let running = start(|_, _| ()).await;
    for zero in [
        r#"requests_total{operation="CREATE",outcome="injected"}"#,
        r#"requests_total{operation="other",outcome="shed"}"#,
        r#"skips_total{reason="mirror-pod"}"#,
        r#"patch_operations_total{kind="startup_probe"}"#,
        r#"responses_total{code="200"}"#,
        r#"shed_total{reason="overload"}"#,
        r#"workloads_total{outcome="warned"}"#,
        "latency_seconds_count",
        r#"latency_seconds_bucket{le="0.00005"}"#,
        "request_size_bytes_count",
        "response_size_bytes_count",
        "in_flight",
        "panics_total",
        "open_connections",
        "connections_accepted_total",
        "connections_refused_total",
        r#"connections_cut_total{reason="header"}"#,
        r#"tls_handshake_errors_total{reason="not_tls"}"#,
        r#"certificate_reloads_total{result="failure"}"#,
        r#"config_reloads_total{result="success"}"#,
        "draining",
    ] {
        let value = running.metric(&format!("podgrace_webhook_{zero}")).await;
        assert_eq!(value, 0.0, "{zero}");
    }
    assert_eq!(
        running
            .metric("podgrace_webhook_config_last_reload_successful")
            .await,
        1.0
    );
    let version = env!("CARGO_PKG_VERSION");
    let text = running.ops("/metrics").await;
    let info = format!("podgrace_webhook_build_info{{version=\"{version}\"");
    assert!(text.text().contains(&info), "{}", text.text());
}

#[tokio::test]
async fn the_metrics_are_valid_open_metrics() {
    let running = start(|_, _| ()).await;
    let mut client = running.client().await;
    client
        .post("/mutate", &review("u"))
        .await
        .expect("answered")
        .allows("u");
    client.post("/mutate", "{}").await.expect("answered");
    let response = running.ops("/metrics").await;
    assert_eq!(response.headers["content-type"], CONTENT_TYPE);
    let text = response.text();
    assert!(text.ends_with("# EOF\n"));
    let (mut families, mut series) = (HashSet::new(), HashSet::new());
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.split(' ');
            match words.next() {
                Some("TYPE") => assert!(families.insert(words.next().expect("a name")), "{line}"),
                Some("HELP") => assert!(words.count() > 1, "{line}"),
                word => assert_eq!(word, Some("EOF"), "{line}"),
            }
            continue;
        }
        let (name_and_labels, value) = line.rsplit_once(' ').expect("a sample");
        value.parse::<f64>().expect("a number");
        assert!(series.insert(name_and_labels), "twice: {line}");
        let name = name_and_labels.split('{').next().expect("a name");
        assert!(name.starts_with("podgrace_webhook_"), "{line}");
        let of_a_family = ["", "_total", "_bucket", "_sum", "_count", "_info"]
            .iter()
            .filter_map(|suffix| name.strip_suffix(suffix))
            .any(|family| families.contains(family));
        assert!(of_a_family, "{line}");
    }
    assert!(!text.contains("shop"), "no namespace's name");
}
