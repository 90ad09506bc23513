//! Container images: made without a daemon, the same everywhere; pushed to a real registry, read by
//! other people's tools, and released independently of each other.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::support::{Sandbox, git, is_here, wait_until};

/// Debian's registry, which lives as long as the value.
pub struct Registry {
    folder: tempfile::TempDir,
    port: u16,
    server: Child,
}

impl Registry {
    /// A new one, if the program is here.
    pub fn start() -> Option<Self> {
        if !is_here("docker-registry") {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let settings = format!(
            "version: 0.1\nlog: {{ level: error }}\nstorage: {{ filesystem: {{ rootdirectory: {0}/blobs }} }}\n\
             http: {{ addr: '127.0.0.1:{port}' }}\n",
            folder.path().display()
        );
        let path = folder.path().join("settings.yml");
        fs::write(&path, settings).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let server = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_until("the registry answers", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(Self { folder, port, server })
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The requests so far, as `METHOD PATH`.
    pub fn requests(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
        let request = |line: &str| Some(line.split('"').nth(1)?.rsplit_once(' ')?.0.to_owned());
        log.lines().filter_map(request).collect()
    }

    /// What `reference` of a repository leads to.
    fn manifest(&self, repository: &str, reference: &str) -> serde_json::Value {
        let url = format!("docker://{}/{repository}:{reference}", self.host());
        let output =
            Command::new("skopeo").args(["inspect", "--raw", "--tls-verify=false", &url]).output();
        serde_json::from_slice(&output.unwrap().stdout).unwrap()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A workspace with `services`, each a script and an image.
fn shop(host: &str, services: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    let spec = format!(
        "discover: services/{{service}}\nversion: {{ scheme: tag }}\nsource: {{ path: \"{{{{ folder }}}}\" }}\n\
         build:\n  run:\n    - echo {{{{ service }}}} {{{{ platform }}}} >> {}\n    - cp run.sh {{{{ out }}}}/{{{{ name }}}}\n\
         image:\n  repo: {host}/shop/{{{{ service }}}}\n  env: {{ PORT: \"8080\" }}\n  ports: [8080]\n  also: [latest]\n",
        sandbox.beside("builds").display()
    );
    // No version is pinned: the tag is that of all.
    let manifest = "project: shop\nplatforms: [linux-amd64, linux-arm64]\nversions: {}\n";
    let sandbox = sandbox.file("versions.yml", manifest);
    let sandbox = sandbox.file("subsystems/services.yml", &spec).file(".gitignore", ".forge/\n");
    let service = |sandbox: Sandbox, name: &&str| {
        sandbox.file(&format!("services/{name}/run.sh"), &format!("#!/bin/sh\necho {name}\n"))
    };
    services.iter().fold(sandbox, service)
}

/// Commits all of it, and tags it.
fn tagged(sandbox: &Sandbox, tag: &str) {
    let root = sandbox.root();
    if !root.join(".git").exists() {
        git(&root, &["init", "--quiet"]);
    }
    git(&root, &["add", "--all"]);
    git(&root, &["commit", "--quiet", "--allow-empty", "--message", tag]);
    git(&root, &["tag", tag]);
}

/// What became of each image: `NAME HOW`.
fn hows(run: &crate::support::Run) -> Vec<String> {
    let images = run.json()["images"].as_array().cloned().unwrap_or_default();
    let word = |image: &serde_json::Value, key: &str| image[key].as_str().unwrap().to_owned();
    images.iter().map(|it| format!("{} {}", word(it, "name"), word(it, "how"))).collect()
}

fn digests(run: &crate::support::Run) -> Vec<String> {
    let images = run.json()["images"].as_array().cloned().unwrap();
    images.iter().map(|image| image["digest"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_same_workspace_elsewhere_makes_images_with_the_same_digests() {
    let sandbox = shop("registry.example", &["api", "cleaner"]);
    let first = sandbox.forge("image --json").succeeds();
    let clone = sandbox.clone_fresh();
    let second = clone.forge("image --json").env("SOURCE_DATE_EPOCH", "315532800").succeeds();
    assert_eq!(digests(&first), digests(&second));
    let later = clone.forge("image --json").env("SOURCE_DATE_EPOCH", "1700000000").succeeds();
    assert!(digests(&later) != digests(&first), "the time is in the bytes");
    clone.forge("image").env("SOURCE_DATE_EPOCH", "soon").exits(2).says("SOURCE_DATE_EPOCH");
    let layout = sandbox.path(".forge/dist/api-0.0.0-unreleased.oci");
    if is_here("skopeo") {
        let image = format!("oci:{}:0.0.0-unreleased", layout.display());
        let output = Command::new("skopeo").args(["inspect", "--raw", &image]).output().unwrap();
        let index: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let platforms: Vec<_> = index["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["platform"]["architecture"].as_str().unwrap())
            .collect();
        assert_eq!(platforms, ["amd64", "arm64"]);
        assert_eq!(index["annotations"]["org.opencontainers.image.title"], "api");
    }
}

#[test]
fn a_new_tag_on_the_same_commit_is_a_new_version_and_without_one_nothing_is_released() {
    let Some(registry) = Registry::start().filter(|_| is_here("git")) else { return };
    let sandbox = shop(&registry.host(), &["api"]);
    let version = || {
        let run = sandbox.forge("ensure api --json").succeeds().json();
        run["artifacts"][0]["version"].as_str().unwrap().to_owned()
    };
    tagged(&sandbox, "v0.1.0");
    assert_eq!([version(), version()], ["v0.1.0", "v0.1.0"]);
    git(&sandbox.root(), &["tag", "v0.2.0"]);
    assert_eq!(
        [version(), version()],
        ["v0.2.0", "v0.2.0"],
        "no shortcut answers for the last tag"
    );
    git(&sandbox.root(), &["tag", "--delete", "v0.2.0"]);
    assert_eq!(version(), "v0.1.0");

    // A commit after the tag, and a file that no commit has: versions of development.
    git(&sandbox.root(), &["commit", "--quiet", "--allow-empty", "--message", "later"]);
    assert!(version().contains("unreleased"), "{}", version());
    git(&sandbox.root(), &["tag", "v0.3.0"]);
    sandbox.write("services/api/run.sh", "#!/bin/sh\necho other\n");
    assert!(version().contains("unreleased"), "{}", version());
    sandbox.forge("release:image").exits(2).says("none is checked out as it is");
    let run = sandbox.forge("release:all").succeeds();
    run.says("the image of api has no version to be released as");
    let sent: Vec<_> =
        registry.requests().into_iter().filter(|it| !it.starts_with("GET /v2/ ")).collect();
    assert!(sent.is_empty(), "{sent:?}");
}

#[test]
fn what_a_tag_has_is_not_built_and_another_is_never_pushed_over() {
    let Some(registry) = Registry::start().filter(|_| is_here("git")) else { return };
    let sandbox = shop(&registry.host(), &["api"]);
    sandbox.forge("release:image").exits(2).says("has no version to be released as");
    tagged(&sandbox, "v0.1.0");
    sandbox.forge("release:image --dry-run").succeeds().says("built, then pushed");
    // Each is held to its schema.
    for words in ["plan", "status", "explain api"] {
        let document = sandbox.forge(&format!("{words} --json")).succeeds().json();
        assert_eq!(document["images"][0]["state"], "miss", "{words}");
    }
    let first = sandbox.forge("release:image --json").succeeds();
    assert_eq!(hows(&first), ["api pushed"]);
    assert_eq!(sandbox.builds(), 2);
    let lock = sandbox.read("forge.lock");
    let digest = digests(&first)[0].trim_start_matches("sha256:").to_owned();
    assert!(lock.contains(&format!("image: {{digest: {digest}")), "{lock}");

    let clone = sandbox.clone_fresh();
    let before = registry.requests().len();
    let again = clone.forge("release:image --json").succeeds();
    assert_eq!((hows(&again), digests(&again)), (vec!["api released".to_owned()], digests(&first)));
    assert!(!clone.path(".forge/installed").exists(), "nothing beneath a hit is ensured");
    let requests = &registry.requests()[before..];
    assert!(requests.len() <= 4, "{requests:?}");

    // The same version of other code.
    sandbox.write("services/api/run.sh", "#!/bin/sh\necho other\n");
    git(&sandbox.root(), &["tag", "--delete", "v0.1.0"]);
    tagged(&sandbox, "v0.1.0");
    let pushed = |all: &[String]| all.iter().filter(|it| !it.starts_with("GET")).count();
    let before = pushed(&registry.requests());
    sandbox.forge("release:image").exits(4).says("is another image").says("a new version");
    assert_eq!(pushed(&registry.requests()), before, "nothing is sent");
}

#[test]
fn six_services_are_released_independently() {
    let Some(registry) = Registry::start().filter(|_| is_here("git")) else { return };
    let services = ["api", "cleaner", "indexing", "metadata", "thumbnail", "web"];
    let sandbox = shop(&registry.host(), &services);
    let broken = sandbox.path("services/indexing/run.sh");
    fs::rename(&broken, sandbox.path("services/indexing/gone.sh")).unwrap();
    tagged(&sandbox, "v1.0.0");
    let run = sandbox.forge("release:image --json").exits(3);
    let expected = [
        "api pushed",
        "cleaner pushed",
        "indexing skipped",
        "metadata pushed",
        "thumbnail pushed",
        "web pushed",
    ];
    assert_eq!(hows(&run), expected, "{run}");

    fs::rename(sandbox.path("services/indexing/gone.sh"), &broken).unwrap();
    git(&sandbox.root(), &["tag", "--delete", "v1.0.0"]);
    tagged(&sandbox, "v1.0.0");
    let clone = sandbox.clone_fresh();
    let before = registry.requests().len();
    let run = clone.forge("release:image --json").succeeds();
    let pushed = hows(&run).into_iter().filter(|it| it.ends_with("pushed")).collect::<Vec<_>>();
    assert_eq!(pushed, ["indexing pushed"], "{run}");
    let sent = registry.requests()[before..].to_vec();
    let others: Vec<_> = sent
        .iter()
        .filter(|it| !it.starts_with("GET") && !it.contains("/shop/indexing/"))
        .collect();
    assert!(others.is_empty(), "{others:?}");

    // So does the pipeline, whose stages after the build are about the others.
    let broken = clone.path("services/web/run.sh");
    fs::remove_file(&broken).unwrap();
    tagged(&clone, "v1.1.0");
    let run = clone.forge("ci --publish --json").exits(1).json();
    let pushed: Vec<&String> = run["images"].as_object().unwrap().keys().collect();
    assert_eq!(pushed, services[..5].iter().collect::<Vec<_>>(), "{run}");
    assert_eq!(run["stages"][0]["result"], "failed", "{run}");
    fs::write(&broken, "#!/bin/sh\necho web\n").unwrap();
    git(&clone.root(), &["tag", "--delete", "v1.1.0"]);
    tagged(&clone, "v1.1.0");
    let before = registry.requests().len();
    let run = clone.forge("ci --publish --json").succeeds().json();
    assert_eq!(run["published"], serde_json::json!(["web"]), "{run}");
    let sent = registry.requests()[before..].to_vec();
    let to_others = |it: &&String| !it.starts_with("GET") && !it.contains("/shop/web/");
    assert_eq!(sent.iter().filter(to_others).count(), 0, "{sent:?}");

    // Nothing to do costs one question per image.
    clone.forge("release:image").succeeds().says("6 released");
    let before = registry.requests().len();
    clone.forge("release:image").succeeds().says("6 released");
    assert!(registry.requests().len() - before <= 6);
}

#[test]
fn moving_tags_go_forward_only() {
    let Some(registry) = Registry::start().filter(|_| is_here("git") && is_here("skopeo")) else {
        return;
    };
    let sandbox = shop(&registry.host(), &["api"]);
    let at = |tag: &str| registry.manifest("shop/api", tag)["annotations"].clone();
    tagged(&sandbox, "v1.1.0");
    sandbox.forge("release:image").succeeds().says("pushed, also latest");
    assert_eq!(at("latest")["org.opencontainers.image.version"], "v1.1.0");
    for (tag, why) in [("v1.0.0", "which is newer"), ("v2.0.0-rc.1", "is a pre-release")] {
        git(&sandbox.root(), &["commit", "--quiet", "--allow-empty", "--message", tag]);
        git(&sandbox.root(), &["tag", tag]);
        sandbox.forge("release:image").succeeds().says("1 pushed").says(why);
        assert_eq!(at("latest")["org.opencontainers.image.version"], "v1.1.0");
    }
}

#[test]
fn a_pull_request_pushes_nothing() {
    let Some(registry) = Registry::start().filter(|_| is_here("git")) else { return };
    let sandbox = shop(&registry.host(), &["api"]);
    tagged(&sandbox, "v1.0.0");
    let run = sandbox.forge("release:image").env("GITHUB_ACTIONS", "true").env("CI", "true");
    let run = run.env("GITHUB_EVENT_NAME", "pull_request").env("GITHUB_REF", "refs/pull/1/merge");
    run.exits(2).says("cannot push any image").says("nobody accepted yet");
    assert_eq!(registry.requests().iter().filter(|it| !it.starts_with("GET")).count(), 0);
}

#[test]
fn a_base_is_pinned_and_its_layers_are_there() {
    let Some(registry) = Registry::start().filter(|_| is_here("git") && is_here("skopeo")) else {
        return;
    };
    let host = registry.host();
    let base = shop(&host, &["base"]);
    tagged(&base, "v1.0.0");
    base.forge("release:image").succeeds();
    let sandbox = shop(&host, &["api"]);
    let spec = sandbox.read("subsystems/services.yml");
    sandbox.write(
        "subsystems/services.yml",
        &spec.replace("  also:", &format!("  base: {host}/shop/base:v1.0.0\n  also:")),
    );
    tagged(&sandbox, "v1.0.0");
    sandbox.forge("release:image --locked").exits(2);
    sandbox.forge("release:image").succeeds().says("1 pushed");
    let lock = sandbox.read("forge.lock");
    assert!(lock.contains(&format!("\"{host}/shop/base:v1.0.0\": ")), "{lock}");
    let index = registry.manifest("shop/api", "v1.0.0");
    let digest = index["annotations"]["org.opencontainers.image.base.digest"].as_str().unwrap();
    assert!(lock.contains(digest.trim_start_matches("sha256:")));
    let layout = sandbox.beside("copy");
    let run = Command::new("skopeo")
        .args(["copy", "--quiet", "--all", "--src-tls-verify=false"])
        .arg(format!("docker://{host}/shop/api:v1.0.0"))
        .arg(format!("oci:{}:x", layout.display()))
        .output()
        .unwrap();
    assert!(run.status.success(), "{run:?}");
    // Whole on disk too.
    sandbox.forge("image").succeeds();
    let made = format!("oci:{}:v1.0.0", sandbox.path(".forge/dist/api-v1.0.0.oci").display());
    let run = Command::new("skopeo")
        .args(["copy", "--quiet", "--all", &made])
        .arg(format!("oci:{}:x", sandbox.beside("copy2").display()))
        .output()
        .unwrap();
    assert!(run.status.success(), "{run:?}");
    // A base that is gone, and one that is not for a platform.
    let text = sandbox.read("subsystems/services.yml");
    sandbox.write("subsystems/services.yml", &text.replace("base:v1.0.0", "base:v9"));
    sandbox.forge("image").exits(2).says("there is no image").says("to stand on");
}

#[test]
fn an_image_runs_and_answers() {
    let busybox = PathBuf::from("/bin/busybox");
    let is_root =
        fs::metadata("/proc/self").is_ok_and(|it| std::os::unix::fs::MetadataExt::uid(&it) == 0);
    if !(is_here("umoci") && busybox.exists() && is_root) {
        return;
    }
    let sandbox = Sandbox::new().head("project: shop\nplatforms: [linux-amd64]").spec(
        "web",
        "v1",
        "binary: busybox\nsource: { path: web }\nbuild: { run: \"cp /bin/busybox {{ out }}/busybox\" }\n\
         image: { repo: r.example/web, files: { web/site: /srv/www }, args: [httpd] }\n",
    );
    sandbox.write("web/site/index.html", "served from an image\n");
    let run = sandbox.forge("image").run();
    if run.stderr().contains("linked dynamically") {
        // Not every system has a busybox that needs nothing.
        return;
    }
    assert_eq!(run.code(), Some(0), "{run}");
    let bundle = sandbox.beside("bundle");
    let image = format!("{}:v1", sandbox.path(".forge/dist/web-v1.oci").display());
    let unpacked = Command::new("umoci").args(["unpack", "--image", &image]).arg(&bundle).output();
    assert!(unpacked.as_ref().unwrap().status.success(), "{unpacked:?}");
    let port = free_port();
    let mut server = Command::new("chroot")
        .arg(bundle.join("rootfs"))
        .args(["/usr/local/bin/busybox", "httpd", "-f", "-h", "/srv/www", "-p"])
        .arg(format!("127.0.0.1:{port}"))
        .spawn()
        .unwrap();
    wait_until("it answers", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(b"GET /index.html HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    let _ = server.kill();
    let _ = server.wait();
    assert!(answer.contains("served from an image"), "{answer}");
}

#[test]
fn a_program_without_its_loader_is_refused() {
    if !is_here("gcc") {
        return;
    }
    let sandbox = Sandbox::new().head("project: shop").spec(
        "hello",
        "v1",
        "source: { path: code }\nbuild: { run: \"gcc -o {{ out }}/hello hello.c\" }\nimage: r.example/hello\n",
    );
    sandbox.write("code/hello.c", "int main(void) { return 0; }\n");
    sandbox
        .forge("image")
        .exits(2)
        .says("would not start")
        .says("linked dynamically")
        .says("base:");
}

#[test]
fn the_example_is_sound() {
    let sandbox = Sandbox::new();
    crate::support::copy_tree(
        std::path::Path::new("examples/services-release"),
        &sandbox.beside("shop"),
    );
    let run = sandbox.forge("check").within(&sandbox.beside("shop")).succeeds();
    run.says("6 subsystems");
    // A new folder is a new service.
    let (from, to) = (sandbox.beside("shop/services/api"), sandbox.beside("shop/services/search"));
    crate::support::copy_tree(&from, &to);
    sandbox.forge("check").within(&sandbox.beside("shop")).succeeds().says("7 subsystems");
}

#[test]
fn a_program_finds_its_loader_in_its_base_or_is_refused() {
    use crate::support::registry::{Registry, Rules};
    let loader = "/lib64/ld-linux-x86-64.so.2";
    if !cfg!(target_arch = "x86_64") || !PathBuf::from(loader).exists() {
        return;
    }
    let registry = Registry::start(Rules::default());
    let host = registry.host();
    let base = |version: &str| {
        let spec = format!(
            "image: {{ repo: {host}/base, platforms: [linux-amd64], files: {{ root/: / }} }}\n"
        );
        Sandbox::new().head("project: base").spec("base", version, &spec)
    };
    let without = base("v1").file("root/etc/passwd", "");
    without.forge("release:image").succeeds();
    // As most systems have it: through a link.
    let with = base("v2").file("root/usr/lib64/ld-linux-x86-64.so.2", "loads\n");
    std::os::unix::fs::symlink("usr/lib64", with.path("root/lib64")).unwrap();
    with.forge("release:image").succeeds();
    let spec = |base: &str| {
        format!(
            "source: {{ path: code }}\nbuild: {{ run: \"cp /bin/sh {{{{ out }}}}/hello\" }}\n\
             image: {{ repo: {host}/hello, platforms: [linux-amd64], base: \"{host}/base:{base}\" }}\n"
        )
    };
    let sandbox = Sandbox::new().head("project: shop").spec("hello", "v1", &spec("v1"));
    let sandbox = sandbox.file("code/x", "");
    let run = sandbox.forge("image").exits(2);
    run.says("/usr/local/bin/hello would not start").says(&format!("needs {loader}"));
    run.says("does not have").says("link it statically");
    sandbox.write("subsystems/hello.yml", &spec("v2"));
    sandbox.forge("release:image").succeeds().says("1 pushed");
}
