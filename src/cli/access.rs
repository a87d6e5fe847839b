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
    /// The same for kubectl, with a space before it where there is anything.
    pub(super) fn as_kubectl_takes_it(&self) -> String {
        let file = self.kubeconfig.as_ref();
        let file = file.map(|file| format!(" --kubeconfig {}", file.display()));
        let context = self.context.as_ref();
        let context = context.map(|context| format!(" --context {context}"));
        file.unwrap_or_default() + &context.unwrap_or_default()
    }

    pub(super) fn access(&self) -> Access {
        Access {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
        }
    }
}
