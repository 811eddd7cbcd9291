//! Calls to the kernel that no safe wrapper offers: the one module with `unsafe`.
//!
//! What is here has no safe form in the crates that the program uses: `rustix` has no `recvmmsg`,
//! `socket2` knows none of SO_MEMINFO, SO_RCVBUFFORCE, SO_TIMESTAMPNS and UDP_GRO, and
//! nobody wraps SIOCOUTQ, TIOCGICOUNT, TIOCSSERIAL, TIOCSRS485, adjtimex, the runtime's
//! registration of a descriptor or the taking over of an inherited one. Each function takes
//! borrowed descriptors and gives back plain values, so that no pointer leaves it; each block says
//! why it is sound; nothing here decides anything.
#![allow(unsafe_code)]

mod local;
mod options;
mod readable;
mod receive;
mod tty;

pub use local::{WallClock, inherited, unsent_bytes, wall_clock};
pub use options::{
    enable_timestamps, force_receive_buffer, has_timestamps, has_trains, set_trains, socket_drops,
};
pub use readable::Readable;
pub use receive::{Datagram, ReceiveBatch};
pub use tty::{line_errors, set_low_latency, set_rs485};
