//! What is in an image, as SPDX 2.3 lists it (<https://spdx.github.io/spdx-spec/v2.3/>): the image, its
//! base, its programs, and the libraries that these tell of. What is in the base is listed by whoever
//! made that. The same image has the same list: no time and no number made up is in it.

use std::{collections::BTreeMap, path::PathBuf};

use serde_json::{Value, json};

use super::{
    Assembled, BaseImage, ImageSpec,
    libraries::{Library, libraries_in, locked_crates},
};
use crate::{
    disk::{MOST_OF_TEXT, read_text},
    model::{
        Fault, Platform, Stamp,
        oci::{Annotations, Descriptor, ImageReference, SPDX},
    },
    store::ImageNote,
    workspace::BINARIES,
};

/// The time that lists of everything bear, since one has to be there.
const CREATED: &str = "1980-01-01T00:00:00Z";

/// An artifact whose programs are in an image.
#[derive(Clone, Debug)]
pub struct ImagePart {
    /// What it is.
    pub stamp: Stamp,
    /// Where its programs are.
    pub folder: PathBuf,
    /// The `Cargo.lock` that it was built by, if there is one.
    pub cargo_lock: Option<PathBuf>,
}

/// What an image is put together from.
#[derive(Clone, Copy, Debug)]
pub struct ImageSources<'s> {
    /// What it stands on.
    pub base: Option<&'s BaseImage>,
    /// What its Dockerfile takes, by digest.
    pub stages: &'s [ImageReference],
    /// What was built for it.
    pub parts: &'s [ImagePart],
}

/// The inventory of the image of each platform, with the manifest that it is about. `tool` says who
/// writes it: `forge-0.1.0`.
///
/// # Errors
/// `Failed` if a program cannot be read.
pub fn inventories(
    spec: &ImageSpec,
    assembled: &Assembled,
    sources: ImageSources<'_>,
    tool: &str,
) -> Result<Vec<(Descriptor, ImageNote)>, Fault> {
    let mut all = Vec::new();
    for (manifest, _) in &assembled.manifests {
        let Some(platform) = manifest.platform.as_ref().and_then(|it| it.platform()) else {
            continue;
        };
        let mut packages = Packages::new(spec, manifest, platform);
        packages.add_base(sources.base, platform);
        for (at, stage) in sources.stages.iter().enumerate() {
            packages.add_stage(at, stage);
        }
        for part in sources.parts.iter().filter(|part| part.stamp.platform == platform) {
            packages.add_part(part)?;
        }
        let note = ImageNote {
            artifact_type: SPDX.to_owned(),
            title: format!("{}-{platform}.spdx.json", spec.name.as_str().replace('/', "-")),
            bytes: packages.document(spec, manifest, tool).into(),
            annotations: Annotations::new(),
        };
        all.push((manifest.clone(), note));
    }
    Ok(all)
}

/// Packages and how they belong together.
struct Packages {
    listed: Vec<Value>,
    relations: Vec<Value>,
    libraries: BTreeMap<Library, String>,
}

const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const IMAGE: &str = "SPDXRef-Image";
const BASE: &str = "SPDXRef-Base";

impl Packages {
    fn new(spec: &ImageSpec, manifest: &Descriptor, platform: Platform) -> Self {
        let mut all =
            Self { listed: Vec::new(), relations: Vec::new(), libraries: BTreeMap::new() };
        let url = spec.reference().pinned(manifest.digest).package_url();
        let mut image = package(IMAGE, &spec.repository.to_string(), Some(&spec.version), &url);
        image["primaryPackagePurpose"] = "CONTAINER".into();
        image["checksums"] = sha256(&manifest.digest.to_string());
        image["comment"] = platform.to_string().into();
        all.listed.push(image);
        all.relate(DOCUMENT, "DESCRIBES", IMAGE);
        all
    }

    fn add_base(&mut self, base: Option<&BaseImage>, platform: Platform) {
        let Some(base) = base else { return };
        let Some(of_platform) = base.platforms.get(&platform) else { return };
        let name = base.reference.repository.to_string();
        let url = base.reference.package_url();
        let mut package = package(BASE, &name, base.reference.tag.as_deref(), &url);
        package["primaryPackagePurpose"] = "CONTAINER".into();
        package["checksums"] = sha256(&of_platform.manifest.to_string());
        package["comment"] = "what is in it is not listed here".into();
        self.listed.push(package);
        self.relate(IMAGE, "DESCENDANT_OF", BASE);
    }

