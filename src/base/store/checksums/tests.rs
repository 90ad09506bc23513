//! Checksums files in every form that people write them.

use proptest::prelude::*;

use super::*;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const MD5: &str = "d41d8cd98f00b204e9800998ecf8427e";
const SHA1: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";

fn find(text: &str) -> Result<String, String> {
    find_digest(text, "x.tar.gz").map(|digest| digest.to_string())
}

#[test]
fn reads_every_way_people_write_checksums() {
    for text in [
        format!("{A}  x.tar.gz\n"),
        format!("{A}  x.tar.gz\r\n"),
        format!("{A} x.tar.gz\r\n"),
        format!("{A}\tx.tar.gz"),
        format!("{A} *x.tar.gz\n"),
        format!("{A}  ./dist/x.tar.gz\n"),
        format!("{A}  dist\\x.tar.gz\n"),
        format!("{A}\n"),
        format!("{A}  -\n"),
        format!("sha256:{A}\n"),
        format!("sha256:{A}  x.tar.gz\n"),
        format!("SHA-256: {A}\n"),
        format!("\u{feff}{}  x.tar.gz\n", A.to_uppercase()),
        format!("SHA256 (x.tar.gz) = {A}\n"),
        format!("SHA256 (./dist/x.tar.gz) = {A}\r\n"),
        format!("SHA256(x.tar.gz)= {A}\n"),
        format!("SHA2-256(x.tar.gz)= {A}\n"),
        format!("SHA2-256(stdin)= {A}\nSHA2-256(x.tar.gz)= {A}\n"),
        format!("x.tar.gz {A}\n"),
        format!("x.tar.gz\t{A}\r\n"),
        format!("x.tar.gz: {A}\n"),
        format!("x.tar.gz={A}\n"),
        format!("x.tar.gz = sha256:{A}\n"),
        format!("./x.tar.gz  SHA256 {A}\n"),
        format!("y.tar.gz {B}\nx.tar.gz {A}\n"),
        format!("| File | SHA256 |\n|---|---|\n| `x.tar.gz` | `{A}` |\n| `y` | `{B}` |\n"),
        format!("{{\n  \"y\": \"{B}\",\n  \"x.tar.gz\": \"{A}\"\n}}\n"),
        format!(
            "SHA256 hash of file x.tar.gz:\r\n{A}\r\nCertUtil: -hashfile command completed.\r\n"
        ),
        format!(
            "Algorithm  Hash  Path\n---------  ----  ----\nSHA256     {A}   C:\\a b\\x.tar.gz\n"
        ),
        format!("{B}  y.tar.gz\n# a comment {B}\n\n{A}  x.tar.gz\n{B}  xx.tar.gz\n"),
        format!("{MD5}  x.tar.gz\n{SHA1}  x.tar.gz\n{A}  x.tar.gz\n{A}{A}  x.tar.gz\n"),
        format!("MD5 (x.tar.gz) = {MD5}\nSHA256 (x.tar.gz) = {A}\n"),
        format!("{B}  old/x.tar.gz\n{A}  x.tar.gz\n"),
        format!("{A}  x.tar.gz\n{A}  again/x.tar.gz\n"),
        format!("\\{A}  x.tar.gz\n"),
        // Brackets around the digest, the name or the algorithm.
        format!("y.tar.gz ({B})\nx.tar.gz ({A})\n"),
        format!("x.tar.gz [{A}]\nx.tar.gz (SHA-256: {A})\nx.tar.gz (sha256) = {A}\n"),
        format!("{B} (y.tar.gz)\n{A} (x.tar.gz)\n({A}) x.tar.gz\n[{A}] x.tar.gz\n"),
        format!("SHA256(x.tar.gz)={A}\nSHA256 (*x.tar.gz): {A}\nsha256sum(x.tar.gz) {A}\n"),
        format!("SHA2-256(\"./dist/x.tar.gz\")= {A}\n"),
        format!("(stdin)= {A}\n"),
        format!("SHA2-256(stdin)= {A}\n"),
        // Files that were put one after the other.
        format!("\u{feff}{B}  y.tar.gz\r\n\u{feff}{A}  x.tar.gz\r\n"),
        // Properties, one a line.
        format!("Algorithm : SHA256\r\nHash      : {A}\r\nPath      : C:\\dist\\x.tar.gz\r\n\r\n"),
        format!("Hash : {B}\nPath : C:\\y.tar.gz\n\nHash : {A}\nPath : C:\\x.tar.gz\n"),
        format!("- name: y.tar.gz\n  sha256: {B}\n- name: x.tar.gz\n  size: 5\n  sha256: {A}\n"),
        format!("\"Algorithm\",\"Hash\",\"Path\"\n\"SHA256\",\"{A}\",\"C:\\x.tar.gz\"\n"),
        format!("checksum: {A}\n"),
        format!("Download URL: https://example.org/v1/x.tar.gz\nSHA256: {A}\n"),
        format!("{A}\n\nurl: https://example.org/notes\n"),
        format!("# file: y.tar.gz\n{A}\n"),
        format!(
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{A}  x.tar.gz\n{B}  y.tar.gz\n\
             -----BEGIN PGP SIGNATURE-----\n\n{B}  x.tar.gz\n-----END PGP SIGNATURE-----\n"
        ),
    ] {
        assert_eq!(find(&text), Ok(A.to_owned()), "{text:?}");
    }
}

