//! `certs/` shows what the chart makes for each way of getting a certificate.

use std::fs;

use super::helm::{render, root, ways};
use podgrace::manifests::unified_diff;

/// The ways for which it makes something, and the kinds of that.
const MADE: [(&str, &[&str]); 2] = [
    (
        "self-managed",
        &[
            "Secret",
            "ClusterRole",
            "ClusterRoleBinding",
            "Role",
            "RoleBinding",
            "MutatingWebhookConfiguration",
        ],
    ),
    (
        "cert-manager",
        &["Issuer", "Certificate", "MutatingWebhookConfiguration"],
    ),
];

/// `UPDATE_GOLDEN=1` rewrites them, as it does what is rendered.
#[test]
#[ignore = "needs Helm: make chart-test"]
fn shows_what_the_chart_makes() {
    let mut wrong = String::new();
    for (way, kinds) in MADE {
        let values = format!("certs/{way}/values.yaml");
        let (_, arguments) = ways()
            .into_iter()
            .find(|(file, _)| *file == values)
            .unwrap();
        let stream = render(4, "podgrace", &arguments).unwrap();
        let made = stream
            .split("---\n")
            .filter(|document| {
                let kind = document
                    .lines()
                    .find_map(|line| line.strip_prefix("kind: "));
                kind.is_some_and(|kind| kinds.contains(&kind))
            })
            .map(|document| format!("---\n{}\n", document.trim()));
        let made: String = made.collect();
        for kind in kinds {
            assert!(
                made.contains(&format!("\nkind: {kind}\n")),
                "{way}: no {kind}"
            );
        }
        let path = root().join(format!("certs/{way}/manifests.yaml"));
        let known = fs::read_to_string(&path).unwrap_or_default();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(path, made).unwrap();
        } else {
            wrong += &unified_diff(&path.display().to_string(), &known, &made);
        }
    }
    assert!(
        wrong.is_empty(),
        "if this is better, make chart-golden takes it:\n{wrong}"
    );
}

/// Keys are made, and never kept in a repository.
#[test]
fn holds_no_private_key() {
    for entry in walkdir::WalkDir::new(root().join("certs")) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let text = fs::read_to_string(entry.path()).unwrap();
            assert!(!text.contains("PRIVATE KEY"), "{}", entry.path().display());
        }
    }
}
