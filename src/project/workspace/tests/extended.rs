//! Specs that take the defaults of others.

use std::path::PathBuf;

use super::Sandbox;
use crate::{
    model::{Name, Scheme},
    workspace::Source,
};

const BASE: &str = "\
vars:
  port: '80'
  url: 'localhost:{{ port }}'
env: { MODE: fast, URL: '{{ url }}' }
version: { scheme: date }
source: { git: 'https://example.org/{{ name }}.git', ref: main }
build:
  go: { package: './cmd/{{ name }}', cgo: true }
  timeout: 5m
tasks:
  test: echo the base tests {{ name }}
  lint: echo lint {{ name }}
";

const OWN: &str = "\
desc: An API
extends: shared/go.yml
vars: { host: h, port: '{{ host }}90' }
env: { MODE: slow }
source: { path: api }
build: { go: { cgo: false }, timeout: ~ }
tasks: { test: echo own }
";

fn sandbox(more: &[(&str, &str)]) -> Sandbox {
    let mut files = vec![
        ("versions.yml", "versions: {}\n"),
        ("shared/go.yml", BASE),
        ("subsystems/api.yml", OWN),
        ("api/go.mod", "module api\n"),
    ];
    for (path, text) in more {
        files.retain(|(known, _)| known != path);
        files.push((path, text));
    }
    Sandbox::new(&files)
}

fn told(sandbox: &Sandbox) -> String {
    let problems = sandbox.problems();
    let tell = |one: &crate::model::Diagnostic| {
        let text = &problems.texts[&one.span.file][one.span.bytes.clone()];
        let help = one.help.clone().unwrap_or_default();
        format!("{}: `{text}`: {} ({help})", one.span.file.display(), one.what)
    };
    problems.diagnostics.iter().map(tell).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_a_spec_does_not_say_the_other_says() {
    let workspace = sandbox(&[]).workspace();
    let api = &workspace.subsystems["api"];
    assert_eq!(api.desc.as_deref(), Some("An API"));
    assert_eq!(api.scheme, Some(Scheme::Date));
    // A choice between keys is the spec's own, with all that belongs to it.
    assert!(matches!(&api.source, Source::Path { dir, .. } if dir == &PathBuf::from("api")));
    let build = api.build.as_ref().unwrap();
    let env = |key: &str| build.env[key].symbolic();
    assert_eq!([env("CGO_ENABLED"), env("MODE")], ["0", "slow"]);
    // A variable that is changed changes those that are made of it.
    assert_eq!(env("URL"), "localhost:h90");
    assert!(build.steps[0].symbolic().ends_with("./cmd/api"));
    assert_eq!(build.timeout.as_secs(), 60 * 60, "`~` takes nothing");
    let command = |name: &str| {
        let task = &workspace.tasks[&format!("api:{name}")];
        (task.place.file.display().to_string(), task.line)
    };
    assert_eq!(command("test"), ("subsystems/api.yml".into(), 7));
    assert_eq!(command("lint"), ("shared/go.yml".into(), 12));
    let keys = ["vars", "env", "version", "build", "tasks"].map(str::to_owned).to_vec();
    assert_eq!(api.extends, [(PathBuf::from("shared/go.yml"), keys)]);
    assert!(workspace.inputs.iter().any(|path| path.ends_with("shared/go.yml")));
}

#[test]
fn a_spec_can_be_extended_and_extends_others_itself() {
    let worker = "extends: api\nbinary: w\nsource: { path: api, only: [go.mod] }\n";
    let workspace = sandbox(&[("subsystems/worker.yml", worker)]).workspace();
    let worker = &workspace.subsystems["worker"];
    assert_eq!(worker.desc, None);
    assert_eq!(worker.binaries, ["w"]);
    assert!(worker.build.as_ref().unwrap().steps[0].symbolic().ends_with("./cmd/worker"));
    let files: Vec<_> = worker.extends.iter().map(|(file, _)| file.display().to_string()).collect();
    assert_eq!(files, ["subsystems/api.yml", "shared/go.yml"]);
    assert!(worker.version.is_unreleased());
    let own = |task: &&crate::workspace::Task| task.subsystem == Name::new("worker").ok();
    assert_eq!(workspace.tasks.values().filter(own).count(), 2);
}

#[test]
fn what_is_wrong_is_told_where_it_stands() {
    let sandbox = sandbox(&[("shared/go.yml", &BASE.replace("{{ url }}", "{{ ulr }}"))]);
    let told = told(&sandbox);
    assert!(told.starts_with("shared/go.yml: `ulr`"), "{told}");
}

#[test]
fn what_cannot_be_extended_is_told() {
    let told = |extends: &str| {
        let own =
            format!("extends: {extends}\nbuild: {{ run: 'true' }}\nversion: {{ scheme: date }}\n");
        told(&sandbox(&[("subsystems/api.yml", &own)]))
    };
    insta::assert_snapshot!(
        ["apj", "shared/none.yml", "../x.yml", "api", "nothing"].map(told).join("\n"),
        @r"
    subsystems/api.yml: `apj`: `apj` is not a spec that could be extended (did you mean `api`?)
    subsystems/api.yml: `shared/none.yml`: there is no file shared/none.yml (paths are from the folder of versions.yml)
    subsystems/api.yml: `../x.yml`: `../x.yml` is not a spec that could be extended (write the name of a spec, or a path from the folder of versions.yml that ends in `.yml`)
    subsystems/api.yml: `api`: what extends what is a cycle: subsystems/api.yml → subsystems/api.yml (take one of them out)
    subsystems/api.yml: `nothing`: `nothing` is not a spec that could be extended (write the name of a spec, or a path from the folder of versions.yml that ends in `.yml`)
    "
    );
    let cycle = sandbox(&[("shared/go.yml", "extends: api\n")]);
    insta::assert_snapshot!(
        super::extended::told(&cycle),
        @"shared/go.yml: `api`: what extends what is a cycle: subsystems/api.yml → shared/go.yml → subsystems/api.yml (take one of them out)"
    );
}
