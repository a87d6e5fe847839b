//! An audit's report, printed.

mod json;
mod table;

pub use json::{Json, json};
pub use table::{Next, table};
