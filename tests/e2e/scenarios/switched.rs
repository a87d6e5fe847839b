//! The kill switch: `mode: off` in the configuration, which no label overrides.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Outcome, pod};
use crate::cluster::{Cluster, arrival_within, pods};
use crate::deployed::{Deployed, NAMESPACE};
use crate::webhook::is_injected;

/// Off and on again by Helm alone, in the processes that run. The kubelet brings a changed ConfigMap to a pod when it
/// looks at the pod next, once a minute or so; a changed annotation has it look at once.
pub(super) async fn off(cluster: Arc<Cluster>) -> Outcome {
    let own = Deployed::install(&cluster, &[]).await;
    let namespace = own.enforced("switched").await;
    let processes = own.processes().await;
    let mut notes = Vec::new();
    for (mode, hurry) in [("off", false), ("enforce", true)] {
        let since = Instant::now();
        own.upgrade(&[&format!("--set=mode={mode}")]).await;
        if hurry {
            for pod in own.pods().await {
                let name = pod["metadata"]["name"].as_str().expect("a name");
                let look = json!({"metadata": {"annotations": {"look": mode}}});
                cluster
                    .merge(&pods(NAMESPACE), name, &look)
                    .await
                    .accepted();
            }
        }
        arrival_within(Duration::from_secs(180), mode, || async {
            // Both replicas: several times in a row.
            for _ in 0..10 {
                let reply = cluster.try_pod(&namespace, &pod("web")).await;
                if is_injected(&reply) == (mode == "off") {
                    return None;
                }
            }
            Some(())
        })
        .await;
        notes.push(format!(
            "{mode} counted {:.0} s after helm upgrade was begun{}",
            since.elapsed().as_secs_f64(),
            if hurry {
                ", with an annotation on the pods"
            } else {
                ""
            }
        ));
    }
    assert_eq!(own.processes().await, processes, "nothing was restarted");
    Outcome::Passed(notes.join("; "))
}
