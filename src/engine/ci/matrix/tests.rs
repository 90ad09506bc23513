//! Matrices of small workspaces, and of any.

use std::{fs, path::Path};

use proptest::prelude::*;

use super::*;
use crate::workspace::{Documents, LoadInputs, WantedPlatforms};

fn spec(root: &Path, name: &str, more: &str) {
    let text = format!("build: {{ run: 'true' }}\n{more}");
    fs::write(root.join(format!("subsystems/{name}.yml")), text).unwrap();
}

/// A workspace with these subsystems, each with what it needs and what it is built with.
fn workspaces(platforms: &str, subsystems: &[(String, String)]) -> Workspaces {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("subsystems")).unwrap();
    let mut manifest = format!("platforms: [{platforms}]\nversions:\n");
    for (name, more) in subsystems {
        manifest.push_str(&format!("  {name}: v1\n"));
        spec(dir.path(), name, more);
    }
    fs::write(dir.path().join("versions.yml"), manifest).unwrap();
    let outside = LoadInputs::nothing();
    let documents = Documents::read(dir.path(), &outside.user).unwrap();
    Workspaces::resolve(&documents, WantedPlatforms::All, &outside)
        .unwrap_or_else(|e| panic!("{e:?}"))
}

fn small(platforms: &str) -> Workspaces {
    let subsystem = |(name, more): (&str, &str)| (name.to_owned(), more.to_owned());
    let all = [
        ("tool", ""),
        ("app", "build_needs: tool\n"),
        ("lib", ""),
        ("site", "needs: lib\n"),
        ("lone", ""),
    ];
    workspaces(platforms, &all.map(subsystem))
}

fn all(workspaces: &Workspaces) -> BTreeSet<ArtifactId> {
    workspaces.artifacts(workspaces.any().subsystems.keys()).collect()
}

fn fleet(named: &BTreeMap<Platform, Vec<String>>, jobs: usize) -> Fleet<'_> {
    Fleet { host: RunnerHost::GitHub, named, jobs, folder: None }
}

/// Each job with what it runs on and builds.
fn told(matrix: &Matrix) -> Vec<String> {
    let job = |job: &Job| {
        let artifacts =
            job.artifacts.iter().map(|(platform, names)| format!("{platform}: {}", words(names)));
        let artifacts: Vec<_> = artifacts.collect();
        format!("{} | {} | {}", job.name, job.runner.labels.join("+"), artifacts.join("; "))
    };
    matrix.jobs.iter().map(job).collect()
}

#[test]
fn what_depends_on_each_other_stays_together() {
    let workspaces = small("linux-amd64");
    let seconds =
        |id: &ArtifactId| (id.clone(), if id.name.as_str() == "lone" { 100.0 } else { 10.0 });
    let wanted = all(&workspaces);
    let seconds: BTreeMap<_, _> = wanted.iter().map(seconds).collect();
    let named = BTreeMap::new();
    let matrix = fleet(&named, 2).deal(&workspaces, &wanted, &[], &seconds);
    assert_eq!(
        told(&matrix),
        [
            "linux-amd64, 1 of 2 | ubuntu-24.04 | linux-amd64: lone",
            "linux-amd64, 2 of 2 | ubuntu-24.04 | linux-amd64: app lib site tool",
        ]
    );
    assert!((matrix.jobs[1].seconds - 40.0).abs() < 1e-9);
    assert_eq!(
        matrix.jobs[1].command,
        "forge ci app lib site tool --platform linux-amd64 --part --no-publish"
    );
    assert_eq!(
        matrix.jobs[1].publish,
        "forge ci:release app lib site tool --platform linux-amd64 --part"
    );
    assert_eq!(fleet(&named, 9).deal(&workspaces, &wanted, &[], &seconds).jobs.len(), 3);
}

#[test]
fn each_platform_is_built_on_its_runner() {
    let workspaces = small("linux-amd64, linux-arm64");
    let named = BTreeMap::new();
    let matrix = fleet(&named, 1).deal(&workspaces, &all(&workspaces), &[], &BTreeMap::new());
    assert_eq!(
        told(&matrix),
        [
            "linux-amd64 | ubuntu-24.04 | linux-amd64: app lib lone site tool",
            "linux-arm64 | ubuntu-24.04-arm | linux-arm64: app lib lone site tool",
        ]
    );
}

#[test]
fn what_is_built_on_another_machine_stays_with_the_tools_for_that() {
    let workspaces = small("linux-amd64, linux-arm64");
    let arm: Platform = "linux-arm64".parse().unwrap();
    let named = BTreeMap::from([(arm, vec!["ubuntu-22.04".to_owned()])]);
    let matrix = fleet(&named, 9).deal(&workspaces, &all(&workspaces), &[], &BTreeMap::new());
    let with_tools = &matrix.jobs[0];
    // Both apps need the tool for the machine; all three are on one runner.
    assert_eq!(
        told(&matrix)[0],
        "ubuntu-22.04, 1 of 4 | ubuntu-22.04 | linux-amd64: app tool; linux-arm64: app"
    );
    assert_eq!(
        with_tools.command,
        "forge ci app tool --platform linux-amd64 --part --no-publish && forge ci app --platform linux-arm64 --part --no-publish"
    );
    let line = matrix.github().unwrap();
    let read: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(read["include"][0]["platform"], "linux-amd64 linux-arm64");
    assert_eq!(read["include"][0]["runner"], "ubuntu-22.04");
}

