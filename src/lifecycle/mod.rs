//! The engine: decides what one pod gets, and why. Pure: no async, no I/O, no clock, no logging.

pub mod policy;
