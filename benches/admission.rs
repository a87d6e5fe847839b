//! One admission, bytes to bytes, beside nothing but parsing the same bytes.
//!
//! `cargo bench --bench admission` prints times, and at the end how many times the parse that an admission
//! cannot do without (`Review::read`: into borrowed structs, as far as we look) the whole of it costs, and
//! what parsing into a tree of `serde_json::Value` costs beside them. The goal is at most 2.

use std::hint::black_box;
use std::time::{Duration, Instant};

use podgrace::admission::Review;
use podgrace::lifecycle::policy::Policy;
use serde_json::{Value, json};

/// The sizes of the reviews, in KiB.
const SIZES: [usize; 4] = [2, 6, 50, 1_434];

fn main() {
    divan::main();
    print_ratios();
}

#[divan::bench(args = SIZES)]
fn admission(bencher: divan::Bencher<'_, '_>, size: usize) {
    let (body, policy) = (review(size), Policy::default());
    bencher.bench(|| admit(&body, &policy));
}

#[divan::bench(args = SIZES)]
fn parse_borrowed(bencher: divan::Bencher<'_, '_>, size: usize) {
    let body = review(size);
    bencher.bench(|| Review::read(black_box(&body)).is_ok());
}

#[divan::bench(args = SIZES)]
fn parse_value(bencher: divan::Bencher<'_, '_>, size: usize) {
    let body = review(size);
    bencher.bench(|| serde_json::from_slice::<Value>(black_box(&body)).is_ok());
}

fn admit(body: &[u8], policy: &Policy) -> Vec<u8> {
    let review = Review::read(black_box(body)).expect("a review");
    review.answer(policy, None).body
}

/// Times the three in turn, so that a noisy neighbour meets all of them, and compares the medians.
#[expect(clippy::print_stdout, reason = "this is what it is for")]
fn print_ratios() {
    println!("\n   KiB   admission      parse      value   admission/parse   value/parse");
    for size in SIZES {
        let (body, policy) = (review(size), Policy::default());
        let rounds = if size > 1_000 { 300 } else { 10_000 };
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..rounds {
            times[0].push(timed(|| admit(&body, &policy)));
            times[1].push(timed(|| Review::read(black_box(&body)).is_ok()));
            times[2].push(timed(|| {
                serde_json::from_slice::<Value>(black_box(&body)).is_ok()
            }));
        }
        let [admission, parse, value] = times.map(median);
        println!(
            "{size:>6} {admission:>11.1?} {parse:>10.1?} {value:>10.1?} {:>17.2} {:>13.2}",
            admission.as_secs_f64() / parse.as_secs_f64(),
            value.as_secs_f64() / parse.as_secs_f64(),
        );
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// A review of about that many KiB: a Deployment's pod as the API server sends it, with defaults and
/// managedFields; a second container and variables as it grows, and a large annotation at the end.
fn review(size: usize) -> Vec<u8> {
    let bytes = size * 1024;
    let mut pod = pod(if size < 4 { 1 } else { 2 });
    let mut body = envelope(&pod);
    let mut i = 0;
    while body.len() + 150 < bytes.min(200 * 1024) {
        let name = format!("FEATURE_FLAG_{i:04}");
        let container = i % pod["spec"]["containers"].as_array().map_or(1, Vec::len);
        let env = pod["spec"]["containers"][container]["env"]
            .as_array_mut()
            .expect("a list");
        // Every pod brings variables; a large one also what others patched into it.
        env.push(json!({"name": name, "value": "enabled-for-region-eu-west-1"}));
        let field = json!({".": {}, "f:name": {}, "f:value": {}});
        let fields = &mut pod["metadata"]["managedFields"][0]["fieldsV1"];
        fields["f:spec"]["f:containers"]["k:{\"name\":\"web\"}"]["f:env"]
            [format!("k:{{\"name\":\"{name}\"}}")] = field;
        i += 1;
        if i % 16 == 0 || bytes < 8 * 1024 {
            body = envelope(&pod);
        }
    }
    let rest = bytes.saturating_sub(envelope(&pod).len());
    if rest > 1024 {
        // An object is at most 1.5 MiB in etcd, an argument may take most of it.
        pod["spec"]["containers"][0]["args"] =
            json!(["--config", "line of a template\n".repeat(rest / 20)]);
    }
    envelope(&pod)
}

fn envelope(pod: &Value) -> Vec<u8> {
    let review = json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
            "requestResource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "shop",
            "operation": "CREATE",
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller",
                "groups": ["system:serviceaccounts", "system:authenticated"]},
            "object": pod,
            "oldObject": null,
            "dryRun": false,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        },
    });
    serde_json::to_vec(&review).expect("JSON")
}

fn pod(containers: usize) -> Value {
    let containers: Vec<Value> = ["web", "worker"][..containers]
        .iter()
        .map(|name| container(name))
        .collect();
    json!({
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "generateName": "shop-7d4b9c6f8d-",
            "namespace": "shop",
            "creationTimestamp": null,
            "labels": {"app.kubernetes.io/name": "shop", "pod-template-hash": "7d4b9c6f8d"},
            "annotations": {"prometheus.io/scrape": "true"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "shop-7d4b9c6f8d",
                "uid": "6b1c4f0e", "controller": true, "blockOwnerDeletion": true}],
            "managedFields": [{"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}":
                    {".": {}, "f:env": {}, "f:image": {}, "f:livenessProbe": {".": {}, "f:httpGet": {}}}}}}}],
        },
        "spec": {
            "volumes": [{"name": "kube-api-access-x2k9p", "projected": {"sources": [{"serviceAccountToken":
                {"expirationSeconds": 3607, "path": "token"}}], "defaultMode": 420}}],
            "containers": containers,
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default",
            "securityContext": {},
            "schedulerName": "default-scheduler",
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
                "tolerationSeconds": 300}],
            "enableServiceLinks": true,
        },
        "status": {},
    })
}

fn container(name: &str) -> Value {
    json!({
        "name": name,
        "image": "registry.example/shop:1.42.0",
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [],
        "resources": {"limits": {"memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "512Mi"}},
        "volumeMounts": [{"name": "kube-api-access-x2k9p", "readOnly": true,
            "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}],
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"}, "timeoutSeconds": 1,
            "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    })
}
