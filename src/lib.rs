//! Stillwell: sensor frames in, settled values out.
// (crate docs are written last)

pub mod limits;
pub mod wire;
pub mod simulate;
pub mod scan;
pub mod engine;
pub mod config;
pub mod recording;
pub mod query;
pub mod endpoint;
pub mod daemon;
pub mod client;
pub mod replay;
