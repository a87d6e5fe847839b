//! The variables that profile `spring-boot` sets.

use super::pod::Container;
use super::resolve::Resolved;
use super::skip::Skip;
use super::spring::{self, Property};

/// Each variable's name and value, or why it is not set: the container says otherwise, or may.
pub(super) fn variables(
    container: &Container<'_>,
    settings: &Resolved<'_>,
) -> Vec<Result<(&'static str, String), Skip>> {
    if settings.spring_boot.is_none() {
        return Vec::new();
    }
    if !container.env_from.is_empty() {
        return vec![Err(Skip::EnvFrom)];
    }
    // Only what somebody states: the jar may say more, and Boot's own default is 30 s.
    let phase = settings
        .shutdown_timeout
        .as_ref()
        .filter(|c| c.origin.profile.is_none())
        .map(|c| format!("{}s", c.value));
    let all = [
        (spring::SHUTDOWN, "SERVER_SHUTDOWN", Some("graceful".into())),
        (
            spring::HEALTH_GROUPS,
            "MANAGEMENT_ENDPOINT_HEALTH_PROBES_ENABLED",
            Some("true".into()),
        ),
        (
            spring::PHASE_TIMEOUT,
            "SPRING_LIFECYCLE_TIMEOUT_PER_SHUTDOWN_PHASE",
            phase,
        ),
    ];
    all.into_iter()
        .filter_map(|(property, name, value)| {
            let value = value?;
            Some(match spring::property(container, property) {
                Property::Absent => Ok((name, value)),
                Property::Stated(_) | Property::Unknown => Err(Skip::VariableStated(property)),
            })
        })
        .collect()
}
