//! Kubernetes' own defaults and validation, as far as a patch of ours can meet them, written from
//! k8s.io/kubernetes/pkg/apis/core/{v1/defaults.go,validation/validation.go}.

use serde_json::{Map, Value, json};

type Checked = Result<(), String>;

const HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "grpc"];
const PROBES: [&str; 3] = ["startupProbe", "livenessProbe", "readinessProbe"];

/// The pod as the API server stores it: nulls are absent, and what is absent has its default.
pub(super) fn defaulted(pod: &Value) -> Value {
    let mut pod = without_nulls(pod);
    let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else {
        return pod;
    };
    default(spec, "terminationGracePeriodSeconds", json!(30));
    // A negative one is 1 from the first conversion on (conversion.go); webhooks already see that.
    if spec["terminationGracePeriodSeconds"].as_i64() < Some(0) {
        spec["terminationGracePeriodSeconds"] = json!(1);
    }
    default(spec, "restartPolicy", json!("Always"));
    for list in ["containers", "initContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            default_container(container);
        }
    }
    pod
}

fn default_container(container: &mut Value) {
    for name in PROBES {
        let Some(probe) = container.get_mut(name).and_then(Value::as_object_mut) else {
            continue;
        };
        for (field, value) in [
            ("timeoutSeconds", 1),
            ("periodSeconds", 10),
            ("successThreshold", 1),
            ("failureThreshold", 3),
        ] {
            default(probe, field, value.into());
        }
        if let Some(get) = probe.get_mut("httpGet").and_then(Value::as_object_mut) {
            default(get, "path", json!("/"));
            default(get, "scheme", json!("HTTP"));
        }
        if let Some(grpc) = probe.get_mut("grpc").and_then(Value::as_object_mut) {
            grpc.entry("service").or_insert(json!(""));
        }
        if probe.get("initialDelaySeconds") == Some(&json!(0)) {
            probe.remove("initialDelaySeconds");
        }
    }
    let variables = container.get_mut("env").and_then(Value::as_array_mut);
    for variable in variables.into_iter().flatten() {
        if let Some(variable) = variable
            .as_object_mut()
            .filter(|v| v.get("value") == Some(&json!("")))
        {
            variable.shift_remove("value");
        }
    }
    let ports = container.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten() {
        if let Some(port) = port.as_object_mut() {
            default(port, "protocol", json!("TCP"));
        }
    }
}

