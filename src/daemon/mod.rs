//! The shell: sockets, signals, files, threads and the clock.

pub mod clock;
