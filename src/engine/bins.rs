//! Percentiles: counts of readings by bin, for each pane and window of a channel.
//!
//! A reading is a bin's number from the moment it comes ([`scale`]). An open pane notes the numbers
//! ([`open`]); at its close they are counted in one table that all channels share ([`tally`]) and
//! packed to two or three bytes a bin ([`packed`]). A window keeps its panes packed, one behind the
//! other, and beside them their sum ([`sum`], [`ring`]): unpacked where there is something
//! ([`chunks`]), or flat from the lowest bin to the highest ([`strip`]), whichever is right
//! ([`tier`]). A pane that comes is added and one that goes is subtracted, exactly, because counts
//! are integers. The windows of a channel feed each other as its partials do ([`levels`]). What all
//! channels take together is bounded ([`counting`]): when it is too much, strips give way to
//! chunks, and then the largest channel is counted in coarser bins, into which the finer ones fit
//! ([`budget`], and [`relief`] where several share the channels). Who wants more than percentiles
//! is given all bins of a window ([`export`]).
//!
//! None of it exists for a channel without percentiles.

pub mod scale;
pub mod packed;
pub mod tally;
pub mod chunks;
pub mod strip;
pub mod tier;
pub mod sum;
pub mod ring;
pub mod levels;
pub mod open;
pub mod relief;
pub mod budget;
pub mod counting;
pub mod export;
mod saved;

pub use counting::Counting;
pub use scale::{Bin, BinScale, rank};
