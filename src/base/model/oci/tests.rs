//! Documents of the Open Container Initiative, written and read.

use super::*;
use crate::model::{Platform, Sha256};

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

#[test]
fn documents_are_written_compact_and_in_one_order() {
    let config = Descriptor::new(CONFIG, Sha256([1; 32]), 7);
    let layer = Descriptor::new(LAYER_GZIP, Sha256([2; 32]), 9);
    let note =
        Annotations::from([("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())]);
    let manifest = ImageManifest::new(config, vec![layer], note.clone());
    let text = String::from_utf8(manifest.to_json()).unwrap();
    let (one, two) = ("01".repeat(32), "02".repeat(32));
    assert_eq!(
        text,
        format!(
            "{{\"schemaVersion\":2,\"mediaType\":\"{MANIFEST}\",\"config\":{{\"mediaType\":\"{CONFIG}\",\
             \"digest\":\"sha256:{one}\",\"size\":7}},\"layers\":[{{\"mediaType\":\"{LAYER_GZIP}\",\
             \"digest\":\"sha256:{two}\",\"size\":9}}],\"annotations\":{{\"a\":\"1\",\"b\":\"2\"}}}}"
        )
    );
    let read = RegistryDocument::parse(text.as_bytes(), None).unwrap();
    assert_eq!(read, RegistryDocument::Manifest(manifest.clone()));

    let child = Descriptor::new(MANIFEST, Sha256([3; 32]), 5).on(platform("linux-arm").into());
    let index = ImageIndex::new(vec![child], Annotations::new());
    let text = String::from_utf8(index.to_json()).unwrap();
    assert!(text.ends_with(
        "\"size\":5,\"platform\":{\"architecture\":\"arm\",\"os\":\"linux\",\"variant\":\"v7\"}}]}"
    ));
    assert_eq!(RegistryDocument::parse(text.as_bytes(), None), Ok(RegistryDocument::Index(index)));
}

#[test]
fn dockers_words_are_read_as_what_they_mean() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{DOCKER_MANIFEST}",
            "config":{{"mediaType":"application/vnd.docker.container.image.v1+json","size":1,"digest":"{digest}"}},
            "layers":[{{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","size":2,"digest":"{digest}"}}]}}"#
    );
    let RegistryDocument::Manifest(read) =
        RegistryDocument::parse(manifest.as_bytes(), None).unwrap()
    else {
        panic!("a manifest")
    };
    assert_eq!(
        (read.config.media_type.as_str(), read.layers[0].media_type.as_str()),
        (CONFIG, LAYER_GZIP)
    );
    assert!(!String::from_utf8(read.to_json()).unwrap().contains("docker"));
    let list = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{DOCKER_MANIFEST}","size":2,"digest":"{digest}","platform":{{"os":"linux","architecture":"arm64","variant":"v8"}}}}]}}"#
    );
    for said in [None, Some(DOCKER_LIST), Some("application/json")] {
        let RegistryDocument::Index(read) = RegistryDocument::parse(list.as_bytes(), said).unwrap()
        else {
            panic!("an index")
        };
        assert!(read.manifest_for(platform("linux-arm64")).is_some());
        assert!(read.manifest_for(platform("linux-amd64")).is_none());
        assert_eq!(read.manifests[0].media_type, MANIFEST);
    }
}

#[test]
fn what_is_not_an_image_says_so() {
    for (text, why) in [
        ("<html>", "cannot be read"),
        ("{}", "Docker's first format"),
        (r#"{"schemaVersion":1,"name":"x"}"#, "Docker's first format"),
        (r#"{"schemaVersion":2,"mediaType":"text/plain"}"#, "of the type `text/plain`"),
        (r#"{"schemaVersion":2,"layers":[]}"#, "missing field `config`"),
        (r#"{"schemaVersion":2,"manifests":[{"digest":"sha256:1","size":1}]}"#, "not a digest"),
    ] {
        let wrong = RegistryDocument::parse(text.as_bytes(), None).unwrap_err();
        assert!(wrong.contains(why), "{text}: {wrong}");
    }
}

#[test]
fn what_a_base_says_is_kept() {
    let text = format!(
        r#"{{"architecture":"amd64","os":"linux","config":{{"Env":null,"Entrypoint":null,"Cmd":["sh"],"OnBuild":["x"],
            "Healthcheck":{{"Test":["CMD"]}},"ExposedPorts":{{"80/tcp":{{}}}}}},"rootfs":{{"type":"layers","diff_ids":["sha256:{}"]}},
            "history":[{{"created_by":"x","empty_layer":true}}],"docker_version":"20"}}"#,
        "ab".repeat(32)
    );
    let config = ImageConfig::parse(text.as_bytes()).unwrap();
    assert_eq!(config.rootfs.diff_ids, [Sha256([0xab; 32])]);
    assert_eq!(config.config.cmd.as_deref(), Some(["sh".to_owned()].as_slice()));
    let written = String::from_utf8(config.to_json()).unwrap();
    for kept in [
        "\"OnBuild\":[\"x\"]",
        "\"Healthcheck\"",
        "\"80/tcp\":{}",
        "docker_version",
        "\"empty_layer\":true",
    ] {
        assert!(written.contains(kept), "{written}");
    }
    assert!(!written.contains("Entrypoint") && !written.contains("null"), "{written}");
    assert_eq!(ImageConfig::parse(written.as_bytes()).unwrap(), config);
}

#[test]
fn the_variants_that_go_without_saying() {
    let runs = |architecture: &str, variant: Option<&str>, on: &str| {
        let variant = variant.map(str::to_owned);
        let (architecture, os) = (architecture.to_owned(), "linux".to_owned());
        ImagePlatform { architecture, os, os_version: None, variant }.runs(platform(on))
    };
    assert!(runs("arm64", Some("v8"), "linux-arm64") && runs("arm64", None, "linux-arm64"));
    assert!(runs("arm", Some("v7"), "linux-arm") && !runs("arm", Some("v6"), "linux-arm"));
    assert!(!runs("amd64", Some("v3"), "linux-amd64") && !runs("arm64", None, "linux-amd64"));
}

#[test]
fn the_empty_configuration_has_its_published_digest() {
    let digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    assert_eq!(Descriptor::empty().digest.to_string(), digest);
}
