//! Seeded waveforms, devices and faults: pure.
//!
//! A [`Scenario`] says which devices there are, how their values run and what goes wrong with
//! them; a [`Player`] plays it, frame after frame, and keeps in [`Sent`] what a receiver's ledger
//! must show for it.

pub mod scenario;

mod check;
mod clock;
mod device;
mod fault;
mod framing;
mod layout;
mod player;
mod random;
mod sent;
mod turn;
mod waveform;

#[cfg(test)]
mod tests;

pub use check::Flaw;
pub use fault::{FAULT_KINDS, FAULT_NAMES};
pub use framing::put_framed;
pub use player::{Emission, Player};
pub use scenario::Scenario;
pub use sent::{RefusedReadings, Sent, Series};
