//! Ports by themselves, beside the daemon: which there are, who has them, and what they speak.

pub mod port;
pub mod until;
