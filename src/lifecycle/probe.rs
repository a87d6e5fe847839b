//! Probes as users wrote them: kept raw to be copied whole, and read for their handler and budget.

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::hook::Exec;
use super::json::{Object, Str, null_as_default};
use super::pod::{Container, Port};

/// A probe: its JSON, and what we read of it.
#[derive(Debug, Clone)]
pub struct Probe<'a> {
    /// The JSON as it came; fields newer than our types survive in it.
    pub raw: &'a RawValue,
    /// The part that decisions need.
    pub fields: ProbeFields<'a>,
}

/// The fields of a probe that decisions need. The numbers are as written; the methods give what counts
/// after the API server's defaults, where 0 means the default too.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeFields<'a> {
    /// Runs a command.
    #[serde(borrow, default)]
    pub exec: Option<Object<Exec<'a>>>,
    /// Makes an HTTP request.
    #[serde(borrow, default)]
    pub http_get: Option<Object<HttpGet<'a>>>,
    /// Opens a connection.
    #[serde(borrow, default)]
    pub tcp_socket: Option<Object<TcpSocket<'a>>>,
    /// Asks the gRPC health service.
    #[serde(borrow, default)]
    pub grpc: Option<Object<Grpc<'a>>>,
    /// Seconds before the first probe.
    #[serde(default, deserialize_with = "null_as_default")]
    pub initial_delay_seconds: i32,
    /// Seconds until a probe counts as failed.
    #[serde(default, deserialize_with = "null_as_default")]
    pub timeout_seconds: i32,
    /// Seconds between probes.
    #[serde(default, deserialize_with = "null_as_default")]
    pub period_seconds: i32,
    /// Failures in a row that end it.
    #[serde(default, deserialize_with = "null_as_default")]
    pub failure_threshold: i32,
    /// Successes in a row that count.
    #[serde(default, deserialize_with = "null_as_default")]
    pub success_threshold: i32,
    /// A grace period of the probe's own (KEP-2238).
    #[serde(default)]
    pub termination_grace_period_seconds: Option<i64>,
}

/// `httpGet`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct HttpGet<'a> {
    /// The path; `/` where none is given.
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub path: Str<'a>,
    /// The port.
    #[serde(borrow, default)]
    pub port: Option<PortRef<'a>>,
    /// Another host than the pod.
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub host: Str<'a>,
    /// `HTTP` where none is given.
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub scheme: Str<'a>,
}

/// `tcpSocket`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct TcpSocket<'a> {
    /// The port.
    #[serde(borrow, default)]
    pub port: Option<PortRef<'a>>,
    /// Another host than the pod.
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub host: Str<'a>,
}

/// `grpc`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Grpc<'a> {
    /// The port, a number only.
    #[serde(default, deserialize_with = "null_as_default")]
    pub port: i32,
    /// The service that the health check names.
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub service: Str<'a>,
}

/// A port by number, or by a name that the same container declares.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum PortRef<'a> {
    /// A number.
    Number(i64),
    /// A name, or a number in quotes as old manifests have it.
    #[serde(borrow)]
    Name(Str<'a>),
}

/// A handler with everything that makes it the same question to the container, defaults filled in and
/// named ports resolved.
#[derive(Debug, PartialEq, Eq)]
enum Question<'s> {
    Http(Option<i64>, &'s str, &'s str, &'s str),
    Tcp(Option<i64>, &'s str),
    Grpc(i32, &'s str),
}

impl<'de: 'a, 'a> Deserialize<'de> for Probe<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'a RawValue>::deserialize(deserializer)?;
        let Object(fields) = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
        Ok(Self { raw, fields })
    }
}

impl<'a> Probe<'a> {
    /// Whether it asks over the network: httpGet, tcpSocket or grpc.
    pub fn is_network(&self) -> bool {
        let fields = &self.fields;
        fields.http_get.is_some() || fields.tcp_socket.is_some() || fields.grpc.is_some()
    }

    /// Whether it runs a command.
    pub fn is_exec(&self) -> bool {
        self.fields.exec.is_some()
    }

    /// Seconds before the first probe.
    pub fn initial_delay(&self) -> u64 {
        positive_or(self.fields.initial_delay_seconds, 0)
    }

    /// Seconds between probes.
    pub fn period(&self) -> u64 {
        positive_or(self.fields.period_seconds, 10)
    }

    /// Seconds until one probe counts as failed.
    pub fn timeout(&self) -> u64 {
        positive_or(self.fields.timeout_seconds, 1)
    }

    /// Failures in a row that end it.
    pub fn failure_threshold(&self) -> u64 {
        positive_or(self.fields.failure_threshold, 3)
    }

    /// The seconds that a start may take: initial delay + threshold × period.
    pub fn budget(&self) -> u64 {
        self.initial_delay() + self.failure_threshold() * self.period()
    }

    /// The grace period of its own, in seconds, where it has one.
    pub fn own_grace(&self) -> Option<i64> {
        self.fields.termination_grace_period_seconds
    }

