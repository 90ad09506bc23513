//! What images promise when much goes wrong: bad input, processes that are killed, disks that are full;
//! and how little a release asks that has nothing to do.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant, SystemTime},
};

use serde_json::{Value, json};

use crate::{
    conformance::servers::is_here,
    image_trust,
    support::{
        Mount, Sandbox,
        registry::{LOGIN, Registry, Rules},
        sha256,
    },
};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A workspace whose services are a file each, in images at `host`.
fn shop(host: &str, services: &[&str], more: &str) -> Sandbox {
    let sandbox = Sandbox::new().head("project: shop").file("x", "served\n");
    let spec = |name: &str| {
        format!(
            "image: {{ repo: {host}/shop/{name}, platforms: [linux-amd64, linux-arm64], files: {{ x: /{name} }}, {more} }}\n"
        )
    };
    services.iter().fold(sandbox, |sandbox, name| sandbox.spec(name, "v1", &spec(name)))
}

/// A registry with the image `shop/base:v1`.
fn with_base() -> Registry {
    let registry = Registry::start(Rules::default());
    shop(&registry.host(), &["base"], "").forge("release:image").succeeds();
    registry
}

/// What `shop/base:v1` leads to: its digest and what it says.
fn base_index(registry: &Registry) -> (String, Value) {
    let world = registry.world();
    let digest = world.tag("shop/base", "v1").unwrap();
    let bytes = &world.manifests[&("shop/base".to_owned(), digest.clone())].1;
    (digest, serde_json::from_slice(bytes).unwrap())
}

/// Puts another document where the tag of the base leads to.
fn replace_base(registry: &Registry, kind: &str, document: &Value) {
    let bytes = document.to_string();
    let digest = format!("sha256:{}", sha256(bytes.as_bytes()));
    let mut world = registry.world();
    world.manifests.insert(("shop/base".into(), digest.clone()), (kind.into(), bytes.into()));
    world.tags.insert(("shop/base".into(), "v1".into()), (digest, Instant::now()));
}

type BadInput = (&'static str, fn(&Registry), i32, &'static str);

/// What comes of each: the exit code, and what is said.
const BAD_INPUT: &[BadInput] = &[
    (
        "a wrong media type",
        |registry| {
            let document = json!({ "schemaVersion": 2, "mediaType": "application/vnd.chart+json" });
            replace_base(registry, MANIFEST, &document);
        },
        5,
        "it is of the type `application/vnd.chart+json`",
    ),
    (
        "a list in a list",
        |registry| {
            let (digest, mut index) = base_index(registry);
            let platform = index["manifests"][0]["platform"].clone();
            let entry =
                json!({ "mediaType": INDEX, "digest": digest, "size": 1, "platform": platform });
            index["manifests"] = json!([entry]);
            replace_base(registry, INDEX, &index);
        },
        5,
        "its index holds another index",
    ),
    (
        "a digest that lies",
        |registry| {
            let (_, index) = base_index(registry);
            let child = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
            let mut world = registry.world();
            let manifest = world.manifests.get_mut(&("shop/base".to_owned(), child)).unwrap();
            manifest.1 = [&manifest.1[..], b" "].concat().into();
        },
        4,
        "is not what its digest says",
    ),
    (
        "a layer that is cut short",
        |registry| {
            for ((_, _), bytes) in &mut registry.world().blobs {
                if bytes.starts_with(b"\x1f\x8b") {
                    *bytes = bytes.slice(..bytes.len() / 2);
                }
            }
        },
        4,
        "was promised",
    ),
    (
        "a page for people",
        |registry| {
            let page = crate::support::registry::Goes::Page(200);
            registry.next("GET", "/shop/base/manifests/v1", page);
        },
        5,
        "answered with a web page",
    ),
    (
        "a login that has ended",
        |registry| {
            let mut world = registry.world();
            (world.rules.wants_login, world.rules.is_public) = (true, false);
        },
        5,
        "FORGE_REGISTRY_TOKEN",
    ),
    ("a base that is not there", |registry| registry.world().tags.clear(), 2, "to stand on"),
];

#[test]
fn each_bad_input_is_one_clear_error() {
    for (what, spoil, code, words) in BAD_INPUT {
        let registry = with_base();
        let base = format!("base: \"{}/shop/base:v1\"", registry.host());
        let sandbox = shop(&registry.host(), &["api"], &base);
        spoil(&registry);
        let run = sandbox
            .forge("image")
            .env("FORGE_REGISTRY", registry.host())
            .env("FORGE_REGISTRY_USER", LOGIN.0)
            .env("FORGE_REGISTRY_TOKEN", "ended")
            .run();
        assert_eq!(run.code(), Some(*code), "{what}: {run}");
        run.says(words);
        let all = run.stdout() + &run.stderr();
        assert_eq!(all.matches("error: ").count(), 1, "{what}: {run}");
        assert!(!all.contains("panicked"), "{what}: {run}");
    }
}

#[test]
fn a_base_that_vanished_is_told_with_the_way_out() {
    let registry = with_base();
    let base = format!("base: \"{}/shop/base:v1\"", registry.host());
    let sandbox = shop(&registry.host(), &["api"], &base);
    sandbox.forge("image").succeeds();
    registry.world().manifests.clear();
    sandbox.forge("image").exits(2).says("it was removed there").says("forge bump");
}

