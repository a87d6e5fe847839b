//! Kinds that are not Kubernetes' own: in which version a cluster has them, and under which name.

use kube::api::GetParams;
use kube::core::Request;
use serde::Deserialize;

use super::objects::{Reader, ask};
use super::read_error::{Attempt, ReadError};
use super::resource::Resource;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    preferred_version: Version,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

#[derive(Deserialize)]
struct List {
    resources: Vec<Served>,
}

#[derive(Deserialize)]
struct Served {
    name: String,
    kind: String,
    namespaced: bool,
}

impl Reader {
    /// A kind in the version that its group prefers; none where this cluster does not have it.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn kind(&self, group: &str, kind: &str) -> Result<Option<Resource>, ReadError> {
        let Some(found) = self.discover::<Group>("/apis", group).await? else {
            return Ok(None);
        };
        let version = found.preferred_version.version;
        let path = format!("/apis/{group}");
        let Some(list) = self.discover::<List>(&path, &version).await? else {
            return Ok(None);
        };
        // `rollouts/status` is of the same kind.
        let is_it = |served: &Served| served.kind == kind && !served.name.contains('/');
        Ok(list
            .resources
            .into_iter()
            .find(is_it)
            .map(|served| Resource {
                group: group.to_owned().into(),
                version: version.into(),
                kind: served.kind.into(),
                plural: served.name.into(),
                is_namespaced: served.namespaced,
            }))
    }

    /// What the API server says of itself there; none where there is nothing.
    async fn discover<T: for<'d> Deserialize<'d>>(
        &self,
        path: &str,
        name: &str,
    ) -> Result<Option<T>, ReadError> {
        let apis = Resource::cluster_wide("", "v1", "APIGroup", "apis");
        let attempt = Attempt::get(&apis, None, name);
        let request = Request::new(path).get(name, &GetParams::default());
        match ask(self.client(), &attempt, request).await {
            Ok(text) => attempt.parse(&text).map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
