//! The messages and calls of the Remote Execution API (REAPI v2), of the transfer of blobs that it uses, and of
//! the details of errors: as `src/protocol/generator` writes them from `src/protocol/protos`.

/// Packages that begin with `build`.
#[allow(clippy::all, missing_docs)]
pub mod build {
    /// Packages of Bazel.
    pub mod bazel {
        /// Versions of the protocol.
        pub mod semver {
            include!("generated/build.bazel.semver.rs");
        }
        /// The Remote Execution API.
        pub mod remote {
            /// Calls and messages.
            pub mod execution {
                /// Version 2.
                pub mod v2 {
                    include!("generated/build.bazel.remote.execution.v2.rs");
                }
            }
        }
    }
}

/// Packages that begin with `google`.
#[allow(clippy::all, missing_docs)]
pub mod google {
    /// Streams of bytes.
    pub mod bytestream {
        include!("generated/google.bytestream.rs");
    }
    /// Operations that take long.
    pub mod longrunning {
        include!("generated/google.longrunning.rs");
    }
    /// Statuses and their details.
    pub mod rpc {
        include!("generated/google.rpc.rs");
    }
}

pub use prost_types;

pub use build::bazel::remote::execution::v2 as reapi;

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::{Path, PathBuf},
    };

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn what_is_generated_is_of_these_protos_and_this_generator() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut inputs = files(&folder.join("protos"));
        inputs.push(folder.join("generator/src/main.rs"));
        inputs.push(folder.join("generator/Cargo.lock"));
        inputs.sort();
        let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
        for path in inputs {
            digest.update(&fs::read(path).unwrap());
        }
        let digest = digest.finish();
        let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        for path in files(&folder.join("src/generated")) {
            let code = fs::read_to_string(&path).unwrap();
            assert!(
                code.contains(&format!("// Inputs: sha256:{digest}\n")),
                "{} is old: cargo run --manifest-path src/protocol/generator/Cargo.toml",
                path.display()
            );
        }
    }
}
