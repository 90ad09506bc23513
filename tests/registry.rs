//! Images on their way into registries, and what happens to them there.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use forge::{
    model::{
        Kind, Sha256,
        oci::{
            self, Annotations, Descriptor, ImageConfig, ImageIndex, ImageManifest, ImageRepository,
        },
    },
    store::{BlobSource, BlobUpload, ImageNote, ImagePush, ManifestUpload, Published, Registries},
};

use crate::{
    conformance::{
        oci::{docker_registry, hasty, logged_in},
        servers::is_here,
        suite::{digest, noise, settings},
    },
    support::registry::{Goes, LOGIN, Registry, Rules},
};

/// An image for two platforms with a layer that both share, in `repository`.
fn image(repository: &str, tag: &str, seed: u64) -> ImagePush {
    let bytes_blob = |kind: &str, bytes: Vec<u8>| BlobUpload {
        blob: Descriptor::new(kind, digest(&bytes), bytes.len() as u64),
        source: BlobSource::Bytes(bytes.into()),
    };
    let shared = bytes_blob(oci::LAYER_GZIP, noise(100_000, 99));
    let (mut blobs, mut children, mut named) = (vec![shared.clone()], Vec::new(), Vec::new());
    for (at, platform) in ["linux-amd64", "linux-arm64"].into_iter().enumerate() {
        let own = bytes_blob(oci::LAYER_GZIP, noise(50_000, seed * 10 + at as u64));
        let platform: forge::model::Platform = platform.parse().unwrap();
        let mut config = ImageConfig {
            architecture: platform.arch.as_str().into(),
            os: "linux".into(),
            ..ImageConfig::default()
        };
        config.rootfs.diff_ids = vec![shared.blob.digest, own.blob.digest];
        let config = bytes_blob(oci::CONFIG, config.to_json());
        let layers = vec![shared.blob.clone(), own.blob.clone()];
        let manifest = ImageManifest::new(config.blob.clone(), layers, Annotations::new());
        let child = ManifestUpload::new(manifest.to_json(), oci::MANIFEST);
        let size = child.bytes.len() as u64;
        named.push(Descriptor::new(oci::MANIFEST, child.digest(), size).on(platform.into()));
        children.push(child);
        blobs.extend([own, config]);
    }
    let index = ImageIndex::new(named, Annotations::new());
    let index = ManifestUpload::new(index.to_json(), oci::INDEX);
    let (repository, notes) = (repository.parse().unwrap(), Vec::new());
    ImagePush { repository, blobs, children, index, notes, tag: tag.into() }
}

fn nobody() -> Arc<dyn Fn(u64, u64) + Send + Sync> {
    Arc::new(|_, _| ())
}

fn split() -> Rules {
    Rules { wants_login: true, is_split: true, ..Rules::default() }
}