    /// What it asks, written as the setting `startup-probe` takes it.
    pub fn handler(&self) -> String {
        let fields = &self.fields;
        let port = || match self.port() {
            Some(PortRef::Number(number)) => number.to_string(),
            Some(PortRef::Name(name)) => name.to_string(),
            None => String::new(),
        };
        if let Some(http) = &fields.http_get {
            let scheme = match &*http.scheme {
                "HTTPS" => "https",
                _ => "http",
            };
            let slash = if http.path.starts_with('/') { "" } else { "/" };
            format!(
                "{scheme}://{}:{}{slash}{}",
                &*http.host,
                port(),
                &*http.path
            )
        } else if let Some(tcp) = &fields.tcp_socket {
            format!("tcp://{}:{}", &*tcp.host, port())
        } else if let Some(grpc) = &fields.grpc {
            let slash = if grpc.service.is_empty() { "" } else { "/" };
            format!("grpc://:{}{slash}{}", grpc.port, &*grpc.service)
        } else if let Some(exec) = &fields.exec {
            let command: Vec<&str> = exec.command.iter().map(|word| &**word).collect();
            // A list of strings: there is nothing that could fail.
            format!(
                "exec:{}",
                serde_json::to_string(&command).unwrap_or_default()
            )
        } else {
            "nothing".to_owned()
        }
    }

    /// The port that it asks, where it is a name.
    pub fn named_port(&self) -> Option<&str> {
        match self.port()? {
            // A quoted number is a number to the kubelet (ResolveContainerPort, k8s.io/kubernetes/pkg/probe).
            PortRef::Name(name) if name.parse::<i64>().is_err() => Some(name),
            PortRef::Name(_) | PortRef::Number(_) => None,
        }
    }

    /// The port of an httpGet or tcpSocket handler.
    fn port(&self) -> Option<&PortRef<'a>> {
        let fields = &self.fields;
        fields
            .http_get
            .as_ref()
            .and_then(|http| http.port.as_ref())
            .or_else(|| fields.tcp_socket.as_ref().and_then(|tcp| tcp.port.as_ref()))
    }

    /// The port that it asks, by number, where the container's declarations tell.
    pub fn port_number(&self, container: &Container<'_>) -> Option<i64> {
        if let Some(grpc) = &self.fields.grpc {
            return Some(grpc.port.into());
        }
        match self.port()? {
            PortRef::Number(number) => Some(*number),
            PortRef::Name(name) => match name.parse() {
                Ok(number) => Some(number),
                Err(_) => container.port_named(name).map(|p| p.container_port.into()),
            },
        }
    }

    /// Whether both ask the same container the same thing; exec handlers never compare equal.
    pub fn asks_the_same(&self, other: &Self, container: &Container<'_>) -> bool {
        match (self.question(container), other.question(container)) {
            (Some(ours), Some(theirs)) => ours == theirs && self.unread() == other.unread(),
            _ => false,
        }
    }

    /// The fields of the handler that we do not read: headers, and what is newer than our types. An answer
    /// may depend on them.
    fn unread(&self) -> Option<Map<String, Value>> {
        const READ: [&str; 5] = ["path", "port", "host", "scheme", "service"];
        let mut probe: Map<String, Value> = serde_json::from_str(self.raw.get()).ok()?;
        let handler = ["httpGet", "tcpSocket", "grpc"]
            .into_iter()
            .find_map(|kind| probe.remove(kind).filter(Value::is_object))?;
        let Value::Object(mut fields) = handler else {
            return None;
        };
        fields.retain(|name, value| !value.is_null() && !READ.contains(&name.as_str()));
        Some(fields)
    }

    fn question(&self, container: &Container<'_>) -> Option<Question<'_>> {
        let or = |text: &'_ str, default| if text.is_empty() { Some(default) } else { None };
        let fields = &self.fields;
        if let Some(http) = &fields.http_get {
            let path = or(&http.path, "/").unwrap_or(&http.path);
            let scheme = or(&http.scheme, "HTTP").unwrap_or(&http.scheme);
            let port = self.port_number(container);
            return Some(Question::Http(port, path, scheme, &http.host));
        }
        if let Some(tcp) = &fields.tcp_socket {
            return Some(Question::Tcp(self.port_number(container), &tcp.host));
        }
        let grpc = fields.grpc.as_ref()?;
        Some(Question::Grpc(grpc.port, &grpc.service))
    }
}

impl<'a> Container<'a> {
    /// The declared port of that name.
    pub fn port_named(&self, name: &str) -> Option<&Port<'a>> {
        self.ports
            .iter()
            .map(|port| &port.0)
            .find(|port| port.name.as_deref() == Some(name))
    }
}

/// What counts where 0 (and, in an object that Kubernetes refuses anyway, less) means the default.
fn positive_or(value: i32, default: u64) -> u64 {
    u64::try_from(value)
        .ok()
        .filter(|v| *v > 0)
        .unwrap_or(default)
}
