//! What was measured, and how it is shown: data, pictures, tables. Shared by the proof, which makes the data, and
//! by tests that hold what is shown and what is predicted against them.

#![allow(
    dead_code,
    reason = "the proof and two tests share it, and each uses another part"
)]

pub(crate) mod data;
pub(crate) mod page;
pub(crate) mod picture;
pub(crate) mod prediction;
pub(crate) mod rows;
mod words;
