//! Compiles the frame codec as firmware would: without std and without alloc.
#![no_std]

#[path = "../src/wire/cobs.rs"]
pub mod cobs;
#[path = "../src/wire/frame.rs"]
pub mod frame;
