//! Who put an image together and from what: a statement beside its index, as beside assets; and whose
//! images are taken.

use super::{Assembled, ImagePart, ImageSpec};
use crate::{
    model::{
        Fault, Sha256,
        oci::{Annotations, Descriptor, IN_TOTO, ImageReference, ImageRepository},
    },
    provenance::{
        Builder, Dependency, Statement, StatementRecipe, StatementRun, StatementSubject, Subject,
        Trust, judge, read_statements,
    },
    store::{ImageNote, Registries},
};

/// The annotation by which tools find statements of a kind, and the kind.
const PREDICATE: (&str, &str) = ("in-toto.io/predicate-type", "https://slsa.dev/provenance/v1");

/// No more statements about one image are read: anybody who may push can add some.
const MOST_STATEMENTS: usize = 32;

/// Who put an image together, for which project, in which run.
#[derive(Clone, Debug)]
pub struct ImageOrigin {
    /// The project whose release it is.
    pub project: String,
    /// Who put it together.
    pub builder: Builder,
    /// In which run.
    pub run: StatementRun,
    /// The repository of the workspace at its commit, if that is what was built.
    pub workspace: Option<Dependency>,
}

impl ImageOrigin {
    /// The statement that the image of `spec` was put together from `bases` and `parts`, to be kept
    /// beside its index.
    pub fn statement(
        &self,
        spec: &ImageSpec,
        assembled: &Assembled,
        bases: &[ImageReference],
        parts: &[ImagePart],
    ) -> (Descriptor, ImageNote) {
        let subject = |name: String, sha256: Sha256| Subject { name, sha256 };
        let repository = spec.repository.to_string();
        let children = assembled.manifests.iter().map(|(manifest, _)| {
            let platform = manifest.platform.as_ref().map(ToString::to_string).unwrap_or_default();
            subject(format!("{repository} ({platform})"), manifest.digest)
        });
        let index = subject(repository.clone(), assembled.index.digest);
        let binaries = parts.iter().flat_map(|part| {
            let stamp = &part.stamp;
            stamp.binaries.iter().map(|(name, sha256)| {
                let name = format!("{}/{}/{name}", stamp.name, stamp.platform);
                Dependency::binary(name, &stamp.version, *sha256)
            })
        });
        let bases = bases.iter().map(Dependency::image);
        let statement = Statement {
            subjects: [index].into_iter().chain(children).collect(),
            artifact: Some(StatementSubject {
                project: self.project.clone(),
                subsystem: spec.name.to_string(),
                version: spec.version.clone(),
                platform: None,
                image: Some(spec.reference().to_string()),
            }),
            recipe: StatementRecipe {
                fingerprint: Some(spec.print.fingerprint),
                inputs: spec.print.inputs.clone(),
            },
            dependencies: self.workspace.iter().cloned().chain(bases).chain(binaries).collect(),
            builder: self.builder.clone(),
            run: self.run.clone(),
        };
        let note = ImageNote {
            artifact_type: IN_TOTO.to_owned(),
            title: format!("{}.intoto.jsonl", spec.name.as_str().replace('/', "-")),
            bytes: statement.line().into(),
            annotations: Annotations::from([(PREDICATE.0.to_owned(), PREDICATE.1.to_owned())]),
        };
        (assembled.index.clone(), note)
    }
}

/// What is said of who put the image with this index together. What cannot be read says nothing; the
/// second value is why one of them cannot.
///
/// # Errors
/// `Store` if the registry does not say.
pub async fn image_statements(
    registries: &Registries,
    repository: &ImageRepository,
    index: Sha256,
) -> Result<(Vec<Statement>, Option<String>), Fault> {
    let files = registries.notes(repository, index, IN_TOTO, MOST_STATEMENTS).await?;
    let (mut statements, mut unread) = (Vec::new(), None);
    for file in files {
        match read_statements(&String::from_utf8_lossy(&file)) {
            Ok(read) => statements.extend(read),
            Err(why) => unread = Some(format!("its provenance cannot be used: {why}")),
        }
    }
    Ok((statements, unread))
}

/// Who put the image with this index together, if `trust: ci` takes it; or why it does not, in one
/// sentence. `ours` are the repositories whose CI counts.
///
/// # Errors
/// `Store` if the registry does not say.
pub async fn trusted_image(
    registries: &Registries,
    repository: &ImageRepository,
    index: Sha256,
    ours: &[String],
) -> Result<Result<Builder, String>, Fault> {
    let (statements, unread) = image_statements(registries, repository, index).await?;
    let nobody = || "nobody says who built it: there is no provenance beside it".to_owned();
    Ok(match judge(Trust::Ci, ours, index, &statements) {
        Ok(builder) => builder.ok_or_else(nobody),
        Err(why) => Err(unread.unwrap_or(why)),
    })
}
