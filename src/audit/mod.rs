//! Documents in, findings out: what the [rules](crate::lifecycle::audit) say about every workload in them,
//! with its place in its file.

mod around;
mod auditor;
mod report;
mod threads;

pub use auditor::{Auditor, Options, Part};
pub use report::{Accepted, Counts, Found, Lives, Looked, Place, Report, Unreadable};
