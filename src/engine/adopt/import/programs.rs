//! What is built here: Go programs and Cargo packages.

use std::{fs, path::Path};

use super::{super::bins, ImportOutcome, text_of};
use crate::model::Name;

/// What a program in the folder of its module means.
pub const WHOLE: &str =
    "every edit of the workspace is a new source of it; in cmd/NAME only its own are";

/// What specs of own programs begin with. `package` is the folder of its package.
pub fn own(name: &Name, package: &str, binary: &str) -> String {
    let mut text = String::from("# Added by `forge init`.\n");
    if binary != name.as_str() {
        text.push_str(&format!("binary: {binary}\n"));
    }
    text.push_str(&match package {
        "." => "source: { path: . }\n".to_owned(),
        package => format!("source: {{ path: {package}, imports: go }}\n"),
    });
    text
}

/// The programs of the module whose `go.mod` is `text`: in its folder, and below `cmd`.
pub fn go(root: &Path, text: &str) -> Vec<(usize, String, ImportOutcome)> {
    let module = text.lines().find_map(|line| line.strip_prefix("module "));
    let module = module.unwrap_or_default().trim().trim_matches('"');
    let mut programs = Vec::new();
    if is_program(root) {
        let is_major = |part: &str| {
            part.strip_prefix('v').is_some_and(|n| n.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let name = module.rsplit('/').find(|part| !is_major(part)).unwrap_or(module);
        programs.push((".".to_owned(), name.to_owned()));
    }
    let mut below: Vec<String> = fs::read_dir(root.join("cmd"))
        .map(|folders| {
            folders.flatten().filter_map(|it| it.file_name().into_string().ok()).collect()
        })
        .unwrap_or_default();
    below.sort();
    let folder = |name: &String| root.join("cmd").join(name);
    for name in below.into_iter().filter(|name| is_program(&folder(name))) {
        programs.push((format!("cmd/{name}"), name));
    }
    let line = |(package, called): (String, String)| {
        let outcome = match Name::new(&called) {
            Ok(name) => {
                let spec = own(&name, &package, &called) + "build: { go: . }\n";
                let but = if package == "." { vec![WHOLE.to_owned()] } else { Vec::new() };
                ImportOutcome::Pinned { name, version: "v0.1.0".into(), spec, but }
            }
            Err(why) => ImportOutcome::left(why),
        };
        (1, format!("package main in {package}"), outcome)
    };
    programs.into_iter().map(line).collect()
}

/// Whether a folder holds a Go program.
fn is_program(folder: &Path) -> bool {
    let Ok(files) = fs::read_dir(folder) else { return false };
    let names = files.flatten().filter_map(|file| file.file_name().into_string().ok());
    let mut sources = names.filter(|name| name.ends_with(".go") && !name.ends_with("_test.go"));
    sources.any(|name| {
        let text = text_of(folder, &name).unwrap_or_default();
        let is_ignored = text.lines().any(|line| line.trim() == "//go:build ignore");
        !is_ignored && text.lines().any(|line| line.split_whitespace().eq(["package", "main"]))
    })
}

/// The package whose `Cargo.toml` is `text`.
pub fn cargo(root: &Path, text: &str) -> Vec<(usize, String, ImportOutcome)> {
    let mut section = "";
    let mut found = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line;
        } else if let ("[package]", Some((key, value))) = (section, line.split_once('='))
            && key.trim() == "name"
        {
            found = Some((index + 1, value.trim().trim_matches(['"', '\'']).to_owned()));
        }
    }
    let Some((number, called)) = found else {
        let why = "a Cargo workspace: write a spec for each program, `build: { cargo: { package: NAME } }`";
        return vec![(1, "[workspace]".into(), ImportOutcome::left(why))];
    };
    let written = format!("name = \"{called}\"");
    let binaries =
        bins::binaries(text, &called, sources(root).iter().map(String::as_str).collect());
    if binaries.is_empty() {
        return vec![(number, written, ImportOutcome::left("a library: it yields no program"))];
    }
    let outcome = match Name::new(&called) {
        Ok(name) => {
            let mut spec = String::from("# Added by `forge init`.\n");
            if binaries != [called] {
                spec.push_str(&format!("binary: [{}]\n", binaries.join(", ")));
            }
            let script = if root.join("build.rs").is_file() { "build.rs, " } else { "" };
            spec.push_str(&format!(
                "source: {{ path: ., only: [Cargo.toml, Cargo.lock, {script}src] }}\nbuild: {{ cargo: . }}\n"
            ));
            ImportOutcome::Pinned { name, version: "v0.1.0".into(), spec, but: Vec::new() }
        }
        Err(why) => ImportOutcome::left(why),
    };
    vec![(number, written, outcome)]
}

/// The sources of a Cargo package that may be programs.
fn sources(root: &Path) -> Vec<String> {
    let names = |folder: &str| -> Vec<String> {
        let files =
            fs::read_dir(root.join(folder)).map(|files| files.flatten().collect::<Vec<_>>());
        let files = files.unwrap_or_default().into_iter();
        let name = |file: fs::DirEntry| Some(format!("{folder}/{}", file.file_name().to_str()?));
        files.filter_map(name).collect()
    };
    [names("src"), names("src/bin")].concat()
}
