//! `forge image --load`: images, handed to the engine that is on this machine.
//!
//! Engines load an archive of an OCI layout that has Docker's `manifest.json` too, as `docker save`
//! writes it. That names one image: the one for this machine.

use std::path::Path;

use serde_json::json;

use crate::{
    cache::forge_folder,
    disk::Folder,
    model::{
        Fault, ImageReport, Kind, Layout, Platform, Sha256,
        oci::{ImageManifest, RegistryDocument},
    },
    process::{Command, CommandLine, CommandRunner, is_program},
};

use super::super::session::Session;

/// The engines that are looked for, in this order.
const ENGINES: [&str; 2] = ["docker", "podman"];

/// The most that a manifest has, in bytes.
const MOST_OF_MANIFEST: u64 = 4 << 20;

/// Hands the images of `reports`, whose layouts are in `.forge/dist`, to docker or podman.
///
/// # Errors
/// `Usage` if neither is here, or an image is not for this machine; `Failed` if it does not take one.
pub(super) fn load(
    session: &Session,
    layout: &Layout,
    reports: &[ImageReport],
) -> Result<(), Fault> {
    let environment = session.host.environment();
    let engine = ENGINES.into_iter().find(|engine| is_program(environment, engine, &[]));
    let engine = engine.ok_or_else(|| {
        Fault::new(Kind::Usage, "no engine is here to load images into")
            .because(format!("{} were looked for on PATH", ENGINES.join(" and ")))
            .hint("`skopeo copy oci:.forge/dist/NAME-VERSION.oci:VERSION …` takes them anywhere")
    })?;
    let runner = session.host.runner(1);
    for report in reports {
        let folder = layout.root().join(&report.reason);
        let failed =
            |error: &std::io::Error| Fault::io(format!("cannot load {}", report.image), error);
        let held = forge_folder(layout)?.folder(&folder).map_err(|error| failed(&error))?;
        let list = listed(&held, report)?;
        // One from an earlier load of another image may be there.
        let name = Path::new("manifest.json");
        let _ = held.remove_file(name);
        let mut file = held.create_new(name, 0o644).map_err(|error| failed(&error))?;
        std::io::Write::write_all(&mut file, list.as_bytes()).map_err(|error| failed(&error))?;
        let line = CommandLine::Shell(format!("tar -cf - . | {engine} load"));
        let mut said = Vec::new();
        let command = Command::new(line, &folder);
        let ran = session.host.runtime()?.block_on(async {
            runner.run(&command, &mut |line: &str| said.push(line.to_owned())).await
        });
        ran.map_err(|fault| {
            let fault = fault.within(format!("{engine} does not take {}", report.image));
            said.iter().rev().take(3).fold(fault, |fault, line| fault.because(line.clone()))
        })?;
    }
    Ok(())
}

/// Docker's list of what is in the layout: the image for this machine.
fn listed(held: &Folder, report: &ImageReport) -> Result<String, Fault> {
    let broken = |why: String| {
        Fault::new(Kind::Failed, format!("cannot load {}", report.image)).because(why)
    };
    let read = |digest: Sha256| {
        let path = blob(digest);
        let bytes = held.read(Path::new(&path), MOST_OF_MANIFEST);
        let bytes = bytes.map_err(|error| broken(error.to_string()))?;
        RegistryDocument::parse(&bytes, None).map_err(broken)
    };
    let host = Platform { os: crate::model::Os::Linux, ..Platform::host() };
    let none =
        || broken(format!("it is not for {host}")).hint("add it to `platforms:` of the image");
    let digest = report.digest.ok_or_else(none)?;
    let manifest: ImageManifest = match read(digest)? {
        RegistryDocument::Manifest(manifest) => manifest,
        RegistryDocument::Index(index) => {
            let child = index.manifest_for(host).ok_or_else(none)?;
            match read(child.digest)? {
                RegistryDocument::Manifest(manifest) => manifest,
                RegistryDocument::Index(_) => return Err(none()),
            }
        }
    };
    let layers: Vec<_> = manifest.layers.iter().map(|layer| blob(layer.digest)).collect();
    let entry = json!({
        "Config": blob(manifest.config.digest),
        "RepoTags": [report.image],
        "Layers": layers,
    });
    Ok(json!([entry]).to_string())
}

fn blob(digest: Sha256) -> String {
    format!("blobs/sha256/{digest}")
}
