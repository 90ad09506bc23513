#![no_main]
//! `imports`; see `fuzz/src/targets.rs`.

#[path = "../src/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::imports(data));
