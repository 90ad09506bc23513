//! Getting forge: `install.sh`, `forge self-update`, the version that a workspace asks for, and the one
//! place that says where forge's own repository is.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use forge::{
    ci::{CACHE, ForgeInstall, PinnedForge, Workflow},
    model::{Platform, Sha256},
};

use crate::{
    ci::assert_passes_review,
    support::{
        Asset, Sandbox, Server,
        github::{GitHub, NewRelease},
        is_here, sha256,
    },
};

/// What shells there are that `install.sh` has to do with.
const SHELLS: [&[&str]; 4] = [&["sh"], &["dash"], &["busybox", "sh"], &["bash", "--posix"]];

/// A folder for a home, a place of releases and whatever else.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// The program that was installed.
    fn program(&self) -> PathBuf {
        self.path("home/.local/bin/forge")
    }

    /// With a release in the folder `releases`.
    fn release(self, version: &str) -> Self {
        let folder = self.path("releases").join(format!("forge-v{version}"));
        fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in assets(version) {
            fs::write(folder.join(name), bytes).unwrap();
        }
        self
    }

    /// `install.sh`, read by `shell`.
    fn install(&self, shell: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(shell[0]);
        command.args(&shell[1..]).arg("install.sh").env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.path("home"));
        command.envs(variables.iter().copied()).output().unwrap()
    }

    fn install_from_folder(&self, more: &[(&str, &str)]) -> Output {
        let source = self.path("releases").display().to_string();
        self.install(&["sh"], &[&[("FORGE_SOURCE", source.as_str())], more].concat())
    }

    /// What there is in the folder for programs.
    fn installed(&self) -> Vec<String> {
        let names = fs::read_dir(self.path("home/.local/bin")).into_iter().flatten().flatten();
        names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

/// This machine, as assets are called after it.
fn platform() -> String {
    Platform::host().to_string()
}

fn asset_name() -> String {
    format!("forge-{}.tar.gz", platform())
}

/// The asset of a release of forge that only knows its version, and its checksum.
fn assets(version: &str) -> [(String, Vec<u8>); 2] {
    let program = format!("#!/bin/sh\necho forge {version}\n");
    let packed = Asset::new().file(".version", b"stamp").file("forge", program.as_bytes()).gz();
    let sum = format!("{}  {}\n", sha256(&packed), asset_name());
    [(asset_name(), packed), (format!("{}.sha256", asset_name()), sum.into_bytes())]
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// Checks that `output` is a refusal that says `text`.
fn assert_refused(output: &Output, text: &str) {
    assert_eq!(output.status.code(), Some(1), "{}", said(output));
    assert!(said(output).contains(text), "{}", said(output));
    assert!(said(output).starts_with("error: "), "{}", said(output));
}

#[test]
fn every_shell_installs_the_newest_release_of_a_folder() {
    let place = Place::new().release("0.9.0").release("0.10.0").release("0.11.0-rc.1");
    fs::create_dir_all(place.path("releases/nats-v2.10.0")).unwrap();
    let source = format!("dir:{}", place.path("releases").display());
    for shell in SHELLS.into_iter().filter(|shell| is_here(shell[0])) {
        let output = place.install(shell, &[("FORGE_SOURCE", &source)]);
        assert!(output.status.success(), "{shell:?}: {}", said(&output));
        assert!(said(&output).contains("installed forge 0.10.0 as "), "{}", said(&output));
        assert!(said(&output).contains("is not on PATH; to put it there:"), "{}", said(&output));
        assert_eq!(place.installed(), ["forge"], "nothing else stays");
        fs::remove_file(place.program()).unwrap();
    }
}

#[test]
fn a_version_and_a_folder_can_be_named() {
    let place = Place::new().release("0.9.0").release("0.10.0");
    let bin = place.path("my bin").display().to_string();
    for version in ["v0.9.0", "0.9.0"] {
        let output =
            place.install_from_folder(&[("FORGE_VERSION", version), ("FORGE_INSTALL_DIR", &bin)]);
        assert!(
            said(&output).contains(&format!("installed forge 0.9.0 as {bin}/forge")),
            "{}",
            said(&output)
        );
    }
    assert_refused(
        &place.install_from_folder(&[("FORGE_VERSION", "0.8.0")]),
        "cannot get forge v0.8.0",
    );
    assert_refused(&place.install_from_folder(&[("FORGE_VERSION", "../x")]), "is not a version");
    assert!(place.installed().is_empty());
}

#[test]
fn releases_of_github_are_found_and_taken() {
    let github = GitHub::new("acme/forge");
    for version in ["0.1.0", "0.2.0", "0.3.0-rc.1"] {
        let new = NewRelease::tagged(&format!("forge-v{version}"));
        github.add_release(
            assets(version).into_iter().fold(new, |new, (name, bytes)| new.asset(&name, bytes)),
        );
    }
    // A page of other releases, newer than all of forge.
    for number in 0..110 {
        github.add_release(NewRelease::tagged(&format!("nats-v2.10.{number}")));
    }
    let place = Place::new();
    let (url, api) = (github.url(), github.api_url());
    let source = format!("{url}/acme/forge/releases/download");
    let variables =
        [("FORGE_SOURCE", source.as_str()), ("GITHUB_SERVER_URL", &url), ("GITHUB_API_URL", &api)];
    let output = place.install(&["sh"], &variables);
    assert!(said(&output).contains("installed forge 0.2.0 as "), "{}", said(&output));
    let output = place.install(&["sh"], &[&variables[..], &[("FORGE_VERSION", "v0.1.0")]].concat());
    assert!(said(&output).contains("installed forge 0.1.0 as "), "{}", said(&output));
    github.tamper("forge-v0.2.0", &asset_name(), b"something else");
    assert_refused(&place.install(&["sh"], &variables), "is corrupt or was replaced");
    let output = Command::new(place.program()).output().unwrap();
    assert_eq!(said(&output), "forge 0.1.0\n", "what was installed stays");
}

#[test]
fn a_web_server_is_asked_for_a_version_that_was_named() {
    let place = Place::new().release("0.9.0");
    let server = Server::serve(&place.path("releases"));
    let url = server.url();
    let source = ("FORGE_SOURCE", url.as_str());
    assert_refused(&place.install(&["sh"], &[source]), "name one: FORGE_VERSION=");
    let output = place.install(&["sh"], &[source, ("FORGE_VERSION", "v0.9.0")]);
    assert!(said(&output).contains("installed forge 0.9.0 as "), "{}", said(&output));
}

#[test]
fn what_is_wrong_is_told_and_leaves_nothing() {
    let place = Place::new().release("0.9.0");
    assert_refused(&place.install(&["sh"], &[]), "nothing says where releases of forge are");
    assert_refused(
        &place.install(&["sh"], &[("FORGE_SOURCE", "/nowhere")]),
        "there is no folder /nowhere",
    );
    let plain = ("FORGE_SOURCE", "http://example.org/forge");
    assert_refused(&place.install(&["sh"], &[plain]), "is not encrypted");
    assert_refused(
        &place.install_from_folder(&[("FORGE_SHA256", &"0".repeat(64))]),
        "FORGE_SHA256 says 000",
    );
    let [(name, packed), (sum, _)] = assets("0.9.0");
    let release = place.path("releases/forge-v0.9.0");
    let right = sha256(&packed);
    fs::remove_file(release.join(&sum)).unwrap();
    assert_refused(&place.install_from_folder(&[]), "cannot be verified");
    // A digest that is known otherwise needs no file beside it.
    let output = place.install_from_folder(&[("FORGE_SHA256", &right)]);
    assert!(output.status.success(), "{}", said(&output));
    fs::remove_file(place.program()).unwrap();
    for (packed, what) in [
        (Asset::new().file("other", b"#!/bin/sh\n").gz(), "holds no program called forge"),
        (Asset::new().file("forge", b"#!/bin/sh\necho no luck; exit 3\n").gz(), "because: no luck"),
        (b"no archive".to_vec(), "holds no program called forge"),
    ] {
        fs::write(release.join(&name), &packed).unwrap();
        fs::write(release.join(&sum), sha256(&packed)).unwrap();
        assert_refused(&place.install_from_folder(&[]), what);
    }
    assert!(place.installed().is_empty(), "{:?}", place.installed());
}

#[test]
fn install_sh_passes_shellcheck() {
    if !is_here("shellcheck") {
        return;
    }
    let output = Command::new("shellcheck").arg("install.sh").output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

/// Where forge's own repository is, as the file `path` says it behind `before`.
fn repository_in(path: &str, before: &str) -> String {
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(before));
    line.unwrap_or_else(|| panic!("{path} has no {before}")).trim_matches(['\'', '"']).to_owned()
}

#[test]
fn all_that_names_the_repository_follows_cargo_toml() {
    let page = env!("CARGO_PKG_REPOSITORY");
    assert_eq!(repository_in("install.sh", "repository="), page);
    // What forge releases of itself goes there.
    let repository = page.trim_start_matches("https://github.com/");
    let manifest = fs::read_to_string("versions.yml").unwrap();
    let releases = manifest.lines().find_map(|line| line.strip_prefix("releases: "));
    let expected = (!page.is_empty()).then(|| format!("github:{repository}"));
    assert_eq!(releases.map(str::to_owned), expected, "`releases` of versions.yml");
    let readme = fs::read_to_string("README.md").unwrap();
    assert_eq!(readme.contains(&format!("{page}/raw/")), !page.is_empty(), "README.md");
}

/// forge at the top of its own repository.
fn at_home(words: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_forge"));
    command.args(words.split_whitespace()).env_clear().env("HOME", home.path());
    let output = command.env("PATH", std::env::var_os("PATH").unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn forge_writes_the_workflow_that_releases_it() {
    let path = Path::new(".github/workflows/release.yml");
    let text = at_home("ci:init --release forge --attest --dry-run");
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        text,
        "`forge ci:init --release forge --attest --force`"
    );
    assert_passes_review(path);
    for part in [
        "      - forge-v*\n",
        "target: x86_64-unknown-linux-musl\n",
        "target: aarch64-unknown-linux-musl\n",
        "target: aarch64-apple-darwin\n",
        "target: x86_64-apple-darwin\n",
    ] {
        assert!(text.contains(part), "{part}");
    }
}

/// What `cargo binstall` is told of forge.
fn binstall() -> serde_json::Value {
    let words = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new(env!("CARGO")).args(words).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let own = packages.iter().find(|package| package["name"] == "forge").unwrap();
    own["metadata"]["binstall"].clone()
}

#[test]
fn binstall_finds_what_the_workflow_uploads() {
    let told = binstall();
    // As `package_of_a_binary` of tests/assets.rs has it: packed by gzip, the program at the top.
    assert_eq!(
        (&told["pkg-fmt"], &told["bin-dir"]),
        (&"tgz".into(), &"{ bin }{ binary-ext }".into())
    );
    let workflow = fs::read_to_string(".github/workflows/release.yml").unwrap();
    let workflow: serde_json::Value = serde_yaml::from_str(&workflow).unwrap();
    let jobs = workflow["jobs"]["release"]["strategy"]["matrix"]["include"].as_array().unwrap();
    let mut known = std::collections::BTreeSet::new();
    for job in jobs {
        let (platform, target) =
            (job["platform"].as_str().unwrap(), job["target"].as_str().unwrap());
        let explained = at_home(&format!("explain forge --json --platform {platform}"));
        let explained: serde_json::Value = serde_json::from_str(&explained).unwrap();
        let artifact = &explained["artifacts"][0];
        let text = |key: &str| artifact[key].as_str().unwrap();
        let expected =
            format!("{{ repo }}/releases/download/{}/{}", text("release"), text("asset"));
        // What is linked with musl runs beside glibc as well.
        for target in [target.to_owned(), target.replace("-musl", "-gnu")] {
            let url = told["overrides"][&target]["pkg-url"].as_str().unwrap_or_default();
            let url = url.replace("{ version }", env!("CARGO_PKG_VERSION"));
            assert_eq!(url, expected, "{target}");
            known.insert(target);
        }
    }
    let listed = told["overrides"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(known, listed);
}

#[test]
fn the_setup_action_is_pinned_and_installs_forge() {
    let text = fs::read_to_string("action.yml").unwrap();
    assert!(text.contains(&format!("uses: {CACHE}\n")), "{CACHE}");
    if is_here("zizmor") {
        let words = ["--offline", "--no-config", "action.yml"];
        let output = Command::new("zizmor").args(words).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
    let action: serde_json::Value = serde_yaml::from_str(&text).unwrap();
    let place = Place::new().release("0.9.0");
    let [(_, packed), _] = assets("0.9.0");
    let step = action["runs"]["steps"][0]["run"].as_str().unwrap();
    let folder = place.path("releases").display().to_string();
    let digests = format!("windows-amd64 0123\n{} {}\n", platform(), sha256(&packed));
    let mut command = Command::new("bash");
    command.args(["-e", "-c", step]).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.envs([
        ("FORGE_VERSION", "v0.9.0"),
        ("FORGE_SHA256", &digests),
        ("FORGE_SOURCE", &folder),
    ]);
    command.env("FORGE_INSTALL_DIR", place.path("bin")).env("GITHUB_PATH", place.path("path"));
    command.env("ACTION", env!("CARGO_MANIFEST_DIR"));
    let output = command.output().unwrap();
    assert!(said(&output).contains("installed forge 0.9.0 as "), "{}", said(&output));
    let path = fs::read_to_string(place.path("path")).unwrap();
    assert_eq!(path.trim(), place.path("bin").display().to_string());
}

#[test]
fn workflows_install_the_forge_that_wrote_them_by_its_digest() {
    let version = env!("CARGO_PKG_VERSION");
    let github = GitHub::new("acme/forge");
    let new = NewRelease::tagged(&format!("forge-v{version}"));
    github.add_release(
        assets(version).into_iter().fold(new, |new, (name, bytes)| new.asset(&name, bytes)),
    );
    let sandbox = Sandbox::with_store().script("one", "v1");
    let from = format!("--from github:{}/acme/forge", github.url());
    sandbox.forge(&format!("ci:init {from}")).succeeds();
    let path = sandbox.path(".github/workflows/forge.yml");
    assert_passes_review(&path);
    let [(_, packed), _] = assets(version);
    let text = sandbox.read(".github/workflows/forge.yml");
    assert!(text.contains(&sha256(&packed)), "{text}");
    // The step does what it is for.
    let workflow: serde_json::Value = serde_yaml::from_str(&text).unwrap();
    let step = workflow["jobs"]["check"]["steps"][1]["run"].as_str().unwrap();
    if is_here("shasum") {
        let run = |home: &Path, step: &str| {
            let mut command = Command::new("bash");
            command.args(["-e", "-o", "pipefail", "-c", step]).env_clear().env("HOME", home);
            command.env("PATH", std::env::var_os("PATH").unwrap());
            command.env("GITHUB_PATH", sandbox.beside("path")).output().unwrap()
        };
        let home = sandbox.beside("home");
        fs::create_dir_all(&home).unwrap();
        let output = run(&home, step);
        assert!(output.status.success(), "{}", said(&output));
        let forge = Command::new(home.join(".local/bin/forge")).output().unwrap();
        assert_eq!(said(&forge), format!("forge {version}\n"));
        let other = sandbox.beside("other");
        fs::create_dir_all(&other).unwrap();
        let output = run(&other, &step.replace(&sha256(&packed), &"0".repeat(64)));
        assert!(!output.status.success(), "{}", said(&output));
    }
    sandbox.forge(&format!("ci:init --host gitlab {from}")).succeeds();
    assert!(sandbox.read(".gitlab-ci.yml").contains(&sha256(&packed)));
    github.forget_releases();
    let run = sandbox.forge(&format!("ci:init --force {from}")).exits(5);
    run.says(&format!("has no release of forge {version}")).says("--forge URL");
    sandbox
        .forge("ci:init --force --from /nowhere")
        .exits(2)
        .says("runners cannot download forge from");
}

#[test]
fn where_its_commit_is_known_workflows_use_the_setup_action() {
    let digest: Sha256 = "1".repeat(64).parse().unwrap();
    let install = ForgeInstall::Release(PinnedForge {
        version: "0.2.0".into(),
        base: "https://github.com/acme/forge/releases/download".into(),
        digests: [("linux-amd64".parse().unwrap(), digest)].into(),
        action: Some(format!("acme/forge@{}", "2".repeat(40))),
    });
    let folder = String::new();
    let default_branch = "main".into();
    let hosts = vec!["ghcr.io".to_owned(), "r.example.org".to_owned()];
    let registries = forge::ci::WorkflowRegistries { hosts, follow_tags: true };
    let workflow = Workflow {
        default_branch,
        install,
        folder,
        claims: true,
        has_pages: true,
        attests: false,
        registries,
        deploys: forge::ci::WorkflowDeploys::default(),
    };
    let sandbox = Sandbox::new().file("forge.yml", &workflow.render());
    assert_passes_review(&sandbox.path("forge.yml"));
    let text = sandbox.read("forge.yml");
    assert!(text.contains(&format!("uses: acme/forge@{} # v0.2.0\n", "2".repeat(40))), "{text}");
    assert_eq!(
        text.matches("          cache: false\n").count(),
        1,
        "the job that publishes:\n{text}"
    );
}

/// This forge, where it may be replaced.
fn own_copy(place: &Place) -> PathBuf {
    let copy = place.path("own/forge");
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    let built = env!("CARGO_BIN_EXE_forge");
    if fs::hard_link(built, &copy).is_err() {
        fs::copy(built, &copy).unwrap();
    }
    copy
}

/// `forge self-update`, by a copy.
fn update(place: &Place, program: &Path, words: &str, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(program);
    command.arg("self-update").args(words.split_whitespace()).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", place.path("home"));
    command.envs(variables.iter().copied()).current_dir(place.path("own")).output().unwrap()
}

#[test]
fn forge_replaces_itself_by_the_newest_release() {
    let place = Place::new().release("99.0.0").release("0.0.1").release("100.0.0-rc.1");
    let program = own_copy(&place);
    let folder = place.path("releases").display().to_string();
    let source = [("FORGE_SOURCE", folder.as_str())];
    let output = update(&place, &program, "--check", &source);
    assert!(said(&output).contains("forge 99.0.0 is there, this is "), "{}", said(&output));
    let output = update(&place, &program, "", &source);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("forge 99.0.0 takes the place of "), "{}", said(&output));
    assert_eq!(said(&Command::new(&program).output().unwrap()), "forge 99.0.0\n");
    let left: Vec<_> = fs::read_dir(place.path("own")).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "nothing else stays: {left:?}");
}

#[test]
fn forge_takes_a_version_from_github_that_was_named() {
    let github = GitHub::new("acme/forge");
    let new = NewRelease::tagged("forge-v0.0.1");
    github.add_release(
        assets("0.0.1").into_iter().fold(new, |new, (name, bytes)| new.asset(&name, bytes)),
    );
    let place = Place::new();
    let program = own_copy(&place);
    let from = format!("--from github:{}/acme/forge", github.url());
    let output = update(&place, &program, &from, &[]);
    assert!(said(&output).contains("is newer than the newest release, 0.0.1"), "{}", said(&output));
    let output = update(&place, &program, &format!("v0.0.2 {from}"), &[]);
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    assert!(said(&output).contains("has no forge-v0.0.2/"), "{}", said(&output));
    let output = update(&place, &program, &format!("v0.0.1 {from}"), &[]);
    assert!(said(&output).contains("forge 0.0.1 takes the place of "), "{}", said(&output));
    assert_eq!(said(&Command::new(&program).output().unwrap()), "forge 0.0.1\n");
}

#[test]
fn what_is_not_verified_replaces_nothing() {
    let place = Place::new().release("99.0.0");
    let program = own_copy(&place);
    let release = place.path("releases/forge-v99.0.0");
    let from = format!("--from {}", place.path("releases").display());
    let refused = |what: &str| {
        let output = update(&place, &program, &from, &[]);
        assert_eq!(output.status.code(), Some(4), "{}", said(&output));
        assert!(said(&output).contains(what), "{}", said(&output));
        assert!(said(&update(&place, &program, "--help", &[])).contains("Usage"));
    };
    let (name, sum) = (asset_name(), format!("{}.sha256", asset_name()));
    fs::write(release.join(&name), b"something else").unwrap();
    refused("published is");
    fs::remove_file(release.join(&sum)).unwrap();
    refused("no digest is published beside it");
    let packed = Asset::new().file("forge", b"#!/bin/sh\necho forge 1.2.3\n").gz();
    fs::write(release.join(&name), &packed).unwrap();
    fs::write(release.join(&sum), format!("{}  {name}\n", sha256(&packed))).unwrap();
    refused("asked for its version it says `forge 1.2.3`");
    let output = update(&place, &program, "", &[]);
    assert!(
        said(&output).contains("nothing says where releases of forge are"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_workspace_says_which_forge_it_works_with() {
    let sandbox = Sandbox::with_store().script("one", "v1").head("forge: \">=0.0.1\"");
    sandbox.forge("ensure").succeeds();
    // Whatever else a newer forge would know is not told.
    let sandbox = sandbox.head("unheard_of: true");
    sandbox.write("versions.yml", &sandbox.read("versions.yml").replace(">=0.0.1", ">=99"));
    let run = sandbox.forge("ensure").exits(2);
    run.says("this workspace works with forge >=99, and this is forge ");
    run.says("versions.yml:2:8").says("forge self-update").keeps_quiet_about("unheard_of");
}
