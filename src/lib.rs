//! Stillwell: sensor frames in, settled values out.
// (crate docs are written last)

pub mod client;
pub mod config;
pub mod daemon;
pub mod endpoint;
pub mod engine;
pub mod limits;
pub mod query;
pub mod simulate;
pub mod wire;
