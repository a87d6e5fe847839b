//! Why something of a cluster could not be read, and what to do.

use std::fmt;
use std::time::Duration;

use super::contact::chain;
use super::resource::Resource;

/// What was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// `get` or `list`, as permissions name it.
    pub verb: &'static str,
    /// The kind.
    pub resource: Resource,
    /// The namespace; none where all of them or none was meant.
    pub namespace: Option<String>,
    /// The name, where one object was meant.
    pub name: Option<String>,
}

/// Something could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct ReadError {
    /// What was tried.
    pub attempt: Box<Attempt>,
    /// What went wrong.
    pub cause: Cause,
}

/// What went wrong.
#[derive(Debug)]
pub enum Cause {
    /// We have no permission. Who we are to the API server, where it says so.
    Forbidden(Option<String>),
    /// The API server does not know us.
    Unauthorized,
    /// The API server said something else than what was asked for.
    Refused(Box<kube::core::Status>),
    /// The API server did not answer.
    Unreachable(String),
    /// What it answered is no such object.
    Unreadable(serde_json::Error),
}

impl Attempt {
    pub(super) fn of(
        verb: &'static str,
        resource: &Resource,
        namespace: Option<&str>,
        name: Option<&str>,
    ) -> Self {
        Self {
            verb,
            resource: resource.clone(),
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
        }
    }

    pub(super) fn list(resource: &Resource, namespace: Option<&str>) -> Self {
        let namespace = namespace.filter(|_| resource.is_namespaced);
        Self {
            verb: "list",
            resource: resource.clone(),
            namespace: namespace.map(str::to_owned),
            name: None,
        }
    }

    pub(super) fn get(resource: &Resource, namespace: Option<&str>, name: &str) -> Self {
        Self {
            verb: "get",
            name: Some(name.to_owned()),
            ..Self::list(resource, namespace)
        }
    }

    pub(super) fn failed(&self, error: kube::Error) -> ReadError {
        self.because(match error {
            kube::Error::Api(status) => match status.code {
                401 => Cause::Unauthorized,
                403 => Cause::Forbidden(user(&status.message)),
                _ => Cause::Refused(status),
            },
            other => Cause::Unreachable(chain(&other)),
        })
    }

    pub(super) fn too_late(&self, after: Duration) -> ReadError {
        let seconds = after.as_secs();
        self.because(Cause::Unreachable(format!("no answer within {seconds} s")))
    }

    pub(super) fn parse<'t, T: serde::Deserialize<'t>>(
        &self,
        text: &'t str,
    ) -> Result<T, ReadError> {
        serde_json::from_str(text).map_err(|error| self.because(Cause::Unreadable(error)))
    }

    fn because(&self, cause: Cause) -> ReadError {
        ReadError {
            attempt: Box::new(self.clone()),
            cause,
        }
    }
}

/// `list deployments.apps in namespace shop`.
impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource.title())?;
        if let Some(name) = &self.name {
            write!(f, "/{name}")?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None if self.resource.is_namespaced => f.write_str(" in all namespaces"),
            None => Ok(()),
        }
    }
}

impl ReadError {
    /// Whether there is no such object, or no such kind.
    pub fn is_not_found(&self) -> bool {
        matches!(&self.cause, Cause::Refused(status) if status.code == 404)
    }

    /// Whether it was not permitted; other kinds may be.
    pub fn is_forbidden(&self) -> bool {
        matches!(self.cause, Cause::Forbidden(_))
    }

    /// Whether asking for anything else would end the same.
    pub fn is_everywhere(&self) -> bool {
        matches!(self.cause, Cause::Unreachable(_) | Cause::Unauthorized)
    }

    /// The token with which a list goes on that the API server has forgotten.
    pub(super) fn next_page(&self) -> Option<String> {
        let Cause::Refused(status) = &self.cause else {
            return None;
        };
        let metadata = status.metadata.as_ref().filter(|_| status.code == 410)?;
        metadata.continue_.clone().filter(|token| !token.is_empty())
    }

    fn sentence(&self) -> String {
        let attempt = &self.attempt;
        match &self.cause {
            Cause::Forbidden(user) => {
                let who = match user {
                    Some(user) => format!("{user} has no permission"),
                    None => "there is no permission".to_owned(),
                };
                format!("{who} to {attempt}; it takes {}", self.grant())
            }
            Cause::Unauthorized => format!(
                "cannot {attempt}: the API server does not know who we are (401); the kubeconfig's token or \
                 certificate may have expired, log in again"
            ),
            Cause::Refused(status) if status.code == 410 => format!(
                "cannot {attempt}: the list was forgotten by the API server while it was read; run it again"
            ),
            Cause::Refused(status) => {
                format!("cannot {attempt}: the API server says: {}", status.message)
            }
            Cause::Unreachable(why) => {
                format!("cannot {attempt}: the API server does not answer: {why}")
            }
            Cause::Unreadable(error) => {
                format!("cannot {attempt}: the answer is not what it should be: {error}")
            }
        }
    }

    /// What gives the permission, as kubectl makes it.
    fn grant(&self) -> String {
        let Attempt {
            verb,
            resource,
            namespace,
            ..
        } = &*self.attempt;
        let resource = resource.title();
        match namespace {
            Some(namespace) => format!(
                "a Role (kubectl create role NAME -n {namespace} --verb={verb} --resource={resource}) and its \
                 RoleBinding"
            ),
            None => format!(
                "a ClusterRole (kubectl create clusterrole NAME --verb={verb} --resource={resource}) and its \
                 ClusterRoleBinding"
            ),
        }
    }
}

/// Whom the API server took us for: `User "jane" cannot list …`.
fn user(message: &str) -> Option<String> {
    let (_, behind) = message.split_once("User \"")?;
    let (user, _) = behind.split_once('"')?;
    Some(user.to_owned())
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;
    use crate::cluster::resource::{NAMESPACES, REPLICA_SETS};

    fn status(code: u16, message: &str) -> kube::Error {
        kube::Error::Api(Box::new(Status::failure(message, "").with_code(code)))
    }

    #[test]
    fn who_has_no_permission_learns_which() {
        let message = "replicasets.apps is forbidden: User \"jane\" cannot list resource \"replicasets\" in API \
                       group \"apps\" in the namespace \"shop\"";
        let attempt = Attempt::list(&REPLICA_SETS, Some("shop"));
        let error = attempt.failed(status(403, message));
        assert!(error.is_forbidden());
        assert_eq!(
            error.to_string(),
            "jane has no permission to list replicasets.apps in namespace shop; it takes a Role (kubectl create \
             role NAME -n shop --verb=list --resource=replicasets.apps) and its RoleBinding"
        );
        let error = Attempt::list(&REPLICA_SETS, None).failed(status(403, "no"));
        assert!(error.to_string().starts_with(
            "there is no permission to list replicasets.apps in all namespaces; it takes a ClusterRole"
        ));
        assert_eq!(
            Attempt::get(&NAMESPACES, None, "shop").to_string(),
            "get namespaces/shop"
        );
    }

    #[test]
    fn a_forgotten_list_says_how_it_goes_on() {
        let text = r#"{"kind": "Status", "code": 410, "reason": "Expired", "metadata": {"continue": "rest"}}"#;
        let status: Status = serde_json::from_str(text).expect("a status");
        let attempt = Attempt::list(&REPLICA_SETS, None);
        let error = attempt.failed(kube::Error::Api(Box::new(status)));
        assert_eq!(error.next_page().as_deref(), Some("rest"));
    }
}
