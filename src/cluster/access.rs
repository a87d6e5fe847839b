//! How the API server is reached: as kubectl does, or as a pod does.

use std::path::PathBuf;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// For how long an API server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Which cluster to speak to.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The kubeconfig file, instead of `$KUBECONFIG` and `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it, instead of its current one.
    pub context: Option<String>,
}

/// Why there is no way to a cluster. That one does not answer is not known before it is asked.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The file that was named is of no use.
    #[error("kubeconfig {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: kube::config::KubeconfigError,
    },
    /// The context is of no use.
    #[error("kubeconfig: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// There is neither a kubeconfig nor a ServiceAccount.
    #[error(
        "no cluster is known: {0}; name a kubeconfig with --kubeconfig, or run in a pod with a ServiceAccount"
    )]
    Unknown(#[from] kube::config::InferConfigError),
    /// The certificates or keys of the kubeconfig are of no use.
    #[error("the cluster's client cannot be made: {0}")]
    Client(#[from] kube::Error),
}

impl Access {
    /// Where the API server is and who we are to it. Without a file or context named: `$KUBECONFIG`, else
    /// `~/.kube/config`, else the pod's ServiceAccount.
    ///
    /// # Errors
    /// When none of them can be used.
    pub async fn config(&self) -> Result<Config, AccessError> {
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let mut config = match &self.kubeconfig {
            Some(path) => {
                let file = |source| AccessError::File {
                    path: path.clone(),
                    source,
                };
                let kubeconfig = Kubeconfig::read_from(path).map_err(file)?;
                Config::from_custom_kubeconfig(kubeconfig, &options)
                    .await
                    .map_err(file)?
            }
            None if self.context.is_some() => Config::from_kubeconfig(&options).await?,
            None => Config::infer().await?,
        };
        config.connect_timeout = Some(CONNECT);
        Ok(config)
    }

    /// The name of the context that says where it is; none where a pod's ServiceAccount does.
    pub fn context_name(&self) -> Option<String> {
        self.context.clone().or_else(|| {
            let kubeconfig = match &self.kubeconfig {
                Some(path) => Kubeconfig::read_from(path),
                None => Kubeconfig::read(),
            };
            kubeconfig.ok()?.current_context
        })
    }

    /// A client for it. Nothing is asked yet.
    ///
    /// # Errors
    /// When there is no way to a cluster.
    pub async fn client(&self) -> Result<Client, AccessError> {
        Ok(Client::try_from(self.config().await?)?)
    }
}
