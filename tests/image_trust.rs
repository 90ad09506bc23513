//! What is said of images beside them: who put them together from what, and what is in them; and whose
//! images are taken.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
};

use serde_json::Value;

use crate::{
    release::on_main,
    support::{
        Invocation, Run, Sandbox, git, is_here,
        registry::{Goes, Registry, Rules},
    },
};

/// A workspace with one service, committed and tagged v1.0.0.
pub fn shop(registry: &Registry, head: &str) -> Sandbox {
    let manifest =
        format!("project: shop\nplatforms: [linux-amd64, linux-arm64]\nversions: {{}}\n{head}");
    let spec = format!(
        "version: {{ scheme: tag }}\nsource: {{ path: api }}\n\
         build: {{ run: \"cp run.sh {{{{ out }}}}/api\" }}\nimage: {{ repo: {}/shop/api }}\n",
        registry.host()
    );
    let sandbox = Sandbox::new()
        .file("versions.yml", &manifest)
        .file("subsystems/api.yml", &spec)
        .file("api/run.sh", "#!/bin/sh\necho api\n")
        .file(".gitignore", ".forge/\n");
    let root = sandbox.root();
    git(&root, &["init", "--quiet"]);
    git(&root, &["add", "--all"]);
    git(&root, &["commit", "--quiet", "--message", "all"]);
    git(&root, &["tag", "v1.0.0"]);
    sandbox
}

/// The same in a run of CI for the default branch.
pub fn by_ci(sandbox: &Sandbox, command: &str) -> Invocation {
    let variables = on_main(sandbox);
    variables.iter().fold(sandbox.forge(command), |run, (name, value)| run.env(name, value))
}

/// The body of the answer to a GET, as any client asks.
fn get(registry: &Registry, path: &str) -> Value {
    let mut stream = TcpStream::connect(registry.host()).unwrap();
    let accept = "Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\n{accept}\r\n\r\n", registry.host()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap_or_default()
}

/// The digest of what is tagged so, and what it is.
fn tagged(registry: &Registry, tag: &str) -> Option<(String, Value)> {
    let key = ("shop/api".to_owned(), tag.to_owned());
    let digest = registry.world().tags.get(&key)?.0.clone();
    let index = get(registry, &format!("/v2/shop/api/manifests/{digest}"));
    Some((digest, index))
}

/// The files of a type that are kept beside a digest.
pub fn beside(registry: &Registry, repository: &str, digest: &str, kind: &str) -> Vec<Value> {
    let get = |path: &str| get(registry, &format!("/v2/{repository}/{path}"));
    let mut list = get(&format!("referrers/{digest}"));
    if list["manifests"].is_null() {
        let tag = digest.replace(':', "-");
        list = get(&format!("manifests/{tag}"));
    }
    let of_kind = |entry: &&Value| entry["artifactType"] == kind;
    let entries = list["manifests"].as_array().cloned().unwrap_or_default();
    let files = entries.iter().filter(of_kind).map(|entry| {
        let manifest = get(&format!("manifests/{}", entry["digest"].as_str().unwrap()));
        assert_eq!(manifest["subject"]["digest"], digest);
        let blob = manifest["layers"][0]["digest"].as_str().unwrap().to_owned();
        get(&format!("blobs/{blob}"))
    });
    files.collect()
}

const STATEMENT: &str = "application/vnd.in-toto+json";
pub const SBOM: &str = "application/spdx+json";

