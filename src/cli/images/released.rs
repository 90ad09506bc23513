//! What registries hold of the images of a workspace, for the verbs about releases: listed, audited,
//! and pruned by the rules for binaries.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use crate::{
    archive::Hasher,
    image::{ReleasedImage, RepositoryTags, image_statements, trusted_image},
    model::{Fault, Kind, Name, Sha256, counted},
    probe::trusted_repositories,
    provenance::{Permission, Trust, may_publish},
    release::{
        AuditFinding, AuditedImage, ImagePin, RetentionPolicy, audit_images, newest_images,
        outdated_images,
    },
    report::{Align, Cell, Role, Table, human_size},
    store::Registries,
    workspace::Workspace,
};

use super::super::session::Session;

/// How many images are read, or removed, at once.
const AT_ONCE: usize = 8;

/// The images of a workspace, as their registries have them.
pub(in super::super) struct ImagesThere {
    registries: Registries,
    pins: Vec<ImagePin>,
    tags: BTreeMap<Name, RepositoryTags>,
    /// All images of versions, by subsystem, the newest first.
    images: Vec<ReleasedImage>,
    /// Under `trust: ci` the repositories whose CI counts.
    trusted: Option<Vec<String>>,
}

/// What became of an old image: why it could not be removed, if so.
type Gone<'i> = (&'i ReleasedImage, Result<(), Fault>);

impl ImagesThere {
    /// Reads the registries of the images of `names`. Without images nothing is asked.
    ///
    /// # Errors
    /// `Store` if a registry does not say.
    pub(in super::super) async fn read(
        session: &Session,
        workspace: &Workspace,
        names: &BTreeSet<Name>,
    ) -> Result<Self, Fault> {
        let registries = Registries::new(&session.store_settings(workspace));
        let pins = ImagePin::from_workspace(workspace, names);
        let reads = pins.iter().map(|pin| async {
            let tags =
                RepositoryTags::read(&registries, &pin.name, &pin.repository, &pin.also).await?;
            Ok::<_, Fault>((pin.name.clone(), tags))
        });
        let tags: BTreeMap<Name, RepositoryTags> =
            stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
        let images = tags.values().flat_map(|tags| tags.images.iter().cloned()).collect();
        let images = newest_images(images);
        let is_strict = workspace.image_trust != Trust::Any;
        let trusted = is_strict.then(|| trusted_repositories(workspace));
        Ok(Self { registries, pins, tags, images, trusted })
    }

