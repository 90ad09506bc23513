//! `trust: ci`: what CI built is taken, what a laptop built is refused, and never built instead.

use std::{fs, path::PathBuf};

use forge::{
    model::{Sha256, Stamp},
    provenance::{Builder, Statement, promotion_name, statement_name},
};

use crate::release::on_main;
use crate::support::{Asset, Run, Sandbox, Server, sha256};

const CI: &str = "https://github.com/o/r/.github/workflows/ci.yml@refs/heads/main";
const PULL: &str = "https://github.com/o/r/.github/workflows/ci.yml@refs/pull/7/merge";
const LAPTOP: &str = "forge:laptop";

/// A release that somebody published, and a fresh clone that only trusts CI.
struct Released {
    origin: Sandbox,
    clone: Sandbox,
    asset: PathBuf,
    event: &'static str,
}

fn released() -> Released {
    let origin = Sandbox::with_store().script("hello", "v1.0.0");
    origin.forge("ensure").succeeds();
    let asset = origin.asset("hello-v1.0.0");
    let clone = origin.clone_fresh().head("trust: ci");
    let released = Released { origin, clone, asset, event: "push" };
    // What it says of itself is for each test to say.
    let _ = fs::remove_file(released.asset.with_file_name(statement_name(&released.name())));
    released
}

impl Released {
    fn name(&self) -> String {
        self.asset.file_name().unwrap().to_str().unwrap().to_owned()
    }

    /// What `builder` says of the asset with this digest.
    fn said(&self, builder: &str, digest: &str) -> String {
        let stamp: Stamp = serde_yaml::from_str(&Asset::stamp_of(&self.asset)).unwrap();
        let digest: Sha256 = digest.parse().unwrap();
        let mut statement =
            Statement::new("p", &stamp, &self.name(), digest, Builder::new(builder));
        statement.run.event = Some(self.event.into());
        statement.line()
    }

    fn digest(&self) -> String {
        sha256(&fs::read(&self.asset).unwrap())
    }

    /// Puts a file beside the asset.
    fn put(&self, name: &str, text: &str) {
        let path = self.asset.with_file_name(name);
        let _ = fs::remove_file(&path);
        fs::write(path, text).unwrap();
    }

    /// Puts the first builder's statement beside the asset.
    fn built_by(&self, builder: &str) {
        self.put(&statement_name(&self.name()), &self.said(builder, &self.digest()));
    }

    fn promoted_by(&self, builder: &str) {
        self.put(&promotion_name(&self.name()), &self.said(builder, &self.digest()));
    }

    /// The clone refuses, and neither installs nor builds anything.
    fn is_refused(&self) -> Run {
        let run = self.clone.forge("ensure").exits(4);
        assert_eq!(self.origin.builds(), 1, "it was built\n{run}");
        assert!(!self.clone.path(".forge/bin/hello").exists(), "{run}");
        run.says("hello-v1.0.0").says("is not trusted").says("trust: ci");
        run
    }
}

#[test]
fn what_a_laptop_built_is_refused_and_never_built_instead() {
    let released = released();
    released.built_by(LAPTOP);
    let run = released.is_refused();
    run.says("a laptop built it").says("`forge promote hello`").says("`trust: any`");
    released.clone.clone_fresh().forge("ensure").exits(4);
    assert_eq!(released.origin.builds(), 1);
}

#[test]
fn without_a_word_of_who_built_it_nothing_is_taken() {
    let released = released();
    released.is_refused().says("nobody says who built it");
    // Nor with the words of somebody about something else.
    let said = released.said(CI, &"ab".repeat(32));
    released.put(&statement_name(&released.name()), &said);
    released.is_refused().says("about other bytes");
    released.put(&statement_name(&released.name()), "<html>");
    released.is_refused().says(".intoto.jsonl cannot be used: line 1 is not a statement");
    released.built_by(PULL);
    released.is_refused().says("refs/pull/7/merge built it, which is neither a branch nor a tag");
}

#[test]
fn ci_counts_only_where_it_may_publish() {
    let mut released = released();
    for event in ["pull_request_target", "workflow_run", "issue_comment", ""] {
        released.event = event;
        released.built_by(CI);
        let run = released.is_refused();
        run.says("the CI of https://github.com/o/r at refs/heads/main built it, but");
    }
    released.event = "schedule";
    released.built_by(CI);
    released.clone.all_are("downloaded");
}

