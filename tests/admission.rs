//! Requests that no API server should send, and some that it does: each is answered, or refused in words.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use podgrace::admission::{Answer, Outcome, Review};
use podgrace::lifecycle::policy::{Mode, Policy};
use serde_json::{Value, json};

/// A review of the creation of an object, given as text so that it may be odd.
fn review(object: &str) -> String {
    format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"u-1","resource":
           {{"group":"","version":"v1","resource":"pods"}},"namespace":"shop","operation":"CREATE","object":{object}}}}}"#
    )
}

fn answer(body: &[u8]) -> Answer {
    Review::read(body)
        .unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(body)))
        .answer(&Policy::default(), None)
}

fn response(answer: &Answer) -> Value {
    let body: Value = serde_json::from_slice(&answer.body).expect("the answer is JSON");
    assert_eq!(body["kind"], "AdmissionReview");
    assert_eq!(body["response"]["allowed"], true);
    body["response"].clone()
}

fn patch(answer: &Answer) -> Value {
    let response = response(answer);
    let patch = response["patch"].as_str().expect("a patch");
    assert_eq!(response["patchType"], "JSONPatch");
    let patch = STANDARD.decode(patch).expect("base64");
    serde_json::from_slice(&patch).expect("JSON")
}

fn refusal(body: &[u8]) -> String {
    Review::read(body).expect_err("it cannot be answered").0
}

/// A pod that gets everything.
const POD: &str = r#"{"metadata":{"name":"a"},"spec":{"containers":[{"name":"web","ports":[{"containerPort":80}],
    "livenessProbe":{"tcpSocket":{"port":80}}}]}}"#;

#[test]
fn objects_that_are_no_pods_are_let_through_with_a_warning() {
    for object in [
        "null",
        "[1,2,3]",
        r#""a pod""#,
        "5",
        "{}",
        r#"{"metadata":{"name":"a"}}"#,
        r#"{"spec":null}"#,
        r#"{"spec":[]}"#,
        r#"{"spec":{}}"#,
        r#"{"spec":{"containers":null}}"#,
        r#"{"spec":{"containers":{}}}"#,
        r#"{"spec":{"containers":[null]}}"#,
        r#"{"spec":{"containers":["web"]}}"#,
        r#"{"metadata":{"annotations":["podgrace.io/profile"]},"spec":{"containers":[]}}"#,
        r#"{"metadata":{"annotations":{"podgrace.io/profile":5}},"spec":{"containers":[]}}"#,
        r#"{"metadata":{"labels":"x"},"spec":{"containers":[]}}"#,
        // Structs as lists, which serde would read by position.
        r#"[null,{"containers":[]}]"#,
        r#"{"spec":[[]]}"#,
        r#"{"spec":{"containers":[["web"]]}}"#,
        r#"{"spec":{"containers":[{"name":"web","livenessProbe":[null,{"port":80}]}]}}"#,
        r#"{"spec":{"containers":[{"name":"web","livenessProbe":{"httpGet":["/",80]}}]}}"#,
        r#"{"spec":{"containers":[{"name":"web","lifecycle":{"preStop":[{"command":[]}]}}]}}"#,
        // Numbers that do not fit.
        r#"{"spec":{"terminationGracePeriodSeconds":9223372036854775808,"containers":[]}}"#,
        r#"{"spec":{"terminationGracePeriodSeconds":1e400,"containers":[]}}"#,
        r#"{"spec":{"terminationGracePeriodSeconds":30.5,"containers":[]}}"#,
        r#"{"spec":{"containers":[{"name":"web","livenessProbe":{"tcpSocket":{"port":80},"periodSeconds":2147483648}}]}}"#,
        // Keys that appear twice.
        r#"{"spec":{"containers":[]},"spec":{"containers":[]}}"#,
        r#"{"spec":{"containers":[{"name":"web","name":"app"}]}}"#,
    ] {
        let answer = answer(review(object).as_bytes());
        assert_eq!(answer.decision.outcome, Outcome::Unreadable, "{object}");
        let response = response(&answer);
        assert_eq!(response["uid"], "u-1");
        assert!(response.get("patch").is_none() && response.get("patchType").is_none());
        assert_eq!(
            response["warnings"].as_array().map(Vec::len),
            Some(1),
            "{object}"
        );
    }
}

