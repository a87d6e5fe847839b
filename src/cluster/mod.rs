//! The cluster: how it is reached, and what is read of it.

mod access;
mod contact;
mod namespaces;
mod versions;

pub use access::{Access, AccessError};
pub(crate) use contact::chain;
pub use contact::{Contact, Trouble};
pub use namespaces::{LookupError, Namespaces};
pub use versions::{Kubelets, Negotiated, Seen};
