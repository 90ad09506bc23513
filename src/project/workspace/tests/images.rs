//! Images: what specs say of them, and what is wrong with that.

use std::{collections::BTreeSet, path::Path};

use super::Sandbox;
use crate::{
    model::{Diagnostic, Name},
    workspace::{Image, ImageFile, Workspace},
};

const MANIFEST: &str =
    "versions: {api: v1.2.3, db: v1}\nplatforms: [linux-arm64, darwin-arm64, linux-amd64]\n";

fn sandbox(image: &str) -> Sandbox {
    let spec = format!("build: {{run: make}}\n{image}");
    Sandbox::new(&[
        ("versions.yml", MANIFEST),
        ("subsystems/api.yml", &spec),
        ("subsystems/db.yml", "build: {run: make}\n"),
        ("config/a.toml", "a"),
        ("deploy/Dockerfile", "FROM scratch\n"),
    ])
}

fn image(spec: &str) -> Image {
    image_of(&sandbox(spec).workspace(), "api").clone()
}

fn image_of<'w>(workspace: &'w Workspace, name: &str) -> &'w Image {
    workspace.subsystems[name].image.as_ref().unwrap()
}

fn problem(spec: &str, slice: &str) -> Diagnostic {
    let problems = sandbox(spec).problems();
    let [only] = problems.diagnostics.as_slice() else { panic!("not one problem: {problems:#?}") };
    assert_eq!(only.span.file, Path::new("subsystems/api.yml"), "{only:#?}");
    assert_eq!(&problems.texts[&only.span.file][only.span.bytes.clone()], slice, "{only:#?}");
    only.clone()
}

#[test]
fn a_repository_alone_is_enough() {
    let image = image("image: ghcr.io/acme/{{ name }}\n");
    assert_eq!(image.repo.to_string(), "ghcr.io/acme/api");
    assert_eq!(image.settings.entrypoint, ["/usr/local/bin/api"]);
    let platforms: Vec<_> = image.platforms.iter().map(ToString::to_string).collect();
    assert_eq!(platforms, ["linux-amd64", "linux-arm64"], "the Linux ones, sorted");
    assert!(image.base.is_none() && image.also.is_empty() && image.dockerfile.is_none());
}

#[test]
fn all_that_can_be_said_is_resolved() {
    let image = image(
        "image:\n  repo: ghcr.io/acme/api\n  base: gcr.io/distroless/static:nonroot\n  user: 65532\n  \
         entrypoint: [\"/usr/local/bin/{{ binary }}\", serve]\n  args: [--port, 80]\n  env: {PORT: 80}\n  \
         workdir: /srv/./x\n  ports: [80, 53/udp]\n  labels: {v: \"{{ version }}\"}\n  volumes: /data\n  \
         files: {config/: /etc/api/, config/a.toml: {to: /a, mode: \"0440\", owner: 5:6}}\n  with: db\n  \
         platforms: [linux-arm64]\n  also: [latest]\n",
    );
    assert_eq!(image.base.unwrap().to_string(), "gcr.io/distroless/static:nonroot");
    let settings = image.settings;
    assert_eq!(settings.entrypoint, ["/usr/local/bin/api", "serve"]);
    assert_eq!(settings.args, ["--port", "80"]);
    assert_eq!(settings.workdir.as_deref(), Some("/srv/x"));
    assert_eq!(settings.ports, BTreeSet::from(["53/udp".into(), "80/tcp".into()]));
    assert_eq!((settings.labels["v"].as_str(), settings.env["PORT"].as_str()), ("v1.2.3", "80"));
    let file = |from: &str, to: &str, mode, owner| ImageFile {
        from: from.into(),
        to: to.into(),
        mode,
        owner,
    };
    assert_eq!(
        image.files,
        [
            file("config/a.toml", "/a", Some(0o440), (5, 6)),
            file("config", "/etc/api/", None, (0, 0))
        ]
    );
    assert_eq!(image.with, BTreeSet::from([Name::new("db").unwrap()]));
    assert_eq!(image.also, ["latest"]);
}

#[test]
fn a_dockerfile_needs_no_binaries() {
    let sandbox = Sandbox::new(&[
        ("versions.yml", MANIFEST),
        (
            "subsystems/api.yml",
            "source: {path: services/api}\nimage: {repo: r.io/api, dockerfile: deploy/Dockerfile, \
             target: run, args: {A: \"{{ version }}\"}, cache: registry}\n",
        ),
        ("subsystems/db.yml", "build: {run: make}\nneeds: api\n"),
        ("services/api/x", ""),
        ("deploy/Dockerfile", "FROM scratch\n"),
    ]);
    let workspace = sandbox.workspace();
    let dockerfile = image_of(&workspace, "api").dockerfile.clone().unwrap();
    assert_eq!(dockerfile.context, Path::new("services/api"));
    assert_eq!(dockerfile.target.as_deref(), Some("run"));
    assert!(dockerfile.args["A"] == "v1.2.3" && dockerfile.is_cached);
    assert!(!workspace.subsystems["api"].has_binaries());
}

