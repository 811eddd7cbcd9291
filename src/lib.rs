//! Stillwell: sensor frames in, settled values out.
// (crate docs are written last)

pub mod config;
pub mod daemon;
pub mod engine;
pub mod limits;
pub mod scan;
pub mod simulate;
pub mod wire;
