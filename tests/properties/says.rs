//! What pods, namespaces and the configuration say under our domain: right values, garbage, near misses.

use podgrace::lifecycle::annotations::Said;
use podgrace::lifecycle::handler::Source;
use podgrace::lifecycle::json::StrMap;
use podgrace::lifecycle::policy::{Mode, Policy, SleepAction};
use podgrace::lifecycle::profiles::Profile;
use podgrace::lifecycle::settings::{Setting, Settings};
use serde_json::{Map, Value};

use super::dice::Dice;

const GARBAGE: [&str; 16] = [
    "",
    " ",
    "∞",
    "5",
    "-5s",
    "0s",
    "99999999999999999999s",
    "of",
    "a\nb",
    "a\nb://:80",
    "\u{202e}\"\\",
    "{",
    "null",
    r#"{"httpGet":{"port":8080,"host":"10.0.0.1"}}"#,
    r#"{"httpGet":{"port":"8080"}}"#,
    "exec:[\"\"]",
];

fn values(setting: Setting) -> &'static [&'static str] {
    match setting {
        Setting::Profile => &[
            "spring-boot",
            "spring-boot",
            "ingress-nginx",
            "aws-nlb, ingress-nginx",
            "house",
            "none",
            "none,spring-boot",
            "spring-bot",
        ],
        Setting::StartupProbe => &[
            "auto",
            "off",
            "liveness",
            "readiness",
            "readiness",
            "port",
            "http://:8080/healthz",
            "https://:web/ready?a=~1",
            "tcp://:5432",
            "tcp://:nobody",
            "grpc://:9090/service",
            r#"exec:["cat","/tmp/\u00e9"]"#,
            r#"{"httpGet":{"port":"web","path":"/x","httpHeaders":[{"name":"X-A","value":"\"1\""}]},"periodSeconds":2}"#,
            r#"{"tcpSocket":{"port":5432},"failureThreshold":2147483647,"periodSeconds":2147483647,"initialDelaySeconds":2147483647}"#,
            r#"{"exec":{"command":["true"]},"terminationGracePeriodSeconds":5,"successThreshold":0,"timeoutSeconds":2147483647}"#,
            r#"{"grpc":{"port":9090},"failureThreshold":1}"#,
            r#"{"httpGet":{"port":"8080"}}"#,
            r#"{"httpGet":{"port":8080,"scheme":"","path":"","httpHeaders":[]},"successThreshold":2}"#,
            r#"{"tcpSocket":{"port":8080},"exec":null,"terminationGracePeriodSeconds":0}"#,
            r#"{"exec":{"command":[]}}"#,
        ],
        Setting::StartupTimeout => &["150s", "10m", "601s", "1ms", "2147483647s"],
        Setting::StartupPeriod => &["1s", "10s", "1h", "2147483647s"],
        Setting::PreStopSleep => &[
            "5s",
            "off",
            "0s",
            "10s",
            "500ms",
            "40s",
            "40s",
            "2147483647s",
        ],
        Setting::ShutdownTimeout => &["20s", "1m30s", "1h", "2147483647s"],
        Setting::GracePeriod => &["auto", "off", "off", "60s", "1s", "2147483647s"],
        Setting::Ignore => &[
            "grace-zero: batch; pre-stop-short: reason",
            "no-such-rule: x",
        ],
    }
}

