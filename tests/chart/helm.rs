//! Helm, and the values with which the chart is tried; shared with the scenarios on a cluster.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What `make helm` built: Helm of that major version.
pub(crate) fn helm(major: u8) -> Command {
    let mut command = Command::new(tools().join(format!("helm{major}")));
    // Nobody's plugins, repositories or cluster.
    command.env_clear().env("HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}

/// The folder of the programs.
pub(crate) fn tools() -> PathBuf {
    root().join("target/tools")
}

/// The project.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The chart.
pub(crate) fn chart() -> PathBuf {
    root().join("charts/podgrace")
}

/// A name, and the arguments with which the chart is rendered.
pub(crate) type Case = (String, Vec<String>);

/// Every scope, mode and source of the certificate, and all that is optional.
pub(crate) fn cases() -> Vec<Case> {
    let sources = [
        ("self-managed", vec![]),
        (
            "cert-manager",
            vec!["--set=certManager.enabled=true".to_owned()],
        ),
        (
            "secret",
            vec![
                "--set=tls.secretName=webhook-certificate".to_owned(),
                format!(
                    "--set-file=tls.caBundle={}",
                    root().join("tests/chart/ca.pem").display()
                ),
            ],
        ),
    ];
    let mut cases = Vec::new();
    for scope in ["opt-in", "cluster"] {
        for mode in ["enforce", "audit", "off"] {
            for (source, arguments) in &sources {
                let mut arguments = arguments.clone();
                arguments.push(format!("--set=scope={scope},mode={mode}"));
                cases.push((format!("{scope}.{mode}.{source}"), arguments));
            }
        }
    }
    let everything = root().join("tests/chart/everything.yaml");
    cases.push((
        "everything".to_owned(),
        vec![format!("--values={}", everything.display())],
    ));
    cases
}

/// The ways of getting a certificate, as `certs/` describes them: each by its values.
pub(crate) fn ways() -> Vec<Case> {
    let values = [
        "self-managed/values",
        "cert-manager/values",
        "cert-manager/values-issuer",
        "files/values",
    ];
    let ways = values.map(|way| {
        let file = root().join(format!("certs/{way}.yaml"));
        let mut arguments = vec![format!("--values={}", file.display())];
        if way.starts_with("files") {
            let ca = root().join("tests/chart/ca.pem");
            arguments.push(format!("--set-file=tls.caBundle={}", ca.display()));
        }
        (format!("certs/{way}.yaml"), arguments)
    });
    ways.into()
}

/// What `helm template` makes of the chart in namespace `namespace`, or what it says against it.
pub(crate) fn render(major: u8, namespace: &str, arguments: &[String]) -> Result<String, String> {
    let mut command = helm(major);
    command.args(["template", "podgrace"]).arg(chart());
    command.args(["--namespace", namespace]).args(arguments);
    said(&mut command)
}

/// What a program prints, or what it says when it fails.
pub(crate) fn said(command: &mut Command) -> Result<String, String> {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().map_err(|why| {
        let program = command.get_program().to_string_lossy().into_owned();
        format!("{program}: {why} (make helm)")
    })?;
    if status.success() {
        Ok(String::from_utf8_lossy(&stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&stderr).into_owned())
    }
}

/// The documents of a stream that Helm printed.
pub(crate) fn documents(stream: &str) -> Vec<serde_json::Value> {
    let texts = stream
        .split("\n---\n")
        .map(|text| text.trim_start_matches("---\n"));
    texts
        .filter(|text| {
            text.lines()
                .any(|line| !line.is_empty() && !line.starts_with('#'))
        })
        .map(|text| serde_saphyr::from_str(text).unwrap_or_else(|why| panic!("{why}\n{text}")))
        .collect()
}
