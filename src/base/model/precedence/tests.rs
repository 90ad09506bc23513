//! The order of versions as people write them, and which are alternatives to each other.

use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> Precedence {
    Precedence::parse(text).unwrap_or_else(|| panic!("{text} is a version"))
}

#[test]
fn each_is_older_than_the_next() {
    for row in [
        // The example of the specification.
        "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0",
        "v1.9.0 v1.10.0-rc.2 v1.10.0-rc.10 v1.10.0 v1.10.1 v2.0.0 v10.0.0",
        "20251231.12 20260107.0 20260107.9 20260107.10 20260108.0",
        "1.21.9 1.22a1 1.22beta1 1.22rc1 1.22rc2 1.22rc10 1.22 1.22.0.1 1.22.1",
        "1.0.2 1.0.2a 1.0.2k 1.0.3",
        "1 1.0.1 1.1 2 99999999999999999999999 100000000000000000000000",
        // Pre-releases as people number them.
        "v1.0.0-rc1 v1.0.0-rc2 v1.0.0-rc9 v1.0.0-rc10 v1.0.0",
        "5.0.0-M9 5.0.0-M12 5.0.0-RC1 5.0.0-rc2 5.0.0",
        "1.0.0-beta-2 1.0.0-beta-10 1.0.0 1.0.1-SNAPSHOT 1.0.1",
        "6.0.0.Alpha2 6.0.0.Beta1 6.0.0.CR1 6.0.0.CR2 6.0.0.Final 6.0.0.SP1 6.0.1.Final",
        "1.3.0-dev.1 1.3.0-dev.10 1.3.0-staging.2 1.3.0",
        "1.0a1 1.0rc1 1.0 1.0.post1 1.0.post10",
        // Revisions.
        "1.2.3 1.2.3-1 1.2.3-2 1.2.3-10 1.2.4-1 1.3.0-1",
        "1.3.0-r1 1.3.0-r2 1.3.1-r0",
        // Days and times.
        "2024-12-30 2025-01-06 2025-02-03 2025-02-03-1 2025-02-03-2 2025-11-01",
        "2024-09-30 2024-10-01 2024-10-01.1 2024-10-01.2 2024-10-02",
        "2025-04-22T22-12-26Z 2025-04-22T22-15-00Z 2025-05-24T17-08-30Z",
        "20240108-1 20240108-2 20240108-10 20240109-1",
        // Builds that are counted.
        "21.0.2+7 21.0.2+13 21.0.3+1",
        "v1.30.2+k3s1 v1.30.2+k3s2 v1.30.3+k3s1",
        "20.0.1+9 21+34-ea 21+35-ea 21+35 21.0.1+12-EA 21.0.1+12 22-ea+3 22-ea+12 22",
        "1.0.0+nightly.20240101 1.0.0+nightly.20240102 1.0.0",
        // What go makes of commits comes before what they lead to.
        "v0.0.0-20191109021931-daa7c04131f5 v0.0.0-20200101000000-000000000000 v0.0.0",
        "v1.2.3 v1.2.4-0.20191109021931-daa7c04131f5 v1.2.4",
        "17.2-alpine 17.3-alpine 17.10-alpine 18.0-rc1-alpine 18.0-alpine",
        "1.0-alpine3.9 1.0-alpine3.10 1.1-alpine3.9",
        "16.1.0-ce.0 16.1.0-ce.1 16.2.0-rc1-ce.0 16.2.0-ce.0",
        "v20240101-abc123f v20240102-0a1b2c3 v20240103-abc123f",
        "4.4.0-debian-12-r9 4.4.0-debian-12-r10 4.4.1-debian-12-r0",
        "1.2.3-cuda11.8 1.2.4-cuda11.8",
    ] {
        let versions: Vec<_> = row.split(' ').collect();
        for (older, pair) in versions.iter().enumerate() {
            for newer in &versions[older + 1..] {
                assert!(parsed(pair) < parsed(newer), "{pair} < {newer}");
            }
        }
    }
}

