//! Profiles: named sets of settings. The built-in ones, with the sources of their numbers.
//!
//! Each has a page in `docs/profiles/`.

use std::sync::LazyLock;

use super::handler::{Source, StartupProbe};
use super::settings::{Settings, Sleep};

/// A named set of settings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    /// What it sets.
    pub settings: Settings,
    /// Whether it sets Spring Boot's variables too.
    pub spring_boot: bool,
    /// What it is for, in one line.
    pub about: &'static str,
}

/// The built-in profiles by name.
static BUILT_IN: LazyLock<[(&str, Profile); 6]> = LazyLock::new(|| {
    [
        (
            "spring-boot",
            Profile {
                settings: Settings {
                    startup_probe: Some(StartupProbe::Source(Source::SpringBoot)),
                    // spring.lifecycle.timeout-per-shutdown-phase where nobody sets it.
                    shutdown_timeout: Some(30),
                    ..Settings::default()
                },
                spring_boot: true,
                about: "Spring Boot with the actuator: liveness group, graceful shutdown, 30s phase timeout",
            },
        ),
        (
            "cluster-service",
            sleeps(
                5,
                "callers in the cluster, through a Service and kube-proxy",
            ),
        ),
        (
            "ingress-nginx",
            sleeps(
                10,
                "behind ingress-nginx, which follows EndpointSlices itself",
            ),
        ),
        ("aws-alb", sleeps(60, "behind an AWS ALB with IP targets")),
        ("aws-nlb", sleeps(150, "behind an AWS NLB with IP targets")),
        (
            "gke-neg",
            sleeps(60, "behind GKE container-native load balancing"),
        ),
    ]
});

fn sleeps(seconds: u32, about: &'static str) -> Profile {
    Profile {
        settings: Settings {
            pre_stop_sleep: Some(Sleep::Seconds(seconds)),
            ..Settings::default()
        },
        spring_boot: false,
        about,
    }
}

impl Profile {
    /// The built-in profile of that name.
    pub fn built_in(name: &str) -> Option<&'static Self> {
        BUILT_IN
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, profile)| profile)
    }

    /// The names of the built-in profiles.
    pub fn built_in_names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }
}