    /// Whether there is any image at all that could be there.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.pins.is_empty()
    }

    /// How many images of versions are there.
    pub(in super::super) fn count(&self) -> usize {
        self.images.len()
    }

    fn of_name(&self, name: &Name) -> impl Iterator<Item = &ReleasedImage> {
        self.images.iter().filter(move |image| image.name == *name)
    }

    fn pin(&self, name: &Name) -> Option<&ImagePin> {
        self.pins.iter().find(|pin| pin.name == *name)
    }

    /// Adds a row for each image to the table of releases, and one for each that is not there.
    pub(in super::super) fn add_rows(&self, table: &mut Table) {
        for pin in &self.pins {
            for image in self.of_name(&pin.name) {
                table.row(row(pin, image));
            }
            let tag = pin.tag();
            if tag.is_some() && !self.of_name(&pin.name).any(|it| Some(&it.tag) == tag.as_ref()) {
                table.row([
                    Cell::new(Role::Name, pin.name.as_str()),
                    Cell::new(Role::Plain, pin.pin.version.as_str()),
                    Cell::new(Role::Warn, "not released"),
                    Cell::from(""),
                    Cell::from(""),
                    Cell::from(format!("image in {}", pin.repository)),
                ]);
            }
        }
    }

    /// `; 6 images, 34 MB`.
    pub(in super::super) fn sum(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        let bytes = self.images.iter().map(ReleasedImage::bytes).sum();
        format!("; {}, {}", counted(self.images.len(), "image"), human_size(bytes))
    }

    /// The images of `name`, as JSON.
    pub(in super::super) fn json_of(&self, name: &Name) -> Vec<serde_json::Value> {
        let Some(pin) = self.pin(name) else { return Vec::new() };
        let entry = |image: &ReleasedImage| {
            let words = |platforms: Vec<crate::model::Platform>| {
                platforms.iter().map(ToString::to_string).collect::<Vec<_>>()
            };
            let mut entry = image_json(image);
            entry["platforms"] = json!(words(image.platforms().into_iter().collect()));
            entry["missing"] = json!(words(image.lacks(&pin.platforms)));
            entry["pinned"] = is_pinned(pin, image).into();
            entry["locked"] = is_locked(pin, image).into();
            entry
        };
        self.of_name(name).map(entry).collect()
    }

    /// What is not as it should be; with `deep`, all blobs are downloaded and hashed.
    ///
    /// # Errors
    /// `Store` if a registry does not say.
    pub(in super::super) async fn audit(&self, deep: bool) -> Result<Vec<AuditFinding>, Fault> {
        let reads = self.images.iter().map(|image| self.audited(image, deep));
        let audited: Vec<_> = stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
        Ok(audit_images(&self.pins, &audited, self.trusted.is_some()))
    }

    async fn audited(&self, image: &ReleasedImage, deep: bool) -> Result<AuditedImage, Fault> {
        let (registries, repository) = (&self.registries, &image.repository);
        let not_vouched = match &self.trusted {
            Some(ours) => trusted_image(registries, repository, image.digest, ours).await?.err(),
            None => {
                let (said, unread) = image_statements(registries, repository, image.digest).await?;
                let nobody = || "no provenance stands beside it".to_owned();
                said.is_empty().then(|| unread.unwrap_or_else(nobody))
            }
        };
        let mut hashed = BTreeMap::new();
        for blob in image.blobs().into_iter().filter(|_| deep) {
            hashed.insert(blob.digest, self.hash(image, blob.digest).await?);
        }
        Ok(AuditedImage { image: image.clone(), not_vouched, hashed })
    }

    /// The digest of the bytes of a blob; nothing if it is not there.
    async fn hash(&self, image: &ReleasedImage, blob: Sha256) -> Result<Option<Sha256>, Fault> {
        let opened = self.registries.open_blob(&image.repository, blob).await?;
        let Some(mut stream) = opened else { return Ok(None) };
        let mut hasher = Hasher::new();
        while let Some(bytes) = stream.bytes.try_next().await? {
            hasher.update(&bytes);
        }
        Ok(Some(hasher.finish()))
    }

    /// The images that can go.
    pub(in super::super) fn old(&self, keep: RetentionPolicy) -> Vec<&ReleasedImage> {
        outdated_images(&self.pins, &self.images, keep)
    }

    /// Removes `old`, one after the other; goes on where one cannot be removed.
    ///
    /// # Errors
    /// `Usage` if this run may not.
    pub(in super::super) async fn remove<'i>(
        &self,
        session: &Session,
        old: &[&'i ReleasedImage],
    ) -> Result<Vec<Gone<'i>>, Fault> {
        may_change(session)?;
        let mut gone = Vec::new();
        for image in old {
            gone.push((*image, self.remove_one(image, old).await));
        }
        Ok(gone)
    }

    /// Removes an image and what nobody else needs of it: the tag first, so that nobody finds half of
    /// it, then the index, its manifests, and what is said of them.
    async fn remove_one(&self, image: &ReleasedImage, old: &[&ReleasedImage]) -> Result<(), Fault> {
        let (registries, repository) = (&self.registries, &image.repository);
        let gone = old.iter().filter(|one| one.name == image.name).map(|one| one.tag.as_str());
        let tags = self.tags.get(&image.name);
        let removal = tags.and_then(|tags| tags.removal(&image.tag, &gone.collect()));
        let Some(removal) = removal else { return Ok(()) };
        let is_untagged = registries.untag(repository, &image.tag).await?;
        let Some(index) = removal.index else {
            if is_untagged {
                return Ok(());
            }
            let what = format!("cannot remove {}", image.reference());
            return Err(Fault::new(Kind::Store, what)
                .because(
                    "another tag leads to the same image, and the registry removes no tag alone",
                )
                .hint("it goes with the last of its tags"));
        };
        registries.remove_manifest(repository, index).await?;
        self.forget(image, index).await?;
        for child in removal.children {
            registries.remove_manifest(repository, child).await?;
            self.forget(image, child).await?;
        }
        Ok(())
    }

    /// Removes what is said of a manifest that is gone, and the list of it, if clients keep one.
    async fn forget(&self, image: &ReleasedImage, subject: Sha256) -> Result<(), Fault> {
        let (registries, repository) = (&self.registries, &image.repository);
        for note in registries.referrers(repository, subject).await? {
            registries.remove_manifest(repository, note.digest).await?;
        }
        let list = repository.tagged(&format!("sha256-{subject}"));
        if let Some(found) = registries.manifest(&list).await? {
            registries.remove_manifest(repository, found.digest).await?;
        }
        Ok(())
    }
}