/// The digits of `digest` in groups of `size`, `count` groups a line, lines indented by `indent`.
fn in_groups(digest: &str, size: usize, count: usize, indent: usize) -> String {
    let groups: Vec<_> = digest.as_bytes().chunks(size).map(String::from_utf8_lossy).collect();
    let lines: Vec<_> = groups.chunks(count).map(|line| line.join(" ")).collect();
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

#[test]
fn digits_in_groups_are_one_digest() {
    let (upper, long) = (A.to_uppercase(), "a".repeat(128));
    let name = format!("{}/x.tar.gz", "folder".repeat(7));
    for (text, digest) in [
        (format!("x.tar.gz: {}\n", in_groups(&upper, 8, 8, 0)), A),
        (format!("x.tar.gz: {}\n", in_groups(&upper, 8, 7, 10)), A),
        (format!("x.tar.gz: {}\r\n", in_groups(&upper, 8, 7, 10).replace('\n', "\r\n")), A),
        // The first line alone has as many digits as a shorter digest.
        (format!("x.tar.gz: {}\n", in_groups(&long, 8, 8, 10)), &long),
        (format!("{}\n", in_groups(&long, 8, 9, 0)), &long),
        (format!("{name}: \n{}\n", in_groups(&long, 8, 9, 0)), &long),
        (
            format!(
                "x.tar.gz:    MD5 = {}\nx.tar.gz: SHA256 = {}\ny.tar.gz: SHA256 = {}\n",
                in_groups(MD5, 2, 16, 0),
                in_groups(&upper, 8, 6, 19),
                in_groups(B, 8, 6, 19)
            ),
            A,
        ),
        (
            format!(
                "SHA256 hash of file x.tar.gz:\r\n{}\r\nCertUtil: done.\r\n",
                in_groups(A, 2, 32, 0)
            ),
            A,
        ),
        (
            format!(
                "SHA256 hash of file {name}:\n{}\nSHA256 hash of y:\n{}\n",
                in_groups(A, 2, 32, 0),
                in_groups(B, 2, 32, 0)
            ),
            A,
        ),
    ] {
        assert_eq!(find(&text).as_deref(), Ok(digest), "{text:?}");
    }
    for text in [
        format!("y.tar.gz: {}\n", in_groups(&upper, 8, 7, 10)),
        format!("x.tar.gz: {}\n", in_groups(&upper[..56], 8, 7, 10)),
        format!("x.tar.gz: {}\n", in_groups(MD5, 2, 16, 0)),
    ] {
        assert!(find(&text).is_err(), "{text:?}");
    }
    let other = format!("{A}\n\nKey: {}\n", in_groups(SHA1, 4, 10, 0));
    assert_eq!(find(&other), Ok(A.to_owned()), "a fingerprint of a key is not a digest");
}

#[test]
fn sizes_may_stand_before_and_behind() {
    for text in [
        format!("{A}  x.tar.gz  1234\n"),
        format!("{A}  x.tar.gz (12 MB)\n"),
        format!("{A}  x.tar.gz 1.2M\n"),
        format!("1234 {A} x.tar.gz\n"),
        format!("x.tar.gz 1234 bytes {A}\n"),
        format!("x.tar.gz,1234,{A}\n"),
        format!("| x.tar.gz | 12 MiB | linux | {A} |\n"),
        format!("| {A} | x.tar.gz | 12 MiB |\n"),
    ] {
        assert_eq!(find(&text), Ok(A.to_owned()), "{text:?}");
    }
    // What is called so as it stands comes first.
    assert_eq!(find(&format!("{B}  x.tar.gz  12\n{A}  x.tar.gz\n")), Ok(A.to_owned()));
}

#[test]
fn several_digests_of_one_file_may_share_a_line() {
    for text in [
        format!("{MD5} {SHA1} {A} x.tar.gz\n"),
        format!("x.tar.gz {MD5} {SHA1} {A}\n"),
        format!("x.tar.gz md5:{MD5} sha256:{A}\n"),
        format!("x.tar.gz (sha256: {A}, sha512: {B}{B})\n"),
        format!("| x.tar.gz | {MD5} | {A} |\n"),
        format!("SHA256 (x.tar.gz) = {A} SHA512 (x.tar.gz) = {B}{B}\n"),
        format!("{MD5} {A}\n"),
        // Two files on one line.
        format!("{A}  x.tar.gz  {B}  y.tar.gz\n"),
        format!("y.tar.gz {B} x.tar.gz {A}\n"),
        // One a line, below one name.
        format!(
            "- name: x.tar.gz\n  md5: {MD5}\n  sha256: {A}\n- name: y\n  md5: {MD5}\n  sha256: {B}\n"
        ),
    ] {
        assert_eq!(find(&text), Ok(A.to_owned()), "{text:?}");
    }
    let two = find(&format!("{A} {B} x.tar.gz\n")).unwrap_err();
    assert!(two.contains("two digests"), "{two}");
    let weak = find(&format!("{MD5} {SHA1} x.tar.gz\n")).unwrap_err();
    assert!(weak.contains("proves nothing any more"), "{weak}");
}

#[test]
fn markdown_and_other_ends_of_lines_are_read() {
    for text in [
        format!("- `x.tar.gz`: `{A}`\n- `y.tar.gz`: `{B}`\n"),
        format!("* x.tar.gz {A}\n* y.tar.gz {B}\n"),
        format!("- **x.tar.gz**: `{A}`\n"),
        format!("**x.tar.gz** {A}\n"),
        format!("__`x.tar.gz`__ `{A}`\n"),
        format!("`{A}` `x.tar.gz`\n"),
        format!("- [x.tar.gz](https://example.org/v1/x.tar.gz) {A}\n"),
        format!("| [`x.tar.gz`](https://example.org/get?id=1) | `{A}` |\n"),
        format!("SHA256 (y.tar.gz) = {B}\0SHA256 (x.tar.gz) = {A}\0"),
        format!("{B}  y.tar.gz\0{A}  x.tar.gz\0"),
        format!("{B}  y.tar.gz\r{A}  x.tar.gz\r"),
    ] {
        assert_eq!(find(&text), Ok(A.to_owned()), "{text:?}");
    }
}

#[test]
fn json_of_every_shape_is_read() {
    for text in [
        format!(r#"{{"y.tar.gz":"{B}","x.tar.gz":"{A}"}}"#),
        format!(r#"{{"x.tar.gz":"sha256:{A}","note":"x.tar.gz"}}"#),
        format!(
            r#"{{"files":[{{"name":"y.tar.gz","sha256":"{B}"}},{{"name":"x.tar.gz","sha256":"{A}"}}]}}"#
        ),
        format!(r#"[{{"sha256":"{A}","url":"https://example.org/v1/x.tar.gz?a=b"}}]"#),
        // A release of GitHub.
        format!(
            r#"{{"tag_name":"v1","assets":[{{"name":"y.tar.gz","digest":"sha256:{B}","browser_download_url":"https://example.org/y.tar.gz"}},{{"name":"x.tar.gz","size":5,"digest":"sha256:{A}"}}]}}"#
        ),
        // The downloads of Go and of Zig.
        format!(
            r#"[{{"version":"go1.2","files":[{{"filename":"y.tar.gz","sha256":"{B}"}},{{"filename":"x.tar.gz","os":"linux","sha256":"{A}"}}]}}]"#
        ),
        format!(
            r#"{{"0.1":{{"x86_64-linux":{{"tarball":"https://example.org/0.1/x.tar.gz","shasum":"{A}","size":"5"}}}}}}"#
        ),
        // What a name leads to, in pieces of its own.
        format!(
            r#"{{"x.tar.gz":{{"hashes":{{"md5":"{MD5}","sha256":"{A}"}}}},"y":{{"hash":"{B}"}}}}"#
        ),
        // What belongs to it is not it.
        format!(
            r#"{{"name":"x.tar.gz","sha256":"{A}","signature":{{"name":"x.tar.gz.sig","sha256":"{B}"}}}}"#
        ),
        format!(r#"["{B}  y.tar.gz","{A}  x.tar.gz"]"#),
        format!(
            "{{\"name\":\"y.tar.gz\",\"sha256\":\"{B}\"}}\n{{\"name\":\"x.tar.gz\",\"sha256\":\"{A}\"}}\n"
        ),
        format!(r#"{{"Algorithm":"SHA256","Hash":"{A}","Path":"C:\\dist\\x.tar.gz"}}"#),
        format!(r#"{{"version":"1.0","sha256":"{A}"}}"#),
        format!("{{\n  \"x.tar.gz\": {{\n    \"sha256\": \"{A}\"\n  }}\n}}\n"),
    ] {
        assert_eq!(find(&text), Ok(A.to_owned()), "{text:?}");
    }
    for (text, why) in [
        (format!(r#"{{"name":"y.tar.gz","sha256":"{A}"}}"#), "it is about `y.tar.gz`"),
        (format!(r#"{{"x.tar.gz":{{"md5":"{MD5}"}}}}"#), "proves nothing any more"),
        (format!(r#"{{"x.tar.gz":["{A}","{B}"]}}"#), "two digests"),
        (format!(r#"{{"a":"{A}","b":"{B}"}}"#), "none of its 2 digests"),
        ("{}".into(), "it holds no SHA-256"),
    ] {
        let told = find(&text).unwrap_err();
        assert!(told.contains(why), "{text:?}: {told}");
    }
}

#[test]
fn size_and_date_may_stand_between_digest_and_name() {
    for between in ["1234", "1234  2024-01-01 ", "1234 2024-01-01T10:00:00Z", "12 01/02/24 10:00 *"]
    {
        for name in ["x.tar.gz", "*x.tar.gz", "./dist/x.tar.gz"] {
            let text = format!("{B}  {between}  y.tar.gz\n{A}  {between}  {name}\n");
            assert_eq!(find(&text), Ok(A.to_owned()), "{text:?}");
        }
    }
    // What is called so as it stands comes first, and the folder still tells.
    assert_eq!(find(&format!("{B}  12 x.tar.gz\n{A}  x.tar.gz\n")), Ok(A.to_owned()));
    assert_eq!(find(&format!("{B}  12 old/x.tar.gz\n{A}  12 x.tar.gz\n")), Ok(A.to_owned()));
    let two = format!("{A}  12 x.tar.gz\n{B}  13 x.tar.gz\n");
    assert!(find(&two).unwrap_err().contains("two digests"));
    for other in ["my x.tar.gz", "12 old x.tar.gz", "-1 x.tar.gz"] {
        assert!(find(&format!("{A}  {other}\n")).is_err(), "{other}");
    }
}

#[test]
fn the_number_of_digits_tells_the_algorithm() {
    for digits in ["a".repeat(96), "a".repeat(128)] {
        for text in [
            format!("{digits} x.tar.gz\r\n"),
            format!("x.tar.gz: {digits}\n"),
            format!("{digits}\n"),
            format!("SHA{} (x.tar.gz) = {digits}\n", digits.len() * 4),
            format!("SHA2-{}(x.tar.gz)= {digits}\n", digits.len() * 4),
            format!("{MD5}  x.tar.gz\n{digits}  x.tar.gz\n"),
        ] {
            assert_eq!(find(&text), Ok(digits.clone()), "{text:?}");
        }
    }
}

#[test]
fn of_equal_names_the_one_in_the_right_folder_is_meant() {
    let text = format!("{A}  linux/amd64/tool\n{B}  linux/arm64/tool\n");
    let of = |path: &str| find_digest(&text, path).map(|digest| digest.to_string());
    assert_eq!(of("dl/v1/linux/amd64/tool"), Ok(A.into()));
    assert_eq!(of("dl/v1/linux/arm64/tool"), Ok(B.into()));
    assert!(of("tool").unwrap_err().contains("two digests"));
}

#[test]
fn the_path_of_a_url_is_as_files_are_called() {
    for (url, path) in [
        ("https://example.org/dl/v1/x.tar.gz", "example.org/dl/v1/x.tar.gz"),
        ("https://example.org/x%2B1.zip?token=a/b#c", "example.org/x+1.zip"),
        ("https://example.org/100%/%zz", "example.org/100%/%zz"),
    ] {
        assert_eq!(asset_path(url), path);
    }
}

#[test]
fn says_why_there_is_no_digest() {
    let weak = "proves nothing any more";
    for (text, why) in [
        (String::new(), "it holds no SHA-256, SHA-384 or SHA-512 digest"),
        ("<html>404</html>".into(), "it holds no SHA-256, SHA-384 or SHA-512 digest"),
        (format!("# {A}  x.tar.gz"), "it holds no SHA-256, SHA-384 or SHA-512 digest"),
        (format!("{A}  y.tar.gz\n"), "it is about `y.tar.gz`, not about `x.tar.gz`"),
        (format!("{A}\n{B}\n"), "none of its 2 digests is for `x.tar.gz`"),
        (format!("{A}  y\n{B}  yx.tar.gz\n"), "none of its 2 digests is for `x.tar.gz`"),
        (
            format!("{A}  a/x.tar.gz\n{B}  b/x.tar.gz\n"),
            "it gives two digests for `x.tar.gz`: aaaaaaaaaaaa and bbbbbbbbbbbb",
        ),
        (format!("{A}  x.tar.gz\nx.tar.gz {B}\n"), "it gives two digests for `x.tar.gz`"),
        (format!("{MD5}  x.tar.gz\n"), weak),
        (format!("{SHA1}  x.tar.gz\n"), weak),
        (format!("{SHA1}\n"), weak),
        (format!("SHA1 (x.tar.gz) = {SHA1}\nMD5 (x.tar.gz) = {MD5}\n"), weak),
        (format!("BLAKE2b (x.tar.gz) = {A}{A}\n"), "is BLAKE2, which forge does not check"),
        (format!("SHA3-256 (x.tar.gz) = {A}\n"), "is SHA-3, which forge does not check"),
        (format!("SHA512 (x.tar.gz) = {A}\n"), "is called sha512 and has 64 digits, not 128"),
        (format!("{}  x.tar.gz\n", &A[1..]), "has 63 hexadecimal digits; SHA-256 has 64"),
        (format!("{A}{}  x.tar.gz\n", &A[..36]), "has 100 hexadecimal digits; SHA-256 has 64"),
    ] {
        let told = find(&text).unwrap_err();
        assert!(told.contains(why), "{text:?}: {told}");
    }
}

proptest! {
    #[test]
    fn a_digest_is_found_in_any_form_and_never_for_another_name(
        bytes: [u8; 64],
        of in prop::sample::select(Algorithm::ALL.to_vec()),
        name in "[A-Za-z_][A-Za-z0-9._+@-]{0,40}[A-Za-z]",
        form in 0usize..7,
        upper: bool,
        end in prop::sample::select(vec!["\n", "\r\n", ""]),
    ) {
        prop_assume!(label(&name).is_none());
        let digest = Digest::new(of, &bytes[..of.bytes()]).unwrap();
        let digits = if upper { digest.to_string().to_uppercase() } else { digest.to_string() };
        let algorithm = of.as_str().to_uppercase();
        let line = match form {
            0 => format!("{digits}  {name}"),
            1 => format!("{digits} *./dist/{name}"),
            2 => format!("{algorithm} ({name}) = {digits}"),
            3 => format!("{algorithm}({name})= {digits}"),
            4 => format!("{name}: {digits}"),
            5 => format!("{name}\t{digits}"),
            _ => format!("{}:{digits} {name}", of.as_str()),
        };
        let text = format!("{line}{end}");
        prop_assert_eq!(find_digest(&text, &name), Ok(digest));
        let other = format!("x{name}");
        prop_assert!(find_digest(&text, &other).is_err());
    }

    #[test]
    fn no_text_makes_it_stumble(text in "([a-f0-9]{64}|\\PC|\n|\r\n|\t|\\*| |\\(|\\)){0,100}", name in ".{0,20}") {
        let _ = find_digest(&text, &name);
    }
}
