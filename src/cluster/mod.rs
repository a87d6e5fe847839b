//! The cluster: how it is reached, and what is read of it.

mod access;
mod contact;
mod installed;
mod labels;
mod makers;
mod namespaces;
mod objects;
mod pods;
mod read_error;
mod resource;
mod versions;

pub use access::{Access, AccessError};
pub(crate) use contact::chain;
pub use contact::{Contact, Trouble};
pub use installed::Installed;
pub use makers::{Makers, maker};
pub use namespaces::{LookupError, Namespaces};
pub use objects::{Pages, Reader, Scope};
pub use read_error::{Attempt, Cause, ReadError};
pub use resource::{
    AUTOSCALERS, DISRUPTION_BUDGETS, JOBS, NAMESPACES, POD_TEMPLATES, PODS, REPLICA_SETS, Resource,
    SERVICES, WORKLOADS,
};
pub use versions::{Kubelets, Negotiated, Seen};
