//! The integration tests: one binary, one module a subject.

mod model;
mod scan;
mod wire;