#[test]
fn what_ci_built_is_taken_and_stays_taken() {
    let released = released();
    released.built_by(CI);
    released.clone.all_are("downloaded");
    released.clone.all_are("fresh");
    released.clone.forge("verify").succeeds();
    released.clone.forge("clean all").succeeds();
    // Once looked at, it is not asked for again.
    fs::remove_dir_all(released.origin.beside("store")).unwrap();
    released.clone.all_are("cached");
    assert_eq!(released.clone.run_binary("hello"), "hello v1.0.0\n");
}

#[test]
fn what_ci_built_again_bit_for_bit_is_taken() {
    let released = released();
    released.built_by(LAPTOP);
    released.promoted_by(LAPTOP);
    released.is_refused().says("a laptop built it");
    released.promoted_by(CI);
    released.clone.all_are("downloaded");
}

#[test]
fn a_laptop_releases_ci_vouches_and_then_everybody_takes_it() {
    let laptop = Sandbox::with_store().script("hello", "v1.0.0").head("trust: ci");
    laptop.forge("release:binary hello").succeeds();
    let colleague = laptop.clone_fresh();
    colleague.forge("ensure").exits(4).says("a laptop built it");
    let ci = laptop.clone_fresh();
    let mut promote = ci.forge("promote hello");
    for (key, value) in on_main(&ci) {
        promote = promote.env(key, value);
    }
    promote.succeeds().says("promoted");
    colleague.all_are("downloaded");
    colleague.forge("verify").succeeds();
    assert_eq!(laptop.builds(), 2, "the laptop and CI, and nobody else");
    // The laptop trusts what it made itself, and CI what it made.
    laptop.all_are("fresh");
    ci.all_are("fresh");
}

#[test]
fn what_was_downloaded_from_anybody_is_not_taken_for_cis() {
    let released = released();
    released.built_by(LAPTOP);
    let trusting = released.clone.read("versions.yml");
    released.clone.write("versions.yml", &trusting.replace("trust: ci", "trust: any"));
    released.clone.all_are("downloaded");
    released.clone.forge("verify").succeeds();
    released.clone.write("versions.yml", &trusting);
    // Neither what is installed nor what is cached serves any more.
    let run = released.clone.forge("ensure").exits(4);
    run.says("a laptop built it");
    released.clone.forge("verify").exits(4).says("nobody looked at who built it");
    released.clone.forge("status").succeeds().says("v1.0.0 (not trusted)");
    released.clone.forge("clean all").succeeds();
    released.is_refused();
    let plan = released.clone.forge("explain hello").succeeds();
    plan.says("not trusted: when it was downloaded, nobody looked at who built it");
    released.promoted_by(CI);
    released.clone.all_are("downloaded");
    released.clone.forge("verify").succeeds();
    // And in the other direction nothing needs to be fetched again.
    released.clone.write("versions.yml", &trusting.replace("trust: ci", "trust: any"));
    released.clone.all_are("fresh");
}

#[test]
fn what_is_built_here_is_trusted_here() {
    let sandbox = Sandbox::with_store().script("hello", "v1.0.0").head("trust: ci");
    sandbox.all_are("built");
    sandbox.all_are("fresh");
    sandbox.forge("verify").succeeds();
    sandbox.forge("clean all").succeeds();
    sandbox.all_are("cached");
    assert_eq!(sandbox.builds(), 1);
}

#[test]
fn only_the_ci_of_the_repository_with_the_releases_counts() {
    let mut released = released();
    let server = Server::serve(&released.origin.beside("web"));
    let folder = released.origin.beside("web/o/r/releases");
    fs::create_dir_all(&folder).unwrap();
    fs::rename(released.origin.beside("store"), folder.join("download")).unwrap();
    released.asset = folder.join("download/hello-v1.0.0").join(released.name());
    released.clone.releases_from(&format!("{}/o/r/releases/download", server.url()));
    released.built_by(CI);
    released.is_refused().says(&format!("not that of {}/o/r", server.url()));
    // Where the releases are elsewhere than the source, the manifest says whose CI counts.
    let elsewhere = released.clone.clone_fresh().head("repository: https://github.com/o/r");
    elsewhere.all_are("downloaded");
    let ours = format!("{}/o/r/.github/workflows/ci.yml@refs/tags/v1", server.url());
    released.built_by(&ours);
    released.clone.all_are("downloaded");
    let asked = |name: &str| server.requests().iter().filter(|r| r.contains(name)).count();
    assert_eq!(asked(".ci.intoto.jsonl"), 1, "only what was refused needed a second look");
}

