//! Images that other programs make or take: of Dockerfiles, by buildah and by programs that write down
//! how they are called; and loaded into docker or podman.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    image_trust::{SBOM, beside},
    support::{
        Sandbox, is_here,
        registry::{Registry, Rules},
    },
};

/// A folder with nothing but these programs, and what scripts need.
fn programs(folder: &Path, programs: &[(&str, &str)]) {
    fs::create_dir_all(folder).unwrap();
    for tool in ["sh", "cp", "cat", "basename", "tar", "git"] {
        let found = ["/bin", "/usr/bin"].map(|at| Path::new(at).join(tool));
        if let Some(found) = found.iter().find(|path| path.exists()) {
            let _ = std::os::unix::fs::symlink(found, folder.join(tool));
        }
    }
    for (name, text) in programs {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// A workspace with a service that a Dockerfile makes, of images at `host`.
fn shop(host: &str, more: &str) -> Sandbox {
    let spec = format!(
        "source: {{ path: thumbnail }}\nimage:\n  repo: {host}/shop/thumbnail\n  dockerfile: thumbnail/Dockerfile\n\
         \x20 platforms: [linux-amd64]\n  labels: {{ team: shop }}\n{more}"
    );
    let dockerfile = format!(
        "FROM {host}/shop/base:v1\nCOPY . /srv/\nRUN [\"/usr/local/bin/busybox\", \"sh\", \"-c\", \"echo made > /made\"]\n\
         ENTRYPOINT [\"/usr/local/bin/busybox\"]\n"
    );
    Sandbox::new()
        .head("project: shop")
        .spec("thumbnail", "v1", &spec)
        .file("thumbnail/Dockerfile", &dockerfile)
        .file("thumbnail/.dockerignore", "*.log\n!kept.log\n")
        .file("thumbnail/size", "160x160\n")
        .file("thumbnail/kept.log", "kept\n")
        .file("thumbnail/debug.log", "1\n")
}

/// A registry with the image that others stand on.
fn registry_with_base(binary: &str) -> Registry {
    let registry = Registry::start(Rules::default());
    let spec = format!(
        "binary: busybox\nsource: {{ path: base }}\nbuild: {{ run: \"cp {binary} {{{{ out }}}}/busybox\" }}\n\
         image: {{ repo: {}/shop/base, platforms: [linux-amd64], user: \"0\" }}\n",
        registry.host()
    );
    let base = Sandbox::new()
        .head("project: base")
        .spec("base", "v1", &spec)
        .file("base/x", "#!/bin/sh\n");
    base.forge("release:image").succeeds();
    registry
}

/// The digest of the one image of a run.
fn digest(run: &crate::support::Run) -> String {
    run.json()["images"][0]["digest"].as_str().unwrap().to_owned()
}

#[test]
fn buildah_makes_the_image_of_a_dockerfile_and_it_is_released() {
    if !is_here("buildah") || !Path::new("/bin/busybox").exists() || !cfg!(target_arch = "x86_64") {
        return;
    }
    let registry = registry_with_base("/bin/busybox");
    let sandbox = shop(&registry.host(), "");
    let storage = sandbox.beside("storage");
    fs::create_dir_all(&storage).unwrap();
    let settings = format!("[[registry]]\nlocation = \"{}\"\ninsecure = true\n", registry.host());
    fs::write(storage.join("registries.conf"), settings).unwrap();
    let text = format!(
        "[storage]\ndriver = \"vfs\"\ngraphroot = \"{0}/graph\"\nrunroot = \"{0}/run\"\n",
        storage.display()
    );
    fs::write(storage.join("storage.conf"), text).unwrap();
    let variables = [
        ("FORGE_IMAGE_ENGINE", PathBuf::from("buildah")),
        ("BUILDAH_ISOLATION", PathBuf::from("chroot")),
        ("CONTAINERS_REGISTRIES_CONF", storage.join("registries.conf")),
        ("CONTAINERS_STORAGE_CONF", storage.join("storage.conf")),
    ];
    let probe = Command::new("buildah").args(["from", "scratch"]).envs(variables.clone()).output();
    let probe = probe.unwrap();
    if !probe.status.success() {
        eprintln!("skipped: buildah cannot work here: {}", String::from_utf8_lossy(&probe.stderr));
        return;
    }
    let forge = |sandbox: &Sandbox, words: &str| {
        variables.iter().fold(sandbox.forge(words), |run, (name, value)| run.env(name, value))
    };
    let first = forge(&sandbox, "image --json").succeeds();
    // What git or `.dockerignore` ignore decides nothing; what is pinned is taken, whatever the tag has.
    sandbox.write("thumbnail/debug.log", "2\n");
    let second = forge(&sandbox.clone_fresh(), "image --json").succeeds();
    assert_eq!(digest(&first), digest(&second));
    assert!(sandbox.read("forge.lock").contains("/shop/base:v1\": "));
    forge(&sandbox, "release:image").succeeds().says("1 pushed");
    forge(&sandbox, "release:image").succeeds().says("1 released");
    assert_eq!(registry.world().dangling(), Vec::<String>::new());
    assert_eq!(registry.world().tag("shop/thumbnail", "v1"), Some(digest(&first)));
    let index =
        registry.world().manifests[&("shop/thumbnail".to_owned(), digest(&first))].1.clone();
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    let child = index["manifests"][0]["digest"].as_str().unwrap();
    let inventory = &beside(&registry, "shop/thumbnail", child, SBOM)[0];
    let taken = &inventory["packages"][1];
    assert_eq!(taken["name"], format!("{}/shop/base", registry.host()), "{inventory}");
    // The context decides.
    sandbox.write("thumbnail/size", "320x320\n");
    forge(&sandbox, "release:image").exits(4).says("is another image");
    let made = sandbox.path(".forge/dist/thumbnail-v1.oci");
    if is_here("umoci") {
        let image = format!("{}:v1", made.display());
        let bundle = sandbox.beside("bundle");
        let unpacked =
            Command::new("umoci").args(["unpack", "--image", &image]).arg(&bundle).output();
        assert!(unpacked.as_ref().unwrap().status.success(), "{unpacked:?}");
        let read = |path: &str| fs::read_to_string(bundle.join("rootfs").join(path)).ok();
        assert_eq!(read("made").as_deref(), Some("made\n"));
        assert_eq!(read("srv/kept.log").as_deref(), Some("kept\n"));
        assert_eq!(read("srv/debug.log"), None);
    }
    // What fails is told with what the engine said.
    let broken =
        sandbox.read("thumbnail/Dockerfile").replace("echo made", "echo so it ends; exit 7; echo");
    sandbox.write("thumbnail/Dockerfile", &broken);
    let run = forge(&sandbox, "image").exits(1);
    run.says("buildah makes no image of thumbnail/Dockerfile").says(".forge/logs/images/");
}

/// A program that writes down how it is called, and leaves the layout `prepared` where one is wanted.
fn recorder(prepared: &Path, log: &Path) -> String {
    format!(
        "#!/bin/sh\necho \"$(basename \"$0\") $*\" >> {}\nto=\nfor word in \"$@\"; do case $word in\n\
         \x20 *dest=*) to=${{word#*dest=}}; to=${{to%%,*}};;\n  oci:*) to=${{word#oci:}}; to=${{to%:made}};;\n\
         \x20 /*/made-*) to=$word;;\nesac; done\n[ -z \"$to\" ] || cp -R {} \"$to\"\n",
        log.display(),
        prepared.display()
    )
}

#[test]
fn whichever_engine_it_is_the_image_is_the_same() {
    let registry = registry_with_base("x");
    let made = Sandbox::new()
        .head("project: made")
        .spec(
            "made",
            "v1",
            "image: { repo: r.example/made, platforms: [linux-amd64], files: { x: /x } }\n",
        )
        .file("x", "made\n");
    made.forge("image").succeeds();
    let prepared = made.path(".forge/dist/made-v1.oci");
    let sandbox =
        shop(&registry.host(), "  cache: registry\n  target: run\n  args: { SIZE: 160 }\n");
    let (log, folder) = (sandbox.beside("log"), sandbox.beside("engines"));
    let text = recorder(&prepared, &log);
    programs(
        &folder,
        &["docker", "buildctl", "buildah", "podman"].map(|name| (name, text.as_str())),
    );
    let run = |words: &str, engine: &str| {
        sandbox.forge(words).env("PATH", &folder).env("FORGE_IMAGE_ENGINE", engine)
    };
    let mut digests = Vec::new();
    for (engine, expected) in [
        ("docker", vec!["docker buildx build --progress plain --platform linux/amd64 --file "]),
        (
            "buildctl",
            vec!["buildctl build --progress plain --frontend dockerfile.v0 --local context="],
        ),
        (
            "buildah",
            vec![
                "buildah bud --identity-label=false --layers --format oci --platform linux/amd64 --file ",
                "buildah push localhost/forge/thumbnail:linux-amd64 oci:",
            ],
        ),
        (
            "podman",
            vec![
                "podman build --layers --format oci --platform linux/amd64 --file ",
                "podman save --quiet --format oci-dir --output ",
            ],
        ),
    ] {
        let _ = fs::remove_file(&log);
        digests.push(digest(&run("image --json", engine).succeeds()));
        let calls = fs::read_to_string(&log).unwrap();
        let lines: Vec<&str> = calls.lines().collect();
        assert_eq!(lines.len(), expected.len(), "{calls}");
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.starts_with(expected), "{line}");
        }
        // Only a release fills the cache.
        let fills = ["cache-to", "export-cache"];
        assert!(
            calls.contains("cache") && !fills.iter().any(|word| calls.contains(word)),
            "{calls}"
        );
    }
    digests.dedup();
    assert_eq!(digests.len(), 1);
    let _ = fs::remove_file(&log);
    // Without the variable, the first that works.
    let first = sandbox.forge("release:image").env("PATH", &folder).succeeds();
    first.says("1 pushed");
    let calls = fs::read_to_string(&log).unwrap();
    assert!(calls.starts_with("docker buildx inspect\ndocker buildx build "), "{calls}");
    let cache = format!(
        "--cache-to type=registry,ref={}/shop/thumbnail:cache-linux-amd64",
        registry.host()
    );
    assert!(calls.contains(&cache), "{calls}");
    // Nothing of it is in the Dockerfile's folder.
    assert!(!sandbox.path("thumbnail/oci-layout").exists());
}

