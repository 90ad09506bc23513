//! Everything that only the whole program shows. One binary, so that it links once.

mod support;

mod architecture;
mod assets;
mod document;
mod failures;
mod fingerprints;
mod ladder;
mod look;
mod planning;
