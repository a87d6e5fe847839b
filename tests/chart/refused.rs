//! Values that mean nothing are refused, by the key.

use super::helm::{chart, render};
use serde_json::Value;

/// What is given, and what the refusal must say.
const REFUSED: [(&str, &str); 37] = [
    ("scpoe=cluster", "'scpoe' not allowed"),
    ("scope=all", "/scope"),
    ("mode=warn", "/mode"),
    ("config.margn=5s", "'margn' not allowed"),
    ("config.mode=audit", "'mode' not allowed"),
    ("config.defaults.pre-stop=5s", "'pre-stop' not allowed"),
    ("config.defaults.ignore=all", "'ignore' not allowed"),
    (
        "config.defaults.startup-probe=true",
        "/config/defaults/startup-probe",
    ),
    (
        "config.defaults.startup-timeout=60",
        "/config/defaults/startup-timeout",
    ),
    ("config.profiles.mine.grace=5s", "'grace' not allowed"),
    ("config.autoSources={startup}", "/config/autoSources/0"),
    (
        "config.workloads[0].group=argoproj.io,config.workloads[0].kind=Rollout",
        "missing property 'templates'",
    ),
    (
        "config.workloads[0].group=apps,config.workloads[0].kind=Set,config.workloads[0].templates={}",
        "/config/workloads/0/group",
    ),
    (
        "config.workloads[0].group=a.b,config.workloads[0].kind=Set,config.workloads[0].templates={/spec}",
        "/config/workloads/0/templates/0",
    ),
    ("replicaCount=two", "/replicaCount"),
    ("image.digest=latest", "/image/digest"),
    ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
    ("webhook.failurePolicy=ignore", "/webhook/failurePolicy"),
    ("webhook.timeoutSeconds=40", "/webhook/timeoutSeconds"),
    ("webhook.timeout=4", "'timeout' not allowed"),
    ("webhook.namespaceSelector.team=shop", "'team' not allowed"),
    ("certManager.enable=true", "'enable' not allowed"),
    ("certManager.duration=90d", "/certManager/duration"),
    (
        "networkPolicy.apiServerPorts={https}",
        "/networkPolicy/apiServerPorts/0",
    ),
    (
        "tls.secretName=mine,certManager.enabled=true",
        "certManager.enabled and tls.secretName",
    ),
    ("tls.secretName=mine", "tls.secretName without tls.caBundle"),
    ("tls.caBundle=mine", "tls.caBundle without tls.secretName"),
    (
        "tls.secretName=mine,tls.caBundle=TUlJQg==",
        "tls.caBundle: it is not PEM",
    ),
    (
        "drainSeconds=25",
        "terminationGracePeriodSeconds: 30 is too short",
    ),
    ("hostNetwork=true", "hostNetwork with webhook.port"),
    ("webhook.port=8080", "webhook.port: 8080"),
    (
        "serviceAccount.create=false",
        "serviceAccount.create: false without serviceAccount.name",
    ),
    (
        "podLabels.app\\.kubernetes\\.io/name=mine",
        "podLabels: app.kubernetes.io/name",
    ),
    (
        "tls.secretName=mine,webhook.annotations.team=platform",
        "tls.secretName without tls.caBundle",
    ),
    (
        "podDisruptionBudget.maxUnavailable=0",
        "/podDisruptionBudget/maxUnavailable",
    ),
    (
        "config.defaults.startup-timeout=banana",
        "/config/defaults/startup-timeout",
    ),
    (
        "config.defaults.pre-stop-sleep=banana",
        "/config/defaults/pre-stop-sleep",
    ),
];

#[test]
#[ignore = "needs Helm: make chart-test"]
fn by_both_helms_and_by_name() {
    for major in [3, 4] {
        for (given, says) in REFUSED {
            let refusal = render(major, "podgrace", &[format!("--set={given}")]).unwrap_err();
            assert!(refusal.contains(says), "{given}, Helm {major}: {refusal}");
        }
    }
}

/// The schema knows the keys of values.yaml and no others, at every depth.
#[test]
fn the_schema_knows_the_keys_of_the_values() {
    let values = std::fs::read_to_string(chart().join("values.yaml")).unwrap();
    let values: Value = serde_saphyr::from_str(&values).unwrap();
    let mut schema = schema();
    // Charts that have this one as a part pass it.
    schema["properties"]
        .as_object_mut()
        .unwrap()
        .remove("global");
    assert_same_keys("", &values, &schema);
}

fn schema() -> Value {
    let text = std::fs::read(chart().join("values.schema.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn assert_same_keys(path: &str, values: &Value, schema: &Value) {
    let (Some(values), Some(known)) = (values.as_object(), schema["properties"].as_object()) else {
        return;
    };
    assert_eq!(schema["additionalProperties"], false, "{path}");
    // An empty object stands for whatever may be in it.
    if values.is_empty() {
        return;
    }
    let (mut left, mut right): (Vec<_>, Vec<_>) = (values.keys().collect(), known.keys().collect());
    // What resources claim is left to the cluster's defaults.
    right.retain(|key| *key != "claims");
    left.sort();
    right.sort();
    assert_eq!(left, right, "{path}");
    for (key, value) in values {
        assert_same_keys(&format!("{path}/{key}"), value, &known[key]);
    }
}

/// What the schema says of `config` is what the configuration file takes, without what the chart writes itself.
#[test]
fn the_schema_knows_the_keys_of_the_configuration() {
    let file: Value = serde_json::to_value(podgrace::config::schema()).unwrap();
    let schema = schema();
    let keys = |of: &Value| -> Vec<String> {
        let mut keys: Vec<_> = of["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        keys.retain(|key| !["apiVersion", "kind", "mode"].contains(&key.as_str()));
        keys.sort();
        keys
    };
    let config = &schema["properties"]["config"];
    assert_eq!(keys(config), keys(&file));
    assert_eq!(
        keys(&config["properties"]["leaveAlone"]),
        keys(&file["$defs"]["LeaveAlone"])
    );
    assert_eq!(
        keys(&config["properties"]["workloads"]["items"]),
        keys(&file["$defs"]["Workload"])
    );
    let settings = file["properties"]["defaults"]["propertyNames"]["enum"]
        .as_array()
        .unwrap();
    let mut settings: Vec<_> = settings.iter().map(|name| name.as_str().unwrap()).collect();
    settings.sort_unstable();
    assert_eq!(keys(&schema["$defs"]["settings"]), settings);
}
