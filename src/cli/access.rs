//! Which cluster a command speaks to, as kubectl's flags say it.

use std::path::PathBuf;

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
    pub(super) fn access(&self) -> Access {
        Access {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
        }
    }
}
