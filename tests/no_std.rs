//! Compiles the frame codec as firmware would: without std and without alloc.
//!
//! Built as an ordinary library by every `cargo test`. Built as a test of its own, which
//! `cargo test --all-targets` asks for, it is empty: the codec's tests belong to the program.
#![cfg_attr(not(test), no_std)]
#![cfg(not(test))]

#[path = "../src/wire/cobs.rs"]
pub mod cobs;
#[path = "../src/wire/frame.rs"]
pub mod frame;
