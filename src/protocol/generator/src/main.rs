//! Writes `src/protocol/src/generated` from `src/protocol/protos`, with no `protoc`:
//! `cargo run --manifest-path src/protocol/generator/Cargo.toml`. Run it after a change of the protos or of this file.

use std::{error::Error, fs, path::Path};

use prost::Message;
use sha2::{Digest, Sha256};

const ROOTS: [&str; 4] = [
    "build/bazel/remote/execution/v2/remote_execution.proto",
    "google/bytestream/bytestream.proto",
    "google/rpc/error_details.proto",
    "forge/deploy/v1/deploy.proto",
];

/// The API of forge itself, whose description is kept as well: for those who ask a server what it can.
const OWN: &str = "forge/deploy/v1/deploy.proto";

/// What of the generated files is kept: nothing refers to the annotations of HTTP.
const KEPT: [&str; 6] = [
    "build.bazel.remote.execution.v2.rs",
    "build.bazel.semver.rs",
    "forge.deploy.v1.rs",
    "google.bytestream.rs",
    "google.longrunning.rs",
    "google.rpc.rs",
];

fn main() -> Result<(), Box<dyn Error>> {
    let protocol = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no parent folder")?;
    let (protos, out) = (protocol.join("protos"), protocol.join("src/generated"));
    let scratch = out.join("new");
    fs::create_dir_all(&scratch)?;
    let roots: Vec<_> = ROOTS.iter().map(|root| protos.join(root)).collect();
    let files = protox::compile(&roots, [&protos])?;
    tonic_prost_build::configure()
        .build_transport(false)
        .server_mod_attribute("build", "#[cfg(feature = \"server\")]")
        .server_mod_attribute("google", "#[cfg(feature = \"server\")]")
        .disable_comments(["."])
        .bytes(".")
        .emit_rerun_if_changed(false)
        .out_dir(&scratch)
        .compile_fds(files)?;
    let digest = digest_of_inputs(protocol)?;
    for name in KEPT {
        let code = fs::read_to_string(scratch.join(name))?;
        let notice = match name.starts_with("forge.") {
            true => "// Generated from ../../protos/forge.",
            false => "// Generated from ../../protos, which are under the Apache License 2.0: see their notices.",
        };
        fs::write(out.join(name), format!("{notice}\n// Inputs: sha256:{digest}\n{code}"))?;
    }
    let own = protox::compile([protos.join(OWN)], [&protos])?;
    fs::write(out.join("forge.deploy.v1.bin"), own.encode_to_vec())?;
    fs::remove_dir_all(&scratch)?;
    Ok(())
}

/// The digest of what the output depends on, as `src/protocol/src/lib.rs` compares it.
fn digest_of_inputs(protocol: &Path) -> Result<String, Box<dyn Error>> {
    let mut inputs = files(&protocol.join("protos"))?;
    inputs.push(protocol.join("generator/src/main.rs"));
    inputs.push(protocol.join("generator/Cargo.lock"));
    inputs.sort();
    let mut hasher = Sha256::new();
    for path in inputs {
        hasher.update(fs::read(path)?);
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn files(folder: &Path) -> Result<Vec<std::path::PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}
