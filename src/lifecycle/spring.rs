//! What a Spring Boot container says about itself, and what profile `spring-boot` adds.
//!
//! A property can be stated as an argument, in `SPRING_APPLICATION_JSON`, as a system property and as a
//! variable, in this order of strength, and spelled in several ways; Spring's relaxed binding ignores
//! case, dots, dashes and underscores, and so do we.

use std::borrow::Cow;

use serde_json::Value;

use super::pod::Container;

/// How long one phase of the shutdown may take.
pub const PHASE_TIMEOUT: &str = "spring.lifecycle.timeout-per-shutdown-phase";
/// `graceful` or `immediate`.
pub const SHUTDOWN: &str = "server.shutdown";
/// Whether the liveness and readiness groups exist.
pub const HEALTH_GROUPS: &str = "management.endpoint.health.probes.enabled";

/// Variables whose value the JVM or a start script turns into arguments of the JVM.
const JVM_OPTIONS: [&str; 3] = ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "JAVA_OPTS"];

/// The most bytes of JSON that are read: each of its keys is compared with each property that is looked for.
const LONGEST_JSON: usize = 16 * 1024;

/// What a container says about a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Property<'s> {
    /// Nothing that we can see.
    Absent,
    /// A literal value.
    Stated(Cow<'s, str>),
    /// Something that we cannot read: a reference, or a placeholder.
    Unknown,
}

/// Where the actuator's liveness group answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actuator {
    /// The port.
    pub port: u16,
    /// The path.
    pub path: String,
}

/// Why it is not clear where the actuator answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoActuator {
    /// No literal port and not exactly one TCP port.
    Port,
    /// The application terminates TLS.
    Tls,
    /// Something that the container says, or takes from elsewhere, may have moved or switched off the liveness group.
    Unclear,
}

/// What the container says about a property, in the strongest place that says something.
pub fn property<'s>(container: &'s Container<'_>, name: &str) -> Property<'s> {
    let found = argument(container, "--", name)
        .or_else(|| from_json(container, name))
        .or_else(|| argument(container, "-D", name))
        .or_else(|| jvm_option(container, name))
        .or_else(|| variable(container, name));
    match found {
        Some(Property::Stated(value)) if value.contains("${") || value.contains("$(") => {
            Property::Unknown
        }
        Some(property) => property,
        None => Property::Absent,
    }
}

/// The phase timeout that the container states, in seconds rounded up.
pub fn phase_timeout(container: &Container<'_>) -> Option<u64> {
    match property(container, PHASE_TIMEOUT) {
        Property::Stated(value) => duration(&value),
        Property::Absent | Property::Unknown => None,
    }
}

/// Where the actuator's liveness group answers: on a literal `management.server.port` or `server.port`,
/// else on the only TCP port.
///
/// # Errors
/// Why that is not clear.
pub fn actuator(container: &Container<'_>) -> Result<Actuator, NoActuator> {
    let text = |name| match property(container, name) {
        Property::Stated(value) => Ok(Some(value)),
        Property::Absent => Ok(None),
        Property::Unknown => Err(NoActuator::Port),
    };
    let management_port = text("management.server.port")?;
    // The same port means the same server, with all that is said of it.
    let has_own_port = match &management_port {
        Some(own) => own.trim() != text("server.port")?.as_deref().unwrap_or("8080").trim(),
        None => false,
    };
    if has_tls(container, has_own_port) {
        return Err(NoActuator::Tls);
    }
    let elsewhere: &[&str] = match has_own_port {
        true => &["management.server.address", "server.address"],
        false => &[
            "server.address",
            "spring.mvc.servlet.path",
            "spring.jersey.application-path",
        ],
    };
    let is_elsewhere = |name: &&str| says_something_below(container, name);
    if elsewhere.iter().any(is_elsewhere) || !has_liveness_group(container) {
        return Err(NoActuator::Unclear);
    }
    let stated = match &management_port {
        Some(port) => Some(port.clone()),
        None => text("server.port")?,
    };
    let port = match stated {
        // 0 is any free port and -1 none at all: neither can be asked.
        Some(port) => port
            .trim()
            .parse()
            .ok()
            .filter(|p| *p > 0)
            .ok_or(NoActuator::Port)?,
        None => {
            let mut ports = container.tcp_ports();
            match (ports.next(), ports.next()) {
                (Some(port), None) => {
                    u16::try_from(port.container_port).map_err(|_| NoActuator::Port)?
                }
                _ => return Err(NoActuator::Port),
            }
        }
    };
    let before = if has_own_port {
        text("management.server.base-path")?
    } else {
        match text("server.servlet.context-path")? {
            Some(path) => Some(path),
            None => text("spring.webflux.base-path")?,
        }
    };
    let base = text("management.endpoints.web.base-path")?;
    let path = format!(
        "/{}/{}/health/liveness",
        before.as_deref().unwrap_or_default().trim_matches('/'),
        base.as_deref().unwrap_or("/actuator").trim_matches('/')
    );
    Ok(Actuator {
        port,
        // A part that is empty or "/" leaves no trace.
        path: path.replace("///", "/").replace("//", "/"),
    })
}