#[test]
fn what_does_not_matter_does_not_count() {
    for (a, b) in [
        ("v1.2.0", "1.2"),
        ("1.0.0+a", "1.0.0+b"),
        ("1.0.0+g1a2b3c4", "1.0.0+exp.sha.5114f85"),
        ("2.0.0+incompatible", "2.0.0"),
        ("1.02", "1.2"),
        ("v0", "0.0.0"),
        ("1.0.0-RC1", "1.0.0-rc.1"),
        ("2025-04-22T22-12-26Z", "2025-04-22T221226"),
        ("v20240101-abc123f", "v20240101-0a1b2c3"),
        ("v1.2.3-5-gabcdef0", "v1.2.3-5-g0123456"),
    ] {
        assert_eq!(parsed(a), parsed(b), "{a} {b}");
    }
}

#[test]
fn what_is_no_version_has_no_place() {
    let (hash, long) = ("1a".repeat(20), "1a".repeat(32));
    for text in ["", "main", "v", "vnext", "main-0123456789ab", "n7.1", &hash, &long] {
        assert_eq!(Precedence::parse(text), None, "{text}");
    }
}

#[test]
fn pre_releases_are_not_stable() {
    for stable in "v1.0.0 1.0.2k 20260107.0 2024-12-30 1.2.3-1 17.3-alpine 5.0.Final 1.0-p1 \
         16.1.0-ce.0 v20240101-abc123f 4.4.0-debian-12-r9 1.0-temurin-17 \
         21+35 1.0-g1ea2b3c 1.0.0+1ea2 1.0.0+build-5 v1.0-5-g1ea2b3c 1.0-stable"
        .split_whitespace()
    {
        assert!(parsed(stable).is_stable(), "{stable}");
    }
    for early in "v1.0.0-rc.1 1.22rc1 1.0-M1 1.0-alpha 1.0-x.7.z.92 1.0-SNAPSHOT 18.0-rc1-alpine \
                  21+35-ea 21-ea+35 21-EA 1.0.SNAPSHOT 1.0-0.3.rc1 1.0-20240101.nightly 1.0-canary \
                  1.0-dev 1.0-next 1.0-next.3 5.0.0M1 5.0.0.M1 1.0-preview 1.0-preview1 1.0preview.2 \
                  1.0-nightly-20240101 1.0+dev 1.0+nightly.5 17-alpine-beta1 1.0-dev-alpine 1.0-DEV20240101"
        .split_whitespace()
    {
        assert!(!parsed(early).is_stable(), "{early}");
    }
}

#[test]
fn the_first_number_is_the_major_one() {
    for (version, major) in [("v2.10.24", "2"), ("0.1.0", ""), ("20260107.1", "20260107")] {
        assert_eq!(parsed(version).major(), major);
    }
    assert!(parsed("1.0.0-rc.1").has_numbers_of(&parsed("v1.0")));
    assert!(!parsed("1.0.0").has_numbers_of(&parsed("1.0.1")));
}

#[test]
fn a_series_is_what_can_take_the_place_of_each_other() {
    let is_same = |a: &str, b: &str| Series::parse(a).unwrap() == Series::parse(b).unwrap();
    for row in [
        "v1.0.0 v2.3.0-rc1 v1.2.3-1 v2.0.0+incompatible",
        "17.2-alpine 17.3-alpine 17.3-rc1-alpine 17-alpine3.19",
        "17.3 18.0 18.0-1",
        "17.3-slim-bookworm 17.4-slim-bookworm",
        "2024-12-30 2025-02-03 20250203",
        "RELEASE.2025-04-22T22-12-26Z RELEASE.2025-05-24T17-08-30Z",
        "cli/v1.2 cli/v1.3.0-rc1",
        "n7.1 n7.2",
        "jdk-21.0.2+13 jdk-22.0.1+8 jdk-22+36-ea jdk-23-ea+5",
        "21+35-alpine 22+1-alpine 22-alpine",
        "16.1.0-ce.0 16.2.0-ce.0 17.0.0-ce.1",
        "v20240101-abc123f v20240102-0a1b2c3 v20240103",
        "v1.2.3-5-gabcdef0 v1.2.4-1-g0123456 v1.2.5",
        "4.4.0-debian-12-r9 4.4.0-debian-12-r10 4.4.1-debian-12",
        "3.9.6-eclipse-temurin-17 3.9.7-eclipse-temurin-17",
        "1.0-cuda11.8 1.1-cuda11.8.0",
        "1.0-python3.11-bookworm 1.1-python3.11-bookworm",
        "1.0-debian-1 1.0-debian-2",
        "1.30.0-eks-9 1.30.0-eks-10",
        "1.30.0-k3s1 1.30.0-k3s2",
    ] {
        let versions: Vec<_> = row.split(' ').collect();
        for pair in versions.windows(2) {
            assert!(is_same(pair[0], pair[1]), "{pair:?}");
        }
    }
    let firsts = "v1.0.0 17.2-alpine 17.3 17.3-slim-bookworm 17.3+1-slim 17.3-bookworm 2024-12-30 \
                  16.1.0-ce.0 16.1.0-ee.0 4.4.0-debian-12-r9 4.4.1-debian-11-r0 4.4.1-debian \
                  3.9.6-temurin-17 3.9.8-temurin-21 1.0-cuda11.8 1.1-cuda12.1 1.0-jdk17 1.0-jdk21 \
                  1.0-python3.11 1.0-python3.12 \
                  RELEASE.2025-04-22T22-12-26Z cli/v1.2 n7.1 jdk-21.0.2+13";
    let firsts: Vec<_> = firsts.split_whitespace().collect();
    for (at, a) in firsts.iter().enumerate() {
        for b in &firsts[at + 1..] {
            assert!(!is_same(a, b), "{a} {b}");
        }
    }
    assert_eq!(Series::parse("main"), None);
    assert_eq!(Series::parse(&"1a".repeat(20)), None);
    let beside = |version| Precedence::beside("cli/v1.2", version);
    assert!(beside("cli/v1.9") < beside("cli/v1.10") && beside("cli/v1.9").is_some());
    assert_eq!((beside("lib/v1.9"), beside("1.9"), beside("main")), (None, None, None));
}

