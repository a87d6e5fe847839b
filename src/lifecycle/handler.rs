//! The values of `startup-probe`: words, handlers in one line, and probes as JSON.
//!
//! What Kubernetes would refuse is refused here with the same rules (`validateProbe` and
//! `validateHandler`, k8s.io/kubernetes/pkg/apis/core/validation/validation.go), so that a wrong
//! annotation is a warning and not a rejected pod. A `host` is refused on top: it would probe something
//! else than the pod, and Pod Security forbids it.

use serde_json::{Map, Value, json};

use super::nearest::nearest;

/// What `startup-probe` says.
#[derive(Debug, Clone, PartialEq)]
pub enum StartupProbe {
    /// The container's own liveness probe where that is safe.
    Auto,
    /// None.
    Off,
    /// A source, because somebody says so.
    Source(Source),
    /// A handler or a whole probe.
    Stated(Stated),
}

/// Where a startup probe can come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The container's livenessProbe.
    Liveness,
    /// The container's readinessProbe.
    Readiness,
    /// The container's one TCP port.
    Port,
    /// The liveness probe, or the actuator's liveness group (profile `spring-boot`).
    SpringBoot,
}

/// A probe that somebody wrote into an annotation or the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Stated {
    /// As it was written.
    pub text: String,
    /// The probe's fields.
    pub probe: Map<String, Value>,
}

/// The port that a stated probe asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatedPort<'a> {
    /// By number.
    Number(i64),
    /// By a name that the container must declare.
    Name(&'a str),
}

impl Source {
    /// The word that annotations use for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
            Self::Port => "port",
            Self::SpringBoot => "spring-boot",
        }
    }
}

impl Stated {
    /// Whether it runs a command.
    pub fn is_exec(&self) -> bool {
        self.probe.contains_key("exec")
    }

    /// The port that it asks; none for a command.
    pub fn port(&self) -> Option<StatedPort<'_>> {
        let handler = ["httpGet", "tcpSocket", "grpc"]
            .iter()
            .find_map(|kind| self.probe.get(*kind))?;
        match handler.get("port")? {
            Value::String(name) => Some(StatedPort::Name(name)),
            number => number.as_i64().map(StatedPort::Number),
        }
    }
}

impl StartupProbe {
    /// Reads a value of `startup-probe`.
    ///
    /// # Errors
    /// One clause that says what is wrong, to stand behind the value in a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let probe = match text {
            "auto" => return Ok(Self::Auto),
            "off" => return Ok(Self::Off),
            "liveness" => return Ok(Self::Source(Source::Liveness)),
            "readiness" => return Ok(Self::Source(Source::Readiness)),
            "port" => return Ok(Self::Source(Source::Port)),
            _ if text.starts_with('{') => whole(text)?,
            _ => handler(text)?,
        };
        Ok(Self::Stated(Stated {
            text: text.to_owned(),
            probe,
        }))
    }
}

