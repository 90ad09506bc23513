//! The next version of a component whose versions commits make: semantic versions (SemVer 2.0.0)
//! from Conventional Commits. Pure: labels and commits go in, a label and the reason come out.
//!
//! ```text
//! labels ──> Line ─┬─ stable ──> commits since then ─┬─> next ──> 1.3.0, or 1.3.0-dev.2
//!                  └─ last ────> commits since then ─┘
//! ```
//!
//! How far a release goes is said by all commits since the last stable version; whether there is
//! one, by those since the last version of the branch. What was taken back before it was released
//! never was; what is taken back later is a fix.

use semver::{Prerelease, Version};

use super::{Bump, BumpRequest, Message, Override, standing};
use crate::{
    git::Commit,
    model::{Commits, counted},
};

/// The versions of a component, as seen from one branch.
#[derive(Clone, Debug)]
pub struct VersionLine<'a> {
    scheme: &'a Commits,
    /// What pre-releases of the branch are called, if its versions are some.
    channel: Option<&'a str>,
    stable: Option<(Version, &'a str)>,
    /// The highest pre-release of the channel.
    pre: Option<(Version, &'a str)>,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextVersion {
    /// A release.
    Release {
        /// Its version, as its label: `1.3.0`, `v1.3.0-dev.2`.
        label: String,
        /// Why this one, as a sentence without a full stop.
        why: String,
    },
    /// None.
    Nothing {
        /// Why not, as a sentence without a full stop.
        why: String,
    },
}

impl<'a> VersionLine<'a> {
    /// The versions `labels` as seen from `branch`, in any order. What `scheme` does not make is
    /// ignored, as is what a version cannot follow since its numbers are too long.
    pub fn from_labels(
        scheme: &'a Commits,
        labels: impl IntoIterator<Item = &'a str>,
        branch: Option<&str>,
    ) -> Self {
        let channel = branch.and_then(|branch| scheme.channels.get(branch)).map(String::as_str);
        let mut line = Self { scheme, channel, stable: None, pre: None };
        for label in labels {
            let Some(version) = line.read(label) else { continue };
            let place = match channel_and_number(&version.pre) {
                _ if version.pre.is_empty() => &mut line.stable,
                Some((name, _)) if Some(name) == channel => &mut line.pre,
                _ => continue,
            };
            if place.as_ref().is_none_or(|(known, _)| known.cmp_precedence(&version).is_lt()) {
                *place = Some((version, label));
            }
        }
        line
    }

    /// The highest stable version: how far the next one goes is said by the commits since its tag.
    pub fn stable(&self) -> Option<&'a str> {
        self.stable.as_ref().map(|(_, label)| *label)
    }

    /// The last version of this branch: whether there is a next one is said by the commits since
    /// its tag. The same as [`Self::stable`] unless the branch has pre-releases of what follows it.
    pub fn last(&self) -> Option<&'a str> {
        let pre = self.pre.as_ref().filter(|(pre, _)| {
            self.stable.as_ref().is_none_or(|(stable, _)| stable.cmp_precedence(pre).is_lt())
        });
        pre.or(self.stable.as_ref()).map(|(_, label)| *label)
    }

    /// The version after those. `since_stable` are the commits of the component since
    /// [`Self::stable`] (all if there is none) and `since_last` those since [`Self::last`], the
    /// newest first; `over` is what somebody wants instead of what they say.
    pub fn next(
        &self,
        since_stable: &[Commit],
        since_last: &[Commit],
        over: Option<&Override>,
    ) -> NextVersion {
        let nothing = |why: String| NextVersion::Nothing { why };
        let since = self.last().map(|last| format!(" since {last}")).unwrap_or_default();
        if let Some(Override { wish: BumpRequest::Skip, said, .. }) = over {
            return nothing(format!("{said} forbids a release"));
        }
        if since_last.is_empty() && !over.is_some_and(|over| over.is_firm) {
            return nothing(format!("no commit touches it{since}"));
        }
        let (bump, why) = match over {
            Some(Override { wish: BumpRequest::Release(bump), said, .. }) => {
                (*bump, format!("{said} asks for a {bump} release"))
            }
            _ => match (greatest(since_last), greatest(since_stable)) {
                (None, _) => {
                    let count = counted(since_last.len(), "commit");
                    return nothing(format!("{count}{since}, none of which is to be released"));
                }
                (Some(new), all) => {
                    let all = all.filter(|all| all.bump >= new.bump).unwrap_or(new);
                    (self.effective(all.bump), all.reason(self.stable()))
                }
            },
        };
        match self.after(bump) {
            Some(label) => NextVersion::Release { label, why },
            None => nothing("the numbers of the last version are too long to go on".into()),
        }
    }

    /// What a change of that size comes to in this line. (Who asks for `major` gets that, also
    /// before 1.0.0.)
    fn effective(&self, bump: Bump) -> Bump {
        let is_pre_major = self.stable.as_ref().is_some_and(|(stable, _)| stable.major == 0);
        match is_pre_major && self.scheme.bump_minor_pre_major {
            true => bump.min(Bump::Minor),
            false => bump,
        }
    }

    /// The label of the version that differs from the stable one by `bump`.
    fn after(&self, bump: Bump) -> Option<String> {
        let stable = match &self.stable {
            Some((stable, _)) => raised(stable, bump)?,
            None => self.read(&self.scheme.first)?,
        };
        let Some(channel) = self.channel else { return Some(self.write(&stable)) };
        let fresh = Version { pre: numbered(channel, 1)?, ..stable };
        let continued = self.pre.as_ref().and_then(|(pre, _)| {
            let number = channel_and_number(&pre.pre)?.1.checked_add(1)?;
            Some(Version { pre: numbered(channel, number)?, ..pre.clone() })
        });
        let higher = continued.filter(|continued| continued.cmp_precedence(&fresh).is_gt());
        Some(self.write(&higher.unwrap_or(fresh)))
    }

    /// Reads a label that the scheme made. Build metadata is not a part of a version's place.
    fn read(&self, label: &str) -> Option<Version> {
        let has_v = self.scheme.first.starts_with('v');
        let number = if has_v { label.strip_prefix('v')? } else { label };
        let version = Version::parse(number).ok()?;
        Some(Version { build: semver::BuildMetadata::EMPTY, ..version })
    }

    fn write(&self, version: &Version) -> String {
        let v = if self.scheme.first.starts_with('v') { "v" } else { "" };
        format!("{v}{version}")
    }
}