#[test]
fn nulls_are_absent() {
    let object = r#"{"metadata":{"name":null,"labels":null,"annotations":null,"ownerReferences":null},"spec":{
        "initContainers":null,"restartPolicy":null,"terminationGracePeriodSeconds":null,"nodeSelector":null,"os":null,
        "hostNetwork":null,"containers":[{"name":"web","command":null,"args":null,"env":null,"envFrom":null,
        "ports":[{"name":null,"containerPort":80,"protocol":null}],"startupProbe":null,"readinessProbe":null,
        "livenessProbe":{"exec":null,"tcpSocket":{"port":80},"timeoutSeconds":null},
        "lifecycle":{"postStart":null,"preStop":null},"restartPolicyRules":null}]}}"#;
    let answer = answer(review(object).as_bytes());
    let mut pod: Value = serde_json::from_str(object).expect("JSON");
    let patch = patch(&answer);
    let operations: json_patch::Patch = serde_json::from_value(patch.clone()).expect("a patch");
    json_patch::patch(&mut pod, &operations).expect("it applies");
    assert_eq!(pod["spec"]["terminationGracePeriodSeconds"], 35);
    let paths: Vec<(&Value, &Value)> = patch
        .as_array()
        .into_iter()
        .flatten()
        .map(|operation| (&operation["op"], &operation["path"]))
        .collect();
    let replaced = json!("replace");
    assert_eq!(
        paths,
        [
            (&replaced, &json!("/spec/containers/0/startupProbe")),
            (&replaced, &json!("/spec/containers/0/lifecycle/preStop")),
            (&replaced, &json!("/spec/terminationGracePeriodSeconds")),
            (&replaced, &json!("/metadata/annotations")),
        ]
    );
}

#[test]
fn escapes_are_read() {
    let object = r#"{"metadata":{"annotations":{"podgrace\u002eio\/pre-stop-sleep":"\u0037s"}},
        "spec":{"containers":[{"\u006eame":"w\u0065b","ports":[{"containerPort":80}]}]}}"#;
    let patch = patch(&answer(review(object).as_bytes()));
    assert_eq!(
        patch[0]["value"],
        json!({"preStop": {"sleep": {"seconds": 7}}})
    );
}