/// A handler in one line.
fn handler(text: &str) -> Result<Map<String, Value>, String> {
    if let Some(command) = text.strip_prefix("exec:") {
        let command: Vec<String> = serde_json::from_str(command)
            .map_err(|_| r#"is not exec:["command","argument"]"#.to_owned())?;
        if command.first().is_none_or(String::is_empty) {
            return Err("has an empty command".into());
        }
        return Ok(only("exec", json!({"command": command})));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        const WORDS: [&str; 5] = ["auto", "off", "liveness", "readiness", "port"];
        return Err(match nearest(text, WORDS) {
            Some(word) => format!("is not a startup probe (did you mean {word}?)"),
            None => {
                "is not a startup probe (auto, off, liveness, readiness, port, http://:8080/path, tcp://:5432, \
                     grpc://:9090, exec:[…] or a probe as JSON)"
                    .into()
            }
        });
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let Some(port) = authority.strip_prefix(':') else {
        return Err(format!(
            "names a host or no port (write {scheme}://:PORT{path})"
        ));
    };
    if path.chars().any(|c| c.is_control() || c == ' ') {
        return Err("has a space or control character in its path".into());
    }
    match scheme {
        "http" | "https" => {
            let path = if path.is_empty() { "/" } else { path };
            let mut get = json!({"path": path, "port": port_value(port)?});
            if scheme == "https" {
                get["scheme"] = "HTTPS".into();
            }
            Ok(only("httpGet", get))
        }
        "tcp" if path.is_empty() || path == "/" => {
            Ok(only("tcpSocket", json!({"port": port_value(port)?})))
        }
        "tcp" => Err("has a path, which tcp does not".into()),
        "grpc" => {
            let port = port_value(port)?;
            if !port.is_number() {
                return Err("needs a port number: grpc probes take no names".into());
            }
            let service = path.trim_start_matches('/');
            let mut grpc = json!({"port": port});
            if !service.is_empty() {
                grpc["service"] = service.into();
            }
            Ok(only("grpc", grpc))
        }
        _ => Err(format!(
            "has the unknown scheme {scheme} (http, https, tcp, grpc)"
        )),
    }
}

/// A probe as JSON.
fn whole(text: &str) -> Result<Map<String, Value>, String> {
    let probe: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
    const HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "grpc"];
    const NUMBERS: [&str; 6] = [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
        "terminationGracePeriodSeconds",
    ];
    known(
        &probe,
        "a probe",
        &[HANDLERS.as_slice(), NUMBERS.as_slice()].concat(),
    )?;
    for name in NUMBERS {
        let Some(value) = probe.get(name).filter(|v| !v.is_null()) else {
            continue;
        };
        let least = i64::from(name == "terminationGracePeriodSeconds");
        match value.as_i64() {
            Some(n) if n >= least && n <= i64::from(i32::MAX) => {}
            _ => {
                return Err(format!(
                    "has {name} {value}: an integer from {least} to {} is needed",
                    i32::MAX
                ));
            }
        }
    }
    if !matches!(probe.get("successThreshold"), None | Some(Value::Null))
        && !matches!(
            probe.get("successThreshold").and_then(Value::as_i64),
            Some(0 | 1)
        )
    {
        return Err("has a successThreshold other than 1, which startup probes may not".into());
    }
    let mut stated = HANDLERS
        .iter()
        .filter(|kind| probe.get(**kind).is_some_and(|v| !v.is_null()));
    let (Some(kind), None) = (stated.next(), stated.next()) else {
        return Err("needs exactly one of exec, httpGet, tcpSocket and grpc".into());
    };
    let Some(handler) = probe[*kind].as_object() else {
        return Err(format!("has a {kind} that is not an object"));
    };
    check_handler(kind, handler)?;
    // Nulls mean absent to Kubernetes; leaving them out keeps the patch small.
    Ok(probe.into_iter().filter(|(_, v)| !v.is_null()).collect())
}

fn check_handler(kind: &str, handler: &Map<String, Value>) -> Result<(), String> {
    let allowed: &[&str] = match kind {
        "exec" => &["command"],
        // Not the alpha fields (protocol, mode): their values cannot be checked here.
        "httpGet" => &["path", "port", "host", "scheme", "httpHeaders"],
        "tcpSocket" => &["port", "host"],
        _ => &["port", "service"],
    };
    known(handler, kind, allowed)?;
    if handler
        .get("host")
        .is_some_and(|h| !h.is_null() && h.as_str() != Some(""))
    {
        return Err("names a host; a probe may only ask its own pod".into());
    }
    match kind {
        "exec" => {
            let command = handler.get("command").and_then(Value::as_array);
            if !command.is_some_and(|c| !c.is_empty() && c.iter().all(Value::is_string)) {
                return Err("has an exec without a command of strings".into());
            }
            return Ok(());
        }
        "httpGet" => {
            text_field(handler, "path")?;
            if !matches!(handler.get("scheme"), None | Some(Value::Null))
                && !matches!(
                    handler.get("scheme").and_then(Value::as_str),
                    Some("HTTP" | "HTTPS" | "")
                )
            {
                return Err("has a scheme other than HTTP and HTTPS".into());
            }
            check_headers(handler.get("httpHeaders"))?;
        }
        "grpc" => text_field(handler, "service")?,
        _ => {}
    }
    match handler.get("port") {
        Some(Value::String(name)) if kind != "grpc" => match port_value(name)? {
            Value::String(_) => Ok(()),
            number => Err(format!("has the port {name:?} in quotes (write {number})")),
        },
        Some(port) if port.as_i64().is_some_and(|n| (1..=65535).contains(&n)) => Ok(()),
        Some(Value::Null) | None => Err(format!("has a {kind} without a port")),
        Some(port) => Err(format!("has the port {port}: 1 to 65535 is needed")),
    }
}

fn check_headers(headers: Option<&Value>) -> Result<(), String> {
    let Some(headers) = headers.filter(|h| !h.is_null()) else {
        return Ok(());
    };
    let right = headers.as_array().is_some_and(|headers| {
        headers.iter().all(|header| {
            let name = header
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default();
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && header.get("value").is_none_or(Value::is_string)
        })
    });
    if right {
        Ok(())
    } else {
        Err("has httpHeaders that are not a list of name and value".into())
    }
}

fn text_field(handler: &Map<String, Value>, name: &str) -> Result<(), String> {
    match handler.get(name) {
        None | Some(Value::Null | Value::String(_)) => Ok(()),
        Some(other) => Err(format!("has the {name} {other}, which is not text")),
    }
}

/// A port as a probe's JSON takes it.
///
/// # Errors
/// What Kubernetes would refuse: a number outside 1–65535, or a name that is not an IANA service name
/// (`IsValidPortName`, k8s.io/apimachinery/pkg/util/validation).
pub fn port_value(text: &str) -> Result<Value, String> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return match text.parse::<u32>() {
            Ok(number @ 1..=65535) => Ok(number.into()),
            _ => Err(format!("has the port {text}: 1 to 65535 is needed")),
        };
    }
    let valid = !text.is_empty()
        && text.len() <= 15
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && text.bytes().any(|b| b.is_ascii_lowercase())
        && !text.contains("--")
        && !text.starts_with('-')
        && !text.ends_with('-');
    if valid {
        Ok(text.into())
    } else {
        Err(format!(
            "has the port {text:?}, which is no number and no port name"
        ))
    }
}