fn value(dice: &mut Dice<'_>, setting: Setting) -> &'static str {
    if dice.once_in(6) {
        dice.pick(&GARBAGE)
    } else {
        dice.pick(values(setting))
    }
}

pub(super) fn labels(dice: &mut Dice<'_>) -> Value {
    let mut labels = Map::from_iter([("app".to_owned(), "shop".into())]);
    for _ in 0..dice.below(2) {
        let key = dice.mostly(
            &["podgrace.io/mode"],
            &[
                "podgrace.io/pre-stop-sleep",
                "x.podgrace.io/y",
                "podgrace.io/mod",
            ],
        );
        let mode = dice.mostly(
            &["enforce", "enforce", "audit", "off"],
            &["", "Enforce", "no\nyes", "∞"],
        );
        labels.insert(key.into(), mode.into());
    }
    labels.into()
}

/// A pod's annotations. `containers` are the names that it has.
pub(super) fn annotations(dice: &mut Dice<'_>, containers: &[&str]) -> Value {
    let mut annotations = Map::from_iter([("team".to_owned(), "a".into())]);
    if dice.once_in(6) {
        annotations.insert("podgrace.io/profile".into(), "spring-boot".into());
    }
    for _ in 0..dice.below(6) {
        let setting = match dice.below(10) {
            8 => Setting::StartupProbe,
            9 => Setting::PreStopSleep,
            at => Setting::ALL[at],
        };
        let name = setting.name();
        let key = match dice.below(16) {
            0..=6 => format!("podgrace.io/{name}"),
            7..=12 => format!("{name}.podgrace.io/{}", dice.pick(containers)),
            13 => format!("{name}.podgrace.io/wbe"),
            14 => format!("podgrace.io/{}", &name[1..]),
            _ => dice
                .pick(&[
                    "podgrace.io/injected",
                    "podgrace.io/mode",
                    "podgrace.io/",
                    ".podgrace.io/web",
                    "a\nb.podgrace.io/web",
                    "notpodgrace.io/pre-stop-sleep",
                    "podgrace.io",
                    "kubernetes.io/config.mirror",
                ])
                .to_owned(),
        };
        annotations.insert(key, value(dice, setting).into());
    }
    annotations.into()
}

/// A Namespace, where one is known.
pub(super) fn namespace(dice: &mut Dice<'_>) -> Option<Said> {
    if !dice.once_in(2) {
        return None;
    }
    let texts = |map: Value| match map {
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, value.as_str().unwrap_or_default().to_owned()))
            .collect::<Vec<(String, String)>>(),
        _ => Vec::new(),
    };
    let (labels, annotations) = (texts(labels(dice)), texts(annotations(dice, &["web"])));
    let map = |pairs: &[(String, String)]| {
        let said = serde_json::to_string(&Map::from_iter(
            pairs.iter().map(|(k, v)| (k.clone(), v.clone().into())),
        ));
        said.expect("a map of texts")
    };
    let (labels, annotations) = (map(&labels), map(&annotations));
    let read = |text| serde_json::from_str::<StrMap<'_>>(text).expect("a map of texts");
    Some(Said::by_namespace(&read(&labels), &read(&annotations)))
}

fn settings(dice: &mut Dice<'_>) -> Settings {
    let mut settings = Settings::default();
    for _ in 0..dice.below(3) {
        let setting = dice.pick(&Setting::ALL);
        // What does not parse leaves the place as it was; so would the configuration's reader.
        let _ = settings.set(setting, value(dice, setting));
    }
    settings
}

/// A configuration.
pub(super) fn policy(dice: &mut Dice<'_>) -> Policy {
    let default = Policy::default();
    if !dice.once_in(2) {
        return default;
    }
    let house = Profile {
        settings: settings(dice),
        spring_boot: dice.once_in(4),
        about: "of the house",
    };
    Policy {
        mode: dice.pick(&[
            Mode::Enforce,
            Mode::Enforce,
            Mode::Enforce,
            Mode::Audit,
            Mode::Off,
        ]),
        defaults: settings(dice),
        auto_sources: dice.pick(&[
            vec![Source::Liveness],
            vec![],
            vec![Source::Liveness, Source::Readiness, Source::Port],
            vec![Source::Port],
            vec![Source::Readiness, Source::SpringBoot],
        ]),
        margin: dice.pick(&[5, 0, u32::MAX]),
        longest_grace: dice.pick(&[600, 0, u32::MAX]),
        profiles: [("house".to_owned(), house)].into(),
        excluded_namespaces: dice.mostly(&[vec![]], &[vec!["sh*".into()]]),
        excluded_containers: vec!["left-alone".into()],
        sleep_action: dice.pick(&[
            SleepAction::Native,
            SleepAction::Exec,
            SleepAction::Native,
            SleepAction::Off,
        ]),
        ..default
    }
}