#[tokio::test]
async fn an_image_is_pushed_once_whatever_the_registry() {
    for rules in [Rules::default(), Rules::ghcr(), Rules::ecr(), split()] {
        let registry = Registry::start(rules);
        registry.world().repositories.insert("acme/api".into());
        let registries = Registries::new(&logged_in(LOGIN.1));
        let push = image(&format!("{}/acme/api", registry.host()), "v1", 1);
        let told = Arc::new(std::sync::Mutex::new(Vec::new()));
        let sink = told.clone();
        let progress: Arc<dyn Fn(u64, u64) + Send + Sync> =
            Arc::new(move |done, total| sink.lock().unwrap().push((done, total)));
        assert_eq!(registries.missing(&push).await.unwrap().len(), 5);
        let receipt = registries.push(&push, progress).await.unwrap();
        assert_eq!((receipt.published, receipt.sent, receipt.present), (Published::Created, 5, 0));
        let total: u64 = push.blobs.iter().map(|upload| upload.blob.size).sum();
        assert_eq!(told.lock().unwrap().iter().max(), Some(&(total, total)));
        tokio::time::sleep(Duration::from_millis(150)).await;
        let again = registries.push(&push, nobody()).await.unwrap();
        assert_eq!((again.published, again.sent, again.present), (Published::Identical, 0, 5));
        assert!(registries.missing(&push).await.unwrap().is_empty());
        let other = image(&push.repository.to_string(), "v1", 2);
        let lost = registries.push(&other, nobody()).await.unwrap();
        assert_eq!(lost.published, Published::Conflict { theirs: push.index.digest() });
        let found = registries.manifest(&push.repository.tagged("v1")).await.unwrap().unwrap();
        assert_eq!(found.bytes, push.index.bytes);
        assert_eq!(registry.world().dangling(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    for (method, path, goes) in [
        ("HEAD", "/blobs/sha256", Goes::Page(502)),
        ("POST", "/blobs/uploads/", Goes::Page(503)),
        ("POST", "/blobs/uploads/", Goes::Busy(0)),
        ("POST", "/blobs/uploads/", Goes::TokensEnd),
        ("PUT", "/blobs/uploads/", Goes::Page(502)),
        ("PUT", "/blobs/uploads/", Goes::Busy(0)),
        ("PUT", "/blobs/uploads/", Goes::Cut),
        ("PUT", "/blobs/uploads/", Goes::DoneThenCut),
        ("PUT", "/blobs/uploads/", Goes::TokensEnd),
        ("PUT", "/manifests/sha256", Goes::Page(502)),
        ("PUT", "/manifests/sha256", Goes::DoneThenCut),
        ("PUT", "/manifests/v1", Goes::Page(500)),
        ("PUT", "/manifests/v1", Goes::TokensEnd),
        ("PUT", "/manifests/v1", Goes::DoneThenCut),
        ("GET", "/manifests/v1", Goes::Page(502)),
        ("GET", "/token", Goes::Page(502)),
    ] {
        let registry = Registry::start(Rules { wants_login: true, ..Rules::default() });
        let push = image(&format!("{}/acme/api", registry.host()), "v1", 1);
        registry.next(method, path, goes.clone());
        let receipt = Registries::new(&logged_in(LOGIN.1)).push(&push, nobody()).await;
        let receipt = receipt.unwrap_or_else(|fault| panic!("{method} {path} {goes:?}: {fault}"));
        assert!(
            !matches!(receipt.published, Published::Conflict { .. }),
            "{method} {path} {goes:?}"
        );
        assert_eq!(
            registry.world().tag("acme/api", "v1"),
            Some(format!("sha256:{}", push.index.digest()))
        );
        assert_eq!(registry.world().dangling(), Vec::<String>::new());
        assert!(registry.world().faults.is_empty(), "{method} {path} {goes:?} never came");
    }
}

#[tokio::test]
async fn a_rival_who_is_faster_is_a_conflict() {
    for rules in [Rules::default(), Rules::ecr()] {
        let registry = Registry::start(rules);
        registry.world().repositories.insert("acme/api".into());
        let registries = Registries::new(&logged_in(LOGIN.1));
        let repository = format!("{}/acme/api", registry.host());
        let (ours, theirs) = (image(&repository, "v1", 1), image(&repository, "theirs", 2));
        registries.push(&theirs, nobody()).await.unwrap();
        registry.next("PUT", "/manifests/v1", Goes::SomebodyWasFaster(theirs.index.bytes.to_vec()));
        let is_immutable = registry.world().rules.has_immutable_tags;
        let receipt = registries.push(&ours, nobody()).await.unwrap();
        let conflict = Published::Conflict { theirs: theirs.index.digest() };
        // Where tags move, the last one wins, and nobody can know.
        let expected = if is_immutable { conflict } else { Published::Created };
        assert_eq!(receipt.published, expected);
    }
}

#[tokio::test]
async fn a_base_is_mounted_or_streamed() {
    for (mounts, is_elsewhere, outcome) in
        [(true, false, (1, 4)), (false, false, (0, 5)), (true, true, (0, 5))]
    {
        let base = Registry::start(Rules { is_split: true, ..Rules::ghcr() });
        let own = Registry::start(Rules { mounts, wants_login: true, ..Rules::default() });
        let from = if is_elsewhere { &base } else { &own };
        let registries = Registries::new(&logged_in(LOGIN.1));
        let pushed = image(&format!("{}/distroless/static", from.host()), "v1", 7);
        registries.push(&pushed, nobody()).await.unwrap();
        let mut push = image(&format!("{}/acme/api", own.host()), "v1", 1);
        push.blobs[0].source = BlobSource::Registry(pushed.repository.clone());
        own.take_asked();
        let receipt = registries.push(&push, nobody()).await.unwrap();
        assert_eq!((receipt.mounted, receipt.sent), outcome, "{mounts} {is_elsewhere}");
        assert_eq!(own.world().dangling(), Vec::<String>::new());
        let elsewhere = base.take_asked().into_iter().filter(|it| it.host.starts_with("localhost"));
        assert!(elsewhere.collect::<Vec<_>>().iter().all(|it| it.authorization.is_none()));
    }
}

#[tokio::test]
async fn a_base_that_vanished_is_told() {
    let registry = Registry::start(Rules::default());
    let registries = Registries::new(&hasty(settings(&[])));
    let mut push = image(&format!("{}/acme/api", registry.host()), "v1", 1);
    let base: ImageRepository = format!("{}/base/gone", registry.host()).parse().unwrap();
    push.blobs[0].source = BlobSource::Registry(base.clone());
    let fault = registries.push(&push, nobody()).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Store);
    assert!(fault.to_string().contains("base/gone"), "{fault}");
    assert!(fault.hint.unwrap().contains("another base"));
    assert_eq!(registry.world().tag("acme/api", "v1"), None);
    assert_eq!(registries.manifest(&base.tagged("v1")).await, Ok(None));
}

#[tokio::test]
async fn a_layer_that_is_not_what_it_should_be_is_refused() {
    let registry = Registry::start(Rules::default());
    let registries = Registries::new(&hasty(settings(&[])));
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("layer");
    for (written, why) in
        [(noise(99_999, 99), "has 99999 bytes"), (noise(100_000, 98), "DIGEST_INVALID")]
    {
        std::fs::write(&file, written).unwrap();
        let mut push = image(&format!("{}/acme/api", registry.host()), "v1", 1);
        push.blobs[0].source = BlobSource::File(file.clone());
        let fault = registries.push(&push, nobody()).await.unwrap_err();
        assert_eq!(fault.kind, Kind::Verification, "{fault}");
        assert!(fault.to_string().contains(why), "{fault}");
        assert_eq!(registry.world().tag("acme/api", "v1"), None);
    }
    let absent = Registries::new(&hasty(settings(&[])));
    let image = registry.host() + "/acme/api@sha256:" + &Sha256([1; 32]).to_string();
    assert_eq!(absent.manifest(&image.parse().unwrap()).await, Ok(None));
}

#[tokio::test]
async fn one_token_does_for_all_that_are_read() {
    let registry = Registry::start(Rules::ghcr());
    let names = ["api", "web", "indexing", "cleaner", "metadata", "thumbnail"];
    let repositories: Vec<ImageRepository> = names
        .iter()
        .map(|name| format!("{}/acme/{name}", registry.host()).parse().unwrap())
        .collect();
    let registries = Registries::new(&hasty(settings(&[])));
    registries.expect(&repositories).await;
    for repository in &repositories {
        assert_eq!(registries.manifest(&repository.tagged("v1")).await, Ok(None));
    }
    // A challenge, a token, six answers.
    assert_eq!(registry.take_asked().len(), 8);
}

#[tokio::test]
async fn publishers_of_the_same_image_all_succeed() {
    let registry = Registry::start(Rules { lag: Duration::ZERO, ..Rules::ghcr() });
    for round in 0..50 {
        let push = image(&format!("{}/acme/api", registry.host()), &format!("v{round}"), round);
        let pushing = (0..4).map(|_| {
            let push = push.clone();
            async move { Registries::new(&logged_in(LOGIN.1)).push(&push, nobody()).await.unwrap() }
        });
        let receipts = futures_util::future::join_all(pushing).await;
        assert!(receipts.iter().all(|it| !matches!(it.published, Published::Conflict { .. })));
    }
    assert_eq!(registry.world().tags.len(), 50);
    assert_eq!(registry.world().dangling(), Vec::<String>::new());
}

#[tokio::test]
async fn a_publisher_who_is_stopped_leaves_no_tag_that_leads_nowhere() {
    let registry = Registry::start(Rules { lag: Duration::ZERO, ..Rules::ghcr() });
    let mut tagged = 0;
    for round in 0..50 {
        let push = image(&format!("{}/acme/api", registry.host()), &format!("v{round}"), round);
        let registries = Registries::new(&logged_in(LOGIN.1));
        let moment = Duration::from_micros(300 * round);
        let _ = tokio::time::timeout(moment, registries.push(&push, nobody())).await;
        assert_eq!(registry.world().dangling(), Vec::<String>::new(), "after {moment:?}");
        tagged += usize::from(registry.world().tag("acme/api", &push.tag).is_some());
        let receipt = registries.push(&push, nobody()).await.unwrap();
        assert!(!matches!(receipt.published, Published::Conflict { .. }));
    }
    assert!(tagged < 50, "all were too late to be stopped");
}

/// The output of a client that has nothing of the user's around it.
fn run(program: &str, words: &[&str], folder: &Path, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(program);
    command.args(words).current_dir(folder).env_clear().stdin(Stdio::null());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", folder);
    let output = command.envs(variables.iter().copied()).output().expect(program);
    let (out, err) = (&output.stdout, &output.stderr);
    let text = format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err));
    assert!(output.status.success(), "{program} {words:?}: {text}");
    text
}

