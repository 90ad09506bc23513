//! The builds of GoReleaser, <https://goreleaser.com/customization/builds/go>: each becomes a spec, and
//! the platforms that all of them are made for become those of the workspace.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{
    ImportOutcome, line_at,
    programs::{WHOLE, own},
    written,
};
use crate::{
    manifest::{Node, parse_yaml, scalar, scalars},
    model::{Name, Platform},
};

/// What is built for if a build does not say, as GoReleaser has it.
const SYSTEMS: [&str; 3] = ["linux", "darwin", "windows"];
const PROCESSORS: [&str; 3] = ["386", "amd64", "arm64"];
/// As forge links if a spec does not say.
const USUAL_FLAGS: &str = "-s -w -X main.version={{ version }}";
/// As GoReleaser links if a build does not say, as far as the same inputs give the same bytes.
const DEFAULT_FLAGS: &str = "-s -w -X main.version={{.Version}}";

/// The builds in `text`, of a project in a folder called `folder`, and their platforms.
pub fn builds(text: &str, folder: &str) -> (Vec<(usize, String, ImportOutcome)>, Vec<Platform>) {
    let root = match parse_yaml(text) {
        Ok(Some(root)) => root,
        Ok(None) => return (Vec::new(), Vec::new()),
        Err(why) => return (vec![(1, String::new(), ImportOutcome::left(why))], Vec::new()),
    };
    let project = scalar(&root, "project_name").map_or(folder.to_owned(), |name| name.text);
    let mut platforms = BTreeSet::new();
    let nodes = root.get("builds").map(|node| node.one_or_many().to_vec()).unwrap_or_default();
    let lines = nodes.iter().map(|node| {
        let number = line_at(text, node.bytes.start);
        let outcome = one(node, &project);
        if matches!(outcome, ImportOutcome::Pinned { .. }) {
            platforms.extend(targets(node));
        }
        (number, written(text, number).trim_start_matches("- ").to_owned(), outcome)
    });
    let mut lines: Vec<_> = lines.collect();
    if nodes.is_empty() {
        let whole = Node { value: crate::manifest::Value::Map(Vec::new()), bytes: 0..0 };
        platforms.extend(targets(&whole));
        lines.push((1, "the default build".to_owned(), one(&whole, &project)));
    }
    (lines, platforms.into_iter().collect())
}

fn one(build: &Node, project: &str) -> ImportOutcome {
    let text = |key: &str| scalar(build, key).map(|scalar| scalar.text);
    if let Some(builder) = text("builder").filter(|builder| builder != "go") {
        return ImportOutcome::left(format!("its builder is {builder}; write `build:` by hand"));
    }
    if text("skip").is_some_and(|skip| skip == "true") {
        return ImportOutcome::left("GoReleaser skips it");
    }
    let named = |text: String| text.replace(' ', "").replace("{{.ProjectName}}", project);
    let id = text("id").map_or(project.to_owned(), named);
    let binary = text("binary").map_or(project.to_owned(), named);
    let binary = binary.rsplit('/').next().unwrap_or(&binary).to_owned();
    if binary.contains("{{") {
        return ImportOutcome::left(format!("its binary is called by a template: {binary}"));
    }
    let Ok(name) = Name::new(&binary).or_else(|_| Name::new(&id)) else {
        return ImportOutcome::left(format!("`{binary}` cannot be the name of a subsystem"));
    };
    let mut but = Vec::new();
    let package = package(build);
    but.extend((package == ".").then(|| WHOLE.to_owned()));
    let spec = own(&name, &package, &binary) + &go(build, &mut but);
    let left =
        ["asmflags", "gcflags", "hooks", "overrides", "buildmode", "command", "no_unique_dist_dir"];
    let left: Vec<_> = left.into_iter().filter(|key| build.get(key).is_some()).collect();
    if !left.is_empty() {
        but.push(format!("not taken: {}", left.join(", ")));
    }
    ImportOutcome::Pinned { name, version: "v0.1.0".into(), spec, but }
}

