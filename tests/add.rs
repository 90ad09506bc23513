//! `forge add`: what upstream has becomes pin, spec and digest. Upstream is a stand-in of GitHub, and servers
//! at 127.0.0.1 that speak the protocol of Go's proxies and of the index of crates.

use std::fs;

use crate::support::{
    Asset, Invocation, Sandbox, Server,
    github::{GitHub, NewRelease},
    sha256,
};

const REPOSITORY: &str = "acme/toolbox";

fn host() -> String {
    forge::model::Platform::host().to_string()
}

fn tool(text: &str) -> Vec<u8> {
    format!("#!/bin/sh\necho {text}\n").into_bytes()
}

/// An archive as vendors pack them: a folder, a program, and what nobody wants.
fn archive(version: &str) -> Vec<u8> {
    let folder = format!("toolbox-{version}");
    Asset::new()
        .file(&format!("{folder}/README.md"), b"read me")
        .file(&format!("{folder}/box"), &tool(version))
        .gz()
}

fn name(version: &str, platform: &str) -> String {
    format!("toolbox-{version}-{platform}.tar.gz")
}

/// A repository with two releases, the newer with `sums` if it publishes some.
fn upstream(with_sums: bool) -> GitHub {
    let github = GitHub::new(REPOSITORY);
    let bytes = archive("v1.2.0");
    let own = name("v1.2.0", &host());
    let mut release = NewRelease::tagged("v1.2.0")
        .asset(&own, bytes.clone())
        .asset(&name("v1.2.0", "windows-arm64"), archive("v1.2.0"))
        .asset(&name("v1.2.0", "freebsd-amd64"), archive("v1.2.0"))
        .asset("toolbox_1.2.0_amd64.deb", b"deb".to_vec());
    if with_sums {
        let sums = format!("{}  {own}\n", sha256(&bytes));
        release = release.asset("toolbox_1.2.0_checksums.txt", sums.into_bytes());
    }
    github.add_release(release);
    github.add_release(
        NewRelease::tagged("v1.1.0").asset(&name("v1.1.0", &host()), archive("v1.1.0")),
    );
    github.add_release(NewRelease::tagged("v2.0.0-rc.1").prerelease());
    github
}

trait On {
    fn on(self, github: &GitHub) -> Self;
}

impl On for Invocation {
    fn on(self, github: &GitHub) -> Self {
        self.env("GITHUB_SERVER_URL", github.url()).env("GITHUB_API_URL", github.api_url())
    }
}

#[test]
fn a_release_becomes_pin_spec_and_digest() {
    let github = upstream(true);
    let sandbox = Sandbox::new().head("# ours").script("end", "v1");
    let before = sandbox.listing();
    let dry = sandbox.forge("add github:acme/toolbox --dry-run").on(&github).succeeds();
    dry.says("would write `toolbox: v1.2.0`").says("strip: 1").says("published in toolbox_1.2.0");
    let after = sandbox.listing();
    let written =
        after.keys().filter(|path| !before.contains_key(*path) && path.extension().is_some());
    assert!(
        written.clone().all(|path| path.starts_with("work/.forge")),
        "{:?}",
        written.collect::<Vec<_>>()
    );

    sandbox.forge("add github:acme/toolbox").on(&github).succeeds().says("toolbox");
    assert_eq!(sandbox.read("versions.yml"), "# ours\nversions:\n  end: v1\n  toolbox: v1.2.0\n");
    let folder = format!("{}/acme/toolbox/releases/download/{{{{ version }}}}", github.url());
    assert_eq!(
        sandbox.read("subsystems/toolbox.yml"),
        format!(
            "# Added by `forge add github:acme/toolbox`.\nbinary: box\nupstream:\n  url: {folder}/toolbox-{{{{ version }}}}-{}.tar.gz\n  sha256: {folder}/toolbox_{{{{ version_number }}}}_checksums.txt\n  strip: 1\n",
            host()
        )
    );
    assert_eq!(sandbox.run_binary("box"), "v1.2.0\n");
    sandbox.forge("check").succeeds();
    sandbox.forge("add github:acme/toolbox").on(&github).exits(2).says("toolbox is there already");
    sandbox.forge("remove toolbox").succeeds();
    assert_eq!(sandbox.read("versions.yml"), "# ours\nversions:\n  end: v1\n");
}

#[test]
fn without_published_checksums_digests_are_pinned() {
    let github = upstream(false);
    let sandbox = Sandbox::new();
    sandbox.write("versions.yml", "versions: {}\n");
    sandbox.forge("add github:acme/toolbox@v1.1.0 --name old").on(&github).succeeds();
    let spec = sandbox.read("subsystems/old.yml");
    let digest = sha256(&archive("v1.1.0"));
    assert!(spec.contains(&format!("  sha256:\n    {}: {digest}\n", host())), "{spec}");
    assert_eq!(sandbox.run_binary("box"), "v1.1.0\n");
    sandbox
        .forge("add github:acme/toolbox@1.3 --name x")
        .on(&github)
        .exits(5)
        .says("has no release `1.3`");
}

#[test]
fn the_supervisor_of_services_is_added_with_its_digests_and_nobody_is_asked() {
    let spec = "build: { run: x }\nservice: { run: web }\n";
    let sandbox = Sandbox::new().spec("web", "v1", spec);
    sandbox.forge("check").exits(2).says("`forge add pc` pins Process Compose");
    sandbox.forge("add pc --no-ensure").succeeds().says("`pc: v1.87.0`");
    assert!(sandbox.read("subsystems/pc.yml").contains("    linux-arm64: 86cc4b19"));
    sandbox.forge("check").succeeds();
    sandbox.forge("add pc").exits(2).says("pc is there already");
    sandbox.forge("add pc --name other").exits(2).says("yields a binary `process-compose` already");
}