/// Whether the actuator may answer over TLS. A port of its own has the application's TLS too, where nothing else is said
/// of it (`ManagementWebServerFactoryCustomizer`, spring-boot).
fn has_tls(container: &Container<'_>, has_own_port: bool) -> bool {
    if has_own_port {
        let enabled = property(container, "management.server.ssl.enabled");
        if matches!(enabled, Property::Stated(value) if value.trim().eq_ignore_ascii_case("false"))
        {
            return false;
        }
    }
    says_something_below(container, "server.ssl")
        || (has_own_port && says_something_below(container, "management.server.ssl"))
}

/// Whether nothing speaks against the liveness group answering below the actuator's path.
fn has_liveness_group(container: &Container<'_>) -> bool {
    let is = |name, holds: &dyn Fn(&str) -> bool| match property(container, name) {
        Property::Absent => !says_something_below(container, name),
        Property::Stated(value) => holds(value.trim()),
        Property::Unknown => false,
    };
    let is_true = |value: &str| value.eq_ignore_ascii_case("true");
    let names_health = |list: &str| {
        list.split(',')
            .any(|id| matches!(id.trim(), "health" | "*"))
    };
    container.env_from.is_empty()
        && [
            HEALTH_GROUPS,
            "management.endpoint.health.enabled",
            "management.endpoints.enabled-by-default",
        ]
        .iter()
        .all(|name| is(name, &is_true))
        && is("management.endpoints.web.exposure.include", &names_health)
        && is("management.endpoints.web.exposure.exclude", &|list| {
            !names_health(list)
        })
        && ![
            "management.endpoint.health.access",
            "management.endpoints.access",
            "management.endpoints.web.path-mapping",
        ]
        .iter()
        .any(|name| says_something_below(container, name))
}

/// A duration as Spring reads it for this property, in seconds rounded up: a number alone is milliseconds.
pub fn duration(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        let iso: jiff::SignedDuration =
            text.parse().ok().filter(|_| text.starts_with(['P', 'p']))?;
        let seconds = u64::try_from(iso.as_secs()).ok()?;
        return Some(seconds + u64::from(iso.subsec_nanos() > 0));
    }
    let number: u64 = text[..digits].parse().ok()?;
    Some(match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "ms" => number.div_ceil(1_000),
        "us" => number.div_ceil(1_000_000),
        "ns" => number.div_ceil(1_000_000_000),
        "s" => number,
        "m" => number.saturating_mul(60),
        "h" => number.saturating_mul(3_600),
        "d" => number.saturating_mul(86_400),
        _ => return None,
    })
}

/// `--name=value` (or `-Dname=value`) among the words of command and arguments; a shell line is split too.
fn argument<'s>(container: &'s Container<'_>, prefix: &str, name: &str) -> Option<Property<'s>> {
    container
        .command
        .iter()
        .chain(&container.args)
        .find_map(|argument| option(argument, prefix, name))
}

fn jvm_option<'s>(container: &'s Container<'_>, name: &str) -> Option<Property<'s>> {
    container
        .env()
        .iter()
        .filter(|variable| JVM_OPTIONS.contains(&&*variable.name))
        .find_map(|variable| option(variable.literal()?, "-D", name))
}