#[tokio::test]
async fn what_is_said_of_an_image_is_found_beside_it() {
    for (lists_referrers, lag) in [(true, 0), (false, 0), (false, 60)] {
        let lag = Duration::from_millis(lag);
        let registry = Registry::start(Rules { lag, lists_referrers, ..Rules::ghcr() });
        let registries = Registries::new(&logged_in(LOGIN.1));
        let push = image(&format!("{}/acme/api", registry.host()), "v1", 1);
        registries.push(&push, nobody()).await.unwrap();
        let size = push.index.bytes.len() as u64;
        let subject = Descriptor::new(oci::INDEX, push.index.digest(), size);
        assert_eq!(registries.referrers(&push.repository, subject.digest).await, Ok(Vec::new()));
        let note = |kind: &str| ImageNote {
            artifact_type: kind.into(),
            title: "api.json".into(),
            bytes: format!("what {kind} says").into(),
            annotations: Annotations::from([("in-toto.io/predicate-type".into(), "x".into())]),
        };
        let kinds = ["application/vnd.in-toto+json", "application/spdx+json"];
        for kind in [kinds[0], kinds[1], kinds[0]] {
            registries.attach(&push.repository, &subject, &note(kind)).await.unwrap();
        }
        let found = registries.referrers(&push.repository, subject.digest).await.unwrap();
        let mut told: Vec<_> = found.iter().filter_map(|it| it.artifact_type.as_deref()).collect();
        told.sort_unstable();
        assert_eq!(told, [kinds[1], kinds[0]], "{lists_referrers}");
        assert!(found.iter().all(|it| it.annotations.len() == 1), "{found:?}");
        assert_eq!(registry.world().dangling(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn others_read_what_was_pushed() {
    if !is_here("docker-registry") || !is_here("skopeo") {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let server = docker_registry(temp.path());
    let registries = Registries::new(&hasty(settings(&[])));
    let push = image(&format!("127.0.0.1:{}/acme/api", server.port), "v1", 1);
    let receipt = registries.push(&push, nobody()).await.unwrap();
    assert_eq!(receipt.published, Published::Created);
    let name = format!("docker://{}:v1", push.repository);
    let inspect = ["inspect", "--raw", "--tls-verify=false", &name];
    let raw = run("skopeo", &inspect, temp.path(), &[]);
    assert_eq!(raw.as_bytes(), &push.index.bytes[..]);
    let mut other = image(&format!("127.0.0.1:{}/acme/web", server.port), "v1", 3);
    other.blobs[0].source = BlobSource::Registry(push.repository.clone());
    let receipt = registries.push(&other, nobody()).await.unwrap();
    assert_eq!((receipt.mounted, receipt.sent), (1, 4));
    let tags = registries.tags(&push.repository).await.unwrap();
    assert_eq!(tags.into_iter().collect::<Vec<_>>(), ["v1"]);
    registries.remove_tag(&push.repository, "v1").await.unwrap();
    assert_eq!(registries.manifest(&push.repository.tagged("v1")).await, Ok(None));
}

#[test]
fn the_stand_in_conforms_to_the_specification() {
    let program = "oci-conformance";
    if !is_here(program) {
        return;
    }
    let registry = Registry::start(Rules::default());
    let temp = tempfile::tempdir().unwrap();
    let host = registry.host();
    let results = temp.path().display().to_string();
    let variables = [
        ("OCI_REGISTRY", host.as_str()),
        ("OCI_TLS", "disabled"),
        ("OCI_REPO1", "conformance/one"),
        ("OCI_REPO2", "conformance/two"),
        ("OCI_RESULTS_DIR", results.as_str()),
        // What the stand-in does not play: other digests, mounts from anywhere, manifests whose blobs
        // are elsewhere.
        ("OCI_DATA_SHA512", "false"),
        ("OCI_API_BLOBS_MOUNT_ANONYMOUS", "false"),
        ("OCI_DATA_SPARSE", "false"),
        ("OCI_DATA_NONDISTRIBUTABLE", "false"),
    ];
    run(program, &[], temp.path(), &variables);
}
