//! What is wrong with an installation, and what mends it. Pure: whoever calls it has looked at the cluster,
//! and says what could not be looked at.
//!
//! ```text
//! facts (configurations, what they point at, namespaces, a pod tried, pods) → checks → report
//! ```

mod certificate;
mod cluster;
mod endpoints;
mod facts;
mod hooks;
mod installation;
mod missed;
mod namespaces;
mod owner;
mod pods;
mod registration;
mod report;
mod settings;
#[cfg(test)]
mod testing;
mod trial;
mod why_not;

pub use facts::{
    Answer, Asked, Backend, Calls, Configured, ConfiguredState, Facts, Handshake, Looked, Ops,
    Served, Trial, Unanswered,
};
pub use hooks::{Hook, Labels, Target};
pub use installation::Installation;
pub use namespaces::{Namespace, Standing, choose};
pub use owner::Owner;
pub use pods::{Census, Why, Workload};
pub use report::{Check, Report, Topic, Verdict};
pub use trial::pod_to_try;
pub use why_not::calls;

/// Judges what was found.
pub fn diagnose(facts: &Facts) -> Report {
    let mut report = Report::default();
    cluster::judge(facts, &mut report);
    registration::judge(facts, &mut report);
    certificate::judge(facts, &mut report);
    settings::judge(facts, &mut report);
    trial::judge(facts, &mut report);
    namespaces::judge(facts, &mut report);
    missed::judge(facts, &mut report);
    report
}