#[test]
fn without_an_engine_all_that_were_looked_for_are_named() {
    let registry = registry_with_base("x");
    let sandbox = shop(&registry.host(), "");
    let folder = sandbox.beside("engines");
    programs(
        &folder,
        &[("docker", "#!/bin/sh\necho 'Driver:  docker'\n"), ("buildctl", "#!/bin/sh\nexit 1\n")],
    );
    let run = sandbox.forge("image").env("PATH", &folder).exits(2);
    run.says("docker buildx has only a builder with the driver `docker`")
        .says("buildctl finds no buildkitd that answers")
        .says("buildah is not on PATH")
        .says("podman is not on PATH")
        .says("install buildah");
    let named = |engine: &str| sandbox.forge("image").env("FORGE_IMAGE_ENGINE", engine);
    named("kaniko").exits(2).says("which is not an engine");
    named("podman").env("PATH", &folder).exits(2).says("which is not on PATH");
    sandbox.write("thumbnail/Dockerfile", "FROM r.example/x:$NOTHING\n");
    sandbox
        .forge("image")
        .exits(2)
        .says("thumbnail/Dockerfile cannot be used")
        .says("write a default");
}

#[test]
fn an_image_is_loaded_into_docker_or_podman() {
    let sandbox = Sandbox::new().head("project: shop").spec(
        "api",
        "v1",
        "image: { repo: r.example/api, files: { x: /x } }\n",
    );
    let sandbox = sandbox.file("x", "made\n");
    let (taken, folder) = (sandbox.beside("taken.tar"), sandbox.beside("engines"));
    programs(&folder, &[]);
    sandbox.forge("image --load").env("PATH", &folder).exits(2).says("docker and podman");
    for engine in ["podman", "docker"] {
        let text =
            format!("#!/bin/sh\necho \"$(basename \"$0\") $*\"\ncat > {}\n", taken.display());
        programs(&folder, &[(engine, &text)]);
        sandbox.forge("image --load").env("PATH", &folder).succeeds();
        let unpacked = sandbox.beside(&format!("unpacked-{engine}"));
        fs::create_dir_all(&unpacked).unwrap();
        let tar = Command::new("tar").arg("-xf").arg(&taken).arg("-C").arg(&unpacked).status();
        assert!(tar.unwrap().success());
        let list = fs::read_to_string(unpacked.join("manifest.json")).unwrap();
        let list: serde_json::Value = serde_json::from_str(&list).unwrap();
        assert_eq!(list[0]["RepoTags"][0], "r.example/api:v1");
        let layer = list[0]["Layers"][0].as_str().unwrap();
        assert!(unpacked.join(layer).exists() && unpacked.join("index.json").exists());
    }
    programs(
        &folder,
        &[("docker", "#!/bin/sh\ncat > /dev/null\necho 'no space left' >&2\nexit 1\n")],
    );
    let run = sandbox.forge("image --load").env("PATH", &folder).exits(1);
    run.says("docker does not take r.example/api:v1").says("no space left");
}

