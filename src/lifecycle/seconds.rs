//! Durations as annotations and configuration state them, and as people are told of them.

use std::str::FromStr;

use jiff::SignedDuration;

/// The longest duration that a setting may state, in seconds: what a probe's int32 fields hold.
pub const LONGEST: u32 = i32::MAX as u32;

/// Reads a duration (`90s`, `2m30s`, `1h`) in whole seconds, rounded up; zero is allowed.
///
/// # Errors
/// One clause that says what is wrong, to stand behind the value in a sentence.
pub fn parse_or_zero(text: &str) -> Result<u32, String> {
    let duration =
        SignedDuration::from_str(text.trim()).map_err(|_| not_a_duration(text.trim()))?;
    if duration.is_negative() {
        return Err("is negative".into());
    }
    let whole = duration
        .as_secs()
        .saturating_add(i64::from(duration.subsec_nanos() > 0));
    u32::try_from(whole)
        .ok()
        .filter(|seconds| *seconds <= LONGEST)
        .ok_or_else(|| format!("is longer than {LONGEST}s"))
}

/// Reads a duration in whole seconds, rounded up; zero is not allowed.
///
/// # Errors
/// As [`parse_or_zero`].
pub fn parse(text: &str) -> Result<u32, String> {
    match parse_or_zero(text)? {
        0 => Err("is zero".into()),
        seconds => Ok(seconds),
    }
}

/// A duration as people say it: `59 days`, `7 h`, `30 s`.
pub fn rough(seconds: u64) -> String {
    match seconds {
        seconds if seconds >= 2 * 86_400 => format!("{} days", seconds / 86_400),
        seconds if seconds >= 2 * 3_600 => format!("{} h", seconds / 3_600),
        seconds if seconds >= 120 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

fn not_a_duration(text: &str) -> String {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return format!("has no unit (write {text}s)");
    }
    "is not a duration (write 90s or 2m30s)".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_round_up_and_refuse_what_means_nothing() {
        assert_eq!(parse("150s"), Ok(150));
        assert_eq!(parse("2m30s"), Ok(150));
        assert_eq!(parse("1.5h"), Ok(5400));
        assert_eq!(parse("500ms"), Ok(1));
        assert_eq!(parse_or_zero("0s"), Ok(0));
        assert_eq!(parse("0s"), Err("is zero".into()));
        assert_eq!(parse("-5s"), Err("is negative".into()));
        assert_eq!(parse("90"), Err("has no unit (write 90s)".into()));
        for nonsense in ["", "abc", "5 bananas", "1h abc", "∞"] {
            assert!(parse(nonsense).is_err(), "{nonsense:?}");
        }
        assert_eq!(
            parse("2147483648s"),
            Err("is longer than 2147483647s".into())
        );
    }
}
