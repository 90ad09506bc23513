//! What upstream has of some subsystems.

use std::collections::BTreeSet;

use super::{Asker, Offers};
use crate::{
    model::{Fault, Kind},
    workspace::{Source, Subsystem},
};

/// A subsystem, and what upstream has of it.
#[derive(Clone, Debug)]
pub struct Looked<'w> {
    /// The subsystem.
    pub subsystem: &'w Subsystem,
    /// What was found.
    pub found: UpstreamAnswer,
}

/// What asking gave.
#[derive(Clone, Debug)]
pub enum UpstreamAnswer {
    /// What there is.
    Offers(Offers),
    /// There is nobody to ask, for this reason.
    Nobody(&'static str),
    /// Who was asked did not answer as they should.
    Failed(Fault),
}

/// Asks for all of `subsystems`, in their order; for the version `wanted` in particular.
pub async fn find_upgrades<'w>(
    asker: &Asker<'_>,
    subsystems: impl IntoIterator<Item = &'w Subsystem>,
    wanted: Option<&str>,
) -> Vec<Looked<'w>> {
    let subsystems: Vec<_> = subsystems.into_iter().collect();
    let feed = |subsystem: &&'w Subsystem| match nobody(subsystem) {
        Some(_) => None,
        None => subsystem.feed.as_ref(),
    };
    let indices: BTreeSet<_> = subsystems.iter().filter_map(feed).map(|feed| &feed.index).collect();
    let answers = asker.ask(indices, wanted).await;
    let found = |subsystem: &'w Subsystem| {
        let Some(feed) = feed(&subsystem) else {
            return UpstreamAnswer::Nobody(nobody(subsystem).unwrap_or(NOT_SAID));
        };
        match answers.get(&feed.index) {
            Some(Ok(listed)) => UpstreamAnswer::Offers(Offers::from_listed(&feed.form, listed)),
            Some(Err(fault)) => UpstreamAnswer::Failed(fault.clone()),
            None => UpstreamAnswer::Nobody(NOT_SAID),
        }
    };
    subsystems.into_iter().map(|subsystem| Looked { subsystem, found: found(subsystem) }).collect()
}

const NOT_SAID: &str = "its spec does not say where its versions are listed";

/// The fault that nothing is listed which could be compared with the version of `subsystem`.
pub fn unlike(subsystem: &Subsystem) -> Fault {
    let Subsystem { name, version, feed, .. } = subsystem;
    let index = feed.as_ref().map(|feed| feed.index.to_string()).unwrap_or_default();
    Fault::new(Kind::Store, format!("cannot tell what is newer than {name} {version}"))
        .because(format!("{index} lists nothing that is called like it"))
        .hint("`newer:` in its spec says where its versions are listed, and how they are called")
}

/// Why nobody has newer versions of `subsystem`, or none that could be found.
fn nobody(subsystem: &Subsystem) -> Option<&'static str> {
    match (&subsystem.scheme, &subsystem.feed, &subsystem.source) {
        (Some(_), ..) => Some("a scheme makes its versions"),
        (None, None, Source::Path { .. }) => Some("its code is in this workspace"),
        (None, None, _) => Some(NOT_SAID),
        (None, Some(_), _) => None,
    }
}
