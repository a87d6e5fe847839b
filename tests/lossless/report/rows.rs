//! The rows of the proof: which manifest, what is done to it, and under which circumstances.

use std::path::PathBuf;

use super::data::root;

/// A row.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its number: that of its scenario, and a letter.
    pub(crate) id: &'static str,
    /// What is done to what.
    pub(crate) title: &'static str,
    /// A file in `tests/lossless/manifests`, without its extension.
    pub(crate) manifest: &'static str,
    /// Annotations of both Namespaces.
    pub(crate) namespace: &'static [(&'static str, &'static str)],
    pub(crate) action: Action,
    pub(crate) load: Load,
    pub(crate) circumstance: Circumstance,
    /// Whether both sides are measured at the same time, which is so where two cores are enough for both.
    pub(crate) together: bool,
    /// Whether the application finishes requests that still run at SIGTERM, or has none then: `explain` says which may,
    /// and that the application decides.
    pub(crate) finishes: bool,
    /// The port on which a pod that is told to end is asked for Spring Boot's readiness.
    pub(crate) management: Option<u16>,
    /// Whether it belongs to the short form.
    pub(crate) short: bool,
}

/// What is done under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// `kubectl rollout restart`.
    Rollout,
    /// A rollout to a version with these arguments.
    Update(&'static [&'static str]),
    /// `kubectl scale` to each of these in turn.
    Scale(&'static [u32]),
    /// `kubectl delete pod`, of one.
    Delete,
    /// `kubectl delete pod --all`.
    DeleteAll,
    /// `kubectl delete pod --grace-period=0 --force`, of one.
    Force,
    /// The eviction API, for one.
    Evict,
}

/// What else goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Circumstance {
    Usual,
    /// Every replica of Podgrace is replaced, again and again.
    PodgraceRolls,
    /// A replica of Podgrace is killed every two seconds.
    PodgraceIsKilled,
    /// Podgrace has no replicas.
    PodgraceIsAway,
    /// Podgrace is told to write its sleeps as a command.
    ExecSleep,
    /// Four processes take all the processor that they can get.
    BusyNode,
}

/// How many requests a second each kind of client sends, and after how many seconds one counts as lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) rate: u32,
    pub(crate) timeout: u32,
}

/// For requests that take milliseconds.
pub(crate) const USUAL: Load = Load {
    rate: 200,
    timeout: 5,
};

const PLAIN: Row = Row {
    id: "",
    title: "",
    manifest: "",
    namespace: &[],
    action: Action::Rollout,
    load: USUAL,
    circumstance: Circumstance::Usual,
    together: true,
    finishes: true,
    management: None,
    short: false,
};

/// For requests that take 3 s.
const FEW: Load = Load {
    rate: 5,
    timeout: 15,
};

/// For requests that take 8 s.
const LONG: Load = Load {
    rate: 2,
    timeout: 25,
};

/// The first answers of Java are slow.
const SPRING: Row = Row {
    namespace: &[("podgrace.io/profile", "spring-boot")],
    load: Load {
        rate: 50,
        timeout: 10,
    },
    ..PLAIN
};

