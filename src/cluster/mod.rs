//! The cluster: how it is reached, and what is read of it.

mod access;

pub use access::{Access, AccessError};
