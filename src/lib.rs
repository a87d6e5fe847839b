//! Podgrace adds to pods what they lack to start and stop without losing a request.
//!
//! The pure engine in [`lifecycle`] decides; everything else fetches, carries or prints:
//!
//! ```text
//! bytes → admission → policy → plan → patch → bytes
//! manifests → workload → policy → plan → patch | timeline → explain → report
//! ```

pub mod admission;
pub mod audit;
pub mod certs;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod doctor;
pub mod explain;
pub mod lifecycle;
pub mod manifests;
pub mod report;
pub mod server;
pub mod workload;
