//! The cluster: how it is reached, and what is read of it.

mod access;
mod contact;
mod errand;
mod installed;
mod labelled;
mod labels;
mod makers;
mod namespaces;
mod objects;
mod pods;
mod read_error;
mod resource;
mod served;
mod versions;

pub use access::{Access, AccessError};
pub(crate) use contact::chain;
pub use contact::{Contact, Trouble};
pub use errand::Tried;
pub use installed::{ConfigurationFile, Installed, is_our_webhook};
pub use labelled::labelled_since;
pub use labels::{labels, selector};
pub use makers::{Makers, maker};
pub use namespaces::{LookupError, Namespaces};
pub use objects::{Pages, Reader, Scope};
pub use read_error::{Attempt, Cause, ReadError};
pub use resource::{
    AUTOSCALERS, DEPLOYMENTS, DISRUPTION_BUDGETS, ENDPOINT_SLICES, JOBS, MUTATING_WEBHOOKS,
    NAMESPACES, POD_TEMPLATES, PODS, REPLICA_SETS, Resource, SECRETS, SERVICES,
    VALIDATING_WEBHOOKS, WORKLOADS,
};
pub use versions::{Kubelets, Negotiated, Seen};
