//! Claiming a version: of all who want the next one, each gets another.
//!
//! A claim is an annotated tag at the remote. Pushing a tag that is there already fails, so the tag is
//! the lock; a light one would not do, since pushing the same again succeeds. Its text names the run
//! that claims, and nothing that changes from try to try: a run that was interrupted makes the very
//! same object again, knows its claim by it, and goes on with it. Everyone else takes the next version.

use crate::{
    git::{Put, Remote, RemoteTag},
    model::{Fault, Kind, Name, Scheme, TagStem},
};

use super::latest::{Taken, taken};

/// How often somebody else may be first.
const TRIES: usize = 200;

/// Who claims a version, and of what.
#[derive(Clone, Copy, Debug)]
pub struct Claimant<'a> {
    /// The component.
    pub name: &'a Name,
    /// What its tags begin with.
    pub stem: &'a TagStem,
    /// How its versions come about.
    pub scheme: &'a Scheme,
    /// The commit that is released.
    pub commit: &'a str,
    /// The run, by a text that no other run has: it stays the same when the run is tried again.
    pub run: &'a str,
}

impl Claimant<'_> {
    /// Claims the version that `next` gives after those that are taken, or finds the one that an
    /// earlier try of this run claimed.
    ///
    /// # Errors
    /// `Store` if the remote does not answer or refuses the tag, and what `next` says.
    pub async fn claim(
        &self,
        remote: &Remote<'_>,
        next: &dyn Fn(&[Taken]) -> Result<String, Fault>,
    ) -> Result<String, Fault> {
        for _ in 0..TRIES {
            let tags = remote.tags(&[self.stem.as_str()]).await?;
            let known = taken(self.stem, self.scheme, &tags);
            if let Some(own) = self.own(remote, &known).await? {
                return Ok(own.label.to_owned());
            }
            let label = next(&known)?;
            let tag = remote
                .object(&format!("{}{label}", self.stem), self.commit, &self.message(&label))
                .await?;
            if remote.put(&tag).await? == Put::Created {
                return Ok(label);
            }
        }
        let what = format!("cannot claim a version of {} in {}", self.name, remote.shown());
        Err(Fault::new(Kind::Store, what)
            .because(format!("somebody else was first {TRIES} times"))
            .hint("a rule of the repository may refuse such tags; try to push one by hand"))
    }

    /// The claim of an earlier try of this run.
    async fn own<'t>(
        &self,
        remote: &Remote<'_>,
        known: &[Taken<'t>],
    ) -> Result<Option<Taken<'t>>, Fault> {
        let is_annotated = |tag: &RemoteTag| tag.object != tag.tag.commit;
        for taken in known.iter().rev() {
            if taken.tag.tag.commit != self.commit || !is_annotated(taken.tag) {
                continue;
            }
            let message = self.message(taken.label);
            let same = remote.object(&taken.tag.tag.name, self.commit, &message).await?;
            if same.object == taken.tag.object {
                return Ok(Some(taken.clone()));
            }
        }
        Ok(None)
    }

    fn message(&self, label: &str) -> String {
        format!("{} {label}\n\nrun: {}", self.name, self.run)
    }
}