/// Every row, in the order of the page.
pub(crate) const ROWS: &[Row] = &[
    Row {
        id: "1a",
        title: "Listens after 6 s, livenessProbe: rollout",
        manifest: "slow-start",
        short: true,
        ..PLAIN
    },
    Row {
        id: "1b",
        title: "The same without any probe: rollout",
        manifest: "slow-start-no-probe",
        ..PLAIN
    },
    Row {
        id: "1c",
        title: "The same, and one annotation on its Namespace: startup-probe: port",
        manifest: "slow-start-no-probe",
        namespace: &[("podgrace.io/startup-probe", "port")],
        ..PLAIN
    },
    Row {
        id: "1d",
        title: "1a with only one half: pre-stop-sleep: off",
        manifest: "slow-start",
        namespace: &[("podgrace.io/pre-stop-sleep", "off")],
        ..PLAIN
    },
    Row {
        id: "1e",
        title: "1a with only the other half: startup-probe: off",
        manifest: "slow-start",
        namespace: &[("podgrace.io/startup-probe", "off")],
        ..PLAIN
    },
    Row {
        id: "2a",
        title: "Listens after 6 s: scaled 3 → 6 → 2",
        manifest: "slow-start",
        action: Action::Scale(&[6, 2]),
        ..PLAIN
    },
    Row {
        id: "2b",
        title: "Listens after 6 s: scaled 3 → 30 → 3",
        manifest: "slow-start",
        action: Action::Scale(&[30, 3]),
        together: false,
        ..PLAIN
    },
    Row {
        id: "2c",
        title: "Listens after 6 s, 20 replicas: rollout",
        manifest: "slow-start-20",
        together: false,
        ..PLAIN
    },
    Row {
        id: "3a",
        title: "Exits at once on SIGTERM, requests of 1 ms: rollout",
        manifest: "instant-exit",
        short: true,
        ..PLAIN
    },
    Row {
        id: "3b",
        title: "The same with requests of 50 ms: rollout",
        manifest: "instant-exit-50ms",
        ..PLAIN
    },
    Row {
        id: "3c",
        title: "Requests of 1 ms: scaled 3 → 6 → 2",
        manifest: "instant-exit",
        action: Action::Scale(&[6, 2]),
        ..PLAIN
    },
    Row {
        id: "3d",
        title: "Requests of 50 ms: scaled 3 → 6 → 2",
        manifest: "instant-exit-50ms",
        action: Action::Scale(&[6, 2]),
        ..PLAIN
    },
    Row {
        id: "3e",
        title: "Drains as Go's Shutdown does, requests of 50 ms: rollout",
        manifest: "drains",
        ..PLAIN
    },
    Row {
        id: "3f",
        title: "Says Connection: close for 5 s after SIGTERM: rollout",
        manifest: "announces",
        ..PLAIN
    },
    Row {
        id: "3g",
        title: "3a with a sleep of 1 s: pre-stop-sleep: 1s",
        manifest: "instant-exit",
        namespace: &[("podgrace.io/pre-stop-sleep", "1s")],
        ..PLAIN
    },
    Row {
        id: "3h",
        title: "3a with a sleep of 2 s: pre-stop-sleep: 2s",
        manifest: "instant-exit",
        namespace: &[("podgrace.io/pre-stop-sleep", "2s")],
        ..PLAIN
    },
    Row {
        id: "4",
        title: "Ignores SIGTERM: rollout",
        manifest: "ignores-sigterm",
        short: true,
        ..PLAIN
    },
    Row {
        id: "5a",
        title: "Requests of 3 s, grace period 30 s: rollout",
        manifest: "long-requests",
        load: FEW,
        ..PLAIN
    },
    Row {
        id: "5b",
        title: "Requests of 3 s, grace period 2 s: rollout",
        manifest: "long-requests-grace-2",
        load: FEW,
        ..PLAIN
    },
    Row {
        id: "5c",
        title: "The same, and shutdown-timeout: 4s",
        manifest: "long-requests-stated",
        load: FEW,
        ..PLAIN
    },
    Row {
        id: "6",
        title: "A livenessProbe of 3 s, and a rollout to a version that listens after 6 s",
        manifest: "impatient-liveness",
        action: Action::Update(&["--listens-after=6s", "--on-sigterm=drain"]),
        ..PLAIN
    },
    Row {
        id: "7a",
        title: "Spring Boot 3.3, profile spring-boot: rollout",
        manifest: "spring-3.3",
        ..SPRING
    },
    Row {
        id: "7b",
        title: "Spring Boot 4.1, profile spring-boot: rollout",
        manifest: "spring-4.1",
        ..SPRING
    },
    Row {
        id: "7c",
        title: "Spring Boot 3.3, requests of 8 s: rollout",
        manifest: "spring-3.3-8s",
        load: LONG,
        ..SPRING
    },
    Row {
        id: "7d",
        title: "Spring Boot 4.1, requests of 8 s, management port of its own: rollout",
        manifest: "spring-4.1-8s",
        load: LONG,
        management: Some(8081),
        ..SPRING
    },
    Row {
        id: "7e",
        title: "7b, and Tomcat takes one request of each connection",
        manifest: "spring-4.1-one-request",
        ..SPRING
    },
    Row {
        id: "7f",
        title: "Spring Boot 4.1, requests of 35 s, phase timeout 40 s: rollout",
        manifest: "spring-4.1-phase",
        load: Load {
            rate: 1,
            timeout: 60,
        },
        ..SPRING
    },
    Row {
        id: "7g",
        title: "7c without the profile, so with immediate shutdown: startup-probe: port",
        manifest: "spring-3.3-8s",
        namespace: &[("podgrace.io/startup-probe", "port")],
        load: LONG,
        finishes: false,
        ..SPRING
    },
    Row {
        id: "8a",
        title: "One pod of three deleted",
        manifest: "instant-exit",
        action: Action::Delete,
        ..PLAIN
    },
    Row {
        id: "8b",
        title: "One pod of three deleted with --grace-period=0 --force",
        manifest: "instant-exit",
        action: Action::Force,
        ..PLAIN
    },
    Row {
        id: "8c",
        title: "One pod of three evicted",
        manifest: "instant-exit",
        action: Action::Evict,
        ..PLAIN
    },
    Row {
        id: "8d",
        title: "All three pods deleted at once",
        manifest: "instant-exit",
        action: Action::DeleteAll,
        ..PLAIN
    },
    Row {
        id: "8e",
        title: "All three deleted at once, where a new one listens after 6 s",
        manifest: "slow-start",
        action: Action::DeleteAll,
        ..PLAIN
    },
    Row {
        id: "8f",
        title: "8e, and a sleep that is longer than the start: pre-stop-sleep: 15s",
        manifest: "slow-start",
        namespace: &[("podgrace.io/pre-stop-sleep", "15s")],
        action: Action::DeleteAll,
        ..PLAIN
    },
    Row {
        id: "9a",
        title: "One replica: rollout",
        manifest: "one-replica",
        ..PLAIN
    },
    Row {
        id: "9b",
        title: "One replica, maxSurge 0: rollout",
        manifest: "one-replica-no-surge",
        ..PLAIN
    },
    Row {
        id: "9c",
        title: "One replica, Recreate: rollout",
        manifest: "one-replica-recreate",
        ..PLAIN
    },
    Row {
        id: "9d",
        title: "9b, and a sleep that is longer than the start: pre-stop-sleep: 15s",
        manifest: "one-replica-no-surge",
        namespace: &[("podgrace.io/pre-stop-sleep", "15s")],
        ..PLAIN
    },
    Row {
        id: "10a",
        title: "A proxy in front, as a native sidecar: rollout",
        manifest: "proxy-native",
        ..PLAIN
    },
    Row {
        id: "10b",
        title: "A mesh proxy in front that leaves 5 s after SIGTERM: rollout",
        manifest: "proxy-ordinary",
        ..PLAIN
    },
    Row {
        id: "10c",
        title: "The same, and the proxy has a preStop sleep of 5 s",
        manifest: "proxy-ordinary-hook",
        ..PLAIN
    },
    Row {
        id: "10d",
        title: "10b, and an annotation asks for the proxy's sleep by name",
        manifest: "proxy-ordinary-named",
        ..PLAIN
    },
    Row {
        id: "10e",
        title: "10b, and the application alone sleeps, by hand",
        manifest: "proxy-ordinary-by-hand",
        ..PLAIN
    },
    Row {
        id: "11a",
        title: "1a while Podgrace is replaced",
        manifest: "slow-start",
        circumstance: Circumstance::PodgraceRolls,
        ..PLAIN
    },
    Row {
        id: "11b",
        title: "1a while Podgrace's replicas are killed",
        manifest: "slow-start",
        circumstance: Circumstance::PodgraceIsKilled,
        ..PLAIN
    },
    Row {
        id: "11c",
        title: "1a while Podgrace is away",
        manifest: "slow-start",
        circumstance: Circumstance::PodgraceIsAway,
        ..PLAIN
    },
    Row {
        id: "11d",
        title: "3a while Podgrace is replaced",
        manifest: "instant-exit",
        circumstance: Circumstance::PodgraceRolls,
        ..PLAIN
    },
    Row {
        id: "11e",
        title: "3a while Podgrace's replicas are killed",
        manifest: "instant-exit",
        circumstance: Circumstance::PodgraceIsKilled,
        ..PLAIN
    },
    Row {
        id: "11f",
        title: "3a while Podgrace is away",
        manifest: "instant-exit",
        circumstance: Circumstance::PodgraceIsAway,
        ..PLAIN
    },
    Row {
        id: "12a",
        title: "A sleep as a command, in an image that has it: rollout",
        manifest: "with-sleep-program",
        circumstance: Circumstance::ExecSleep,
        ..PLAIN
    },
    Row {
        id: "12b",
        title: "A sleep as a command, in an image without it: rollout",
        manifest: "instant-exit",
        circumstance: Circumstance::ExecSleep,
        ..PLAIN
    },
    Row {
        id: "12c",
        title: "Listens after 6 s, readinessProbe alone: rollout",
        manifest: "slow-start-readiness",
        ..PLAIN
    },
    Row {
        id: "12d",
        title: "1a on a node whose processors are busy",
        manifest: "slow-start",
        circumstance: Circumstance::BusyNode,
        ..PLAIN
    },
];

impl Row {
    /// The number of the scenario: the digits of the row's.
    pub(crate) fn scenario(&self) -> &'static str {
        self.id.trim_end_matches(|c: char| c.is_ascii_lowercase())
    }

    /// The manifests that are applied on both sides.
    pub(crate) fn manifest_file(&self) -> PathBuf {
        root().join(format!("manifests/{}.yaml", self.manifest))
    }

    /// A checksum of what is applied and done on both sides.
    pub(crate) fn digest(&self) -> String {
        let file = self.manifest_file();
        let text = std::fs::read(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        let mut all = ring::digest::Context::new(&ring::digest::SHA256);
        all.update(&text);
        let Self {
            namespace,
            action,
            load,
            circumstance,
            ..
        } = self;
        all.update(format!("{namespace:?} {action:?} {load:?} {circumstance:?}").as_bytes());
        let bytes = all.finish();
        let start = bytes.as_ref().iter().take(8);
        start.map(|byte| format!("{byte:02x}")).collect()
    }
}