/// The folder of its package, relative to the workspace.
fn package(build: &Node) -> String {
    let part = |key: &str| scalar(build, key).map_or(String::new(), |scalar| scalar.text);
    let main = part("main");
    let main = if main.ends_with(".go") {
        main.rsplit_once('/').map_or("", |(folder, _)| folder)
    } else {
        &main
    };
    let parts = [part("dir"), main.to_owned()];
    let parts = parts.iter().flat_map(|path| path.split('/'));
    let parts: Vec<_> = parts.filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

/// The `build:` of its spec.
fn go(build: &Node, but: &mut Vec<String>) -> String {
    let mut keys = String::new();
    let flags = scalars(build, "ldflags").iter().map(|flag| flag.text.clone()).collect::<Vec<_>>();
    let flags = if flags.is_empty() { DEFAULT_FLAGS.to_owned() } else { flags.join(" ") };
    let flags = link_flags(&flags, but);
    if flags != USUAL_FLAGS {
        let _ = writeln!(keys, "    ldflags: '{}'", flags.replace('\'', "''"));
    }
    let mut tags: Vec<String> = scalars(build, "tags").iter().map(|tag| tag.text.clone()).collect();
    for flag in scalars(build, "flags") {
        match flag.text.strip_prefix("-tags=").or_else(|| flag.text.strip_prefix("-tags ")) {
            Some(more) => tags.extend(more.split(',').map(str::to_owned)),
            None if matches!(flag.text.as_str(), "-trimpath" | "-v") => {}
            None => but.push(format!("flag not taken: {}", flag.text)),
        }
    }
    tags.retain(|tag| !tag.contains("{{"));
    if !tags.is_empty() {
        let _ = writeln!(keys, "    tags: [{}]", tags.join(", "));
    }
    for variable in scalars(build, "env") {
        match variable.text.as_str() {
            "CGO_ENABLED=1" => keys.push_str("    cgo: true\n"),
            "CGO_ENABLED=0" => {}
            other => but.push(format!("variable not taken: {other}")),
        }
    }
    match keys.is_empty() {
        true => "build: { go: . }\n".to_owned(),
        false => format!("build:\n  go:\n{keys}"),
    }
}

/// Flags for the linker in forge's templates. What would differ from run to run is left out.
fn link_flags(flags: &str, but: &mut Vec<String>) -> String {
    let closed = joined_templates(flags);
    let mut words = closed.split_whitespace().peekable();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        let mut flag = word.to_owned();
        if word == "-X"
            && let Some(next) = words.next()
        {
            flag = format!("-X {next}");
        }
        let flag = ["Version", "Tag", "RawVersion"].iter().fold(flag, |flag, name| {
            let own = if *name == "Tag" { "{{ version }}" } else { "{{ version_number }}" };
            flag.replace(&format!("{{{{.{name}}}}}"), own)
        });
        let unknown = flag.replace("{{ version }}", "").replace("{{ version_number }}", "");
        if unknown.contains("{{") {
            but.push(format!("left out, since it is not pinned: {flag}"));
        } else {
            kept.push(flag);
        }
    }
    kept.join(" ")
}

/// `text` without blanks inside of templates.
fn joined_templates(text: &str) -> String {
    let mut joined = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inside, behind) = after.split_once("}}").unwrap_or((after, ""));
        let inside: String = inside.split_whitespace().collect();
        let _ = write!(joined, "{before}{{{{{inside}}}}}");
        rest = behind;
    }
    joined + rest
}

/// The platforms that a build is made for, as far as forge knows them.
fn targets(build: &Node) -> BTreeSet<Platform> {
    let words = |key: &str, usual: &[&str]| {
        let found: Vec<String> = scalars(build, key).iter().map(|word| word.text.clone()).collect();
        let usual = || usual.iter().map(|word| (*word).to_owned()).collect();
        if found.is_empty() { usual() } else { found }
    };
    let parse = |os: &str, arch: &str| format!("{os}-{arch}").parse::<Platform>().ok();
    let named: BTreeSet<_> = scalars(build, "targets")
        .iter()
        .filter_map(|target| {
            let mut parts = target.text.split('_');
            parse(parts.next()?, parts.next()?)
        })
        .collect();
    if !named.is_empty() {
        return named;
    }
    let ignored = build.get("ignore").map(|node| node.one_or_many().to_vec()).unwrap_or_default();
    let is_ignored = |os: &str, arch: &str| {
        ignored.iter().any(|one| {
            let is = |key, wanted: &str| scalar(one, key).is_none_or(|it| it.text == wanted);
            scalar(one, "goarm").is_none() && is("goos", os) && is("goarch", arch)
        })
    };
    let mut found = BTreeSet::new();
    for os in words("goos", &SYSTEMS) {
        for arch in words("goarch", &PROCESSORS) {
            // Go has none for these.
            let is_none = os == "darwin" && matches!(arch.as_str(), "386" | "arm");
            if !is_none && !is_ignored(&os, &arch) {
                found.extend(parse(&os, &arch));
            }
        }
    }
    found
}
