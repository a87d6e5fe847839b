//! Pods of every shape: mostly such as Kubernetes accepts, sometimes with a value that it does not.

use serde_json::{Map, Value, json};

use super::dice::Dice;
use super::says;

/// A pod as the API server might send it, or as somebody might write it.
pub(super) fn pod(dice: &mut Dice<'_>) -> Value {
    let names = names(dice);
    let (ordinary, init) = names.split_at(names.len() - dice.below(names.len()));
    let mut spec = Map::new();
    let containers = ordinary.iter().map(|name| container(dice, name, false));
    spec.insert("containers".into(), containers.collect());
    if !init.is_empty() {
        let init = init.iter().map(|name| container(dice, name, true));
        spec.insert("initContainers".into(), init.collect());
    }
    dice.field(&mut spec, 2, "terminationGracePeriodSeconds", |dice| {
        dice.mostly(
            &[30, 1, 2, 3, 5, 6, 29, 35, 60, 600, 3600],
            &[0, -1, i64::MAX, i64::MAX - 3, i64::MIN, 4_294_967_296],
        )
        .into()
    });
    dice.field(&mut spec, 4, "restartPolicy", |dice| {
        dice.mostly(
            &["Always", "Always", "OnFailure", "Never"],
            &["", "Sometimes"],
        )
        .into()
    });
    dice.field(&mut spec, 8, "hostNetwork", |_| true.into());
    dice.field(&mut spec, 12, "subdomain", |dice| {
        dice.pick(&["peers", ""]).into()
    });
    dice.field(
        &mut spec,
        12,
        "os",
        |dice| json!({"name": dice.pick(&["linux", "windows"])}),
    );
    dice.field(
        &mut spec,
        12,
        "nodeSelector",
        |dice| json!({"kubernetes.io/os": dice.pick(&["linux", "windows"])}),
    );
    dice.field(&mut spec, 12, "priorityClassName", |dice| {
        dice.pick(&["high", "", "system-node-critical"]).into()
    });
    dice.field(
        &mut spec,
        8,
        "newerThanUs",
        |_| json!({"deep": [1, 2.5, {"x": null}]}),
    );
    let mut object = Map::from_iter([("apiVersion".to_owned(), "v1".into())]);
    object.insert("kind".into(), "Pod".into());
    if !dice.once_in(30) {
        object.insert("metadata".into(), metadata(dice, &names));
    }
    object.insert("spec".into(), spec.into());
    object.into()
}

