//! The daemon and its client.
fn main() {}
