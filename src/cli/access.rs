//! Which cluster a command speaks to, as kubectl's flags say it.

use std::path::PathBuf;

use super::input::quoted;
use crate::cluster::Access;

/// Which cluster to speak to.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ClusterArguments {
    /// The kubeconfig file, instead of $KUBECONFIG, ~/.kube/config or the pod's ServiceAccount.
    #[arg(long, value_name = "FILE")] // $KUBECONFIG is a list of files, which the client reads
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig, instead of its current one.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

impl ClusterArguments {
    /// What was given, as it would be written again.
    pub(super) fn arguments(&self) -> String {
        let mut text = String::new();
        if let Some(file) = &self.kubeconfig {
            text += &format!(" --kubeconfig {}", quoted(file));
        }
        if let Some(name) = &self.context {
            text += &format!(" --context {}", quoted(name.as_ref()));
        }
        text
    }

    pub(super) fn access(&self) -> Access {
        Access {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
        }
    }
}