/// The example, whose images go to `host`; without its Dockerfile's packages from elsewhere.
fn example(host: &str, to: &Path) {
    crate::support::copy_tree(Path::new("examples/services-release"), to);
    let change = |path: &str, pairs: &[(&str, &str)]| {
        let text = fs::read_to_string(to.join(path)).unwrap();
        let text = pairs.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "{path}: {from}");
            text.replace(from, to)
        });
        fs::write(to.join(path), text).unwrap();
    };
    change(
        "versions.yml",
        &[
            ("ghcr.io/acme/shop", &format!("{host}/shop")),
            ("[linux-amd64, linux-arm64]", "[linux-amd64]"),
        ],
    );
    change(
        "thumbnail/Dockerfile",
        &[("debian:12-slim", &format!("{host}/shop/base:v1")), ("RUN apt-get", "# RUN apt-get")],
    );
}

#[test]
fn the_service_of_the_example_that_has_a_dockerfile_is_made() {
    let registry = registry_with_base("x");
    let made = Sandbox::new().head("project: made").file("x", "made\n").spec(
        "made",
        "v1",
        "image: { repo: r.example/made, platforms: [linux-amd64], files: { x: /x } }\n",
    );
    made.forge("image").succeeds();
    let (shop, folder) = (made.beside("shop"), made.beside("engines"));
    example(&registry.host(), &shop);
    let text = recorder(&made.path(".forge/dist/made-v1.oci"), &made.beside("log"));
    programs(&folder, &[("podman", text.as_str())]);
    let run = made.forge("image thumbnail").within(&shop).env("PATH", &folder).succeeds();
    run.says("/shop/thumbnail:0.0.0-unreleased").says("1 made");
}
