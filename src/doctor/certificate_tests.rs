//! Certificates that fit, and those that do not.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::testing::{NOW, configuration, forbidden, namespace, trial, webhook};
use super::*;
use crate::certs::Authority;

const DAY: Duration = Duration::from_secs(86_400);

fn now() -> SystemTime {
    NOW.parse::<Timestamp>().expect("a time").into()
}

/// Made so many days ago, for so long.
fn authority(days_ago: u32, days: u32) -> Authority {
    let names = Names::one("podgrace.podgrace.svc");
    Authority::make(&names, now() - DAY * days_ago, DAY * days).expect("made")
}

/// What is served by a Secret, beside that bundle, where nothing is known by a trial.
fn facts(served: &Authority, bundle: &str) -> Facts {
    let mut hook = webhook(&json!({}));
    hook["clientConfig"]["caBundle"] = STANDARD.encode(bundle).into();
    let shop = namespace("shop", json!({"podgrace.io/mode": "enforce"}), json!({}));
    let mut facts = Facts::of(&[configuration("podgrace", &[hook])], &[shop], &[]);
    facts.trial = None;
    let text = |text: &str| Value::from(STANDARD.encode(text));
    let secret = json!({"data": {
        "tls.crt": text(&served.leaf.certificate), "tls.key": text(&served.leaf.key), "ca.crt": text(&served.ca_pem),
    }});
    facts.backends[0].served = Served::Secret("podgrace-tls".into(), Ok(Some(secret)));
    facts
}

#[test]
fn what_is_served_is_held_against_the_bundle() {
    let (own, other) = (authority(1, 90), authority(1, 90));
    assert_eq!(facts(&own, &own.ca_pem).findings(), [""; 0]);
    let both = format!("{}{}", other.ca_pem, own.ca_pem);
    assert_eq!(facts(&own, &both).findings(), [""; 0]);
    let foreign = facts(&own, &other.ca_pem);
    assert_eq!(foreign.findings(), ["ca-bundle-other"]);
    let check = foreign.check("ca-bundle-other");
    assert_eq!(
        check.commands[0],
        "CA=$(kubectl -n podgrace get secret podgrace-tls -o jsonpath='{.data.ca\\.crt}')"
    );
    assert_eq!(facts(&own, "").findings(), ["ca-bundle-empty"]);
    assert_eq!(facts(&own, "nonsense").findings(), ["ca-bundle-unreadable"]);
    // A CA lives twice as long as its leaf.
    let old = authority(300, 90);
    assert_eq!(facts(&own, &old.ca_pem).findings(), ["ca-expired"]);
    assert_eq!(
        facts(&old, &old.ca_pem).findings(),
        ["certificate-expired", "ca-expired"]
    );
}

#[test]
fn whose_certificate_ends_depends_on_who_makes_it() {
    let expired = authority(100, 90);
    let own = facts(&expired, &expired.ca_pem);
    assert_eq!(own.findings(), ["certificate-expired"]);
    let check = own.check("certificate-expired");
    assert!(check.message.contains("10 days ago"), "{}", check.message);
    assert_eq!(
        check.commands[0],
        "kubectl -n podgrace rollout restart deployment/podgrace"
    );
    let late = authority(80, 90);
    assert_eq!(facts(&late, &late.ca_pem).findings(), ["certificate-ends"]);
    let mut managed = facts(&expired, &expired.ca_pem);
    managed.hooks.as_mut().expect("hooks")[0].ca_from = Some("podgrace/cert".into());
    assert_eq!(
        managed.check("certificate-expired").commands,
        ["kubectl -n podgrace describe certificate cert"]
    );
}

#[test]
fn a_pod_that_came_back_proves_what_may_not_be_looked_at() {
    let mut facts = Facts::well();
    facts.backends[0].served = Served::Secret("podgrace-tls".into(), Err(forbidden()));
    assert_eq!(facts.findings(), [""; 0]);
    assert!(
        facts
            .check("certificate")
            .message
            .starts_with("the API server takes it, until 2027-02-01")
    );
    facts.backends[0]
        .ops
        .as_mut()
        .expect("ops")
        .as_mut()
        .expect("seen")
        .certificate_until = "2026-11-27T00:00:00Z".parse().ok();
    assert_eq!(facts.findings(), ["certificate-ends"]);
    facts.trial = Some(trial(&json!({})));
    assert!(facts.findings().contains(&"forbidden"));
}
