//! Files as they are in public repositories, cut down to what matters here.

use std::fmt::Write as _;

use super::*;

/// A line for each thing that was found.
fn told(files: &[(&str, &str)]) -> String {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join("shop");
    for (path, text) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let found = import(&root);
    let mut told = String::new();
    for ImportedLine { file, line, outcome, .. } in &found.lines {
        let _ = write!(told, "{file}:{line} ");
        let _ = match outcome {
            ImportOutcome::Pinned { name, version, spec, but } => {
                let spec = spec.lines().skip(1).collect::<Vec<_>>().join(" | ");
                let but: String = but.iter().map(|but| format!(" BUT {but}")).collect();
                writeln!(told, "{name}: {version} = {spec}{but}")
            }
            ImportOutcome::Left { why, command } => {
                writeln!(told, "LEFT {why} {}", command.as_deref().unwrap_or("-"))
            }
        };
    }
    let platforms: Vec<_> = found.platforms.iter().map(ToString::to_string).collect();
    told + &platforms.join(" ")
}

#[test]
fn mise_pins_tools_in_many_ways() {
    let text = r#"
min_version = "2024.1.1"
[env]
X = "1"
[tools]
jq = "1.7.1" # a comment
"go:golang.org/x/tools/cmd/stringer" = "0.26.0"
'cargo:cargo-nextest' = { version = "0.9.85", locked = true }
"ubi:BurntSushi/ripgrep[exe=rg]" = "14.1.1"
"aqua:junegunn/fzf" = "0.56.0"
node = ["22", "20"]
helm = "3"
"npm:prettier" = "3.4.1"
terraform = [
  "1.9.8",
  "1.8.0",
]
left-pad = "1.0.0"
[tools.actionlint]
version = "1.7.7"
[tasks.x]
run = "echo tools"
"#;
    insta::assert_snapshot!(told(&[("mise.toml", text)]), @r"
    mise.toml:6 jq: 1.7.1 = upstream: |   url: https://github.com/jqlang/jq/releases/download/jq-{{ version }}/jq-{{ platform }} |   sha256: https://github.com/jqlang/jq/releases/download/jq-{{ version }}/sha256sum.txt |   platform: |     linux-amd64: linux-amd64 |     linux-arm64: linux-arm64 |     darwin-amd64: macos-amd64 |     darwin-arm64: macos-arm64
    mise.toml:7 stringer: v0.26.0 = build: { go: { install: golang.org/x/tools/cmd/stringer } }
    mise.toml:8 cargo-nextest: 0.9.85 = build: { cargo: { install: cargo-nextest } }
    mise.toml:9 ripgrep: 14.1.1 = binary: rg | upstream: |   url: https://github.com/BurntSushi/ripgrep/releases/download/{{ version }}/ripgrep-{{ version }}-{{ platform }}.tar.gz |   sha256: https://github.com/BurntSushi/ripgrep/releases/download/{{ version }}/ripgrep-{{ version }}-{{ platform }}.tar.gz.sha256 |   platform: |     linux-amd64: x86_64-unknown-linux-musl |     linux-arm64: aarch64-unknown-linux-gnu |     darwin-amd64: x86_64-apple-darwin |     darwin-arm64: aarch64-apple-darwin |   strip: 1
    mise.toml:10 LEFT forge has to look at what is published forge add github:junegunn/fzf@0.56.0
    mise.toml:11 LEFT a toolchain: builds take the one on PATH -
    mise.toml:12 LEFT `3` is not one version, and a pin is forge add helm
    mise.toml:13 LEFT forge takes nothing from npm; it stays where it is -
    mise.toml:14 terraform: v1.9.8 = upstream: |   url: https://releases.hashicorp.com/terraform/{{ version_number }}/terraform_{{ version_number }}_{{ os }}_{{ arch }}.zip |   sha256: https://releases.hashicorp.com/terraform/{{ version_number }}/terraform_{{ version_number }}_SHA256SUMS BUT of several versions the first counts, and not 1.8.0
    mise.toml:18 LEFT forge does not know where it comes from forge add github:OWNER/REPO
    mise.toml:20 actionlint: v1.7.7 = upstream: |   url: https://github.com/rhysd/actionlint/releases/download/{{ version }}/actionlint_{{ version_number }}_{{ os }}_{{ arch }}.tar.gz |   sha256: https://github.com/rhysd/actionlint/releases/download/{{ version }}/actionlint_{{ version_number }}_checksums.txt
    ");
}

#[test]
fn asdf_and_aqua_pin_tools() {
    let asdf =
        "# pinned\nnodejs 22.1.0\njq 1.6.0 system\ngolangci-lint 1.61.0\nshellcheck 0.10.0\n\n";
    let aqua = "registries:\n- type: standard\n  ref: v4.246.0\npackages:\n- name: jqlang/jq@jq-1.7.1\n- name: cli/cli\n  version: v2.62.0\n- name: kubernetes-sigs/kind@v0.25.0\n- name: golang.org/x/perf/cmd/benchstat\n  version: v0.0.1\n- import: aqua/*.yaml\n";
    insta::assert_snapshot!(told(&[(".tool-versions", asdf), ("aqua.yaml", aqua)]), @r"
    .tool-versions:2 LEFT a toolchain: builds take the one on PATH -
    .tool-versions:3 jq: 1.6.0 = upstream: |   url: https://github.com/jqlang/jq/releases/download/jq-{{ version }}/jq-{{ platform }} |   sha256: https://github.com/jqlang/jq/releases/download/jq-{{ version }}/sha256sum.txt |   platform: |     linux-amd64: linux-amd64 |     linux-arm64: linux-arm64 |     darwin-amd64: macos-amd64 |     darwin-arm64: macos-arm64 BUT of several versions the first counts, and not system
    .tool-versions:4 golangci-lint: v1.61.0 = upstream: |   url: https://github.com/golangci/golangci-lint/releases/download/{{ version }}/golangci-lint-{{ version_number }}-{{ platform }}.tar.gz |   sha256: https://github.com/golangci/golangci-lint/releases/download/{{ version }}/golangci-lint-{{ version_number }}-checksums.txt |   strip: 1
    .tool-versions:5 LEFT forge has to look at what is published forge add github:koalaman/shellcheck@0.10.0
    aqua.yaml:5 LEFT .tool-versions:3 says 1.6.0 -
    aqua.yaml:6 LEFT forge has to look at what is published forge add github:cli/cli@v2.62.0
    aqua.yaml:8 kind: v0.25.0 = upstream: |   url: https://github.com/kubernetes-sigs/kind/releases/download/{{ version }}/kind-{{ platform }} |   sha256: https://github.com/kubernetes-sigs/kind/releases/download/{{ version }}/kind-{{ platform }}.sha256sum
    aqua.yaml:9 benchstat: v0.0.1 = build: { go: { install: golang.org/x/perf/cmd/benchstat } }
    aqua.yaml:11 LEFT files that it imports are not read: aqua/*.yaml -
    ");
}

#[test]
fn builds_of_goreleaser_become_specs_and_platforms() {
    let text = "version: 2\nproject_name: shop\nbefore: { hooks: [go mod tidy] }\nbuilds:\n  - id: api\n    main: ./cmd/api/main.go\n    binary: api\n    env: [CGO_ENABLED=0, FOO=1]\n    flags: [-trimpath, -mod=vendor]\n    tags: [netgo]\n    ldflags:\n      - -s -w -X main.version={{ .Version }} -X main.commit={{.Commit}}\n      - -X 'main.kind=x'\n    goos: [linux, darwin]\n    goarch: [amd64, arm64]\n    ignore: [{ goos: darwin, goarch: amd64 }]\n  - dir: tools\n    binary: '{{ .ProjectName }}-tool'\n    hooks: { post: x }\n    targets: [linux_amd64_v1, linux_riscv64]\n  - id: rs\n    builder: rust\n";
    insta::assert_snapshot!(told(&[(".goreleaser.yaml", text), ("go.mod", "module x\n")]), @r"
    .goreleaser.yaml:5 api: v0.1.0 = source: { path: cmd/api, imports: go } | build: |   go: |     ldflags: '-s -w -X main.version={{ version_number }} -X ''main.kind=x''' |     tags: [netgo] BUT left out, since it is not pinned: -X main.commit={{.Commit}} BUT flag not taken: -mod=vendor BUT variable not taken: FOO=1
    .goreleaser.yaml:17 shop-tool: v0.1.0 = source: { path: tools, imports: go } | build: |   go: |     ldflags: '-s -w -X main.version={{ version_number }}' BUT not taken: hooks
    .goreleaser.yaml:21 LEFT its builder is rust; write `build:` by hand -
    linux-amd64 linux-arm64 linux-riscv64 darwin-arm64
    ");
    assert!(told(&[(".goreleaser.yml", "version: 2\n")]).contains("shop: v0.1.0"));
}

#[test]
fn programs_are_found_where_they_are_built() {
    let main = "package main\n\nfunc main() {}\n";
    let go = [
        ("go.mod", "module example.com/shop/v2\n"),
        ("main.go", main),
        ("cmd/api/main.go", main),
        ("cmd/lib/lib.go", "package lib\n"),
        ("cmd/gen/gen.go", "//go:build ignore\n\npackage main\n"),
        ("Taskfile.yml", "version: '3'\n"),
    ];
    insta::assert_snapshot!(told(&go), @r"
    go.mod:1 shop: v0.1.0 = source: { path: . } | build: { go: . } BUT every edit of the workspace is a new source of it; in cmd/NAME only its own are
    go.mod:1 api: v0.1.0 = source: { path: cmd/api, imports: go } | build: { go: . }
    ");
    let cargo = "[package]\nname = \"hoard\"\nversion = \"0.1.0\"\n\n[[bin]]\nname = \"hd\"\n";
    insta::assert_snapshot!(told(&[("Cargo.toml", cargo), ("build.rs", ""), ("process-compose.yaml", "")]), @r"
    Cargo.toml:2 hoard: v0.1.0 = binary: [hd] | source: { path: ., only: [Cargo.toml, Cargo.lock, build.rs, src] } | build: { cargo: . }
    process-compose.yaml:1 pc: v1.87.0 = binary: process-compose | upstream: |   url: https://github.com/F1bonacc1/process-compose/releases/download/{{ version }}/process-compose_{{ os }}_{{ arch }}.tar.gz |   sha256: |     linux-amd64: 01b1784d9028995e68441fad896d363dbe0c34e60b73df015fc41cc4bd6667e1 |     linux-arm64: 86cc4b19c74948fe69e62c09edee83bd196ae204ae987cc34c6c5ddf81fa9631 |     darwin-amd64: b57c1f660e92748109618a26b057e05fa7781b756b06ce4844d0dbac29a5cd3b |     darwin-arm64: f145f25709822928f7d71c5ae66005a3a8c8cf6acba85fc69616b50a3cd65edc BUT what it runs becomes `service:` of specs: `forge help services`
    ");
    assert!(told(&[("Cargo.toml", "[workspace]\n")]).contains("a Cargo workspace"));
}

#[test]
fn the_manifest_holds_what_is_pinned() {
    let temp = tempfile::tempdir().unwrap();
    std::fs::write(temp.path().join(".tool-versions"), "jq 1.7.1\nuv 0.5.10\n").unwrap();
    let manifest = import(temp.path()).manifest();
    assert!(manifest.contains("versions:\n  jq: 1.7.1\n  uv: 0.5.10\n"), "{manifest}");
    assert!(!manifest.contains("platforms"));
}