/// Versions of all shapes that people write.
fn version() -> impl Strategy<Value = String> {
    let core = prop_oneof![
        "[0-9]{1,2}(\\.[0-9]{1,2}){0,3}",
        "20(09|2[0-9])-(0[1-9]|1[0-2])-[0-2][0-9](T[0-2][0-9]-[0-5][0-9]-[0-5][0-9]Z)?",
        "202[0-9](0[1-9]|1[0-2])[0-2][0-9](\\.[0-9]{1,2})?",
    ];
    let part = prop_oneof![
        "-(rc|M|beta|alpha|dev|x)[.-]?[0-9]{1,2}",
        "-[0-9]{1,2}",
        "-(alpine|slim|a|r|p|linux)([0-9]\\.[0-9])?",
        "(rc|k|a|\\.Final|\\.post)[0-9]{0,2}",
    ];
    let build = prop_oneof![Just(String::new()), "\\+(k3s)?[0-9]{1,2}", "\\+[0-9a-f]{8}"];
    ("v?", core, prop::collection::vec(part, 0..3), build)
        .prop_map(|(v, core, parts, build)| format!("{v}{core}{}{build}", parts.concat()))
}

proptest! {
    #[test]
    fn numbers_compare_as_numbers(a in any::<[u32; 3]>(), b in any::<[u32; 3]>()) {
        let text = |v: [u32; 3]| format!("v{}.{}.{}", v[0], v[1], v[2]);
        prop_assert_eq!(parsed(&text(a)).cmp(&parsed(&text(b))), a.cmp(&b));
    }

    #[test]
    fn what_is_numbered_goes_by_its_number(
        base in "v?[0-9]{1,2}\\.[0-9]{1,2}(\\.[0-9]{1,2})?",
        between in "-(rc|RC|M|beta|r|p|x)\\.?|-|rc|-alpine",
        a: u16,
        b: u16,
    ) {
        let text = |number: u16| format!("{base}{between}{number}");
        prop_assert_eq!(parsed(&text(a)).cmp(&parsed(&text(b))), a.cmp(&b));
    }

    #[test]
    fn the_order_is_total(a in version(), b in version(), c in version()) {
        let (x, y, z) = (parsed(&a), parsed(&b), parsed(&c));
        prop_assert_eq!(x.cmp(&y), y.cmp(&x).reverse());
        prop_assert!(!(x <= y && y <= z) || x <= z, "{} {} {}", a, b, c);
        prop_assert_eq!(x == y, x.cmp(&y).is_eq());
        prop_assert_eq!(parsed(&a), parsed(&a));
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,3}v?[0-9]{0,5}[-.+TZa-z0-9é]{0,16}") {
        let _ = Precedence::parse(&text);
        let _ = Series::parse(&text);
        let _ = Precedence::beside("v1", &text);
    }
}
