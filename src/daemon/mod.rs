//! The shell: sockets, signals, files, threads and the clock.

pub mod run;
pub mod reload;
pub mod path;
pub mod ingest;
pub mod source;
pub mod tap;
pub mod inherited;
pub mod pipeline;
pub mod shards;
pub mod publish;
pub mod state;
pub mod server;
pub mod notify;
pub mod signal;
pub mod meter;
pub mod log;
pub mod rate;
pub mod clock;
pub mod kernel;
