//! What a fresh workspace begins with: one subsystem that builds at once, with
//! comments that teach the rest.

/// One file of a fresh workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StarterFile {
    /// Relative to the workspace, with `/` between parts.
    pub path: &'static str,
    /// Its contents.
    pub text: &'static str,
    /// Whether it can be executed.
    pub executable: bool,
}

/// The files of a fresh workspace. They load and build with nothing but `sh`.
pub fn starter() -> &'static [StarterFile] {
    const FILES: &[StarterFile] = &[
        StarterFile { path: "versions.yml", text: VERSIONS, executable: false },
        StarterFile { path: "subsystems/hello.yml", text: SPEC, executable: false },
        StarterFile { path: "hello/hello.sh", text: SCRIPT, executable: true },
    ];
    FILES
}

const VERSIONS: &str = r"# yaml-language-server: $schema=.forge/schema/versions.json
# What this project runs, and in which version. `forge ensure:all` makes it so.
versions:
  hello: v0.1.0

# Where built binaries are published, so that nobody has to build them again.
# Without this line they go to a folder on this machine.
# releases: github:OWNER/REPO

# The platforms a complete release has.
# platforms: [linux-amd64, linux-arm64, darwin-amd64, darwin-arm64]

# Names for sets of subsystems: `forge ensure ci`.
# groups: { ci: [hello] }
";

const SPEC: &str = r#"# yaml-language-server: $schema=../.forge/schema/spec.json
# How `hello` is obtained. One file per subsystem; its name is the file's name.
desc: says hello

# Where the source is: here, in this workspace.
# From elsewhere: `git: https://…` (at the version in versions.yml), or `archive:` with `sha256:`.
source:
  path: hello

# How it is built: commands that leave the binary in {{ out }}.
# Presets write them for you: `go: .` or `cargo: .`
build:
  run: |
    sed "s/@version@/{{ version }}/" hello.sh > "{{ out }}/hello"
    chmod +x "{{ out }}/hello"

# The vendor's own release, if there is one, is tried before building:
# upstream:
#   url: https://example.org/hello-{{ version }}-{{ platform }}.tar.gz
#   sha256: https://example.org/hello-{{ version }}.sha256
"#;

const SCRIPT: &str = r#"#!/bin/sh
echo "hello from @version@"
"#;