#[test]
fn the_projects_tag_is_a_version() {
    let sandbox = Sandbox::new(&[
        ("versions.yml", "versions: {}\n"),
        ("subsystems/api.yml", "version: {scheme: tag}\nbuild: {run: make}\nimage: r.io/api\n"),
    ]);
    let workspace = sandbox.workspace();
    let api = &workspace.subsystems["api"];
    assert!(api.follows_tag && api.version.is_unreleased() && !api.releases_binaries());
}

macro_rules! problems {
    ($($test:ident: ($text:expr, $slice:expr) => $what:expr, $help:expr;)+) => {$(
        #[test]
        fn $test() {
            let diagnostic = problem($text, $slice);
            assert!(diagnostic.what.contains($what), "{diagnostic:#?}");
            assert!(diagnostic.help.as_ref().unwrap().contains($help), "{diagnostic:#?}");
        }
    )+};
}

problems! {
    a_repository_in_upper_case: ("image: ghcr.io/Acme/api\n", "ghcr.io/Acme/api")
        => "ghcr.io/Acme/api", "lower case";
    a_repository_with_a_tag: ("image: ghcr.io/acme/api:v1\n", "ghcr.io/acme/api:v1")
        => "names one image", "it is the version";
    a_repository_without_a_registry: ("image: api\n", "api")
        => "which registry", "ghcr.io/OWNER/NAME";
    an_image_without_a_repository: ("image: {user: x}\n", "{user: x}")
        => "`repo`", "add `repo:`";
    a_port_out_of_range: ("image: {repo: r.io/a, ports: [70000]}\n", "70000")
        => "`70000` is not a port", "65535";
    a_file_that_is_not_there: ("image: {repo: r.io/a, files: {nope: /x}}\n", "nope")
        => "there is no `nope`", "relative";
    a_file_from_outside: ("image: {repo: r.io/a, files: {../x: /x}}\n", "../x")
        => "leads out of the workspace", "relative";
    a_place_that_is_relative: ("image: {repo: r.io/a, files: {config: etc}}\n", "etc")
        => "not an absolute path", "`/`";
    a_place_that_leads_out: ("image: {repo: r.io/a, files: {config: /../etc}}\n", "/../etc")
        => "leads out of the image", "";
    a_place_that_is_a_whiteout: ("image: {repo: r.io/a, files: {config: /etc/.wh.passwd}}\n", "/etc/.wh.passwd")
        => "would delete", "otherwise";
    a_mode_that_is_none: ("image: {repo: r.io/a, files: {config: {to: /x, mode: 999}}}\n", "999")
        => "not a mode", "0644";
    an_owner_by_name: ("image: {repo: r.io/a, files: {config: {to: /x, owner: www}}}\n", "www")
        => "not the number of a user", "65532";
    a_platform_that_is_not_linux: ("image: {repo: r.io/a, platforms: [darwin-arm64]}\n", "darwin-arm64")
        => "images are for Linux", "leave it out";
    a_bad_moving_tag: ("image: {repo: r.io/a, also: [a/b]}\n", "a/b")
        => "a/b", "latest";
    a_with_of_nobody: ("image: {repo: r.io/a, with: bd}\n", "bd")
        => "is with `bd`, which is not a subsystem", "known are `db`";
    a_dockerfile_that_is_not_there: ("image: {repo: r.io/a, dockerfile: Dockerfile}\n", "Dockerfile")
        => "there is no `Dockerfile`", "relative";
    a_target_without_a_dockerfile: ("image: {repo: r.io/a, target: x}\n", "target")
        => "`target` belongs to `dockerfile`", "remove";
    layers_beside_a_dockerfile: ("image: {repo: r.io/a, dockerfile: deploy/Dockerfile, user: x}\n", "user")
        => "`user` is said by the Dockerfile", "leave out";
    arguments_by_name_without_a_dockerfile: ("image: {repo: r.io/a, args: {A: b}}\n", "{A: b}")
        => "`args` are a list", "serve";
    an_unknown_key: ("image: {repo: r.io/a, prots: [80]}\n", "prots")
        => "no key `prots`", "did you mean `ports`?";
}

#[test]
fn one_repository_for_two_is_told_at_both() {
    let sandbox = sandbox("image: r.io/a\n");
    sandbox.write("subsystems/db.yml", b"build: {run: make}\nimage: {repo: r.io/a}\n");
    let problems = sandbox.problems();
    let [only] = problems.diagnostics.as_slice() else { panic!("{problems:#?}") };
    assert_eq!(only.what, "api and db are both pushed to r.io/a");
    assert_eq!(only.related.len(), 1);
}

#[test]
fn an_image_of_nothing_is_told() {
    let sandbox = Sandbox::new(&[
        ("versions.yml", "versions: {api: v1}\n"),
        ("subsystems/api.yml", "image: {repo: r.io/a}\n"),
    ]);
    let problems = sandbox.problems();
    assert!(problems.diagnostics[0].what.contains("would be empty"), "{problems:#?}");
}
