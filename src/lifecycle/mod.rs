//! The engine: decides what one pod gets, and why. Pure: no async, no I/O, no clock, no logging.
//!
//! ```text
//! pod + annotations + policy → resolve → startup, shutdown → plan → patch | timeline
//! ```
//!
//! [`plan::plan`] is the only place where anything about a pod is decided; the server and every command
//! call it.

pub mod annotations;
pub mod audit;
pub mod counted;
pub mod handler;
pub mod hook;
pub mod json;
pub mod loss;
pub mod nearest;
pub mod patch;
pub mod plan;
pub mod pod;
pub mod policy;
pub mod probe;
pub mod profiles;
pub mod remarks;
pub mod resolve;
pub mod seconds;
pub mod settings;
pub mod shutdown;
pub mod skip;
pub mod spring;
pub mod startup;
pub mod text;
pub mod timeline;
mod variables;