#[test]
fn a_release_with_nothing_to_do_asks_once_for_each_image() {
    let registry = Registry::start(Rules::ghcr());
    let services = ["api", "cleaner", "indexing", "metadata", "thumbnail", "web"];
    let sandbox = shop(&registry.host(), &services, "also: [latest]");
    let forge = |sandbox: &Sandbox| {
        let run = sandbox.forge("release:image").env("FORGE_REGISTRY", registry.host());
        run.env("FORGE_REGISTRY_USER", LOGIN.0).env("FORGE_REGISTRY_TOKEN", LOGIN.1).succeeds()
    };
    forge(&sandbox).says("6 pushed");
    registry.take_asked();
    let clone = sandbox.clone_fresh();
    forge(&clone).says("6 released");
    let asked = registry.take_asked();
    // What is wanted to be shown, a token for all, and an answer for each.
    assert_eq!(asked.len(), 8, "{asked:#?}");
    for service in services {
        let own = asked.iter().filter(|it| it.path.starts_with(&format!("/v2/shop/{service}/")));
        let in_a_row =
            own.count() + asked.iter().filter(|it| it.path.starts_with("/token")).count();
        assert!(in_a_row <= 3, "{service}: {asked:#?}");
    }
}

#[test]
fn a_publisher_that_is_killed_leaves_no_tag_that_leads_nowhere() {
    let registry = Registry::start(Rules { lag: Duration::ZERO, ..Rules::ghcr() });
    let mut sandbox = shop(&registry.host(), &["api"], "also: [latest]");
    let release = |sandbox: &Sandbox| {
        let run = sandbox.forge("release:image").env("FORGE_REGISTRY", registry.host());
        run.env("FORGE_REGISTRY_USER", LOGIN.0).env("FORGE_REGISTRY_TOKEN", LOGIN.1)
    };
    let began = Instant::now();
    release(&sandbox).succeeds();
    let whole = began.elapsed();
    let (mut killed, mut tagged) = (0, 0);
    for round in 1..=50_u32 {
        let version = format!("v1.0.{round}");
        sandbox.bump("api", &version);
        let mut run = release(&sandbox);
        let command = run.command().stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // Moments that are spread over a whole run, in no order.
        std::thread::sleep(whole * (round * 37 % 50) / 45);
        let _ = child.kill();
        killed += usize::from(!child.wait().unwrap().success());
        let world = registry.world();
        assert_eq!(world.dangling(), Vec::<String>::new(), "round {round}");
        tagged += usize::from(world.tag("shop/api", &version).is_some());
    }
    eprintln!("{killed} of 50 were killed, {tagged} had tagged by then");
    assert!(killed > 10, "most were done before they were killed: {killed}");
    release(&sandbox).succeeds();
    assert!(registry.world().tag("shop/api", "v1.0.50").is_some());
}

#[test]
fn a_full_disk_is_one_clear_error_and_leaves_nothing() {
    let registry = Registry::start(Rules::default());
    let sandbox = shop(&registry.host(), &["api"], "");
    // What does not compress.
    let noise = (0..30_000_u32).map(|at| sha256(&at.to_le_bytes())).collect::<String>();
    sandbox.write("x", &noise);
    let Some(_mount) = Mount::small(&sandbox.path(".forge"), 512) else { return };
    let run = sandbox.forge("release:image").exits(1);
    run.says("No space left").says("free some space");
    assert!(registry.world().tags.is_empty() && registry.world().manifests.is_empty());
    let staging = sandbox.path(".forge/state/staging");
    let left = fs::read_dir(staging).map_or(0, |entries| entries.count());
    assert_eq!(left, 0, "{run}");
}

/// Where a layer of the image is, and its bytes.
fn layer(sandbox: &Sandbox) -> (PathBuf, Vec<u8>) {
    let blobs = fs::read_dir(sandbox.path(".forge/dist/api-v1.0.0.oci/blobs/sha256")).unwrap();
    let is_layer = |path: &PathBuf| fs::read(path).unwrap().starts_with(b"\x1f\x8b");
    let path = blobs.flatten().map(|it| it.path()).filter(is_layer).min().unwrap();
    let bytes = fs::read(&path).unwrap();
    (path, bytes)
}

#[test]
fn a_layer_is_taken_from_the_image_before_unless_its_bytes_are_others() {
    let registry = Registry::start(Rules::default());
    let sandbox = image_trust::shop(&registry, "");
    sandbox.forge("image").succeeds();
    let (path, bytes) = layer(&sandbox);
    // A file that is packed anew has another time.
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let mark = || fs::File::options().append(true).open(&path).unwrap().set_modified(long_ago);
    let is_taken = || {
        assert_eq!(layer(&sandbox), (path.clone(), bytes.clone()));
        fs::metadata(&path).unwrap().modified().unwrap() == long_ago
    };
    mark().unwrap();
    sandbox.forge("image").succeeds();
    assert!(is_taken());

    // Somebody writes to what is there: it is packed again.
    let mut others = bytes.clone();
    others[20] ^= 1;
    fs::write(&path, others).unwrap();
    mark().unwrap();
    sandbox.forge("release:image").succeeds();
    assert!(!is_taken());

    // So it is where somebody wrote to what forge remembers.
    mark().unwrap();
    let table = sandbox.path(".forge/state/layers");
    let mut sealed = fs::read(&table).unwrap();
    let last = sealed.len() - 1;
    sealed[last] ^= 1;
    fs::write(&table, sealed).unwrap();
    sandbox.forge("image").succeeds();
    assert!(!is_taken());
}

#[test]
fn another_client_finds_an_image_valid() {
    if !is_here("crane") {
        return;
    }
    let registry = with_base();
    let image = format!("{}/shop/base:v1", registry.host());
    let validated = Command::new("crane").args(["validate", "--remote", &image]).output().unwrap();
    let said = String::from_utf8_lossy(&validated.stderr).into_owned();
    assert!(validated.status.success(), "{said}");
}