#[test]
fn by_default_nobody_is_asked_who_built_it() {
    let mut released = released();
    let server = Server::serve(&released.origin.beside("store"));
    released.clone.releases_from(&server.url());
    let trusting = released.clone.read("versions.yml");
    released.clone.write("versions.yml", &trusting.replace("trust: ci\n", ""));
    released.clone.all_are("downloaded");
    assert!(!server.requests().iter().any(|request| request.contains("intoto")));
}

/// A `gh` that has verified that a workflow built an asset, or has not.
struct Gh(tempfile::TempDir);

impl Gh {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// It says that `workflow` built what has this digest, and of other bytes that nobody did.
    fn attests(&self, digest: &str, workflow: &str, event: &str) {
        let certificate = format!(r#"{{"buildConfigURI":"{workflow}","buildTrigger":"{event}"}}"#);
        let result = format!(
            r#"[{{"verificationResult":{{"signature":{{"certificate":{certificate}}}}}}}]"#
        );
        let script = format!(
            "#!/bin/sh\necho \"$1 $2 $4 $5 $6 $7\" >> {log}\ncase $(sha256sum \"$3\") in\n{digest}*) echo '{result}';;\n*) echo 'Error: no attestations found' >&2; exit 1;;\nesac\n",
            log = self.0.path().join("asked").display(),
        );
        let path = self.0.path().join("gh");
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// The PATH with it.
    fn path(&self) -> String {
        format!("{}:{}", self.0.path().display(), std::env::var("PATH").unwrap())
    }
}

#[test]
fn only_what_github_attests_is_taken_and_an_unsigned_word_is_none() {
    let released = released();
    let trusting = "trust: attested\nrepository: https://github.com/o/r";
    let clone = released.origin.clone_fresh().head(trusting);
    let gh = Gh::new();
    let ensure = || clone.forge("ensure").env("PATH", gh.path());
    // CI says so beside it, and nobody has signed that.
    released.built_by(CI);
    gh.attests("none", CI, "push");
    let run = ensure().exits(4);
    run.says("`trust: attested` in versions.yml takes only what GitHub attests");
    run.says("gh does not verify it: Error: no attestations found")
        .says("`forge ci:init --attest`");
    // A signature for a pull request, or for another repository.
    gh.attests(&released.digest(), PULL, "pull_request");
    ensure().exits(4).says("neither a branch nor a tag");
    gh.attests(&released.digest(), &CI.replace("o/r", "me/r"), "push");
    ensure().exits(4).says("not that of https://github.com/o/r");
    assert_eq!(released.origin.builds(), 1);
    assert!(!clone.path(".forge/bin/hello").exists());
    // One of this repository.
    gh.attests(&released.digest(), CI, "push");
    ensure().succeeds().says("1 downloaded");
    let asked = fs::read_to_string(gh.0.path().join("asked")).unwrap();
    assert!(asked.ends_with("attestation verify --repo o/r --hostname github.com\n"), "{asked}");
    ensure().succeeds().says("1 fresh");
    clone.forge("verify").succeeds();
    // What was taken on CI's unsigned word serves no longer.
    let other = released.origin.clone_fresh().head("trust: ci\nrepository: https://github.com/o/r");
    other.all_are("downloaded");
    other
        .write("versions.yml", &other.read("versions.yml").replace("trust: ci", "trust: attested"));
    other.forge("verify").exits(4).says("nobody looked at an attestation");
    other.forge("ensure").env("PATH", gh.path()).succeeds().says("1 downloaded");
}

#[test]
fn without_a_repository_or_gh_nothing_is_taken_as_attested() {
    let released = released();
    let nowhere = released.origin.clone_fresh().head("trust: attested");
    nowhere.forge("ensure").exits(2).says("nothing says whose attestations count");
    nowhere.forge("doctor").run().says("nothing says whose attestations count");
    let clone =
        released.origin.clone_fresh().head("trust: attested\nrepository: https://github.com/o/r");
    clone.forge("ensure").env("PATH", "/nowhere").exits(2).says("`gh` is not there");
    // A program of the workspace is not believed.
    clone.write("tools/gh", "#!/bin/sh\nexit 0\n");
    let path = format!("{}:/nowhere", clone.path("tools").display());
    clone.forge("ensure").env("PATH", path).exits(2).says("`gh` is not there");
}
