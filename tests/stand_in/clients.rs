//! Clients that people use get along with the stand-in.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::support::{
    github::{Fault, GitHub, Host, Listen, Operation, State},
    is_here, python_with, sha256,
};

/// The output of a client that has nothing of the user's around it.
fn run(program: &str, words: &[&str], folder: &Path, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(program);
    command
        .args(words)
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .envs(variables.iter().copied())
        .stdin(Stdio::null());
    command.output().unwrap_or_else(|e| panic!("cannot run {program}: {e}"))
}

fn text_of(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

#[test]
fn gh_creates_uploads_and_understands_conflicts() {
    if !is_here("gh") {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let socket = dir.path().join("github.sock");
    let github = GitHub::listening(
        "acme/stack",
        &Listen { socket: Some(socket.clone()), ..Listen::default() },
    );
    let config = format!("http_unix_socket: {}\n", socket.display());
    std::fs::write(dir.path().join("config.yml"), config).expect("gh's settings");
    std::fs::write(dir.path().join("nats.tar.gz"), "bytes").expect("an asset");
    let here = dir.path().to_str().expect("UTF-8");
    let gh = |words: &str, code: i32| {
        let words: Vec<_> = words.split(' ').collect();
        let variables = [("GH_TOKEN", "ghp_write"), ("GH_CONFIG_DIR", here)];
        let output = run("gh", &words, dir.path(), &variables);
        assert_eq!(output.status.code(), Some(code), "gh {words:?}: {}", text_of(&output));
        text_of(&output)
    };
    let create = "release create nats-v1 -R acme/stack --notes new --title nats";
    let address = gh(&format!("{create} nats.tar.gz"), 0);
    assert_eq!(address.trim(), "https://github.com/acme/stack/releases/tag/nats-v1");
    let release = github.release("nats-v1").expect("the release");
    assert!(!release.draft, "gh makes a draft, uploads, and publishes");
    let asset = release.asset("nats.tar.gz").expect("the asset");
    assert_eq!((&asset.bytes[..], asset.state), (&b"bytes"[..], State::Uploaded));
    gh("release create caddy-v1 -R acme/stack --notes new --draft", 0);
    gh("release upload caddy-v1 -R acme/stack nats.tar.gz", 0);
    let draft = github.release("caddy-v1").expect("the draft");
    assert_eq!((draft.draft, draft.asset_names()), (true, vec!["nats.tar.gz"]));
    assert!(gh(create, 1).contains("Release.tag_name already exists"));
    let again = gh("release upload nats-v1 -R acme/stack nats.tar.gz", 1);
    assert!(again.contains("asset under the same name already exists"), "{again}");
    gh("release upload nats-v1 -R acme/stack nats.tar.gz --clobber", 0);
    assert_ne!(github.release("nats-v1").expect("it").assets[0].id, asset.id);
    let digest = gh("api repos/acme/stack/releases/tags/nats-v1 -q .assets[0].digest", 0);
    assert_eq!(digest.trim(), format!("sha256:{}", sha256(b"bytes")));
    github.next(Operation::ReleaseByTag, Fault::NotAccessible);
    assert!(gh("api repos/acme/stack/releases/tags/nats-v1", 1).contains("HTTP 403"));
    assert_eq!(github.tokens_seen_at(Host::Object), [""; 0]);
}

/// What PyGithub does; prints what the test wants to know.
const SCRIPT: &str = r#"
import sys
from github import Auth, Github, GithubException

github = Github(base_url=sys.argv[1], auth=Auth.Token("ghs_write"), retry=None, seconds_between_requests=0, seconds_between_writes=0)
repository = github.get_repo("acme/stack")
assert repository.permissions.push and repository.default_branch == "main"
release = repository.create_git_release("nats-v1", "nats", "new", draft=True)
asset = release.upload_asset("nats.tar.gz", name="nats one.tar.gz")
print(asset.name, asset.state, asset.size)
release.update_release("nats", "published", draft=False)
try:
    release.upload_asset("nats.tar.gz", name="nats.one.tar.gz")
except GithubException as e:
    print(e.status, e.data["errors"][0]["code"])
try:
    repository.create_git_release("nats-v1", "nats", "again")
except GithubException as e:
    print(e.status, e.data["errors"][0]["code"], e.data["errors"][0]["field"])
for number in range(40):
    repository.create_git_release(f"v{number}", "", "")
print(repository.get_releases().totalCount, len(list(repository.get_releases())))
found = repository.get_release("nats-v1")
print(found.name, found.body, [asset.name for asset in found.get_assets()])
tag = repository.create_git_tag("claim-1", "by run 7", "6dcb09b5b57875f334f61aebed695e2e4193db5e", "commit")
repository.create_git_ref("refs/tags/claim-1", tag.sha)
print(repository.get_git_ref("tags/claim-1").object.type)
found.get_assets()[0].delete_asset()
found.delete_release()
print(github.get_rate_limit().resources.core.limit)
"#;

#[test]
fn pygithub_creates_uploads_lists_and_deletes() {
    let Some(python) = python_with("github") else { return };
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("nats.tar.gz"), "bytes").expect("an asset");
    let github = GitHub::new("acme/stack");
    for url in [github.api_url(), github.enterprise_api_url()] {
        let output = run(&python, &["-c", SCRIPT, &url], dir.path(), &[]);
        assert!(output.status.success(), "{}", text_of(&output));
        let said = text_of(&output);
        let expected = [
            "nats.one.tar.gz uploaded 5",
            "422 already_exists",
            "422 already_exists tag_name",
            "41 41",
            "nats published ['nats.one.tar.gz']",
            "tag",
            "5000",
        ];
        assert_eq!(said.lines().collect::<Vec<_>>(), expected);
        assert_eq!(github.releases().len(), 40);
        github.forget_releases();
    }
}
