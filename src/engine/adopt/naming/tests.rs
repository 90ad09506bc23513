//! Names of assets as known projects publish them.

use super::*;

const EVERYWHERE: [&str; 6] =
    ["linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64", "windows-amd64", "linux-386"];

fn told(name: &str) -> String {
    let reading = read_asset(name);
    let platforms = reading.map(|reading| reading.platforms).unwrap_or_default();
    platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// Names of assets as their projects publish them.
#[test]
fn names_of_known_projects_are_read() {
    for (name, platforms) in [
        ("ripgrep-14.1.1-x86_64-unknown-linux-musl.tar.gz", "linux-amd64"),
        ("ripgrep-14.1.1-aarch64-apple-darwin.tar.gz", "darwin-arm64"),
        ("ripgrep-14.1.1-x86_64-pc-windows-msvc.zip", "windows-amd64"),
        ("fd-v10.2.0-arm-unknown-linux-musleabihf.tar.gz", "linux-arm"),
        ("bat-v0.24.0-i686-unknown-linux-gnu.tar.gz", "linux-386"),
        ("fzf-0.54.0-linux_amd64.tar.gz", "linux-amd64"),
        ("jq-linux-arm64", "linux-arm64"),
        ("jq-macos-arm64", "darwin-arm64"),
        ("jq-osx-amd64", "darwin-amd64"),
        ("jq-linux64", "linux-amd64"),
        ("jq-windows-i386.exe", "windows-386"),
        ("yq_linux_amd64", "linux-amd64"),
        ("gh_2.62.0_macOS_arm64.zip", "darwin-arm64"),
        ("goreleaser_Linux_x86_64.tar.gz", "linux-amd64"),
        ("goreleaser_Darwin_all.tar.gz", "darwin-amd64 darwin-arm64"),
        ("golangci-lint-1.61.0-linux-armv6.tar.gz", "linux-arm"),
        ("kind-linux-amd64", "linux-amd64"),
        ("minikube-darwin-arm64", "darwin-arm64"),
        ("k9s_Linux_s390x.tar.gz", "linux-s390x"),
        ("hadolint-Darwin-x86_64", "darwin-amd64"),
        ("shellcheck-v0.10.0.linux.x86_64.tar.xz", "linux-amd64"),
        ("shellcheck-v0.10.0.darwin.aarch64.tar.xz", "darwin-arm64"),
        ("shfmt_v3.8.0_linux_amd64", "linux-amd64"),
        ("actionlint_1.7.3_freebsd_amd64.tar.gz", "freebsd-amd64"),
        ("just-1.36.0-armv7-unknown-linux-musleabihf.tar.gz", "linux-arm"),
        ("task_windows_arm64.zip", "windows-arm64"),
        ("mise-v2024.11.0-linux-x64-musl.tar.gz", "linux-amd64"),
        ("direnv.linux-amd64", "linux-amd64"),
        ("starship-x86_64-unknown-linux-musl.tar.gz", "linux-amd64"),
        ("eza_x86_64-unknown-linux-gnu.tar.gz", "linux-amd64"),
        ("buf-Darwin-arm64", "darwin-arm64"),
        ("protoc-28.3-linux-aarch_64.zip", "linux-arm64"),
        ("protoc-28.3-linux-ppcle_64.zip", "linux-ppc64le"),
        ("protoc-28.3-osx-universal_binary.zip", "darwin-amd64 darwin-arm64"),
        ("protoc-28.3-win64.zip", "windows-amd64"),
        ("protoc-28.3-win32.zip", "windows-386"),
        ("nats-server-v2.10.22-linux-arm64.tar.gz", "linux-arm64"),
        ("prometheus-2.55.0.linux-amd64.tar.gz", "linux-amd64"),
        ("caddy_2.8.4_mac_arm64.tar.gz", "darwin-arm64"),
        ("hugo_0.136.5_darwin-universal.tar.gz", "darwin-amd64 darwin-arm64"),
        ("hugo_0.92.0_Linux-64bit.tar.gz", "linux-amd64"),
        ("deno-aarch64-apple-darwin.zip", "darwin-arm64"),
        ("bun-linux-x64-baseline.zip", "linux-amd64"),
        ("uv-riscv64gc-unknown-linux-gnu.tar.gz", "linux-riscv64"),
        ("pnpm-linuxstatic-x64", "linux-amd64"),
        ("taplo-linux-x86_64.gz", "linux-amd64"),
        ("dprint-x86_64-pc-windows-msvc.zip", "windows-amd64"),
        ("cargo-nextest-0.9.82-universal-apple-darwin.tar.gz", "darwin-amd64 darwin-arm64"),
        ("sops-v3.9.1.linux.amd64", "linux-amd64"),
        ("age-v1.2.0-linux-amd64.tar.gz", "linux-amd64"),
        ("trivy_0.57.0_Linux-64bit.tar.gz", "linux-amd64"),
        ("trivy_0.57.0_macOS-ARM64.tar.gz", "darwin-arm64"),
        ("trivy_0.57.0_FreeBSD-32bit.tar.gz", "freebsd-386"),
        ("gitleaks_8.21.2_linux_x64.tar.gz", "linux-amd64"),
        ("docker-compose-linux-x86_64", "linux-amd64"),
        ("buildx-v0.18.0.linux-arm-v7", "linux-arm"),
        ("cloudflared-darwin-amd64.tgz", "darwin-amd64"),
        ("etcd-v3.5.16-windows-amd64.zip", "windows-amd64"),
        ("process-compose_darwin_arm64.tar.gz", "darwin-arm64"),
        ("watchexec-2.2.0-x86_64-unknown-linux-musl.tar.xz", "linux-amd64"),
        ("bazelisk-linux-amd64", "linux-amd64"),
        ("ninja-linux.zip", "linux-amd64"),
        ("ninja-linux-aarch64.zip", "linux-arm64"),
        ("ninja-mac.zip", "darwin-amd64 darwin-arm64"),
        ("ninja-win.zip", "windows-amd64"),
        ("cmake-3.31.0-macos-universal.tar.gz", "darwin-amd64 darwin-arm64"),
        ("nvim-linux64.tar.gz", "linux-amd64"),
        ("helix-24.07-aarch64-linux.tar.xz", "linux-arm64"),
        ("lazygit_0.44.1_Linux_32-bit.tar.gz", "linux-386"),
        ("gum_0.14.5_Windows_x86_64.zip", "windows-amd64"),
        ("kustomize_v5.5.0_linux_ppc64le.tar.gz", "linux-ppc64le"),
        ("pulumi-v3.137.0-linux-x64.tar.gz", "linux-amd64"),
        ("tree-sitter-macos-arm64.gz", "darwin-arm64"),
        ("wasmtime-v26.0.1-x86_64-linux.tar.xz", "linux-amd64"),
        ("binaryen-version_119-arm64-macos.tar.gz", "darwin-arm64"),
        ("lychee-x86_64-windows.exe", "windows-amd64"),
        ("code-server-4.95.1-linux-arm64.tar.gz", "linux-arm64"),
        ("esbuild-win32-x64.zip", "windows-amd64"),
    ] {
        assert_eq!(told(name), platforms, "{name}");
    }
}

#[test]
fn what_is_no_program_for_a_platform_is_none() {
    for name in [
        "gh_2.62.0_linux_amd64.deb",
        "gh_2.62.0_linux_amd64.rpm",
        "gh_2.62.0_checksums.txt",
        "cosign-linux-amd64-keyless.pem",
        "cosign-linux-amd64.sig",
        "buildx-v0.18.0.linux-amd64.sbom.json",
        "buildx-v0.18.0.linux-amd64.provenance.json",
        "cmake-3.31.0-linux-x86_64.sh",
        "ripgrep-14.1.1-x86_64-unknown-linux-musl.tar.gz.sha256",
        "trivy_0.57.0_Linux-64bit.tar.gz.sigstore.json",
        "source.tar.gz",
        "golangci-lint-1.61.0-source.tar.gz",
        "golangci-lint-1.61.0-netbsd-amd64.tar.gz",
        "nvim.appimage",
        "bat-musl_0.24.0_amd64.deb",
        "protoc-28.3-wasm.zip",
        "dprint-darwin.dmg",
        "docker-compose.yml",
        "SHASUMS256.txt",
        "k9s_Linux_mips.tar.gz",
    ] {
        assert_eq!(told(name), "", "{name}");
    }
}

#[test]
fn of_several_the_usual_one_is_taken() {
    let platforms: Vec<Platform> = EVERYWHERE.iter().map(|it| it.parse().unwrap()).collect();
    for (names, chosen) in [
        (
            vec![
                "bun-linux-x64-baseline.zip",
                "bun-linux-x64-musl.zip",
                "bun-linux-x64-profile.zip",
                "bun-linux-x64.zip",
                "bun-linux-aarch64.zip",
                "bun-darwin-x64.zip",
            ],
            vec!["bun-linux-x64-musl.zip", "bun-linux-aarch64.zip", "bun-darwin-x64.zip"],
        ),
        (
            vec![
                "hugo_0.136.5_linux-amd64.tar.gz",
                "hugo_extended_0.136.5_linux-amd64.tar.gz",
                "hugo_0.136.5_linux-amd64.deb",
                "hugo_0.136.5_darwin-universal.tar.gz",
            ],
            vec![
                "hugo_0.136.5_linux-amd64.tar.gz",
                "hugo_0.136.5_darwin-universal.tar.gz",
                "hugo_0.136.5_darwin-universal.tar.gz",
            ],
        ),
        (
            vec![
                "yq_linux_amd64",
                "yq_linux_amd64.tar.gz",
                "yq_windows_amd64.exe",
                "yq_windows_amd64.zip",
            ],
            vec!["yq_linux_amd64.tar.gz", "yq_windows_amd64.zip"],
        ),
        (
            vec![
                "wasmtime-v26.0.1-x86_64-linux-c-api.tar.xz",
                "wasmtime-v26.0.1-x86_64-linux.tar.xz",
            ],
            vec!["wasmtime-v26.0.1-x86_64-linux.tar.xz"],
        ),
        (
            vec![
                "ruff-x86_64-unknown-linux-gnu.tar.gz",
                "ruff-x86_64-unknown-linux-musl.tar.gz",
                "ruff-i686-unknown-linux-gnu.tar.gz",
            ],
            vec!["ruff-x86_64-unknown-linux-musl.tar.gz", "ruff-i686-unknown-linux-gnu.tar.gz"],
        ),
    ] {
        let found = assets_by_platform(names, &platforms);
        let found: Vec<_> = found.into_iter().map(|(_, name)| name).collect();
        assert_eq!(found, chosen);
    }
}

#[test]
fn the_file_with_checksums_is_found() {
    for (names, asset, sums) in [
        (vec!["gh_2.62.0_checksums.txt", "x.tar.gz"], "x.tar.gz", Some("gh_2.62.0_checksums.txt")),
        (vec!["SHASUMS256.txt", "SHASUMS256.txt.asc"], "x", Some("SHASUMS256.txt")),
        (
            vec!["checksums.txt.sig", "checksums.txt.pem", "checksums.txt"],
            "x",
            Some("checksums.txt"),
        ),
        (vec!["x.tar.gz", "x.tar.gz.sha256"], "x.tar.gz", Some("x.tar.gz.sha256")),
        (vec!["y.tar.gz", "y.tar.gz.sha256"], "x.tar.gz", None),
        (vec!["sha256sums.txt", "md5sums.txt"], "x", Some("sha256sums.txt")),
    ] {
        assert_eq!(checksums_of(&names, asset), sums, "{names:?}");
    }
}
