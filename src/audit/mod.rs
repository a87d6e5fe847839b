//! Documents in, findings out: what the [rules](crate::lifecycle::audit) say about every workload in them,
//! with its place in its file.

mod around;
mod auditor;
mod baseline;
mod fingerprint;
mod report;
mod threads;

pub use auditor::{Auditor, Options, Part};
pub use baseline::{Baseline, BaselineError, Gone};
pub use fingerprint::Fingerprint;
pub use report::{
    Accepted, Cluster, Counts, Found, Lives, Looked, NotLookedAt, Place, Report, Unreadable,
};
