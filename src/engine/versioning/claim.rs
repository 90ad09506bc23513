//! Claiming a version: of all who want the next one, each gets another.
//!
//! A claim is an annotated tag at the remote. Pushing a tag that is there already fails, so the tag is
//! the lock; a light one would not do, since pushing the same again succeeds. Its text names the run
//! that claims, and nothing that changes from try to try: a run that was interrupted makes the very
//! same object again, knows its claim by it, and goes on with it. Everyone else takes the next version.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use crate::{
    git::{Remote, TagPutOutcome},
    model::{Fault, Kind, Name, Scheme, TagStem},
};

use super::{
    commits::NextVersion,
    latest::{Taken, taken},
};

/// How often somebody else may be first.
const TRIES: usize = 200;
/// The first pause after that is no longer than this: about what a push takes.
const SHORTEST: Duration = Duration::from_millis(200);
/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(2);

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
    pub async fn claim<N>(&self, remote: &Remote<'_>, next: N) -> Result<NextVersion, Fault>
    where
        N: AsyncFn(&[Taken]) -> Result<NextVersion, Fault>,
    {
        for round in 0..TRIES {
            let tags = remote.tags(&[self.stem.as_str()]).await?;
            let known = taken(self.stem, self.scheme, &tags);
            if let Some(own) = self.own(&known) {
                let why = "this run claimed it already".to_owned();
                return Ok(NextVersion::Release { label: own.label.to_owned(), why });
            }
            let (label, why) = match next(&known).await? {
                NextVersion::Release { label, why } => (label, why),
                nothing @ NextVersion::Nothing { .. } => return Ok(nothing),
            };
            let tag = remote
                .object(&format!("{}{label}", self.stem), self.commit, &self.message(&label))
                .await?;
            if remote.put(&tag).await? == TagPutOutcome::Created {
                return Ok(NextVersion::Release { label, why });
            }
            tokio::time::sleep(pause(round)).await;
        }
        let what = format!("cannot claim a version of {} in {}", self.name, remote.shown());
        Err(Fault::new(Kind::Store, what)
            .because(format!("somebody else was first {TRIES} times"))
            .hint("a rule of the repository may refuse such tags; try to push one by hand"))
    }

    /// The claim of an earlier try of this run.
    fn own<'k>(&self, known: &'k [Taken<'k>]) -> Option<&'k Taken<'k>> {
        let is_own = |taken: &&Taken| {
            taken.tag.tag.commit == self.commit && taken.tag.says(&self.message(taken.label))
        };
        known.iter().rev().find(is_own)
    }

    fn message(&self, label: &str) -> String {
        format!("{} {label}\n\nrun: {}", self.name, self.run)
    }
}

/// How long to wait after somebody else was first: at most twice as long each time, and by chance,
/// so that those who began together do not meet again.
fn pause(round: usize) -> Duration {
    let longest = (SHORTEST * (1 << round.min(8))).min(LONGEST);
    let share = RandomState::new().hash_one(round) % 1000;
    longest.mul_f64(share as f64 / 1000.0)
}
