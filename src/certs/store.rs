//! The Secret, written by compare-and-swap: of replicas that race, one writes and the others take its word.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

use super::contents::{Contents, Unusable};

/// The label of a Secret that we had to make ourselves.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Where the Secret is.
#[derive(Clone)]
pub struct Store {
    api: Api<Secret>,
    name: String,
}

impl Store {
    /// The Secret of that name.
    pub fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn api(&self) -> Api<Secret> {
        self.api.clone()
    }

    /// Reads it.
    ///
    /// # Errors
    /// When the API server does not let us, or does not answer.
    pub async fn get(&self) -> Result<Option<Secret>, kube::Error> {
        self.api.get_opt(&self.name).await
    }

    /// What it holds of ours.
    ///
    /// # Errors
    /// When that is nothing, or of no use.
    pub fn contents(secret: Option<&Secret>) -> Result<Contents, Unusable> {
        Contents::read(&data(secret))
    }

    /// Writes it if it is still as it was when it was read. What is not ours in it stays. Returns whether it
    /// was written: where not, somebody else was first, and what they wrote counts.
    ///
    /// # Errors
    /// When the API server does not let us, or does not answer.
    pub async fn write(
        &self,
        read: Option<&Secret>,
        contents: &Contents,
    ) -> Result<bool, kube::Error> {
        let mut data = data(read);
        contents.write(&mut data);
        let data = data
            .into_iter()
            .map(|(name, bytes)| (name, ByteString(bytes)));
        let data = Some(data.collect());
        let params = PostParams::default();
        let written = match read {
            // With the resourceVersion that was read: the API server refuses it when it has changed.
            Some(read) => {
                let secret = Secret {
                    data,
                    ..read.clone()
                };
                self.api.replace(&self.name, &params, &secret).await
            }
            None => {
                let labels = BTreeMap::from([(MANAGED_BY.to_owned(), "podgrace".to_owned())]);
                let secret = Secret {
                    metadata: ObjectMeta {
                        name: Some(self.name.clone()),
                        labels: Some(labels),
                        ..ObjectMeta::default()
                    },
                    data,
                    type_: Some("Opaque".to_owned()),
                    ..Secret::default()
                };
                self.api.create(&params, &secret).await
            }
        };
        match written {
            Ok(_) => Ok(true),
            // Changed, made or deleted since it was read.
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => {
                Ok(false)
            }
            Err(kube::Error::Api(status)) if read.is_some() && status.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn data(secret: Option<&Secret>) -> BTreeMap<String, Vec<u8>> {
    let data = secret.and_then(|secret| secret.data.as_ref());
    let pairs = data.into_iter().flatten();
    pairs
        .map(|(name, bytes)| (name.clone(), bytes.0.clone()))
        .collect()
}
