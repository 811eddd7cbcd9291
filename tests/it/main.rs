//! The integration tests: one binary, one module a subject.

mod client;
mod model;
mod scan;
mod simulator;
mod source;
mod wire;
