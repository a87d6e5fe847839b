//! `preStop` hooks: how long one takes, where that can be read from it.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::json::{Object, Str, null_as_default};

/// A lifecycle handler.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hook<'a> {
    /// Runs a command in the container.
    #[serde(borrow, default)]
    pub exec: Option<Object<Exec<'a>>>,
    /// Sleeps in the kubelet (KEP-3960).
    #[serde(default)]
    pub sleep: Option<Object<Sleep>>,
    /// Calls the container.
    #[serde(default)]
    pub http_get: Option<IgnoredAny>,
}

/// A command.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Exec<'a> {
    /// The command and its arguments; no shell.
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub command: Vec<Str<'a>>,
}

/// A sleep action.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Sleep {
    /// How long, in seconds.
    #[serde(default, deserialize_with = "null_as_default")]
    pub seconds: i64,
}

impl Hook<'_> {
    /// How long the hook takes, in whole seconds rounded up, where it is nothing but a sleep: the native
    /// action, `["sleep","N"]`, or a shell that runs `sleep N`. Anything else is of unknown length.
    pub fn seconds(&self) -> Option<u64> {
        if let Some(sleep) = &self.sleep {
            return u64::try_from(sleep.seconds).ok();
        }
        let command: Vec<&str> = self.exec.as_ref()?.command.iter().map(|s| &**s).collect();
        match command.as_slice() {
            [program, seconds] if base(program) == "sleep" => sleep_argument(seconds),
            [shell, "-c", script] if matches!(base(shell), "sh" | "bash" | "ash" | "dash") => {
                let mut words = script.trim().trim_end_matches(';').split_ascii_whitespace();
                match (words.next(), words.next(), words.next()) {
                    (Some(program), Some(seconds), None) if base(program) == "sleep" => {
                        sleep_argument(seconds)
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Whether it is an exec of a `sleep` program, which fails where the image has none.
    pub fn is_exec_sleep(&self) -> bool {
        self.exec.is_some() && self.seconds().is_some()
    }
}

/// The last part of a program's path.
fn base(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// The argument of `sleep` as GNU and busybox take it: a number, maybe with a fraction, and s, m, h or d.
fn sleep_argument(argument: &str) -> Option<u64> {
    let (number, unit) = match argument.char_indices().last()? {
        (at, 's') => (&argument[..at], 1.0),
        (at, 'm') => (&argument[..at], 60.0),
        (at, 'h') => (&argument[..at], 3600.0),
        (at, 'd') => (&argument[..at], 86400.0),
        _ => (argument, 1.0),
    };
    if !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let seconds = (number.parse::<f64>().ok()? * unit).ceil();
    // A float beyond u64 saturates.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked: not negative, and as-casts saturate"
    )]
    (seconds.is_finite() && seconds >= 0.0).then_some(seconds as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(json: &str) -> Option<u64> {
        serde_json::from_str::<Hook<'_>>(json)
            .expect("a hook")
            .seconds()
    }

    #[test]
    fn sleeps_are_read_and_everything_else_is_unknown() {
        for (json, expected) in [
            (r#"{"sleep":{"seconds":5}}"#, Some(5)),
            (r#"{"exec":{"command":["sleep","7"]}}"#, Some(7)),
            (r#"{"exec":{"command":["/bin/sleep","1.2"]}}"#, Some(2)),
            (r#"{"exec":{"command":["sh","-c","sleep 10"]}}"#, Some(10)),
            (
                r#"{"exec":{"command":["/bin/sh","-c"," sleep 1m; "]}}"#,
                Some(60),
            ),
            (
                r#"{"exec":{"command":["sh","-c","sleep 5 && nginx -s quit"]}}"#,
                None,
            ),
            (r#"{"exec":{"command":["sleep","$N"]}}"#, None),
            (r#"{"exec":{"command":["sleep"]}}"#, None),
            (r#"{"exec":{"command":["sleep",""]}}"#, None),
            (r#"{"httpGet":{"port":1}}"#, None),
            (r#"{"sleep":{"seconds":-1}}"#, None),
        ] {
            assert_eq!(seconds(json), expected, "{json}");
        }
    }
}