#[test]
fn beside_an_image_is_who_made_it_from_what_and_what_is_in_it() {
    for lists_referrers in [true, false] {
        let registry = Registry::start(Rules { lists_referrers, ..Rules::default() });
        let sandbox = shop(&registry, "");
        sandbox.forge("release:image").succeeds();
        let (digest, index) = tagged(&registry, "v1.0.0").unwrap();
        let statements = beside(&registry, "shop/api", &digest, STATEMENT);
        assert_eq!(statements.len(), 1, "{lists_referrers}");
        let statement = &statements[0];
        let subjects = statement["subject"].as_array().unwrap();
        let sha256 = |it: &Value| format!("sha256:{}", it["digest"]["sha256"].as_str().unwrap());
        let subjects: Vec<_> = subjects.iter().map(sha256).collect();
        let children = index["manifests"].as_array().unwrap().clone();
        let digests = children.iter().map(|it| it["digest"].as_str().unwrap().to_owned());
        let expected: Vec<_> = [digest].into_iter().chain(digests).collect();
        assert_eq!(subjects, expected);
        let predicate = &statement["predicate"];
        assert_eq!(predicate["runDetails"]["builder"]["id"], "forge:laptop");
        let definition = &predicate["buildDefinition"];
        assert_eq!(definition["buildType"], "forge:image/v1");
        let dependencies = definition["resolvedDependencies"].as_array().unwrap();
        assert!(dependencies[0]["digest"]["gitCommit"].is_string(), "{dependencies:?}");
        let names: Vec<_> = dependencies.iter().filter_map(|it| it["name"].as_str()).collect();
        assert_eq!(names, ["api/linux-amd64/api", "api/linux-arm64/api"]);
        for child in &children {
            let inventories =
                beside(&registry, "shop/api", child["digest"].as_str().unwrap(), SBOM);
            assert_eq!(inventories.len(), 1);
            let inventory = &inventories[0];
            assert_eq!(inventory["spdxVersion"], "SPDX-2.3");
            let packages = inventory["packages"].as_array().unwrap();
            let names: Vec<_> = packages.iter().map(|it| it["name"].as_str().unwrap()).collect();
            assert_eq!(names, [&format!("{}/shop/api", registry.host()), "api"]);
        }
        read_by_others(&registry, sandbox.root().as_path());
    }
}

#[test]
fn what_an_image_stands_on_is_told_by_its_digest() {
    let registry = Registry::start(Rules::default());
    shop(&registry, "").forge("release:image").succeeds();
    let (base, _) = tagged(&registry, "v1.0.0").unwrap();
    let sandbox = shop(&registry, "");
    let spec = sandbox.read("subsystems/api.yml");
    let spec = spec.replace(
        "/shop/api }",
        &format!("/shop/api-on-base, base: \"{}/shop/api:v1.0.0\" }}", registry.host()),
    );
    sandbox.write("subsystems/api.yml", &spec);
    let root = sandbox.root();
    git(&root, &["commit", "--quiet", "--all", "--message", "on a base"]);
    git(&root, &["tag", "--force", "v1.0.0"]);
    sandbox.forge("release:image").succeeds();
    let repository = "shop/api-on-base".to_owned();
    let digest = registry.world().tags[&(repository.clone(), "v1.0.0".to_owned())].0.clone();
    let statement = &beside(&registry, &repository, &digest, STATEMENT)[0];
    let dependencies = &statement["predicate"]["buildDefinition"]["resolvedDependencies"];
    let is_base = |it: &&Value| it["digest"]["sha256"] == base.trim_start_matches("sha256:");
    let told = dependencies.as_array().unwrap().iter().find(is_base).unwrap();
    let uri = told["uri"].as_str().unwrap();
    assert!(uri.starts_with(&format!("pkg:oci/api@{}?", base.replace(':', "%3A"))), "{uri}");
    let index = get(&registry, &format!("/v2/{repository}/manifests/{digest}"));
    let child = index["manifests"][0]["digest"].as_str().unwrap();
    let inventory = &beside(&registry, &repository, child, SBOM)[0];
    let relations = inventory["relationships"].as_array().unwrap();
    assert!(relations.iter().any(|it| it["relationshipType"] == "DESCENDANT_OF"), "{inventory}");
}