/// `version` with one of its numbers raised, and those behind it 0.
fn raised(version: &Version, bump: Bump) -> Option<Version> {
    let Version { major, minor, patch, .. } = *version;
    Some(match bump {
        Bump::Major => Version::new(major.checked_add(1)?, 0, 0),
        Bump::Minor => Version::new(major, minor.checked_add(1)?, 0),
        Bump::Patch => Version::new(major, minor, patch.checked_add(1)?),
    })
}

/// The name and the number of a pre-release that is counted: `dev.2`.
fn channel_and_number(pre: &Prerelease) -> Option<(&str, u64)> {
    let (name, number) = pre.split_once('.')?;
    Some((name, number.parse().ok()?))
}

fn numbered(channel: &str, number: u64) -> Option<Prerelease> {
    Prerelease::new(&format!("{channel}.{number}")).ok()
}

/// The commit that says most.
#[derive(Clone, Copy, Debug)]
struct Greatest<'c> {
    bump: Bump,
    commit: &'c Commit,
    /// How many say something.
    of: usize,
}

impl Greatest<'_> {
    fn reason(self, since: Option<&str>) -> String {
        let title = self.commit.message.lines().next().unwrap_or_default();
        let hash = self.commit.hash.get(..10).unwrap_or(&self.commit.hash);
        let more = match self.of - 1 {
            0 => String::new(),
            1 => " and 1 more".to_owned(),
            more => format!(" and {more} more"),
        };
        let since = since.map(|since| format!(" since {since}")).unwrap_or_default();
        format!("{}: `{title}` ({hash}){more}{since}", self.bump)
    }
}

/// The newest of those commits that say most; `None` if nothing is to be released.
fn greatest(commits: &[Commit]) -> Option<Greatest<'_>> {
    let standing = standing(commits);
    let said = standing.iter().filter_map(|commit| {
        let bump = Message::read(&commit.message).ok()?.bump()?;
        Some(Greatest { bump, commit, of: 0 })
    });
    let said: Vec<_> = said.collect();
    let first = said.iter().copied().reduce(|a, b| if b.bump > a.bump { b } else { a })?;
    Some(Greatest { of: said.len(), ..first })
}

#[cfg(test)]
mod tests;