#[test]
fn only_the_creation_of_pods_is_patched() {
    let body = review(POD);
    assert_eq!(answer(body.as_bytes()).decision.outcome, Outcome::Injected);
    for (from, to) in [
        (r#""CREATE""#, r#""UPDATE""#),
        (r#""CREATE""#, r#""DELETE""#),
        (r#""CREATE""#, r#""CONNECT""#),
        (r#""CREATE""#, r#""create""#),
        (r#""operation":"CREATE","#, ""),
        (r#""resource":"pods""#, r#""resource":"deployments""#),
        (r#""group":"""#, r#""group":"metrics.k8s.io""#),
        (
            r#""namespace""#,
            r#""subResource":"ephemeralcontainers","namespace""#,
        ),
        (r#""namespace""#, r#""subResource":"eviction","namespace""#),
    ] {
        assert!(body.contains(from), "{from}");
        let answer = answer(body.replace(from, to).as_bytes());
        assert_eq!(answer.decision.outcome, Outcome::Ignored, "{to}");
        assert!(response(&answer).get("patch").is_none());
    }
}

#[test]
fn a_request_of_odd_types_is_answered_by_its_uid() {
    for body in [
        r#"{"request":{"uid":"u-1"}}"#,
        r#"{"apiVersion":5,"request":{"uid":"u-1","object":{}}}"#,
        r#"{"request":{"uid":"u-1","name":[],"namespace":{},"operation":7,"resource":"pods"}}"#,
        r#"{"request":{"uid":"u-1","resource":["","v1","pods"],"operation":"CREATE","object":{}}}"#,
        r#"{"request":{"uid":"u-1","operation":"CREATE","operation":"CREATE"}}"#,
    ] {
        let answer = answer(body.as_bytes());
        assert_eq!(answer.decision.outcome, Outcome::Unreadable, "{body}");
        assert_eq!(response(&answer)["uid"], "u-1");
    }
}

#[test]
fn what_has_no_uid_is_refused_in_a_sentence() {
    for (body, says) in [
        ("", "empty"),
        (" \n", "empty"),
        ("hello", "not JSON"),
        ("{", "not JSON"),
        (r#"{"request":{"uid":"u-1"}"#, "not JSON"),
        (r#"{"request":{"uid":"u-1"}} x"#, "not JSON"),
        ("null", "not an AdmissionReview"),
        ("5", "not an AdmissionReview"),
        ("{}", "not an AdmissionReview"),
        ("[]", "not an AdmissionReview"),
        (r#"{"request":null}"#, "not an AdmissionReview"),
        (r#"{"request":[{"uid":"u-1"}]}"#, "not an AdmissionReview"),
        (r#"[{"request":{"uid":"u-1"}}]"#, "not an AdmissionReview"),
        (r#"{"request":{}}"#, "not an AdmissionReview"),
        (r#"{"request":{"uid":5}}"#, "not an AdmissionReview"),
        (r#"{"request":{"uid":""}}"#, "empty"),
    ] {
        let why = refusal(body.as_bytes());
        assert!(why.contains(says), "{body}: {why}");
        assert!(!why.contains('\n'));
    }
    refusal(b"\xff\xfe{}");
    refusal(b"{\"request\":{\"uid\":\"\xff\"}}");
}

#[test]
fn nesting_of_any_depth_is_no_panic() {
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    refusal(open.as_bytes());
    refusal(format!("{open}{close}").as_bytes());
    refusal("{\"a\":".repeat(100_000).as_bytes());
    let deep = format!("{open}{close}");
    for object in [
        deep.clone(),
        format!(r#"{{"spec":{{"containers":[],"newer":{deep}}}}}"#),
        format!(r#"{{"spec":{{"containers":[{{"name":"web","ports":{deep}}}]}}}}"#),
        format!(
            r#"{{"spec":{{"containers":[{{"name":"web","livenessProbe":{{"tcpSocket":{{"port":{deep}}}}}}}]}}}}"#
        ),
    ] {
        response(&answer(review(&object).as_bytes()));
    }
}

#[test]
fn a_probe_that_cannot_be_copied_is_left_alone() {
    let (open, close) = ("[".repeat(1_000), "]".repeat(1_000));
    for newer in [
        format!("{open}{close}"),
        "1e999".into(),
        r#""\ud800""#.into(),
    ] {
        let object = POD.replace(
            "{\"tcpSocket\"",
            &format!("{{\"newer\":{newer},\"tcpSocket\""),
        );
        assert_ne!(object, POD);
        let answer = answer(review(&object).as_bytes());
        assert_eq!(answer.decision.skips, ["probe-unreadable"], "{newer}");
        assert_eq!(answer.decision.changes, ["pre_stop", "grace_period"]);
    }
}

#[test]
fn bytes_that_are_no_text_are_no_matter_where_nobody_looks() {
    let mut body = review(&POD.replace(r#""name":"a""#, r#""uid":"@""#)).into_bytes();
    let at = body.iter().position(|b| *b == b'@').expect("the mark");
    body[at] = 0xff;
    assert_eq!(answer(&body).decision.outcome, Outcome::Injected);
    // Where we look, the object is unreadable and the request is answered.
    let mut body = review(&POD.replace("web", "@")).into_bytes();
    let at = body.iter().position(|b| *b == b'@').expect("the mark");
    body[at] = 0xff;
    assert_eq!(answer(&body).decision.outcome, Outcome::Unreadable);
}

#[test]
fn a_short_grace_period_gets_its_sleep_once() {
    let object = POD.replace(
        "\"spec\":{",
        "\"spec\":{\"terminationGracePeriodSeconds\":1,",
    );
    let mut pod: Value = serde_json::from_str(&object).expect("JSON");
    let operations = patch(&answer(review(&object).as_bytes()));
    let operations: json_patch::Patch = serde_json::from_value(operations).expect("a patch");
    json_patch::patch(&mut pod, &operations).expect("it applies");
    assert_eq!(pod["spec"]["terminationGracePeriodSeconds"], 7);
    let again = answer(review(&pod.to_string()).as_bytes());
    assert_eq!(again.decision.outcome, Outcome::Unchanged);
}

#[test]
fn a_wrong_value_is_warned_of_with_what_is_used_instead() {
    let object = r#"{"metadata":{"labels":{"podgrace.io/mode":"on"},"annotations":{
        "podgrace.io/startup-period":"fast","pre-stop-sleep.podgrace.io/web":"5","profile.podgrace.io/web":"spring-bot",
        "podgrace.io/pre-stop-slep":"5s\n"}},"spec":{"containers":[{"name":"web","ports":[{"containerPort":80}]}]}}"#;
    let response = response(&answer(review(object).as_bytes()));
    let mut warnings = response["warnings"].as_array().expect("warnings").iter();
    for expected in [
        r#"podgrace.io/mode: "on" is not a mode (enforce, audit, off); using enforce (the default)"#,
        "podgrace.io/pre-stop-slep is not a setting (did you mean podgrace.io/pre-stop-sleep?)",
        r#"podgrace.io/startup-period: "fast" is not a duration (write 90s or 2m30s); using 1s, more for slow probes (built-in)"#,
        r#"pre-stop-sleep.podgrace.io/web: "5" has no unit (write 5s); using 5s (built-in)"#,
        r#"profile.podgrace.io/web: "spring-bot" is not a profile (did you mean spring-boot?): it is passed over"#,
    ] {
        assert_eq!(
            warnings.next(),
            Some(&json!(format!("podgrace: {expected}")))
        );
    }
    assert_eq!(warnings.next(), None);
}

#[test]
fn many_long_warnings_stay_within_what_the_api_server_keeps() {
    let mut pod: Value = serde_json::from_str(POD).expect("JSON");
    for i in 0..40 {
        let key = format!("podgrace.io/{}{i}\n", "ü".repeat(300));
        pod["metadata"]["annotations"][key] = "x".into();
    }
    let answer = answer(review(&pod.to_string()).as_bytes());
    let response = response(&answer);
    let warnings = response["warnings"].as_array().expect("warnings");
    let texts: Vec<&str> = warnings.iter().filter_map(Value::as_str).collect();
    assert!(texts.iter().map(|text| text.chars().count()).sum::<usize>() <= 4096);
    assert!(texts.iter().all(|text| !text.contains('\n')));
    assert_eq!(texts.last(), Some(&"podgrace: and 25 more warnings"));
}

#[test]
fn audit_mode_says_and_the_kill_switch_is_silent() {
    let body = review(&POD.replace(
        r#""name":"a""#,
        r#""labels":{"podgrace.io/mode":"enforce"}"#,
    ));
    let review = Review::read(body.as_bytes()).expect("a review");
    let off = Policy {
        mode: Mode::Off,
        ..Policy::default()
    };
    let answer = review.answer(&off, None);
    assert_eq!(answer.decision.outcome, Outcome::Ignored);
    assert!(response(&answer).get("warnings").is_none());
    let body = body.replace("enforce", "audit");
    let answer = self::answer(body.as_bytes());
    assert_eq!(answer.decision.outcome, Outcome::Audited);
    let response = response(&answer);
    assert!(response.get("patch").is_none());
    assert_eq!(
        response["warnings"],
        json!([
            "podgrace would inject web: startupProbe from its livenessProbe, every 1s for up to 150s",
            "podgrace would inject web: preStop sleep 5s",
            "podgrace would inject terminationGracePeriodSeconds 30 -> 35",
        ])
    );
}

/// The API server checks names and numbers only behind webhooks: nothing that somebody writes there may take an
/// admission's time, which is that of every other pod.
#[test]
fn more_containers_than_any_pod_has_are_let_through_unread() {
    let pod = |containers: usize| {
        let containers: Vec<Value> = (0..containers)
            .map(|number| {
                json!({"name": format!("c{number}"), "livenessProbe": {"tcpSocket": {"port": 80}}})
            })
            .collect();
        let annotations = json!({"startup-probe.podgrace.io/nobody": "auto"});
        review(
            &json!({"metadata": {"annotations": annotations}, "spec": {"containers": containers}})
                .to_string(),
        )
    };
    let most = answer(pod(256).as_bytes());
    assert_eq!(most.decision.outcome, Outcome::Injected);
    let more = answer(pod(257).as_bytes());
    assert_eq!(more.decision.outcome, Outcome::Unchanged);
    let response = response(&more);
    assert_eq!(response.get("patch"), None);
    let annotations = response["auditAnnotations"].to_string();
    assert!(annotations.contains("too-many-containers"), "{annotations}");
}