#[test]
fn what_upstream_lacks_is_told() {
    let github = GitHub::new(REPOSITORY);
    github.add_release(
        NewRelease::tagged("v1.0.0").asset("toolbox-plan9-mips.tar.gz", b"x".to_vec()),
    );
    let sandbox = Sandbox::new().script("end", "v1");
    let run = sandbox.forge("add github:acme/toolbox").on(&github).exits(5);
    run.says(&format!("has no asset for {}", host())).says("it has toolbox-plan9-mips.tar.gz");
    sandbox.forge("add acme/toolbox").exits(2).says("forge add github:acme/toolbox");
    sandbox.forge("add github:acme/toolbox --locked").exits(2);
    assert!(!sandbox.path("subsystems/toolbox.yml").exists());
}

#[test]
fn checksums_that_say_otherwise_stop_it() {
    let github = GitHub::new(REPOSITORY);
    let own = name("v1.0.0", &host());
    let sums = format!("{}  {own}\n", sha256(b"another"));
    let release = NewRelease::tagged("v1.0.0").asset(&own, archive("v1.0.0"));
    github.add_release(release.asset("checksums.txt", sums.into_bytes()));
    let sandbox = Sandbox::new().script("end", "v1");
    let run = sandbox.forge("add github:acme/toolbox").on(&github).exits(4);
    run.says("is not what was published");
    assert!(!sandbox.path("subsystems/toolbox.yml").exists());
}

/// A server for what is at `files`.
fn serve(sandbox: &Sandbox, files: &[(&str, Vec<u8>)]) -> Server {
    for (path, bytes) in files {
        let path = sandbox.beside("web").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    Server::serve(&sandbox.beside("web"))
}

#[test]
fn a_go_package_is_pinned_at_its_newest_version() {
    let sandbox = Sandbox::new().script("end", "v1");
    let list = b"v1.0.0\nv1.10.0\nv1.9.0\nv2.0.0-rc.1\n".to_vec();
    let server = serve(&sandbox, &[("go/example.com/m/@v/list", list)]);
    let add = |words: &str| {
        sandbox
            .forge(&format!("add {words} --no-ensure"))
            .env("GOPROXY", format!("{}/go", server.url()))
    };
    add("go:example.com/m/cmd/mtool").succeeds().says("`mtool: v1.10.0`");
    assert_eq!(
        sandbox.read("subsystems/mtool.yml"),
        "# Added by `forge add go:example.com/m/cmd/mtool`.\nbuild: { go: { install: example.com/m/cmd/mtool } }\n"
    );
    add("go:example.com/m/cmd/mtool --name twice")
        .exits(2)
        .says("mtool yields a binary `mtool` already");
    add("go:example.com/m/cmd/another@v1.9.0 --name other").succeeds();
    assert!(sandbox.read("subsystems/other.yml").contains("binary: another\n"));
    assert!(sandbox.read("versions.yml").contains("other: v1.9.0"));
    add("go:example.com/none/x").exits(5).says("there is no Go package");
}

#[test]
fn a_crate_says_which_binaries_it_has() {
    let sandbox = Sandbox::new().script("end", "v1");
    let manifest =
        b"[package]\nname = \"mytool\"\n[[bin]]\nname = \"mt\"\npath = \"src/main.rs\"\n";
    let packed = Asset::new()
        .file("mytool-0.2.0/Cargo.toml", manifest)
        .file("mytool-0.2.0/src/main.rs", b"fn main() {}")
        .gz();
    let index = br#"{"vers":"0.1.0"}
{"vers":"0.2.0"}
{"vers":"0.3.0","yanked":true}
"#;
    let server = serve(
        &sandbox,
        &[("index/my/to/mytool", index.to_vec()), ("dl/mytool-0.2.0.crate", packed)],
    );
    let config = format!(r#"{{"dl":"{}/dl/{{crate}}-{{version}}.crate"}}"#, server.url());
    fs::write(sandbox.beside("web/index/config.json"), config).unwrap();
    let index = format!("{}/index", server.url());
    let run =
        sandbox.forge("add crate:mytool --no-ensure").env("FORGE_CRATES_INDEX", index).succeeds();
    run.says("it yields mt");
    assert_eq!(
        sandbox.read("subsystems/mytool.yml"),
        "# Added by `forge add crate:mytool`.\nbinary: mt\nbuild: { cargo: { install: mytool } }\n"
    );
    assert!(sandbox.read("versions.yml").contains("  mytool: 0.2.0\n"));
}

#[test]
fn an_asset_is_pinned_by_its_url() {
    let sandbox = Sandbox::new().script("end", "v1");
    let file = format!("files/v3.1.0/box_3.1.0_{}", host().replace('-', "_"));
    let server = serve(&sandbox, &[(&file, tool("3.1.0"))]);
    let url = format!("{}/{file}", server.url());
    sandbox.forge(&format!("add {url}")).succeeds();
    let spec = sandbox.read("subsystems/box.yml");
    assert!(spec.contains("/files/{{ version }}/box_{{ version_number }}_"), "{spec}");
    assert!(sandbox.read("versions.yml").contains("box: v3.1.0"));
    assert_eq!(sandbox.run_binary("box"), "3.1.0\n");
}
