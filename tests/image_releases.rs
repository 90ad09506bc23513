//! The verbs about releases know images: listed, audited and pruned as binaries are; and what the doctor
//! says of registries.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::{
    image_trust::{by_ci, shop},
    support::{
        Invocation, Run, Sandbox, git,
        registry::{LOGIN, Registry, Rules},
    },
};

/// A workspace with one pinned service.
fn service(registry: &Registry, version: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let spec = format!(
        "source: {{ path: api }}\nbuild:\n  run:\n    - echo {{{{ platform }}}} >> {}\n    - cp run.sh {{{{ out }}}}/api\n\
         image: {{ repo: {}/shop/api, also: [latest] }}\n",
        sandbox.beside("builds").display(),
        registry.host()
    );
    let manifest = "project: shop\nplatforms: [linux-amd64, linux-arm64]\n";
    sandbox
        .file("versions.yml", &format!("{manifest}versions: {{ api: {version} }}\n"))
        .file("subsystems/api.yml", &spec)
        .file("api/run.sh", "#!/bin/sh\necho api\n")
}

/// The same at another version.
fn at(sandbox: &Sandbox, version: &str) {
    let manifest = sandbox.read("versions.yml");
    let (head, _) = manifest.split_once("versions:").unwrap();
    sandbox.write("versions.yml", &format!("{head}versions: {{ api: {version} }}\n"));
}

/// The same with the login that may do everything.
fn logged_in(run: Invocation, registry: &Registry) -> Invocation {
    run.env("DOCKER_AUTH_CONFIG", login(registry))
}

fn login(registry: &Registry) -> String {
    let secret = STANDARD.encode(format!("{}:{}", LOGIN.0, LOGIN.1));
    format!("{{\"auths\":{{\"{}\":{{\"auth\":\"{secret}\"}}}}}}", registry.host())
}

fn tags(registry: &Registry) -> Vec<String> {
    let world = registry.world();
    let tags = world.tags.keys().map(|(_, tag)| tag.clone());
    tags.filter(|tag| !tag.starts_with("sha256-")).collect()
}

/// Releases v1, v2 and v3, whose programs are the same but for v3's.
fn three(registry: &Registry) -> Sandbox {
    let sandbox = service(registry, "v1.0.0");
    sandbox.forge("release:image").succeeds();
    at(&sandbox, "v2.0.0");
    sandbox.forge("release:image").succeeds();
    at(&sandbox, "v3.0.0");
    sandbox.write("api/run.sh", "#!/bin/sh\necho three\n");
    sandbox.forge("release:image").succeeds();
    sandbox
}

#[test]
fn images_are_listed_beside_releases_and_audited() {
    let registry = Registry::start(Rules::default());
    let sandbox = three(&registry);
    let repository = format!("{}/shop/api", registry.host());
    let listed = sandbox.forge("release:list").succeeds();
    listed
        .says("v3.0.0")
        .says(&format!("pinned, locked, image in {repository}"))
        .says("2 of 2")
        .says("; 3 images, ");
    let json = sandbox.forge("release:list --json").succeeds().json();
    let images = json["images"].as_array().unwrap();
    let told: Vec<_> = images.iter().map(|it| it["version"].as_str().unwrap()).collect();
    assert_eq!(told, ["v3.0.0", "v2.0.0", "v1.0.0"]);
    assert_eq!(images[0]["tag"], format!("{repository}:v3.0.0"));
    assert_eq!(images[0]["missing"], serde_json::json!([]));

    let clean = sandbox.forge("release:audit --json --deep").succeeds().json();
    assert_eq!((&clean["images"], &clean["findings"]), (&3.into(), &serde_json::json!([])));
    // One child goes, and somebody moves the tag that is locked.
    let (child, index) = {
        let mut world = registry.world();
        let key = |tag: &str| ("shop/api".to_owned(), tag.to_owned());
        let other = world.tags[&key("v1.0.0")].clone();
        let index = world.manifests[&("shop/api".to_owned(), other.0.clone())].1.clone();
        let index: Value = serde_json::from_slice(&index).unwrap();
        let child = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
        world.manifests.remove(&("shop/api".to_owned(), child.clone()));
        world.tags.remove(&key("v3.0.0"));
        (child, other.0)
    };
    assert!(child != index);
    let audit = sandbox.forge("release:audit").exits(3);
    audit
        .says("the index names it, the registry has it no more")
        .says("forge.lock has it, the store has not")
        .says("nothing for linux-amd64");
}

