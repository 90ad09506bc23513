#![no_main]
//! `spec`; see `fuzz/src/targets.rs`.

#[path = "../src/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::spec(data));
