//! The engine, going on from an image.

#![no_main]

#[path = "../state.rs"]
#[expect(dead_code, reason = "the tests make inputs with it")]
mod state;

libfuzzer_sys::fuzz_target!(|input: &[u8]| drop(state::check(input)));
