//! Everything that only the whole program shows. One binary, so that it links once.

mod support;

mod architecture;
mod assets;
mod bundle;
mod ci;
mod conformance;
mod disk;
mod doctor;
mod document;
mod doubt;
mod failures;
mod fingerprints;
mod git_source;
mod github_store;
mod ladder;
mod life;
mod lock;
mod logins;
mod look;
mod planning;
mod platforms;
mod problems;
mod promises;
mod readme;
mod release;
mod releases;
mod schema;
mod services;
mod stand_in;
mod task_language;
mod tasks;
mod trust;
mod upstream;
