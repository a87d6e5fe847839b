//! Under which name and version a cluster serves a kind.

use kube::discovery::{self, Scope};
use kube::error::DiscoveryError;

use super::objects::Reader;
use super::read_error::{Attempt, ReadError};
use super::resource::Resource;

impl Reader {
    /// How a kind is read; none where this cluster does not have it.
    ///
    /// # Errors
    /// When the API server does not say what it serves.
    pub async fn served(&self, group: &str, kind: &str) -> Result<Option<Resource>, ReadError> {
        let found = match discovery::group(self.client(), group).await {
            Ok(found) => found,
            Err(kube::Error::Discovery(
                DiscoveryError::MissingApiGroup(_) | DiscoveryError::EmptyApiGroup(_),
            )) => return Ok(None),
            Err(error) => {
                let asked = resource(group, "", kind, &kind.to_lowercase());
                return Err(Attempt::list(&asked, None).failed(error));
            }
        };
        let found = found.recommended_kind(kind).map(|(served, capabilities)| {
            let mut resource = resource(&served.group, &served.version, kind, &served.plural);
            resource.is_namespaced = capabilities.scope == Scope::Namespaced;
            resource
        });
        Ok(found)
    }
}

fn resource(group: &str, version: &str, kind: &str, plural: &str) -> Resource {
    Resource {
        group: group.to_owned().into(),
        version: version.to_owned().into(),
        kind: kind.to_owned().into(),
        plural: plural.to_owned().into(),
        is_namespaced: true,
    }
}
