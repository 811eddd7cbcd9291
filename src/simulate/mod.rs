//! Seeded waveforms, devices and faults: pure.

/// stub
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario;
