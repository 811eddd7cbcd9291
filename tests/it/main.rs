//! The integration tests: one binary, one module a subject.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the harness shows it on failure")]

mod allocations;
mod client;
mod daemon;
mod engine;
mod formats;
mod fuzz;
mod generated;
mod intruders;
mod model;
mod probe;
mod process;
mod qc;
mod readme;
mod recorded;
mod scan;
mod shards;
mod simulator;
mod source;
mod statistics;
mod support;
mod systemd;
mod tidy;
mod wire;
