//! Seeded waveforms, devices and faults: pure.

pub mod scenario;

pub use scenario::Scenario;
