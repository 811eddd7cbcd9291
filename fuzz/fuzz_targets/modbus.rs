//! The decoder of `modbus`, and the master's side of a line.

#![no_main]

#[path = "../decoder.rs"]
mod decoder;

libfuzzer_sys::fuzz_target!(|input: &[u8]| decoder::check("modbus", input));