/// Whether images may be removed from here.
fn may_change(session: &Session) -> Result<(), Fault> {
    let refused = |why: String| Fault::new(Kind::Usage, "cannot remove any image").because(why);
    if session.flags.no_publish {
        return Err(refused("--no-publish forbids it".into()));
    }
    match may_publish(session.surroundings()) {
        Permission::Never(why) => Err(refused(why)),
        _ => Ok(()),
    }
}

fn row(pin: &ImagePin, image: &ReleasedImage) -> [Cell; 6] {
    let lacks = image.lacks(&pin.platforms);
    let all = pin.platforms.len();
    let platforms = match lacks.as_slice() {
        [] => Cell::new(Role::Ok, format!("{all} of {all}")),
        lacks => {
            let names: Vec<_> = lacks.iter().map(ToString::to_string).collect();
            let text = format!("{} of {all}, not {}", all - lacks.len(), names.join(", "));
            Cell::new(Role::Warn, text)
        }
    };
    let marks = [("pinned", is_pinned(pin, image)), ("locked", is_locked(pin, image))];
    let marks = marks.into_iter().filter(|(_, holds)| *holds).map(|(mark, _)| mark.to_owned());
    let marks: Vec<_> = marks.chain([format!("image in {}", image.repository)]).collect();
    [
        Cell::new(Role::Name, image.name.as_str()),
        Cell::new(Role::Plain, &image.label),
        platforms,
        Cell::new(Role::Plain, human_size(image.bytes())),
        Cell::from(""),
        Cell::new(Role::Plain, marks.join(", ")),
    ]
}

fn is_pinned(pin: &ImagePin, image: &ReleasedImage) -> bool {
    pin.tag().as_deref() == Some(image.tag.as_str())
}

fn is_locked(pin: &ImagePin, image: &ReleasedImage) -> bool {
    pin.locked().is_some_and(|locked| locked.digest == image.digest)
}

/// An image, as verbs about releases tell it.
pub(in super::super) fn image_json(image: &ReleasedImage) -> serde_json::Value {
    json!({
        "tag": image.reference(),
        "name": image.name.as_str(),
        "version": image.label,
        "digest": format!("sha256:{}", image.digest),
        "bytes": image.bytes(),
    })
}

/// The table of images that would go.
pub(in super::super) fn table_of_old(old: &[&ReleasedImage]) -> Table {
    let mut table = Table::new([("would go", Align::Left), ("size", Align::Right)]);
    for image in old {
        table.row([
            Cell::new(Role::Name, image.reference()),
            Cell::new(Role::Plain, human_size(image.bytes())),
        ]);
    }
    table
}
