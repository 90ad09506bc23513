//! Everything that only the whole program shows. One binary, so that it links once.

mod support;

mod architecture;
mod assets;
mod bundle;
mod ci;
mod conformance;
mod date_versions;
mod disk;
mod doctor;
mod document;
mod doubt;
mod failures;
mod fingerprints;
mod git_source;
mod github_store;
mod include;
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
mod task_commands;
mod task_faults;
mod task_language;
mod task_output;
mod task_request;
mod task_truth;
mod task_words;
#[path = "taskfile/main.rs"]
mod taskfile;
mod tasks;
mod trust;
mod upstream;
