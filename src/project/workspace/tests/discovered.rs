//! Specs that describe many subsystems, and versions that schemes make.

use super::{super::SharedInputs, Sandbox};
use crate::{
    model::{Name, Scheme, Version},
    workspace::{LoadInputs, Source, load},
};

const FAMILY: &str = "\
discover: apis/{provider}/{component}/v{n}
name: '{{ provider }}/{{ component }}'
group: '{{ provider }}'
version: { scheme: date }
tag: 'module-{{ component }}-{{ version }}'
source: { path: '{{ folder }}' }
build: { run: 'echo {{ component }} {{ n }}' }
";

fn sandbox(more: &[(&str, &str)]) -> Sandbox {
    let mut files = vec![
        ("versions.yml", "versions: {}\n"),
        ("subsystems/modules.yml", FAMILY),
        ("apis/aws/ecs/v1/main.go", "package main\n"),
        ("apis/aws/s3/v1/main.go", "package main\n"),
        ("apis/gcp/run/v2/main.go", "package main\n"),
    ];
    for (path, text) in more {
        files.retain(|(known, _)| known != path);
        files.push((path, text));
    }
    Sandbox::new(&files)
}

#[test]
fn each_folder_is_a_subsystem_with_a_group_a_tag_and_a_version() {
    let lock = "gcp/run:\n  version: 20260107.3\naws/s3:\n  version: v1.0.0\n";
    let workspace = sandbox(&[("forge.lock", lock)]).workspace();
    let names: Vec<_> = workspace.subsystems.keys().map(Name::as_str).collect();
    assert_eq!(names, ["aws/ecs", "aws/s3", "gcp/run"]);
    let run = &workspace.subsystems["gcp/run"];
    assert_eq!(run.version, Version::new("20260107.3").unwrap());
    assert_eq!(run.scheme, Some(Scheme::Date));
    assert_eq!(run.tag.first("20260107.3"), "module-run-20260107.3");
    assert_eq!(run.binaries, ["gcp-run"]);
    let dir = std::path::PathBuf::from("apis/gcp/run/v2");
    assert_eq!(run.source, Source::Path { dir, only: Vec::new() });
    assert_eq!(run.shared, SharedInputs::default());
    let steps = &run.build.as_ref().unwrap().steps;
    assert_eq!(steps[0].symbolic(), "echo run 2");
    // What another scheme left in the lock does not count.
    assert!(workspace.subsystems["aws/s3"].version.is_unreleased());
    let group = |name: &str| workspace.groups[name].iter().map(Name::as_str).collect::<Vec<_>>();
    assert_eq!(group("aws"), ["aws/ecs", "aws/s3"]);
    assert_eq!(group("modules"), names);
}

#[test]
fn versions_yml_may_pin_one_or_all_and_an_invocation_may_choose() {
    let manifest = "versions: { modules: { scheme: commits }, aws/s3: 20260101.0 }\n";
    let sandbox = sandbox(&[("versions.yml", manifest)]);
    let workspace = sandbox.workspace();
    let s3 = &workspace.subsystems["aws/s3"];
    assert_eq!((s3.version.as_str(), &s3.scheme, s3.is_chosen), ("20260101.0", &None, false));
    assert!(matches!(workspace.subsystems["gcp/run"].scheme, Some(Scheme::Commits(_))));
    let name = Name::new("gcp/run").unwrap();
    let chosen = [(name, Version::new("1.2.3").unwrap())].into();
    let outside = LoadInputs { chosen, ..LoadInputs::nothing() };
    let chosen = load(sandbox.0.path(), super::on("linux-amd64"), &outside).unwrap();
    let run = &chosen.subsystems["gcp/run"];
    assert_eq!((run.version.as_str(), run.is_chosen), ("1.2.3", true));
    assert!(run.build.as_ref().is_some_and(|build| !build.steps.is_empty()));
}

#[test]
fn what_is_wrong_with_a_family_is_told_once() {
    let told = |spec: &str| {
        let problems = sandbox(&[("subsystems/modules.yml", spec)]).problems();
        let told = problems.diagnostics.iter();
        told.map(|one| one.what.clone()).collect::<Vec<_>>().join("; ")
    };
    let with = |from: &str, to: &str| {
        assert!(FAMILY.contains(from), "{from}");
        told(&FAMILY.replace(from, to))
    };
    assert_eq!(
        with("{{ provider }}/{{ component }}'", "{{ provider }}'"),
        "apis/aws/ecs/v1 and apis/aws/s3/v1 are both called aws"
    );
    assert_eq!(with("{{ n }}", "{{ m }}"), "templates know no `m` here");
    assert_eq!(
        with("apis/{provider}", "api/{provider}"),
        "no folder is called like `api/{provider}/{component}/v{n}`"
    );
    assert_eq!(
        with("version: { scheme: date }\n", ""),
        "what subsystems/modules.yml discovers has no version"
    );
}
