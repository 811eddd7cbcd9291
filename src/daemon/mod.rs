//! The shell: sockets, signals, files, threads and the clock.

pub mod clock;
pub mod kernel;
pub mod rate;
pub mod source;
