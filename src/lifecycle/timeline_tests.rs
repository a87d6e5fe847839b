//! Numbers that were measured on a real cluster: see the README's table.

use super::super::json::Object;
use super::super::loss::{Client, Loss, Others};
use super::*;

fn of(json: &str) -> Life {
    beside(json, Others::default())
}

fn beside(json: &str, others: Others) -> Life {
    let Object(pod): Object<Pod<'_>> = serde_json::from_str(json).expect("a pod");
    life(&pod, others)
}

fn owned(spec: &str) -> Life {
    of(&owned_json(spec))
}

fn owned_json(spec: &str) -> String {
    format!(
        r#"{{"metadata":{{"ownerReferences":[{{"kind":"ReplicaSet","controller":true}}]}},"spec":{spec}}}"#
    )
}

fn stop(life: &Life, how: How) -> &Stop {
    life.stops
        .iter()
        .find(|stop| stop.how == how)
        .expect("that way")
}

fn ending(life: &Life, how: How, index: usize) -> (u64, u64, u64) {
    let e = &stop(life, how).containers[index];
    (e.sigterm, e.sigterm_at_latest, e.sigkill)
}

fn loss(life: &Life, how: How, client: Client) -> (Loss, bool) {
    let all = &stop(life, how).clients;
    let found = all.iter().find(|l| l.client == client).expect("a client");
    (found.ending, found.until_replacement_listens)
}

const SLEEPS: &str = r#"{"terminationGracePeriodSeconds":35,"containers":[{"name":"a","ports":[{"containerPort":1}],
    "startupProbe":{"tcpSocket":{"port":1},"periodSeconds":1,"failureThreshold":4,"timeoutSeconds":5},
    "lifecycle":{"preStop":{"sleep":{"seconds":5}}}}]}"#;

#[test]
fn a_sleep_comes_out_of_the_grace_period_and_ignoring_sigterm_ends_with_it() {
    let life = owned(SLEEPS);
    // Measured: ignores SIGTERM, SIGKILL at +35.0 s.
    assert_eq!(ending(&life, How::Delete, 0), (5, 5, 35));
    // Measured: kubectl delete --grace-period=5 with a sleep of 5: SIGTERM after the sleep, then 2 s.
    assert_eq!(ending(&life, How::ShortGrace, 0), (5, 5, 7));
    // Measured: the hook is cut at 1.0 s.
    assert_eq!(ending(&life, How::Force, 0), (1, 1, 3));
    assert_eq!(ending(&life, How::NodeShutdown, 0), (5, 5, 20));
    // Measured: failureThreshold 4, period 1, timeout 5 against a hanging server was killed at 21 s.
    assert_eq!(life.starts[0].given_up_after, Some(4));
    assert_eq!(life.starts[0].given_up_at_worst, Some(20));
    assert_eq!(
        life.starts[0].startup.as_ref().expect("one").handler,
        "tcp://:1"
    );
}

