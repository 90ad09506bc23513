#![no_main]
//! `dotenv`; see `fuzz/src/targets.rs`.

#[path = "../src/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::dotenv(data));
