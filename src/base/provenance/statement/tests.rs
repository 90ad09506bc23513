//! Statements, written and read back.

use proptest::prelude::*;

use super::*;
use crate::model::{BinaryName, Name};

fn stamp() -> Stamp {
    Stamp {
        name: Name::new("nats").unwrap(),
        version: "v2.10.24".into(),
        commit: None,
        platform: "linux-amd64".parse().unwrap(),
        fingerprint: "1".repeat(64).parse().unwrap(),
        inputs: BTreeMap::from([("steps".into(), "0123456789abcdef".into())]),
        binaries: BTreeMap::from([(BinaryName::new("nats-server").unwrap(), Sha256([2; 32]))]),
    }
}

fn sample() -> Statement {
    let builder = Builder::new("https://github.com/o/r/.github/workflows/x.yml@refs/heads/main");
    let mut statement = Statement::new(
        "stack",
        &stamp(),
        "nats-server-linux-amd64.tar.gz",
        Sha256([1; 32]),
        builder,
    );
    statement.dependencies = vec![
        Dependency::repository("https://github.com/o/r", "c0ffee"),
        Dependency::file("https://nats.io/src.tar.gz", Sha256([3; 32])),
        Dependency::tool("go", "go version go1.26.1"),
    ];
    statement.run = StatementRun {
        url: Some("https://github.com/o/r/actions/runs/7/attempts/1".into()),
        event: Some("push".into()),
        sandbox: Some("landlock".into()),
        worker: None,
        started_on: Some("2026-01-02T03:04:05Z".into()),
        finished_on: Some("2026-01-02T03:04:06Z".into()),
    };
    statement
}

#[test]
fn a_statement_is_in_the_published_form() {
    let line = sample().line();
    assert!(line.ends_with('\n') && line.matches('\n').count() == 1);
    let found: Value = serde_json::from_str(&line).unwrap();
    let wanted = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            { "name": "nats-server-linux-amd64.tar.gz", "digest": { "sha256": "01".repeat(32) } },
            { "name": "nats-server", "digest": { "sha256": "02".repeat(32) } },
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "forge:build/v1",
                "externalParameters": {
                    "project": "stack", "subsystem": "nats", "version": "v2.10.24", "platform": "linux-amd64",
                },
                "internalParameters": {
                    "fingerprint": "1".repeat(64), "event": "push", "sandbox": "landlock",
                    "inputs": { "steps": "0123456789abcdef" },
                },
                "resolvedDependencies": [
                    { "uri": "git+https://github.com/o/r", "digest": { "gitCommit": "c0ffee" } },
                    { "uri": "https://nats.io/src.tar.gz", "digest": { "sha256": "03".repeat(32) } },
                    { "name": "go", "annotations": { "version": "go version go1.26.1" } },
                ],
            },
            "runDetails": {
                "builder": { "id": "https://github.com/o/r/.github/workflows/x.yml@refs/heads/main" },
                "metadata": {
                    "invocationId": "https://github.com/o/r/actions/runs/7/attempts/1",
                    "startedOn": "2026-01-02T03:04:05Z",
                    "finishedOn": "2026-01-02T03:04:06Z",
                },
            },
        },
    });
    assert_eq!(found, wanted);
}

#[test]
fn what_is_written_is_read() {
    let mut bare = Statement::new("p", &stamp(), "a", Sha256([9; 32]), Builder::laptop());
    bare.recipe = StatementRecipe::default();
    for statement in [sample(), bare] {
        assert_eq!(Statement::read(&statement.line()), Ok(statement.clone()));
        assert!(statement.is_about(statement.subjects[0].sha256));
    }
    let file = format!("\u{feff}{}\r\n\n{}", sample().line().trim(), sample().line());
    assert_eq!(read_statements(&file), Ok(vec![sample(), sample()]));
    assert_eq!(read_statements("\0\0\0"), Ok(vec![]));
}

#[test]
fn a_statement_of_another_tool_says_who_and_what() {
    let line = json!({
        "_type": STATEMENT,
        "subject": [{ "name": "x", "digest": { "sha256": "ab".repeat(32), "sha512": "…" }, "more": 1 }],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": "https://actions.github.io/buildtypes/workflow/v1",
                "externalParameters": { "workflow": { "ref": "refs/heads/main" }, "version": "x" },
                "internalParameters": 7,
                "resolvedDependencies": [{ "uri": "git+https://github.com/o/r", "digest": { "gitCommit": 7 } }, null],
            },
            "runDetails": { "builder": { "id": "https://github.com/o/r/.github/w.yml@refs/heads/main" } },
        },
    });
    let statement = Statement::read(&line.to_string()).unwrap();
    assert_eq!(statement.artifact, None);
    assert_eq!(statement.recipe, StatementRecipe::default());
    assert_eq!(statement.builder.repository(), Some("https://github.com/o/r"));
    assert_eq!(statement.subjects[0].sha256, Sha256([0xab; 32]));
}

#[test]
fn what_is_none_says_why() {
    let without = |pointer: &str, value: Value| {
        let mut document: Value = serde_json::from_str(&sample().line()).unwrap();
        *document.pointer_mut(pointer).unwrap() = value;
        Statement::read(&document.to_string()).unwrap_err()
    };
    assert!(Statement::read("<html>").unwrap_err().starts_with("it is not valid JSON: "));
    assert_eq!(Statement::read("[]").unwrap_err(), "it has no `_type`");
    assert_eq!(
        Statement::read(r#"{"payloadType":"application/vnd.in-toto+json","payload":"e30="}"#)
            .unwrap_err(),
        "it is a signed envelope, which this forge does not open"
    );
    assert_eq!(
        without("/predicateType", json!("https://slsa.dev/provenance/v0.2")),
        "its `predicateType` is https://slsa.dev/provenance/v0.2, not https://slsa.dev/provenance/v1"
    );
    assert_eq!(without("/subject", json!([])), "it does not say what it is about");
    assert_eq!(without("/subject/1/digest", json!({})), "it gives no sha256 of `nats-server`");
    assert_eq!(without("/predicate/runDetails/builder", json!({})), "it does not say who built it");
    let file = format!("{}oops\n", sample().line());
    assert!(
        read_statements(&file)
            .unwrap_err()
            .starts_with("line 2 is not a statement: it is not valid JSON")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_statement_survives_the_round_trip(
        project in ".{0,12}", name in ".{0,12}", uri in ".{0,12}", key in ".{0,8}", digest: [u8; 32], url in proptest::option::of(".{0,12}"),
    ) {
        let mut statement = sample();
        statement.subjects.push(Subject { name, sha256: Sha256(digest) });
        if let Some(artifact) = &mut statement.artifact {
            artifact.project = project;
        }
        let digest = BTreeMap::from([(key.clone(), uri.clone())]);
        statement.recipe.inputs.insert(key, uri.clone());
        statement.dependencies.push(Dependency { uri: Some(uri), digest, ..Dependency::default() });
        statement.run.url = url;
        prop_assert_eq!(read_statements(&statement.line()), Ok(vec![statement]));
    }

    #[test]
    fn no_text_makes_it_stumble(text in "(.|\n|\\{|\\}|\"|:){0,80}") {
        let _ = read_statements(&text);
    }
}