#[test]
fn without_a_sleep_sigterm_comes_at_once() {
    let life = owned(r#"{"containers":[{"name":"a","ports":[{"containerPort":1}]}]}"#);
    // Measured: SIGKILL at +30.0 s.
    assert_eq!(ending(&life, How::Rollout, 0), (0, 0, 30));
    assert_eq!(ending(&life, How::Force, 0), (0, 0, 2));
    let first_second = (Loss::FirstSecond, true);
    assert_eq!(
        loss(&life, How::Rollout, Client::NewConnections),
        first_second
    );
    assert_eq!(
        loss(&life, How::ScaleIn, Client::KeepAlive),
        (Loss::FirstSecond, false)
    );
}

#[test]
fn a_sleep_saves_new_connections_and_repeating_clients_but_not_every_keep_alive_request() {
    let life = owned(SLEEPS);
    for how in [How::Delete, How::ScaleIn, How::Rollout, How::Eviction] {
        assert_eq!(
            loss(&life, how, Client::NewConnections),
            (Loss::Nothing, false)
        );
        assert_eq!(
            loss(&life, how, Client::KeepAlive),
            (Loss::OnePerConnection, false)
        );
        assert_eq!(
            loss(&life, how, Client::KeepAliveRepeating),
            (Loss::Nothing, false)
        );
    }
    assert_eq!(
        loss(&life, How::Force, Client::NewConnections).0,
        Loss::FirstSecondRarely
    );
    // Measured (row 12b of docs/lossless.md): an exec sleep in an image without `sleep` loses as much as no hook.
    let exec = owned(&SLEEPS.replace(
        r#""sleep":{"seconds":5}"#,
        r#""exec":{"command":["sleep","5"]}"#,
    ));
    assert_eq!(
        loss(&exec, How::Delete, Client::NewConnections).0,
        Loss::FirstSecondWithoutProgram
    );
}

#[test]
fn hooks_of_unknown_length_and_hooks_as_long_as_the_grace_period_have_their_bounds() {
    let life = of(
        r#"{"spec":{"terminationGracePeriodSeconds":20,"containers":[
        {"name":"a","lifecycle":{"preStop":{"httpGet":{"port":1}}}},
        {"name":"b","lifecycle":{"preStop":{"sleep":{"seconds":20}}}}]}}"#,
    );
    assert_eq!(ending(&life, How::Delete, 0), (0, 20, 22));
    assert_eq!(ending(&life, How::Delete, 1), (20, 20, 22));
    assert!(stop(&life, How::Delete).clients.is_empty(), "nobody serves");
    assert!(!stop(&life, How::Delete).replaced, "nobody owns it");
    assert!(life.stops.iter().all(|s| s.how != How::Rollout));
}

#[test]
fn a_native_sidecar_waits_for_the_main_containers() {
    let life = owned(
        r#"{"containers":[{"name":"a","ports":[{"containerPort":1}],
        "lifecycle":{"preStop":{"sleep":{"seconds":5}}}}],
        "initContainers":[{"name":"proxy","restartPolicy":"Always"},{"name":"setup"}]}"#,
    );
    assert_eq!(
        life.starts.len(),
        2,
        "an init container has no life beside them"
    );
    assert_eq!(ending(&life, How::Delete, 1), (5, 30, 32));
    assert_eq!(ending(&life, How::Force, 1), (1, 1, 3));
    // Measured: a proxy as a native sidecar in front of an application that sleeps loses no new connection.
    let serves = owned(
        r#"{"containers":[{"name":"a","ports":[{"containerPort":1}],
        "lifecycle":{"preStop":{"sleep":{"seconds":5}}}}],
        "initContainers":[{"name":"proxy","restartPolicy":"Always","ports":[{"containerPort":2}]}]}"#,
    );
    let new = loss(&serves, How::Rollout, Client::NewConnections);
    assert_eq!(new.0, Loss::Nothing);
}

#[test]
fn where_nobody_else_serves_everything_is_lost_until_the_next_pod_does() {
    let only = Others {
        none: true,
        none_in_rollout: false,
    };
    let recreated = Others {
        none_in_rollout: true,
        ..Others::default()
    };
    for (others, lossy) in [
        (Others::default(), &[How::DeleteAll][..]),
        (recreated, &[How::DeleteAll, How::Rollout]),
        (only, &[How::DeleteAll, How::Delete, How::Eviction]),
    ] {
        let life = beside(&owned_json(SLEEPS), others);
        for how in [
            How::Delete,
            How::ScaleIn,
            How::Rollout,
            How::Eviction,
            How::DeleteAll,
        ] {
            let expected = match lossy.contains(&how) {
                true => Loss::UntilReplaced,
                false => Loss::Nothing,
            };
            assert_eq!(
                loss(&life, how, Client::NewConnections).0,
                expected,
                "{how:?}"
            );
            assert_eq!(
                loss(&life, how, Client::KeepAliveRepeating).0,
                expected,
                "{how:?}"
            );
        }
    }
}

#[test]
fn a_negative_grace_period_is_stored_as_one() {
    let life = of(r#"{"spec":{"terminationGracePeriodSeconds":-4,"containers":[{"name":"a"}]}}"#);
    assert_eq!(ending(&life, How::Delete, 0), (0, 0, 2));
    let zero = of(r#"{"spec":{"terminationGracePeriodSeconds":0,"containers":[{"name":"a"}]}}"#);
    assert_eq!(ending(&zero, How::Delete, 0), (0, 0, 2));
}
