//! Plays a scenario.
fn main() {}
