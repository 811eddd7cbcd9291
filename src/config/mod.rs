//! TOML to typed configuration: the only parser, the only place with defaults.

pub mod model;

pub use model::{Config, DaemonConfig, InputConfig, InputKind};
