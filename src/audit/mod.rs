//! Documents in, findings out: what the [rules](crate::lifecycle::audit) say about every workload in them,
//! with its place in its file.

mod report;

pub use report::{Accepted, Counts, Found, Lives, Looked, Place, Report, Unreadable};
