//! `forge promote` of images: what a laptop pushed is made again by CI and, where that comes out bit for
//! bit the same, CI's word is kept beside it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use crate::{
    image::{ImageSpec, ImageState, look_at, trusted_image},
    model::{Fault, ImageHow, ImageReport, Kind, Name, RunReport, Sha256},
    probe::trusted_repositories,
};

use super::{
    super::{CliError, publish::Publish, session::Session},
    ImageWants, ImageWork, close, wanted,
    work::{failed, report},
};

/// Vouches for the images of `words` that CI has not vouched for yet.
pub(in super::super) fn promote(session: &Session, words: &[String]) -> Result<u8, CliError> {
    let session = &session.for_images();
    let began = Instant::now();
    let (wants, names) = wanted(session, words)?;
    super::may_push(session, &wants, true)?;
    let layout = wants.workspaces.layout().clone();
    let mut report = session.host.runtime()?.block_on(promoted(session, wants, &names))?;
    report.seconds = began.elapsed().as_secs_f64();
    close(session, &layout, &report)
}

async fn promoted(
    session: &Session,
    wants: ImageWants,
    names: &BTreeSet<Name>,
) -> Result<RunReport, CliError> {
    // Each artifact is built again, whether it is there or not.
    let flags = super::super::flags::Global { force: true, ..session.flags.clone() };
    let forcing = Session::new(session.host.clone(), flags, true).for_images();
    let work = ImageWork::new(&forcing, wants);
    let (mut images, mut unsaid) = (BTreeMap::new(), BTreeMap::new());
    for name in names {
        let image = match work.wants.specs[name].clone() {
            Err(fault) => work.unknown(name, fault),
            Ok(spec) => match work.to_be_said(&spec).await {
                Ok(Some(digest)) => {
                    unsaid.insert(name.clone(), (spec, digest));
                    continue;
                }
                Ok(None) => report(&spec, ImageHow::Released, "CI vouches for it"),
                Err(fault) => failed(&spec, fault),
            },
        };
        images.insert(name.clone(), image);
    }
    let mut run = work.ensured(unsaid.keys(), Publish::InImages).await?;
    for (name, (spec, digest)) in unsaid {
        let began = Instant::now();
        let image = match work.vouch(&spec, digest, &run).await {
            Ok(()) => {
                let image = report(&spec, ImageHow::Pushed, "CI made the same");
                ImageReport { digest: Some(digest), ..image }
            }
            Err(fault) => failed(&spec, fault),
        };
        images.insert(name, ImageReport { seconds: began.elapsed().as_secs_f64(), ..image });
    }
    run.images = images.into_values().collect();
    Ok(run)
}

impl ImageWork<'_> {
    /// The digest at the tag of `spec`, unless CI vouches for it.
    async fn to_be_said(&self, spec: &ImageSpec) -> Result<Option<Sha256>, Fault> {
        let registries = &self.wants.registries;
        let ours = trusted_repositories(self.workspaces().any());
        match look_at(registries, spec, None).await? {
            ImageState::Released { digest } => {
                let said = trusted_image(registries, &spec.repository, digest, &ours).await?;
                Ok(said.is_err().then_some(digest))
            }
            ImageState::Absent => {
                Err(Fault::new(Kind::Usage, format!("{} is not there", spec.reference()))
                    .hint(format!("`forge release:image {}` releases it", spec.name)))
            }
            ImageState::Other { why, .. } => Err(Self::other(spec, &why)),
        }
    }

    /// Makes the image and, if that is the one with this digest, says so beside it.
    async fn vouch(
        &self,
        spec: &ImageSpec,
        digest: Sha256,
        artifacts: &RunReport,
    ) -> Result<(), Fault> {
        if let Some(lacks) = self.lacks(spec, artifacts) {
            return Err(Fault::new(Kind::Failed, format!("the image of {} {lacks}", spec.name)));
        }
        let made = self.made(spec, false).await?;
        let ours = made.assembled.index.digest;
        if ours != digest {
            let what = format!("{} is not what CI makes", spec.reference());
            return Err(Fault::new(Kind::Verification, what)
                .because(format!("its index is sha256:{digest}, that of the one made here sha256:{ours}"))
                .hint("its build is not reproducible, or other bytes were pushed; release a new version from CI"));
        }
        let (subject, note) = self.statement(spec, &made).await?;
        self.wants.registries.attach(&spec.repository, &subject, &note).await.map(drop)
    }
}