#[test]
fn what_follows_the_projects_tag_is_held_to_the_lock_elsewhere() {
    let registry = Registry::start(Rules::default());
    let sandbox = shop(&registry, "releases: dir:../store\n");
    sandbox.forge("release:image").succeeds();
    sandbox.write("api/run.sh", "#!/bin/sh\necho more\n");
    let root = sandbox.root();
    git(&root, &["commit", "--quiet", "--all", "--message", "more"]);
    let listed = sandbox.forge("release:list").succeeds();
    listed.says("pinned, locked, image in").says("; 1 image, ");
    let told = listed.to_string();
    assert!(!told.contains("unreleased"), "its binaries are not released at all: {told}");
    sandbox.forge("release:audit").succeeds();
    registry.world().tags.clear();
    sandbox.forge("release:audit").exits(3).says("forge.lock has it, the store has not");
}

#[test]
fn pruning_keeps_what_newer_tags_share_and_says_what_a_registry_needs() {
    let registry = Registry::start(Rules::default());
    let sandbox = three(&registry);
    let repository = format!("{}/shop/api", registry.host());
    sandbox
        .forge("release:prune --keep 1")
        .succeeds()
        .says(&format!("{repository}:v1.0.0"))
        .says("2 images, ")
        .says("with --yes they are deleted");
    assert_eq!(tags(&registry), ["latest", "v1.0.0", "v2.0.0", "v3.0.0"], "nothing is gone yet");
    registry.world().rules.lists_referrers = true;
    sandbox.forge("release:prune --keep 2 --yes").succeeds().says("1 image deleted");
    assert_eq!(tags(&registry), ["latest", "v2.0.0", "v3.0.0"]);
    sandbox.forge("release:audit --deep").succeeds();
    let pull_request = sandbox.forge("release:prune --keep 1 --yes").env("GITHUB_ACTIONS", "true");
    let pull_request = pull_request.env("GITHUB_EVENT_NAME", "pull_request");
    pull_request.exits(2).says("cannot remove any image");
    sandbox.forge("release:prune --keep 1 --yes").succeeds();
    assert_eq!(tags(&registry), ["latest", "v3.0.0"]);
    sandbox.forge("release:audit --deep").succeeds();
    let left: Vec<_> = registry.world().manifests.keys().cloned().collect();
    // The index, its two manifests, a statement and two inventories.
    assert_eq!(left.len(), 6, "{left:?}");
}

#[test]
fn what_deletes_no_tag_alone_loses_no_tag_that_leads_to_the_same() {
    let registry = Registry::start(Rules { deletes_tags: false, ..Rules::default() });
    let sandbox = three(&registry);
    // Somebody went back: the tag that moves leads to an old one.
    {
        let mut world = registry.world();
        let key = |tag: &str| ("shop/api".to_owned(), tag.to_owned());
        let old = world.tags[&key("v1.0.0")].clone();
        world.tags.insert(key("latest"), old);
    }
    let run = sandbox.forge("release:prune --keep 1 --yes").exits(3);
    run.says("another tag leads to the same image").says("deleted").says("1 could not be");
    assert_eq!(tags(&registry), ["latest", "v1.0.0", "v3.0.0"]);
}

#[test]
fn a_dry_run_says_what_would_be_sent_and_sends_nothing() {
    let registry = Registry::start(Rules::default());
    let sandbox = service(&registry, "v1.0.0");
    let run = sandbox.forge("release:image --dry-run").succeeds();
    run.says(
        "sends an index and 2 manifests, binaries of api, provenance and SBOM; then moves latest",
    );
    let json = sandbox.forge("release:image --dry-run --json").succeeds().json();
    assert_eq!(json["images"][0]["sends"]["layers"], serde_json::json!(["binaries of api"]));
    let asked = registry.take_asked();
    assert!(asked.iter().all(|it| ["GET", "HEAD"].contains(&it.method.as_str())), "{asked:?}");
}

#[test]
fn what_a_strangers_run_made_goes_into_no_image() {
    let registry = Registry::start(Rules::default());
    let sandbox = service(&registry, "v1.0.0");
    let proposal = sandbox.forge("image").env("GITHUB_ACTIONS", "true").env("CI", "true");
    proposal.env("GITHUB_EVENT_NAME", "pull_request").succeeds();
    sandbox.forge("image").succeeds();
    assert_eq!(sandbox.builds(), 2, "for oneself it will do");
    sandbox.forge("release:image").succeeds().says("1 pushed");
    assert_eq!(sandbox.builds(), 4, "for others it is made again");
}