fn option<'s>(words: &'s str, prefix: &str, name: &str) -> Option<Property<'s>> {
    if !words.contains(prefix) {
        return None;
    }
    split(words)
        .filter_map(|word| word.strip_prefix(prefix)?.split_once('='))
        .find(|(key, _)| same(key, name))
        .map(|(_, value)| Property::Stated(Cow::Borrowed(value)))
}

/// The words of a shell line or of a variable with options.
fn split(words: &str) -> impl Iterator<Item = &str> {
    words.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\''))
}

fn from_json<'s>(container: &'s Container<'_>, name: &str) -> Option<Property<'s>> {
    let Some(text) = json(container)? else {
        return Some(Property::Unknown);
    };
    let value: Value = serde_json::from_str(text).ok()?;
    leaf(&value, "", &|path| same(path, name)).map(|found| match found {
        Value::String(text) => Property::Stated(Cow::Owned(text.clone())),
        other => Property::Stated(Cow::Owned(other.to_string())),
    })
}

/// What `SPRING_APPLICATION_JSON` says: none inside where that is a reference, or longer than anybody writes by hand.
fn json<'s>(container: &'s Container<'_>) -> Option<Option<&'s str>> {
    let mut variables = container.env().iter().rev();
    let found = variables.find(|variable| same(&variable.name, "spring.application.json"))?;
    Some(found.literal().filter(|text| text.len() <= LONGEST_JSON))
}

/// The first value of a nested object, whose keys may themselves be dotted, in a place that `is_meant`.
fn leaf<'v>(value: &'v Value, path: &str, is_meant: &dyn Fn(&str) -> bool) -> Option<&'v Value> {
    let Value::Object(map) = value else {
        return is_meant(path).then_some(value);
    };
    map.iter()
        .find_map(|(key, value)| leaf(value, &format!("{path}.{key}"), is_meant))
}

fn variable<'s>(container: &'s Container<'_>, name: &str) -> Option<Property<'s>> {
    // The last of two variables of one name counts.
    let variable = container
        .env()
        .iter()
        .rev()
        .find(|variable| same(&variable.name, name))?;
    Some(match variable.literal() {
        Some(value) => Property::Stated(Cow::Borrowed(value)),
        None => Property::Unknown,
    })
}

/// Whether anything below a property is named anywhere, as `server.ssl` for `SERVER_SSL_KEY_STORE`.
fn says_something_below(container: &Container<'_>, name: &str) -> bool {
    let below = |key: &str| {
        let mut key = letters(key);
        letters(name).all(|letter| key.next() == Some(letter))
    };
    let env = || container.env().iter();
    let options = env().filter(|variable| JVM_OPTIONS.contains(&&*variable.name));
    let arguments = container.command.iter().chain(&container.args);
    let json = json(container).flatten();
    let json = json.and_then(|text| serde_json::from_str::<Value>(text).ok());
    env().any(|variable| below(&variable.name))
        || arguments
            .map(|argument| &**argument)
            .chain(options.filter_map(|variable| variable.literal()))
            .flat_map(split)
            .filter_map(|word| word.strip_prefix("--").or_else(|| word.strip_prefix("-D")))
            .any(below)
        || json.is_some_and(|value| leaf(&value, "", &below).is_some())
}

/// Whether two spellings mean one property.
fn same(spelling: &str, name: &str) -> bool {
    letters(spelling).eq(letters(name))
}