fn known(map: &Map<String, Value>, what: &str, allowed: &[&str]) -> Result<(), String> {
    for key in map.keys() {
        if !allowed.contains(&key.as_str()) {
            let hint = nearest(key, allowed.iter().copied())
                .map_or(String::new(), |near| format!(" (did you mean {near}?)"));
            return Err(format!("has {key:?}, which {what} does not know{hint}"));
        }
    }
    Ok(())
}

/// A probe that is nothing but its handler.
fn only(kind: &str, handler: Value) -> Map<String, Value> {
    Map::from_iter([(kind.to_owned(), handler)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stated(text: &str) -> Value {
        match StartupProbe::parse(text) {
            Ok(StartupProbe::Stated(stated)) => Value::Object(stated.probe),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn handlers_in_one_line() {
        for (text, probe) in [
            (
                "http://:8080/healthz",
                json!({"httpGet": {"path": "/healthz", "port": 8080}}),
            ),
            (
                "http://:8080",
                json!({"httpGet": {"path": "/", "port": 8080}}),
            ),
            (
                "https://:web/ready?full=1",
                json!({"httpGet": {"path": "/ready?full=1", "port": "web", "scheme": "HTTPS"}}),
            ),
            ("tcp://:5432", json!({"tcpSocket": {"port": 5432}})),
            ("grpc://:9090", json!({"grpc": {"port": 9090}})),
            (
                "grpc://:9090/my.Service",
                json!({"grpc": {"port": 9090, "service": "my.Service"}}),
            ),
            (
                r#"exec:["cat","/tmp/ok"]"#,
                json!({"exec": {"command": ["cat", "/tmp/ok"]}}),
            ),
            (
                r#"{"httpGet":{"port":"web","path":"/x"},"periodSeconds":2,"timeoutSeconds":null}"#,
                json!({"httpGet": {"port": "web", "path": "/x"}, "periodSeconds": 2}),
            ),
        ] {
            assert_eq!(stated(text), probe, "{text}");
        }
    }

    #[test]
    fn what_kubernetes_would_refuse_is_refused_here() {
        for text in [
            "",
            "live",
            "http://example.com:80/",
            "http://8080",
            "http://:0/",
            "http://:65536/",
            "http://:Web/",
            "http://:a--b/",
            "http://:8080/a b",
            "tcp://:80/x",
            "grpc://:web",
            "ftp://:21",
            "exec:[]",
            "exec:cat",
            r#"exec:[""]"#,
            "{}",
            "{",
            "[]",
            r#"{"httpGet":{"port":80},"tcpSocket":{"port":80}}"#,
            r#"{"httpGet":{}}"#,
            r#"{"httpGet":{"port":0}}"#,
            r#"{"httpGet":{"port":"8080"}}"#,
            r#"{"httpGet":{"port":80,"protocol":"HTTP2"}}"#,
            r#"{"httpGet":{"port":80,"host":"1.2.3.4"}}"#,
            r#"{"httpGet":{"port":80,"scheme":"http"}}"#,
            r#"{"httpGet":{"port":80,"httpHeaders":[{"name":"a b","value":"x"}]}}"#,
            r#"{"httpGet":{"port":80},"periodSecond":1}"#,
            r#"{"httpGet":{"port":80},"periodSeconds":"1"}"#,
            r#"{"httpGet":{"port":80},"failureThreshold":2147483648}"#,
            r#"{"httpGet":{"port":80},"successThreshold":2}"#,
            r#"{"httpGet":{"port":80},"terminationGracePeriodSeconds":0}"#,
            r#"{"grpc":{"port":"x"}}"#,
            r#"{"exec":{"command":[]}}"#,
        ] {
            assert!(StartupProbe::parse(text).is_err(), "{text}");
        }
    }
}
