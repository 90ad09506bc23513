//! What is deployed: an image or an asset that a release holds, found by its version, fetched and
//! verified by its digest. Nothing is built.

use std::{
    fs::File,
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::StreamExt;
use serde::{Deserialize, Serialize};

use crate::{
    archive::{Hasher, Unpacker},
    disk::{Folder, open_file},
    image::{image_tag, trusted_image},
    model::{Fault, Kind, Name, Revision, Sha256, asset_name, oci::ImageRepository},
    probe::{attested_builder, builder_of_asset, trusted_repositories},
    process::CommandRunner,
    provenance::{Trust, distrusted},
    store::{AssetStream, Beginnings, BrokenTransfer, Registries, Store, published_digest},
    workspace::{Image, Subsystem, Workspace},
};

/// What is deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Artifact {
    /// A container image.
    Image {
        /// Its repository.
        repository: String,
        /// The digest of its index, with `sha256:`.
        digest: String,
    },
    /// An asset of a release.
    Asset {
        /// The store.
        store: String,
        /// The tag of the release.
        tag: String,
        /// The name of the asset.
        asset: String,
        /// The digest of the packed bytes, with `sha256:`.
        digest: String,
    },
    /// What was packed here, and is in no release: only pull requests have that deployed.
    Packed {
        /// The name of the asset.
        asset: String,
        /// The digest of the packed bytes, with `sha256:`.
        digest: String,
    },
}

impl Artifact {
    /// Its digest, with `sha256:`.
    pub fn digest(&self) -> &str {
        let (Self::Image { digest, .. } | Self::Asset { digest, .. } | Self::Packed { digest, .. }) =
            self;
        digest
    }

    /// The repository of an image.
    pub fn image(&self) -> Option<&str> {
        match self {
            Self::Image { repository, .. } => Some(repository),
            Self::Asset { .. } | Self::Packed { .. } => None,
        }
    }

    fn sha256(&self) -> Option<Sha256> {
        self.digest().strip_prefix("sha256:")?.parse().ok()
    }
}

/// What a release holds of a subsystem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundArtifact {
    /// The version, as in the tag.
    pub version: String,
    /// The artifact.
    pub artifact: Artifact,
}

/// Finds and fetches what was released.
pub struct ArtifactFinder<'a> {
    /// The workspace.
    pub workspace: &'a Workspace,
    /// Where releases live.
    pub stores: &'a [Arc<dyn Store>],
    /// Where images are.
    pub registries: &'a Registries,
    /// What asks `gh` for attestations.
    pub runner: &'a dyn CommandRunner,
}