/// Defaults count where a field is absent or its type's zero.
fn default(map: &mut Map<String, Value>, name: &str, value: Value) {
    let zero = |v: &Value| v == &json!(0) || v == &json!("");
    if map.get(name).is_none_or(zero)
        && !(name == "terminationGracePeriodSeconds" && map.contains_key(name))
    {
        map.insert(name.to_owned(), value);
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(_, v)| !v.is_null())
            .map(|(k, v)| (k.clone(), without_nulls(v)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(list) => list.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// Whether Kubernetes' admission takes a pod; where it does not, why.
pub(super) fn accepts(pod: &Value) -> Checked {
    let pod = defaulted(pod);
    check_annotations(&pod["metadata"]["annotations"])?;
    let spec = pod["spec"].as_object().ok_or("no spec")?;
    let grace = integer(&spec["terminationGracePeriodSeconds"], i64::MIN, i64::MAX)?;
    one_of(&spec["restartPolicy"], &["Always", "OnFailure", "Never"])?;
    let mut names = Vec::new();
    for list in ["containers", "initContainers"] {
        let containers = spec.get(list).and_then(Value::as_array);
        if list == "containers" && containers.is_none_or(Vec::is_empty) {
            return Err("no containers".into());
        }
        for container in containers.into_iter().flatten() {
            let name = container["name"].as_str().unwrap_or_default();
            if !is_dns_label(name) || names.contains(&name) {
                return Err(format!("container name {name:?}"));
            }
            names.push(name);
            let may_have_hooks = list == "containers" || container["restartPolicy"] == "Always";
            check_container(container, grace, may_have_hooks)
                .map_err(|why| format!("{name}: {why}"))?;
        }
    }
    Ok(())
}

fn check_annotations(annotations: &Value) -> Checked {
    let mut size = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        let (prefix, name) = key.split_once('/').unwrap_or(("x", key));
        let qualified = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let edges = |s: &str| {
            s.starts_with(|c: char| c.is_ascii_alphanumeric())
                && s.ends_with(|c: char| c.is_ascii_alphanumeric())
        };
        if !edges(name)
            || !name.chars().all(qualified)
            || !edges(prefix)
            || !prefix.chars().all(qualified)
        {
            return Err(format!("annotation key {key:?}"));
        }
        size += key.len() + value.as_str().ok_or("annotation is no text")?.len();
    }
    if size > 262_144 {
        return Err(format!("annotations: Too long: {size}"));
    }
    Ok(())
}

fn check_container(container: &Value, grace: i64, may_have_hooks: bool) -> Checked {
    let restart = container.get("restartPolicy");
    if let Some(policy) = restart {
        one_of(policy, &["Always", "OnFailure", "Never"])?;
    }
    let rules = container
        .get("restartPolicyRules")
        .and_then(Value::as_array);
    if rules.is_some_and(|r| !r.is_empty()) && restart.is_none() {
        return Err("restartPolicyRules without a restartPolicy".into());
    }
    for port in container["ports"].as_array().into_iter().flatten() {
        integer(&port["containerPort"], 1, 65535)?;
        one_of(&port["protocol"], &["TCP", "UDP", "SCTP"])?;
        if let Some(name) = port.get("name") {
            check_port_name(name.as_str().ok_or("port name")?)?;
        }
    }
    for variable in container["env"].as_array().into_iter().flatten() {
        if variable["name"].as_str().is_none_or(str::is_empty) {
            return Err("env name".into());
        }
        if variable.get("value").is_some_and(|v| v != "") && variable.get("valueFrom").is_some() {
            return Err("env value and valueFrom".into());
        }
    }
    for name in PROBES {
        if let Some(probe) = container.get(name) {
            if !may_have_hooks {
                return Err("probe on an init container".into());
            }
            check_probe(name, probe).map_err(|why| format!("{name}: {why}"))?;
        }
    }
    let Some(lifecycle) = container.get("lifecycle") else {
        return Ok(());
    };
    if !may_have_hooks {
        return Err("lifecycle on an init container".into());
    }
    for name in ["postStart", "preStop"] {
        if let Some(hook) = lifecycle.get(name) {
            check_hook(hook, grace).map_err(|why| format!("{name}: {why}"))?;
        }
    }
    Ok(())
}

fn check_probe(name: &str, probe: &Value) -> Checked {
    check_handler(probe, &HANDLERS)?;
    for field in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        integer(probe.get(field).unwrap_or(&json!(0)), 0, i32::MAX.into())
            .map_err(|why| format!("{field}: {why}"))?;
    }
    if name != "readinessProbe" && probe["successThreshold"] != 1 {
        return Err("successThreshold must be 1".into());
    }
    match probe.get("terminationGracePeriodSeconds") {
        Some(_) if name == "readinessProbe" => Err("no grace period of its own".into()),
        Some(grace) => integer(grace, 1, i64::MAX).map(drop),
        None => Ok(()),
    }
}

fn check_hook(hook: &Value, grace: i64) -> Checked {
    check_handler(hook, &["exec", "httpGet", "tcpSocket", "sleep"])?;
    match hook.get("sleep") {
        Some(sleep) => integer(&sleep["seconds"], 0, grace).map(drop),
        None => Ok(()),
    }
}

fn check_handler(parent: &Value, kinds: &[&str]) -> Checked {
    let found: Vec<&str> = kinds
        .iter()
        .copied()
        .filter(|kind| parent.get(*kind).is_some())
        .collect();
    let [kind] = found.as_slice() else {
        return Err(format!("handlers: {found:?}"));
    };
    let handler = &parent[*kind];
    match *kind {
        "sleep" => Ok(()),
        "exec" => {
            let command = handler["command"].as_array().ok_or("no command")?;
            let right = !command.is_empty() && command.iter().all(Value::is_string);
            right.then_some(()).ok_or("command".into())
        }
        "grpc" => integer(&handler["port"], 1, 65535).map(drop),
        _ => {
            if *kind == "httpGet" {
                // Only a probe's handler gets these defaults.
                one_of(
                    handler.get("scheme").unwrap_or(&json!("HTTP")),
                    &["HTTP", "HTTPS"],
                )?;
                for header in handler["httpHeaders"].as_array().into_iter().flatten() {
                    let name = header["name"].as_str().ok_or("header")?;
                    let right = |c: char| c.is_ascii_alphanumeric() || c == '-';
                    if name.is_empty() || !name.chars().all(right) {
                        return Err(format!("header {name:?}"));
                    }
                }
            }
            match &handler["port"] {
                Value::String(name) => check_port_name(name),
                number => integer(number, 1, 65535).map(drop),
            }
        }
    }
}

fn check_port_name(name: &str) -> Checked {
    let right = (1..=15).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && name.chars().any(|c| c.is_ascii_lowercase())
        && !name.contains("--")
        && !name.starts_with('-')
        && !name.ends_with('-');
    right.then_some(()).ok_or(format!("port name {name:?}"))
}

fn is_dns_label(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

fn integer(value: &Value, least: i64, most: i64) -> Result<i64, String> {
    match value.as_i64() {
        Some(n) if (least..=most).contains(&n) => Ok(n),
        _ => Err(format!("{value} is not an integer from {least} to {most}")),
    }
}

fn one_of(value: &Value, allowed: &[&str]) -> Checked {
    if value.as_str().is_some_and(|text| allowed.contains(&text)) {
        Ok(())
    } else {
        Err(format!("{value} is none of {allowed:?}"))
    }
}
