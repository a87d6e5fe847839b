//! What Kubernetes does at the edges that the engine leans on: a release that does otherwise fails here.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Outcome, pod, web};
use crate::cluster::{Cluster, Reply};
use crate::webhook::{Webhook, is_injected};

pub(super) async fn run(cluster: Arc<Cluster>) -> Outcome {
    if cluster.minor < 37 {
        return Outcome::Skipped("older releases differ at their edges".into());
    }
    let webhook = Webhook::start(&cluster, "corners", None).await;
    let plain = cluster.namespace("corners-plain").await;
    let hooked = cluster.namespace("corners").await;
    webhook.register(&hooked).await;
    let corners = Corners {
        cluster: &cluster,
        plain,
        hooked,
    };
    corners.probes().await;
    corners.grace_periods().await;
    corners.annotations().await;
    corners.kinds_of_pods().await;
    corners.pod_security(&webhook).await;
    corners.large().await;
    corners.versions().await;
    super::passed()
}

struct Corners<'c> {
    cluster: &'c Cluster,
    plain: String,
    hooked: String,
}

impl Corners<'_> {
    async fn without(&self, pod: &Value) -> Reply {
        self.cluster.try_pod(&self.plain, pod).await
    }

    async fn with(&self, pod: &Value) -> Reply {
        self.cluster.try_pod(&self.hooked, pod).await
    }

    async fn probes(&self) {
        // Zero becomes the default, and the copy allows as much as its source then does.
        let zeros = json!({"periodSeconds": 0, "failureThreshold": 0, "initialDelaySeconds": 0});
        let stored = self.with(&probing(&zeros)).await.accepted();
        let container = &stored["spec"]["containers"][0];
        assert_eq!(container["livenessProbe"]["periodSeconds"], 10);
        assert_eq!(container["livenessProbe"]["failureThreshold"], 3);
        assert_eq!(container["startupProbe"]["failureThreshold"], 150);

        // All that 32 bits can say is taken; one more is not even read.
        let all = json!({
            "periodSeconds": i32::MAX, "failureThreshold": i32::MAX,
            "initialDelaySeconds": i32::MAX, "timeoutSeconds": i32::MAX,
        });
        let mut most = probing(&all);
        most["metadata"]["annotations"] = json!({"podgrace.io/startup-probe": "liveness"});
        self.without(&most).await.accepted();
        let stored = self.with(&most).await.accepted();
        let container = &stored["spec"]["containers"][0];
        assert_eq!(
            container["startupProbe"], container["livenessProbe"],
            "copied literally"
        );
        let beyond = probing(&json!({"periodSeconds": i64::from(i32::MAX) + 1}));
        assert_eq!(self.without(&beyond).await.status, 400);

        // A port by a name that nobody declares is taken, and never asked: it is not copied.
        let mut undeclared = pod("web");
        undeclared["spec"]["containers"][0]["livenessProbe"]["httpGet"]["port"] = "admin".into();
        self.without(&undeclared).await.accepted();
        let reply = self.with(&undeclared).await;
        assert!(
            reply.our_warnings()[0].contains("admin"),
            "{:?}",
            reply.warnings
        );
        let stored = reply.accepted();
        assert!(
            stored["spec"]["containers"][0]
                .get("startupProbe")
                .is_none()
        );

        // The gate is off: what it guards is dropped, and what is left is empty.
        let mut signal = pod("web");
        signal["spec"]["os"] = json!({"name": "linux"});
        signal["spec"]["containers"][0]["lifecycle"] = json!({"stopSignal": "SIGUSR1"});
        let stored = self.without(&signal).await.accepted();
        assert!(stored["spec"]["containers"][0].get("lifecycle").is_none());
        self.with(&signal).await.accepted();
    }

    async fn grace_periods(&self) {
        let sleeping = |sleep: i64, grace: i64| {
            let mut pod = pod("web");
            pod["spec"]["terminationGracePeriodSeconds"] = grace.into();
            pod["spec"]["containers"][0]["lifecycle"] =
                json!({"preStop": {"sleep": {"seconds": sleep}}});
            pod
        };
        // A sleep that does not fit is refused, unless we are asked first: room for the application is room
        // for the sleep too.
        for (sleep, grace, without, with) in [
            (30, 30, true, true),
            (31, 30, false, true),
            (0, 0, true, true),
            (1, 0, false, false),
            (1, -5, true, true),
            (2, -5, false, true),
            (601, 30, false, false),
            (i64::MAX, i64::MAX, true, true),
            (-1, 30, false, false),
        ] {
            let pod = sleeping(sleep, grace);
            for (reply, accepted) in [
                (self.without(&pod).await, without),
                (self.with(&pod).await, with),
            ] {
                let message = reply.message();
                assert_eq!(
                    reply.is_accepted(),
                    accepted,
                    "{sleep} of {grace}: {message}"
                );
            }
        }
        // Zero is somebody's wish. What is negative is 1 before we are asked.
        for (grace, stored_as, injected) in [
            (0, 0, false),
            (-1, 7, true),
            (i64::MIN, 7, true),
            (1, 7, true),
            (i64::MAX, i64::MAX, true),
            (i64::MAX - 3, i64::MAX, true),
        ] {
            let mut pod = pod("web");
            pod["spec"]["terminationGracePeriodSeconds"] = grace.into();
            self.without(&pod).await.accepted();
            let stored = self.with(&pod).await.accepted();
            let is = &stored["spec"]["terminationGracePeriodSeconds"];
            assert_eq!(is, stored_as, "{grace}");
            let hook = stored["spec"]["containers"][0].get("lifecycle");
            assert_eq!(hook.is_some(), injected, "{grace}");
        }
    }

    /// 262,144 bytes of annotations are the most, ours included.
    async fn annotations(&self) {
        const LIMIT: usize = 262_144;
        let filled = |size: usize| {
            let mut pod = pod("web");
            pod["metadata"]["annotations"] = json!({"fill": "x".repeat(size - "fill".len())});
            pod
        };
        assert_eq!(self.without(&filled(LIMIT + 1)).await.status, 422);
        for room in [0, 1, 50, 150, 250, 400] {
            let pod = filled(LIMIT - room);
            self.without(&pod).await.accepted();
            let stored = self.with(&pod).await.accepted();
            assert!(stored["spec"]["containers"][0]["startupProbe"].is_object());
        }
    }

    async fn kinds_of_pods(&self) {
        // A name that is made later.
        let mut generated = pod("web");
        generated["metadata"] = json!({"generateName": "web-"});
        let reply = self.with(&generated).await;
        assert!(is_injected(&reply), "{:#}", reply.body);

        // Those that are left alone are taken all the same.
        let mirror = json!({
            "metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}},
            "spec": {"nodeName": "podgrace-e2e"},
        });
        let critical = json!({"spec": {"priorityClassName": "system-node-critical"}});
        let ending = json!({"spec": {"restartPolicy": "OnFailure"}});
        for over in [mirror, critical, ending] {
            let mut pod = pod("web");
            for (part, fields) in over.as_object().into_iter().flatten() {
                for (name, value) in fields.as_object().into_iter().flatten() {
                    pod[part][name] = value.clone();
                }
            }
            // It would have a token, which mirror pods may not.
            pod["spec"]["automountServiceAccountToken"] = false.into();
            self.without(&pod).await.accepted();
            let reply = self.with(&pod).await;
            assert!(
                reply.is_accepted() && !is_injected(&reply),
                "{over}: {:#}",
                reply.body
            );
        }

        // One container that ends by itself in a pod that does not, and the reverse.
        for (of_pod, own, injected) in [
            ("Always", "Never", false),
            ("Never", "Always", true),
            ("OnFailure", "Always", true),
        ] {
            let mut pod = pod("web");
            pod["spec"]["restartPolicy"] = of_pod.into();
            pod["spec"]["containers"][0]["restartPolicy"] = own.into();
            self.without(&pod).await.accepted();
            let reply = self.with(&pod).await;
            assert!(reply.is_accepted(), "{}", reply.message());
            assert_eq!(is_injected(&reply), injected, "{own} in {of_pod}");
        }

        // Windows runs the native sleep too.
        let mut windows = pod("web");
        windows["spec"]["os"] = json!({"name": "windows"});
        let reply = self.with(&windows).await;
        assert!(is_injected(&reply), "{:#}", reply.body);
    }

    /// Neither level takes offence at what we add; baseline refuses a host in a probe, ours or not.
    async fn pod_security(&self, webhook: &Webhook) {
        for level in ["baseline", "restricted"] {
            let labels = json!({"pod-security.kubernetes.io/enforce": level});
            let name = format!("corners-{level}");
            let namespace = self.cluster.labelled_namespace(&name, labels).await;
            let mut pod = pod("registered");
            pod["spec"]["securityContext"] = json!({
                "runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"},
            });
            pod["spec"]["containers"][0]["securityContext"] = json!({
                "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
            });
            webhook.register_pod(&name, &namespace, &pod).await;
            let reply = self.cluster.try_pod(&namespace, &pod).await;
            assert!(is_injected(&reply), "{:#}", reply.body);
            pod["spec"]["containers"][0]["livenessProbe"]["httpGet"]["host"] = "10.0.0.1".into();
            let reply = self.cluster.try_pod(&namespace, &pod).await;
            assert_eq!(reply.status, 403, "{}", reply.message());
        }
    }

    /// As large as the API server takes one.
    async fn large(&self) {
        let mut pod = pod("web");
        pod["spec"]["containers"][0]["env"] = (0..60)
            .map(|n| json!({"name": format!("V{n}"), "value": "x".repeat(48 * 1024)}))
            .collect();
        let reply = self.with(&pod).await;
        assert!(is_injected(&reply), "{}", reply.message());
    }

    /// The ways of telling whether the native sleep is there.
    async fn versions(&self) {
        let version = self.cluster.get("", "version").await.accepted();
        let minor = version["minor"].as_str().expect("a minor version");
        let minor: u32 = minor.trim_end_matches('+').parse().expect("a number");
        assert!(
            minor < 33 || version["emulationMinor"].is_string(),
            "{version}"
        );

        let api = self.cluster.get("/openapi/v3/api", "v1").await.accepted();
        let handler = &api["components"]["schemas"]["io.k8s.api.core.v1.LifecycleHandler"];
        assert!(handler["properties"]["sleep"].is_object());

        let mut sleeping = pod("web");
        sleeping["spec"]["containers"][0]["lifecycle"] =
            json!({"preStop": {"sleep": {"seconds": 1}}});
        let stored = self.without(&sleeping).await.accepted();
        let hook = &stored["spec"]["containers"][0]["lifecycle"]["preStop"];
        assert_eq!(hook["sleep"]["seconds"], 1);
    }
}

/// A pod whose livenessProbe has these fields too.
fn probing(fields: &Value) -> Value {
    let mut container = web();
    for (name, value) in fields.as_object().into_iter().flatten() {
        container["livenessProbe"][name] = value.clone();
    }
    let mut pod = pod("web");
    pod["spec"]["containers"][0] = container;
    pod
}