impl ArtifactFinder<'_> {
    /// What a release holds of `subsystem` at its version. `None` is a confirmed absence.
    ///
    /// # Errors
    /// `Store` if that cannot be told, `Verification` if it is not what `forge.lock` pins.
    pub async fn find(&self, subsystem: &Subsystem) -> Result<Option<FoundArtifact>, Fault> {
        if subsystem.version.is_unreleased() {
            return Ok(None);
        }
        let locked = self.workspace.lock.subsystems.get(&subsystem.name);
        let commit = locked.and_then(|locked| locked.commit.as_deref());
        let version = subsystem.version.label(commit);
        let artifact = match &subsystem.image {
            Some(image) => self.find_image(subsystem, image, &version).await?,
            None => self.find_asset(subsystem, &version).await?,
        };
        Ok(artifact.map(|artifact| FoundArtifact { version, artifact }))
    }

    async fn find_image(
        &self,
        subsystem: &Subsystem,
        image: &Image,
        version: &str,
    ) -> Result<Option<Artifact>, Fault> {
        let reference = image.repo.tagged(&image_tag(version));
        let Some(found) = self.registries.manifest(&reference).await? else { return Ok(None) };
        let lock = &self.workspace.lock;
        let locked = lock.get(&subsystem.name, subsystem.version.as_str());
        if let Some(locked) = locked.and_then(|it| it.image.as_ref())
            && locked.digest != found.digest
        {
            let what = format!("{reference} is not the image that was released");
            return Err(Fault::new(Kind::Verification, what).because(format!(
                "its index is sha256:{}, and forge.lock has sha256:{}",
                found.digest, locked.digest
            )));
        }
        let digest = format!("sha256:{}", found.digest);
        Ok(Some(Artifact::Image { repository: image.repo.to_string(), digest }))
    }

    async fn find_asset(
        &self,
        subsystem: &Subsystem,
        version: &str,
    ) -> Result<Option<Artifact>, Fault> {
        let platform = self.workspace.platform;
        let Some(binary) = subsystem.binaries.first() else { return Ok(None) };
        let asset = asset_name(binary, platform, subsystem.compression);
        let lock = &self.workspace.lock;
        let locked = lock.get(&subsystem.name, subsystem.version.as_str());
        let locked = locked.and_then(|locked| locked.assets.get(&platform));
        for store in self.stores {
            let newest = match locked {
                Some(locked) => Some(locked.revision),
                None => self.newest(&**store, subsystem, version, &asset).await?,
            };
            let Some(revision) = newest else { continue };
            let tag = subsystem.tag.revised(version, revision);
            if store.find(&tag, &asset).await?.is_none() {
                continue;
            }
            let published = match locked {
                Some(locked) => Some(locked.sha256),
                None => published_digest(&**store, &tag, &asset).await?,
            };
            let Some(sha256) = published else {
                let what = format!("nobody says which digest {tag}/{asset} in {} has", store.url());
                return Err(Fault::new(Kind::Verification, what)
                    .because("forge.lock does not pin it, and no .sha256 file stands beside it")
                    .hint(format!("`forge ensure {}` pins it", subsystem.name)));
            };
            let digest = format!("sha256:{sha256}");
            return Ok(Some(Artifact::Asset { store: store.url().to_owned(), tag, asset, digest }));
        }
        Ok(None)
    }

    /// The newest release of `version` in `store` that has the asset.
    async fn newest(
        &self,
        store: &dyn Store,
        subsystem: &Subsystem,
        version: &str,
        asset: &str,
    ) -> Result<Option<Revision>, Fault> {
        let (mut newest, mut next) = (None, Revision::FIRST);
        while store.find(&subsystem.tag.revised(version, next), asset).await?.is_some() {
            newest = Some(next);
            next = next.next();
        }
        Ok(newest)
    }

    /// Fetches the files of `artifact` into a folder below `into`, verified by its digest. An image is
    /// looked at and stays where it is.
    ///
    /// # Errors
    /// `Store` if it is not there any more, `Verification` if it is not what its digest says.
    pub async fn fetch(
        &self,
        name: &Name,
        artifact: &Artifact,
        into: &Folder,
    ) -> Result<Option<PathBuf>, Fault> {
        let gone = |what: String| {
            Fault::new(Kind::Store, format!("{what} is not there any more"))
                .hint("what was deployed once stays deployable only while its release is kept")
        };
        let sha256 = artifact.sha256().ok_or_else(|| {
            let what = format!("`{}` is not a digest", artifact.digest());
            Fault::new(Kind::Verification, what)
        })?;
        match artifact {
            Artifact::Image { repository, digest } => {
                let image: ImageRepository =
                    repository.parse().map_err(|why: String| Fault::new(Kind::Usage, why))?;
                let found = self.registries.manifest(&image.at(sha256)).await?;
                found.ok_or_else(|| gone(format!("{repository}@{digest}")))?;
                self.trusted(name, &image, sha256).await?;
                Ok(None)
            }
            Artifact::Asset { store, tag, asset, .. } => {
                let known = self.stores.iter().find(|it| it.url() == store).ok_or_else(|| {
                    Fault::new(Kind::Usage, format!("{name} was deployed from {store}"))
                        .because("`releases` of versions.yml does not name that store any more")
                })?;
                let label = format!("{tag}/{asset} from {store}");
                let place = (&**known, tag.as_str(), asset.as_str());
                let is_attested = self.workspace.trust == Trust::Attested;
                if !is_attested {
                    builder_of_asset(self.workspace, name, place, Some(sha256)).await?;
                }
                let file = into.open_or_create(Path::new("asset"));
                let mut file = file.map_err(|error| cannot_write(&error))?;
                self.download(&**known, (tag, asset), &mut file, sha256, &label)
                    .await?
                    .ok_or_else(|| gone(label.clone()))?;
                if is_attested {
                    self.attested(name, &label, &into.path().join("asset")).await?;
                }
                let files = into.path().join("files");
                unpack(label, file, files.clone()).await?;
                Ok(Some(files))
            }
            Artifact::Packed { asset, .. } => {
                let (packed, found) = packed(&self.workspace.layout.dist().join(asset))?;
                if found != sha256 {
                    let what = format!("{asset} was replaced since it was packed");
                    return Err(Fault::new(Kind::Verification, what)
                        .because(format!("its sha256 is {found}, expected is {sha256}")));
                }
                let files = into.path().join("files");
                unpack(asset.clone(), packed, files.clone()).await?;
                Ok(Some(files))
            }
        }
    }

    /// Whether the image of `name` may be deployed, by who says that they made it.
    async fn trusted(
        &self,
        name: &Name,
        image: &ImageRepository,
        index: Sha256,
    ) -> Result<(), Fault> {
        if self.workspace.trust == Trust::Any {
            return Ok(());
        }
        let ours = trusted_repositories(self.workspace);
        let found = trusted_image(self.registries, image, index, &ours).await?;
        let label = format!("{image}@sha256:{index}");
        found.map(drop).map_err(|why| distrusted(self.workspace.trust, name.as_str(), &label, why))
    }

    /// Whether GitHub attests the asset `label` of `name`, whose bytes are at `path`.
    async fn attested(&self, name: &Name, label: &str, path: &Path) -> Result<(), Fault> {
        let (root, ours) = (self.workspace.layout.root(), trusted_repositories(self.workspace));
        let found = attested_builder(self.runner, root, path, &ours).await?;
        found.map(drop).map_err(|why| distrusted(Trust::Attested, name.as_str(), label, why))
    }

    /// Brings the bytes of an asset to `path`; `None` is a confirmed absence.
    async fn download(
        &self,
        store: &dyn Store,
        (tag, asset): (&str, &str),
        file: &mut File,
        expected: Sha256,
        label: &str,
    ) -> Result<Option<()>, Fault> {
        let mut beginnings = Beginnings::default();
        loop {
            let Some(stream) = store.open(tag, asset).await? else { return Ok(None) };
            match save(stream, file).await {
                Ok(sha256) if sha256 == expected => return Ok(Some(())),
                Ok(sha256) => {
                    let what = format!("{label} is corrupt or was replaced");
                    return Err(Fault::new(Kind::Verification, what)
                        .because(format!("its sha256 is {sha256}, expected is {expected}"))
                        .hint("nothing was deployed; find out what happened to the release"));
                }
                Err(broken) => beginnings.again(broken)?,
            }
        }
    }
}