fn letters(text: &str) -> impl Iterator<Item = u8> {
    text.bytes()
        .filter(u8::is_ascii_alphanumeric)
        .map(|b| b.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(json: &str) -> Container<'_> {
        serde_json::from_str(json).expect("a container")
    }

    #[test]
    fn the_phase_timeout_is_found_wherever_spring_finds_it() {
        for (json, expected) in [
            (
                r#"{"env":[{"name":"SPRING_LIFECYCLE_TIMEOUT_PER_SHUTDOWN_PHASE","value":"20s"}]}"#,
                Some(20),
            ),
            (
                r#"{"env":[{"name":"SPRING_LIFECYCLE_TIMEOUTPERSHUTDOWNPHASE","value":"1m"}]}"#,
                Some(60),
            ),
            (
                r#"{"env":[{"name":"spring.lifecycle.timeout-per-shutdown-phase","value":"1500"}]}"#,
                Some(2),
            ),
            (
                r#"{"args":["--spring.lifecycle.timeout-per-shutdown-phase=PT45S"]}"#,
                Some(45),
            ),
            (
                r#"{"command":["sh","-c","exec java -Dspring.lifecycle.timeoutPerShutdownPhase=9s -jar a.jar"]}"#,
                Some(9),
            ),
            (
                r#"{"env":[{"name":"JAVA_TOOL_OPTIONS","value":"-Xmx1g -Dspring.lifecycle.timeout-per-shutdown-phase=7s"}]}"#,
                Some(7),
            ),
            (
                r#"{"env":[{"name":"SPRING_APPLICATION_JSON","value":"{\"spring\":{\"lifecycle\":{\"timeout-per-shutdown-phase\":\"8s\"}}}"}]}"#,
                Some(8),
            ),
            (
                r#"{"env":[{"name":"SPRING_APPLICATION_JSON","value":"{\"spring.lifecycle.timeout-per-shutdown-phase\":\"8s\"}"}]}"#,
                Some(8),
            ),
            (
                r#"{"args":["--spring.lifecycle.timeout-per-shutdown-phase=1s"],"env":[{"name":"SPRING_LIFECYCLE_TIMEOUT_PER_SHUTDOWN_PHASE","value":"20s"}]}"#,
                Some(1),
            ),
            (
                r#"{"env":[{"name":"SPRING_LIFECYCLE_TIMEOUT_PER_SHUTDOWN_PHASE","value":"${T:20s}"}]}"#,
                None,
            ),
            (
                r#"{"env":[{"name":"SPRING_LIFECYCLE_TIMEOUT_PER_SHUTDOWN_PHASE","valueFrom":{}}]}"#,
                None,
            ),
            (
                r#"{"env":[{"name":"SPRING_LIFECYCLE","value":"20s"}]}"#,
                None,
            ),
            (r"{}", None),
        ] {
            assert_eq!(phase_timeout(&container(json)), expected, "{json}");
        }
    }

    #[test]
    fn the_actuator_is_found_or_the_reason_is_said() {
        for (json, expected) in [
            (
                r#"{"ports":[{"containerPort":4000}]}"#,
                Ok((4000, "/actuator/health/liveness")),
            ),
            (
                r#"{"env":[{"name":"SERVER_PORT","value":"4000"}]}"#,
                Ok((4000, "/actuator/health/liveness")),
            ),
            (
                r#"{"env":[{"name":"SERVER_PORT","value":"4000"},{"name":"MANAGEMENT_SERVER_PORT","value":"9000"},
                    {"name":"SERVER_SERVLET_CONTEXT_PATH","value":"/shop"}]}"#,
                Ok((9000, "/actuator/health/liveness")),
            ),
            (
                r#"{"args":["--server.servlet.context-path=/shop","--management.endpoints.web.base-path=/"],
                    "ports":[{"containerPort":4000}]}"#,
                Ok((4000, "/shop/health/liveness")),
            ),
            (
                r#"{"ports":[{"containerPort":1},{"containerPort":2}]}"#,
                Err(NoActuator::Port),
            ),
            (
                r#"{"env":[{"name":"SERVER_PORT","value":"0"}]}"#,
                Err(NoActuator::Port),
            ),
            (
                r#"{"env":[{"name":"SERVER_PORT","valueFrom":{}}]}"#,
                Err(NoActuator::Port),
            ),
            (
                r#"{"env":[{"name":"SERVER_SSL_KEY_STORE","value":"x"}],"ports":[{"containerPort":1}]}"#,
                Err(NoActuator::Tls),
            ),
        ] {
            let expected = expected.map(|(port, path)| Actuator {
                port,
                path: path.to_owned(),
            });
            assert_eq!(actuator(&container(json)), expected, "{json}");
        }
    }
}