fn names(dice: &mut Dice<'_>) -> Vec<&'static str> {
    let mut names: Vec<&str> = Vec::new();
    for usual in ["web", "app", "db", "log"]
        .into_iter()
        .take(dice.below(7) / 2 + 1)
    {
        let name = match dice.below(12) {
            10 => dice.pick(&["istio-proxy", "linkerd-proxy"]),
            11 => dice.mostly(&[usual], &["", "wéb", "a\nb", "left-alone"]),
            _ => usual,
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn metadata(dice: &mut Dice<'_>, names: &[&str]) -> Value {
    let mut metadata = Map::from_iter([("name".to_owned(), "a-pod".into())]);
    dice.field(&mut metadata, 2, "labels", |dice| says::labels(dice));
    dice.field(&mut metadata, 2, "annotations", |dice| {
        says::annotations(dice, names)
    });
    dice.field(&mut metadata, 4, "ownerReferences", |dice| {
        let kind = dice.pick(&["ReplicaSet", "StatefulSet", "Job", "DaemonSet"]);
        json!([{"apiVersion": "apps/v1", "kind": kind, "name": "o", "uid": "u", "controller": dice.below(4) != 3}])
    });
    dice.field(
        &mut metadata,
        4,
        "managedFields",
        |_| json!([{"fieldsV1": {"f:spec": {}}}]),
    );
    metadata.into()
}

fn container(dice: &mut Dice<'_>, name: &str, init: bool) -> Value {
    let mut container = Map::from_iter([("name".to_owned(), name.into())]);
    container.insert("image".into(), "registry.example/app:1".into());
    if !dice.once_in(3) {
        container.insert("ports".into(), ports(dice));
    }
    dice.field(&mut container, 3, "env", env);
    dice.field(&mut container, 12, "envFrom", |dice| match dice.below(3) {
        0 => json!([{"configMapRef": {"name": "c"}}]),
        _ => json!([]),
    });
    dice.field(&mut container, 8, "args", |dice| {
        json!(["-Xmx1g", dice.pick(&ARGUMENTS)])
    });
    dice.field(&mut container, 12, "command", |dice| {
        json!([
            "sh",
            "-c",
            format!("exec java {} -jar a.jar", dice.pick(&ARGUMENTS))
        ])
    });
    if init {
        dice.field(&mut container, 2, "restartPolicy", |dice| {
            dice.mostly(&["Always"], &["Never", "OnFailure"]).into()
        });
    } else {
        dice.field(&mut container, 16, "restartPolicy", |dice| {
            dice.pick(&["Always", "Never", "OnFailure"]).into()
        });
    }
    dice.field(&mut container, 24, "restartPolicyRules", |dice| {
        dice.pick(&[json!([]), json!([{"action": "Restart"}])])
    });
    // Kubernetes takes no probe and no hook on a plain init container; now and then they are there.
    if !init || container.get("restartPolicy") == Some(&"Always".into()) || dice.once_in(25) {
        dice.field(&mut container, 2, "livenessProbe", probe);
        dice.field(&mut container, 2, "readinessProbe", |dice| {
            let mut probe = probe(dice);
            if dice.once_in(4) {
                probe["successThreshold"] = 2.into();
            }
            probe
        });
        dice.field(&mut container, 6, "startupProbe", probe);
        dice.field(&mut container, 4, "lifecycle", lifecycle);
    }
    container.into()
}

const ARGUMENTS: [&str; 6] = [
    "--quiet",
    "--spring.lifecycle.timeout-per-shutdown-phase=45s",
    "-Dspring.lifecycle.timeoutPerShutdownPhase=9m",
    "--server.port=9000",
    "--server.shutdown=immediate",
    "--spring.lifecycle.timeout-per-shutdown-phase=99999999999999999999d",
];

fn ports(dice: &mut Dice<'_>) -> Value {
    let names = [
        "http",
        "web",
        "https",
        "grpc",
        "metrics",
        "http-prom",
        "peer",
    ];
    let list = (0..dice.below(4)).map(|i| -> Value {
        let mut port = Map::from_iter([(
            "containerPort".to_owned(),
            dice.mostly(&[8080, 9090, 5432, 80], &[0, 65536, -1, 65535])
                .into(),
        )]);
        let name = names[(dice.below(7) + i) % 7];
        dice.field(&mut port, 2, "name", |_| name.into());
        dice.field(&mut port, 3, "protocol", |dice| {
            dice.mostly(&["TCP", "UDP"], &["", "SCTP"]).into()
        });
        port.into()
    });
    list.collect()
}

fn env(dice: &mut Dice<'_>) -> Value {
    let list = (0..dice.below(5)).map(|_| -> Value {
        let name = dice.pick(&[
            "LOG_LEVEL",
            "SERVER_PORT",
            "MANAGEMENT_SERVER_PORT",
            "SERVER_SHUTDOWN",
            "server.shutdown",
            "SPRING_LIFECYCLE_TIMEOUT_PER_SHUTDOWN_PHASE",
            "SPRING_APPLICATION_JSON",
            "JAVA_TOOL_OPTIONS",
            "MANAGEMENT_ENDPOINT_HEALTH_PROBES_ENABLED",
            "SERVER_SSL_KEY_STORE",
            "SERVER_SERVLET_CONTEXT_PATH",
        ]);
        let value = dice.pick(&[
            "8080",
            "20s",
            "graceful",
            "/shop",
            "1500",
            "PT45S",
            "${PORT:8080}",
            "$(PORT)",
            "0",
            r#"{"spring.lifecycle.timeout-per-shutdown-phase":"8s","server":{"shutdown":"graceful"}}"#,
            "-Dspring.lifecycle.timeout-per-shutdown-phase=7s -Dserver.shutdown=graceful",
            "18446744073709551615d",
            "",
        ]);
        match dice.below(8) {
            7 => json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}),
            6 => json!({"name": name}),
            _ => json!({"name": name, "value": value}),
        }
    });
    list.collect()
}

/// A probe of any kind, at any place.
fn probe(dice: &mut Dice<'_>) -> Value {
    let mut probe = Map::new();
    let (kind, handler) = handler(dice);
    probe.insert(kind.into(), handler);
    if dice.once_in(60) {
        probe.insert("tcpSocket".into(), json!({"port": 1}));
    }
    for (name, odd) in [
        ("initialDelaySeconds", &[0, -1, i64::from(i32::MAX)][..]),
        (
            "timeoutSeconds",
            &[0, 4, 5, 30, i64::from(i32::MAX), 2_147_483_648],
        ),
        ("periodSeconds", &[0, i64::from(i32::MAX), -2]),
        ("failureThreshold", &[0, i64::from(i32::MAX), 61]),
        ("successThreshold", &[0, 1, 3]),
    ] {
        let usual: &[i64] = match name {
            "successThreshold" => &[1],
            _ => &[1, 2, 3, 5, 10, 20, 30],
        };
        dice.field(&mut probe, 3, name, |dice| match dice.once_in(8) {
            true => dice.pick(odd).into(),
            false => dice.pick(usual).into(),
        });
    }
    dice.field(&mut probe, 16, "terminationGracePeriodSeconds", |dice| {
        dice.mostly(&[10, 60], &[0, -1, i64::MAX]).into()
    });
    dice.field(
        &mut probe,
        16,
        "newerThanUs",
        |_| json!({"a": [null, {"~/": 1.5}]}),
    );
    probe.into()
}

fn handler(dice: &mut Dice<'_>) -> (&'static str, Value) {
    let port = |dice: &mut Dice<'_>| {
        dice.mostly(
            &[json!(8080), json!(9090), json!("http"), json!("web")],
            &[
                json!("8080"),
                json!(0),
                json!(65536),
                json!("nobody"),
                json!("Bad--"),
                Value::Null,
            ],
        )
    };
    let mut handler = Map::new();
    let kind = match dice.below(6) {
        0..=2 => {
            handler.insert("port".into(), port(dice));
            dice.field(&mut handler, 2, "path", |dice| {
                dice.pick(&["/healthz", "/", "", "/ünï?x=1"]).into()
            });
            dice.field(&mut handler, 4, "scheme", |dice| {
                dice.mostly(&["HTTP", "HTTPS"], &["", "http"]).into()
            });
            dice.field(&mut handler, 12, "host", |dice| {
                dice.pick(&["", "10.0.0.1"]).into()
            });
            dice.field(&mut handler, 8, "httpHeaders", |dice| {
                json!([{"name": dice.mostly(&["X-A", "Host"], &["a b"]), "value": dice.pick(&["1", ""])}])
            });
            dice.field(&mut handler, 12, "protocol", |_| "HTTP2".into());
            "httpGet"
        }
        3 => {
            handler.insert("port".into(), port(dice));
            "tcpSocket"
        }
        4 => {
            let port = dice.mostly(&[9090, 8080], &[0, 70000]);
            handler.insert("port".into(), port.into());
            dice.field(&mut handler, 2, "service", |dice| {
                dice.pick(&["", "my.Service"]).into()
            });
            dice.field(&mut handler, 12, "mode", |_| "TLS".into());
            "grpc"
        }
        _ => {
            let command = dice.mostly(&[json!(["cat", "/tmp/ok"])], &[json!([]), Value::Null]);
            handler.insert("command".into(), command);
            "exec"
        }
    };
    (kind, handler.into())
}

fn lifecycle(dice: &mut Dice<'_>) -> Value {
    let mut lifecycle = Map::new();
    dice.field(&mut lifecycle, 3, "postStart", hook);
    dice.field(&mut lifecycle, 3, "stopSignal", |_| "SIGUSR1".into());
    dice.field(&mut lifecycle, 2, "preStop", hook);
    lifecycle.into()
}

fn hook(dice: &mut Dice<'_>) -> Value {
    let sleep = dice.mostly(&[5, 1, 2, 28, 29, 30], &[0, -1, 600, i64::MAX]);
    match dice.below(9) {
        0 => json!({"sleep": {"seconds": sleep}}),
        1 => json!({"exec": {"command": ["sleep", sleep.to_string()]}}),
        2 => json!({"exec": {"command": ["/bin/sh", "-c", format!("sleep {sleep};")]}}),
        3 => json!({"exec": {"command": ["sh", "-c", "sleep 1.5 && nginx -s quit"]}}),
        4 => json!({"exec": {"command": ["sleep", "99999999999999999999999d"]}}),
        5 => json!({"httpGet": {"port": 8080, "path": "/bye"}}),
        6 => json!({"tcpSocket": {"port": 8080}}),
        7 => json!({"exec": {"command": ["sleep", "infinity"]}, "httpGet": null}),
        _ => dice.pick(&[json!({"sleep": {"seconds": 3}}), json!({}), Value::Null]),
    }
}