/// The packed file at `path`, and its digest.
fn packed(path: &Path) -> Result<(File, Sha256), Fault> {
    let cannot = |error: &std::io::Error| Fault::io("cannot read what was packed", error);
    let mut file = open_file(path).map_err(|error| cannot(&error))?;
    let mut hasher = Hasher::new();
    let mut part = vec![0; 1 << 16];
    loop {
        match file.read(&mut part).map_err(|error| cannot(&error))? {
            0 => return Ok((file, hasher.finish())),
            size => hasher.update(&part[..size]),
        }
    }
}

fn cannot_write(error: &std::io::Error) -> Fault {
    Fault::io("cannot write what is deployed to .forge", error)
}

/// Writes `stream` to `file`, anew, and returns its digest.
async fn save(mut stream: AssetStream, file: &mut File) -> Result<Sha256, BrokenTransfer> {
    file.rewind().and_then(|()| file.set_len(0)).map_err(|error| cannot_write(&error))?;
    let mut hasher = Hasher::new();
    while let Some(chunk) = stream.bytes.next().await {
        let chunk = chunk?;
        hasher.update(&chunk);
        file.write_all(&chunk).map_err(|error| cannot_write(&error))?;
    }
    Ok(hasher.finish())
}

async fn unpack(label: String, mut packed: File, into: PathBuf) -> Result<(), Fault> {
    let unpacking = tokio::task::spawn_blocking(move || {
        packed.rewind().map_err(|error| Fault::io("cannot read what is deployed", &error))?;
        Unpacker::new(&label).unpack(packed, &into).map(drop)
    });
    match unpacking.await {
        Ok(unpacked) => unpacked,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// The command that releases `subsystem`.
pub fn releases_it(subsystem: &Subsystem) -> String {
    match subsystem.image.is_some() {
        true => format!("`forge release:image {}` releases it", subsystem.name),
        false => format!("`forge release:binary {}` releases it", subsystem.name),
    }
}