/// What the foreign clients `oras` and `pyspdxtools` make of it, whichever of them is here.
fn read_by_others(registry: &Registry, folder: &Path) {
    if !is_here("oras") {
        return;
    }
    let image = format!("{}/shop/api:v1.0.0", registry.host());
    let oras = |words: &[&str]| {
        let output = Command::new("oras").args(words).arg("--plain-http").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let found = |words: &[&str]| -> (String, String) {
        let words = [&["discover", &image, "--format", "json"], words].concat();
        let told: Value = serde_json::from_slice(&oras(&words)).unwrap();
        let all = told["referrers"].as_array().unwrap();
        assert_eq!(all.len(), 1, "{told}");
        let text = |key: &str| all[0][key].as_str().unwrap().to_owned();
        (text("artifactType"), text("reference"))
    };
    assert_eq!(found(&[]).0, STATEMENT);
    let (kind, inventory) = found(&["--platform", "linux/arm64"]);
    assert_eq!(kind, SBOM);
    let pulled = folder.join("pulled");
    oras(&["pull", &inventory, "--output", pulled.to_str().unwrap()]);
    let file = pulled.join("api-linux-arm64.spdx.json");
    assert!(file.is_file());
    if is_here("pyspdxtools") {
        let output = Command::new("pyspdxtools").arg("--infile").arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_push_that_is_cut_off_leaves_no_tag_without_its_provenance() {
    let registry = Registry::start(Rules::default());
    let sandbox = shop(&registry, "");
    registry.next("PUT", "/manifests/v1.0.0", Goes::Page(403));
    sandbox.forge("release:image").exits(5);
    assert!(tagged(&registry, "v1.0.0").is_none());
    sandbox.forge("release:image").succeeds().says("1 pushed");
    let (digest, _) = tagged(&registry, "v1.0.0").unwrap();
    assert_eq!(beside(&registry, "shop/api", &digest, STATEMENT).len(), 1, "said once");
}

#[test]
fn an_image_of_a_laptop_is_refused_where_only_ci_is_trusted_until_ci_vouches_for_it() {
    let registry = Registry::start(Rules::ghcr());
    registry.world().rules.wants_login = false;
    let sandbox = shop(&registry, "trust: ci\nrepository: https://github.com/acme/stack\n");
    sandbox.forge("release:image").succeeds().says("1 pushed");
    let (digest, _) = tagged(&registry, "v1.0.0").unwrap();
    let clone = sandbox.clone_fresh();
    let refused = |run: Invocation| -> Run {
        let run = run.exits(4);
        run.says("is not trusted").says("a laptop built it, as its provenance says");
        run
    };
    refused(clone.forge("release:image")).says("forge promote api");
    refused(clone.forge("release:image --dry-run"));
    clone.forge("promote api").exits(2).says("adds the word of CI");
    by_ci(&clone, "promote api").succeeds();
    assert_eq!(tagged(&registry, "v1.0.0").unwrap().0, digest, "the image is as it was");
    assert_eq!(beside(&registry, "shop/api", &digest, STATEMENT).len(), 2);
    clone.forge("release:image").succeeds().says("1 released");
    // Again there is nothing to say.
    by_ci(&clone, "promote api").succeeds();
    assert_eq!(beside(&registry, "shop/api", &digest, STATEMENT).len(), 2);
}

#[test]
fn what_ci_pushed_is_taken_and_what_was_pushed_without_a_word_is_not() {
    let registry = Registry::start(Rules::default());
    let sandbox = shop(&registry, "trust: ci\nrepository: https://github.com/acme/stack\n");
    by_ci(&sandbox, "release:image").succeeds().says("1 pushed");
    let clone = sandbox.clone_fresh();
    clone.forge("release:image").succeeds().says("1 released");
    // Somebody takes the statements away.
    registry
        .world()
        .manifests
        .retain(|_, (_, bytes)| !String::from_utf8_lossy(bytes).contains("\"subject\""));
    clone.forge("release:image").exits(4).says("there is no provenance beside it");
}