    /// An image that the Dockerfile takes: to stand on, or to copy from.
    fn add_stage(&mut self, at: usize, stage: &ImageReference) {
        let id = format!("SPDXRef-From-{}", at + 1);
        let (name, url) = (stage.repository.to_string(), stage.package_url());
        let mut package = package(&id, &name, stage.tag.as_deref(), &url);
        package["primaryPackagePurpose"] = "CONTAINER".into();
        package["comment"] =
            "the Dockerfile takes it; what is in it, and what commands add, is not listed here"
                .into();
        self.listed.push(package);
        self.relate(&id, "BUILD_DEPENDENCY_OF", IMAGE);
    }

    fn add_part(&mut self, part: &ImagePart) -> Result<(), Fault> {
        let stamp = &part.stamp;
        for (name, digest) in &stamp.binaries {
            let path = part.folder.join(name);
            let failed = |error: &std::io::Error| {
                Fault::io(format!("cannot read {}", path.display()), error)
            };
            let mut libraries = libraries_in(&path).map_err(|error| failed(&error))?;
            let mut comment = format!("{BINARIES}/{name}, of the subsystem {}", stamp.name);
            if let Some(lock) = part.cargo_lock.as_ref().filter(|_| libraries.is_empty()) {
                let text = read_text(lock, MOST_OF_TEXT).map_err(|error| failed(&error))?;
                libraries = locked_crates(&text);
                comment += "; its libraries are all that Cargo.lock names";
            }
            let id = format!("SPDXRef-Program-{}", self.listed.len());
            let url = format!("pkg:generic/{name}@{}", stamp.version.replace('+', "%2B"));
            let mut program = package(&id, name.as_str(), Some(&stamp.version), &url);
            program["primaryPackagePurpose"] = "APPLICATION".into();
            program["checksums"] = sha256(&digest.to_string());
            program["comment"] = comment.into();
            self.listed.push(program);
            self.relate(IMAGE, "CONTAINS", &id);
            for library in libraries {
                let library = self.library(library);
                self.relate(&id, "DEPENDS_ON", &library);
            }
        }
        Ok(())
    }

    /// The package of `library`, listed once.
    fn library(&mut self, library: Library) -> String {
        if let Some(known) = self.libraries.get(&library) {
            return known.clone();
        }
        let id = format!("SPDXRef-Library-{}", self.libraries.len() + 1);
        let url = library.package_url();
        let mut listed = package(&id, &library.name, library.version.as_deref(), &url);
        listed["primaryPackagePurpose"] = "LIBRARY".into();
        match (library.kind, &library.sum) {
            ("cargo", Some(sum)) => listed["checksums"] = sha256(sum),
            (_, Some(sum)) => listed["sourceInfo"] = sum.clone().into(),
            (_, None) => {}
        }
        self.listed.push(listed);
        self.libraries.insert(library, id.clone());
        id
    }

    fn relate(&mut self, one: &str, how: &str, other: &str) {
        self.relations.push(json!({
            "spdxElementId": one,
            "relationshipType": how,
            "relatedSpdxElement": other,
        }));
    }

    fn document(self, spec: &ImageSpec, manifest: &Descriptor, tool: &str) -> Vec<u8> {
        let platform = manifest.platform.as_ref().map(ToString::to_string).unwrap_or_default();
        let document = json!({
            "spdxVersion": "SPDX-2.3",
            "dataLicense": "CC0-1.0",
            "SPDXID": DOCUMENT,
            "name": format!("{} {platform}", spec.reference()),
            "documentNamespace": format!("https://spdx.org/spdxdocs/forge-image-{}", manifest.digest),
            "creationInfo": { "created": CREATED, "creators": [format!("Tool: {tool}")] },
            "packages": self.listed,
            "relationships": self.relations,
        });
        document.to_string().into_bytes()
    }
}

/// A package of which no file is listed.
fn package(id: &str, name: &str, version: Option<&str>, url: &str) -> Value {
    let mut package = json!({
        "SPDXID": id,
        "name": name,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": url,
        }],
    });
    if let Some(version) = version {
        package["versionInfo"] = version.into();
    }
    package
}

fn sha256(digest: &str) -> Value {
    json!([{ "algorithm": "SHA256", "checksumValue": digest }])
}