#[test]
fn a_folder_is_named_and_a_runner_may_have_several_labels() {
    let workspaces = small("linux-amd64");
    let platform: Platform = "linux-amd64".parse().unwrap();
    let named = BTreeMap::from([(platform, vec!["self-hosted".to_owned(), "big".to_owned()])]);
    let fleet = Fleet { folder: Some("my stack"), ..fleet(&named, 1) };
    let matrix = fleet.deal(&workspaces, &all(&workspaces), &[], &BTreeMap::new());
    let read: serde_json::Value = serde_json::from_str(&matrix.github().unwrap()).unwrap();
    assert_eq!(read["include"][0]["runner"], serde_json::json!(["self-hosted", "big"]));
    assert!(matrix.jobs[0].command.starts_with("forge -C 'my stack' ci app "));
    assert!(matrix.gitlab().contains("tags:\n    - \"self-hosted\"\n    - \"big\"\n"));
}

#[test]
fn nothing_is_an_empty_list_for_github_and_one_idle_job_for_gitlab() {
    let matrix = Matrix { jobs: Vec::new() };
    assert_eq!(matrix.github().unwrap(), r#"{"include":[]}"#);
    assert!(
        matrix.gitlab().ends_with("nothing to build:\n  stage: build\n  script:\n    - \"true\"\n")
    );
}

#[test]
fn what_actions_would_refuse_is_refused_here() {
    let workspaces = small("linux-amd64");
    let named = BTreeMap::new();
    let one = fleet(&named, 1).deal(&workspaces, &all(&workspaces), &[], &BTreeMap::new());
    let many = Matrix { jobs: vec![one.jobs[0].clone(); MOST_JOBS + 1] };
    assert!(many.github().unwrap_err().to_string().contains("would refuse"));
    let long = Job { command: "x".repeat(600_000), ..one.jobs[0].clone() };
    assert!(Matrix { jobs: vec![long] }.github().is_err());
}

/// Subsystems each of which may need and be built with earlier ones.
fn any_subsystems() -> impl Strategy<Value = Vec<(String, String)>> {
    let needs = prop::collection::vec((any::<prop::sample::Index>(), 0..6_u8), 1..14);
    needs.prop_map(|needs| {
        let spec = |(at, (other, kind)): (usize, (prop::sample::Index, u8))| {
            let more = match (at, kind) {
                (1.., 0) => format!("needs: s{}\n", other.index(at)),
                (1.., 1) => format!("build_needs: s{}\n", other.index(at)),
                _ => String::new(),
            };
            (format!("s{at}"), more)
        };
        needs.into_iter().enumerate().map(spec).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn each_artifact_is_built_by_one_job_and_with_all_it_needs(
        subsystems in any_subsystems(),
        jobs in 1..8_usize,
        crosses in any::<bool>(),
        weights in prop::collection::vec(0.1..50.0_f64, 60),
    ) {
        let workspaces = workspaces("linux-amd64, linux-arm64, darwin-arm64", &subsystems);
        let darwin: Platform = "darwin-arm64".parse().unwrap();
        let named = BTreeMap::from([(darwin, vec!["ubuntu-24.04".to_owned()])]);
        let none = BTreeMap::new();
        let fleet = fleet(if crosses { &named } else { &none }, jobs);
        let wanted = all(&workspaces);
        let seconds: BTreeMap<_, _> = wanted.iter().cloned().zip(weights).collect();
        let matrix = fleet.deal(&workspaces, &wanted, &[], &seconds);
        prop_assert_eq!(fleet.deal(&workspaces, &wanted, &[], &seconds), matrix.clone());

        let runners = if crosses { 2 } else { 3 };
        prop_assert!(matrix.jobs.len() <= jobs.max(runners));
        let names: BTreeSet<_> = matrix.jobs.iter().map(|job| job.name.as_str()).collect();
        prop_assert_eq!(names.len(), matrix.jobs.len(), "each job has a name of its own");
        let mut built = BTreeSet::new();
        for job in &matrix.jobs {
            let ids = job.artifacts.iter().flat_map(|(platform, names)| {
                names.iter().map(|name| ArtifactId { name: name.clone(), platform: *platform })
            });
            let ids: BTreeSet<_> = ids.collect();
            for id in &ids {
                prop_assert!(built.insert(id.clone()), "{} is built twice", id);
                for need in fleet.needs(&workspaces, id) {
                    prop_assert!(ids.contains(&need), "{} is built apart from {}", id, need);
                }
            }
            let sum: f64 = ids.iter().map(|id| seconds[id]).sum();
            prop_assert!((job.seconds - sum).abs() < 1e-6);
        }
        prop_assert_eq!(built, wanted);
    }
}
