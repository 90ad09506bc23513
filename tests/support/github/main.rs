//! The stand-in GitHub by itself, for other programs' tests and for measurements.
//!
//! `cargo run --example stand_in -- [--port N] [--unix-socket PATH] [--repo OWNER/REPO] [--seed FOLDER]`
//! prints its URL and ends when standard input closes.

#[path = "mod.rs"]
#[allow(dead_code, unused_imports, reason = "tests use more of it")]
mod github;

use std::{io::Read, path::Path};

use github::{GitHub, Listen, NewRelease};

const USAGE: &str = "usage: stand_in [--port N] [--unix-socket PATH] [--repo OWNER/REPO] [--private] [--immutable] [--seed FOLDER]";

fn main() {
    let mut listen = Listen::default();
    let (mut folder, mut seed) = ("acme/stack".to_owned(), None);
    let (mut private, mut immutable) = (false, false);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| usage());
        match word.as_str() {
            "--port" => listen.port = value().parse().unwrap_or_else(|_| usage()),
            "--unix-socket" => listen.socket = Some(value().into()),
            "--repo" => folder = value(),
            "--seed" => seed = Some(value()),
            "--private" => private = true,
            "--immutable" => immutable = true,
            _ => usage(),
        }
    }
    let github = GitHub::listening(&folder, &listen);
    github.limits(1_000_000_000, 1_000_000_000);
    if let Some(seed) = seed {
        sow(&github, Path::new(&seed));
    }
    if private {
        github.make_private();
    }
    if immutable {
        github.make_immutable();
    }
    println!("{}", github.url());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    for asked in github.requests() {
        eprintln!("{asked}");
    }
}

fn usage() -> ! {
    eprintln!("{USAGE}");
    std::process::exit(2);
}

/// Adds a release for each folder, with the folder's files as assets.
fn sow(github: &GitHub, seed: &Path) {
    for folder in std::fs::read_dir(seed).expect("the seed").flatten() {
        let mut release = NewRelease::tagged(&folder.file_name().to_string_lossy());
        for file in std::fs::read_dir(folder.path()).expect("a folder per release").flatten() {
            let bytes = std::fs::read(file.path()).expect("an asset");
            release = release.asset(&file.file_name().to_string_lossy(), bytes);
        }
        github.add_release(release);
    }
}
