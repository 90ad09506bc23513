//! Names of images.

use super::*;

const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

#[test]
fn names_mean_what_docker_says() {
    for (text, shown) in [
        ("nginx", "docker.io/library/nginx"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("acme/api", "docker.io/acme/api"),
        ("index.docker.io/acme/api", "docker.io/acme/api"),
        ("ghcr.io/Acme/Shop/api:v1", "ghcr.io/acme/shop/api:v1"),
        ("localhost/api", "localhost/api"),
        ("localhost:5000/api:V1", "localhost:5000/api:V1"),
        ("[::1]:5000/a/b", "[::1]:5000/a/b"),
        ("registry.example.org/a__b/c---d/e.f_g", "registry.example.org/a__b/c---d/e.f_g"),
        ("gcr.io/d/static:nonroot@DIGEST", "gcr.io/d/static:nonroot@DIGEST"),
        ("gcr.io/d/static@DIGEST", "gcr.io/d/static@DIGEST"),
    ] {
        let (text, shown) = (text.replace("DIGEST", DIGEST), shown.replace("DIGEST", DIGEST));
        let reference: ImageReference = text.parse().unwrap();
        assert_eq!(reference.to_string(), shown);
        assert_eq!(shown.parse(), Ok(reference));
    }
    let hub: ImageRepository = "nginx".parse().unwrap();
    assert_eq!((hub.host(), hub.api_host()), ("docker.io", "registry-1.docker.io"));
    assert!("127.0.0.1:5000/x".parse::<ImageRepository>().unwrap().is_local());
}

#[test]
fn what_is_not_a_name_says_why() {
    for (text, why) in [
        ("", "between its `/`"),
        ("ghcr.io/", "between its `/`"),
        ("ghcr.io/a//b", "between its `/`"),
        ("ghcr.io/a b", "between its `/`"),
        ("ghcr.io/-a", "between its `/`"),
        ("ghcr.io/a___b", "between its `/`"),
        ("ghcr.io/a._b", "between its `/`"),
        ("https://ghcr.io/a", "without `https://`"),
        ("ghcr..io/a", "not a host"),
        ("ghcr.io:x/a", "not a host"),
        ("ghcr.io:0/a", "not a host"),
        ("ghcr.io:65536/a", "not a host"),
        ("[::1/a", "not a host"),
        ("ghcr.io/a:", "cannot be the tag"),
        ("ghcr.io/a:v1+1", "cannot be the tag"),
        ("ghcr.io/a@sha256:12", "`sha256:` and 64 digits"),
        ("ghcr.io/a@sha512:12", "`sha256:` and 64 digits"),
    ] {
        let wrong = text.parse::<ImageReference>().unwrap_err();
        assert!(wrong.contains(why), "{text}: {wrong}");
    }
    assert!(format!("a.b/{}", "c".repeat(252)).parse::<ImageRepository>().is_err());
    assert!(check_image_tag(&"a".repeat(129)).is_err() && check_image_tag(".a").is_err());
}

#[test]
fn a_digest_decides_before_a_tag() {
    let image: ImageReference = format!("a.b/c:v1@{DIGEST}").parse().unwrap();
    assert_eq!(image.asked(), DIGEST);
    assert_eq!("a.b/c".parse::<ImageReference>().unwrap().asked(), "latest");
}