/// The check of the registry.
fn checked(run: &Run) -> Value {
    let checks = run.json()["checks"].as_array().unwrap().clone();
    checks.into_iter().find(|check| check["topic"] == "registry").unwrap()
}

#[test]
fn the_doctor_says_what_each_registry_lets_one_do() {
    // As ghcr.io: whoever has no login may read.
    let registry = Registry::start(Rules::ghcr());
    let sandbox = service(&registry, "v1.0.0");
    let pull_request = sandbox.forge("doctor --json").env("GITHUB_ACTIONS", "true");
    let pull_request = pull_request.env("GITHUB_EVENT_NAME", "pull_request");
    let check = checked(&pull_request.succeeds());
    assert_eq!(check["found"], "may be read, not pushed to, without a login");
    assert_eq!(check["state"], "good", "such a run pushes nothing");
    let run = by_ci(&sandbox, "doctor").exits(1);
    run.says("pushing to").says("would fail").says("forge found no login for it");
    let run = logged_in(sandbox.forge("doctor"), &registry).succeeds();
    run.says("may be read and pushed to, with the login from DOCKER_AUTH_CONFIG");
    let secret = STANDARD.encode(format!("{}:{}", LOGIN.0, LOGIN.1));
    let told = format!("{run}");
    assert!(!told.contains(LOGIN.1) && !told.contains(&secret), "{told}");

    // As Amazon's: a repository has to be there first.
    let registry = Registry::start(Rules::ecr());
    let sandbox = service(&registry, "v1.0.0");
    let missing = logged_in(sandbox.forge("doctor"), &registry).exits(1);
    missing.says("pushing to").says("would fail").says("make the repository `shop/api`");
    registry.world().repositories.insert("shop/api".into());
    logged_in(sandbox.forge("doctor"), &registry).succeeds().says("may be read and pushed to");
    sandbox.forge("doctor").exits(1).says("may not be read").says("forge found no login for it");
    let offline = checked(&sandbox.forge("doctor --offline --json").succeeds());
    assert_eq!(offline["found"], "not asked: --offline");
}

/// A workspace whose image stands on `base`.
fn on_base(registry: &Registry, base: &str) -> Sandbox {
    let sandbox = service(registry, "v1.0.0");
    let spec = sandbox.read("subsystems/api.yml");
    let spec =
        spec.replace("shop/api,", &format!("shop/web, base: \"{}/{base}\",", registry.host()));
    sandbox.write("subsystems/api.yml", &spec);
    sandbox
}

#[test]
fn a_newer_base_and_a_tag_that_moved_are_told_and_taken() {
    let registry = Registry::start(Rules::default());
    three(&registry);
    let sandbox = on_base(&registry, "shop/api:v2.0.0");
    sandbox.forge("image").succeeds();
    let run = sandbox.forge("outdated --exit-code").exits(1);
    run.says("base of api").says("v3.0.0").says(&format!("{}/shop/api", registry.host()));
    let json = sandbox.forge("outdated --json").succeeds().json();
    let base = &json["bases"][0];
    assert_eq!((&base["newest"], &base["moved"]), (&"v3.0.0".into(), &false.into()), "{base}");
    assert!(base["newest_in_major"].is_null());
    sandbox.forge("bump api --major no").succeeds().says("newest");
    let dry = sandbox.forge("bump api --dry-run").succeeds();
    dry.says("v3.0.0").says("nothing was written");
    assert!(sandbox.read("subsystems/api.yml").contains("shop/api:v2.0.0\""));
    sandbox.forge("bump api").succeeds().says("v3.0.0");
    assert!(sandbox.read("subsystems/api.yml").contains("shop/api:v3.0.0\", also"));
    let lock = sandbox.read("forge.lock");
    assert!(lock.contains("shop/api:v3.0.0\": "), "{lock}");
    sandbox.forge("image --locked").succeeds();
    sandbox.forge("outdated --exit-code").succeeds();
    // The same tag leads to something else.
    let other = {
        let mut world = registry.world();
        let key = |tag: &str| ("shop/api".to_owned(), tag.to_owned());
        let other = world.tags[&key("v2.0.0")].clone();
        world.tags.insert(key("v3.0.0"), other.clone());
        other.0
    };
    sandbox
        .forge("outdated")
        .succeeds()
        .says("v3.0.0, moved")
        .says("of 1 base of images 1 is outdated");
    sandbox.forge("bump --all").succeeds().says("base of api");
    assert!(sandbox.read("forge.lock").contains(other.trim_start_matches("sha256:")));
    sandbox.forge("outdated --exit-code").succeeds();
}
