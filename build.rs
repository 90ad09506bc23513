//! Tells the code which commit it is built from, where that is known and all of it.

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // What is being worked on is of no commit, and no commit should build it again.
    if env::var("PROFILE").as_deref() != Ok("release") {
        return;
    }
    let Ok(here) = env::var("CARGO_MANIFEST_DIR") else { return };
    // The repository of somebody who unpacked the sources in theirs is not that of forge.
    if !Path::new(&here).join(".git").exists() {
        return;
    }
    if let Some(log) = git(&here, &["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
    let is_changed = git(&here, &["status", "--porcelain", "--untracked-files=no"]);
    let Some("") = is_changed.as_deref() else { return };
    if let Some(commit) = git(&here, &["log", "-1", "--format=%H"]) {
        println!("cargo::rustc-env=FORGE_BUILT_COMMIT={commit}");
    }
    if let Some(date) = git(&here, &["log", "-1", "--format=%cs"]) {
        println!("cargo::rustc-env=FORGE_BUILT_DATE={date}");
    }
}

/// What git prints; nothing where there is no git, or it refuses.
fn git(folder: &str, words: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(folder).args(words).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
