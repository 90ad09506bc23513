//! `forge self-update`: another version of this program, from where forge is released.
//!
//! What comes is verified by the digest that its release publishes, tried once, and takes the place of
//! this program in one step. `install.sh` goes by the same places and names.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{
    archive::{EntryPolicy, Hasher, Unpacker},
    disk::{Folder, Staging},
    model::{Fault, Kind, Platform, Precedence, Sha256},
    process::{Command, CommandLine, CommandRunner},
    store::{self, Store, StoreUrl, published_digest},
};

use super::{CliError, own, session::Session};

/// The variable that says where releases of forge are; `install.sh` knows it too.
pub(super) const SOURCE: &str = "FORGE_SOURCE";
/// How the tags of forge's own releases begin.
const TAG: &str = "forge-";
/// The program in the asset.
const PROGRAM: &str = "forge";
/// More bytes than this are no release of forge.
const MOST_BYTES: u64 = 256 << 20;
/// How long the new program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct UpdateRequest<'a> {
    /// The version; the newest if absent.
    pub(super) version: Option<&'a str>,
    /// Whether it is only said what would come.
    pub(super) is_check: bool,
    /// Where releases of forge are.
    pub(super) source: Option<&'a str>,
}

/// Replaces this program.
pub(super) fn self_update(session: &Session, request: UpdateRequest<'_>) -> Result<u8, CliError> {
    let (_, store) = releases_of_forge(session, request.source)?;
    let runtime = session.host.runtime()?;
    let wanted = match request.version {
        Some(version) => version.trim_start_matches('v').to_owned(),
        None => runtime.wait_for(newest(&*store))?,
    };
    if request.is_check || session.flags.dry_run {
        print_newer(session, &wanted, &*store)?;
        return Ok(0);
    }
    if wanted == own::VERSION && !session.flags.force {
        session.say(&format!("this is forge {wanted} already\n"))?;
        return Ok(0);
    }
    if request.version.is_none() && !is_newer(&wanted) && !session.flags.force {
        let this = own::VERSION;
        session.say(&format!("forge {this} is newer than the newest release, {wanted}\n"))?;
        return Ok(0);
    }
    let place = place()?;
    let new = ReleasedForge::for_version(&wanted, session.platform());
    let bytes = runtime.wait_for(new.fetch(&*store))?;
    install(session, &new, &bytes, &place)?;
    session.say(&format!(
        "forge {wanted} takes the place of {}: {}\n",
        own::VERSION,
        place.display()
    ))?;
    Ok(0)
}

/// The store with releases of forge that `said`, the environment or this program names.
///
/// # Errors
/// `Usage` if nobody names one, or what is named is none.
pub(super) fn releases_of_forge(
    session: &Session,
    said: Option<&str>,
) -> Result<(StoreUrl, Arc<dyn Store>), Fault> {
    let environment = session.host.environment();
    let said = said.or_else(|| environment.get(SOURCE)).or(own::repository());
    let Some(said) = said.filter(|said| !said.is_empty()) else {
        return Err(Fault::new(Kind::Usage, "nothing says where releases of forge are")
            .hint(format!("name the place: `--from github:OWNER/REPO`, or by {SOURCE}")));
    };
    let url = StoreUrl::parse(&as_store(said)).map_err(|why| Fault::new(Kind::Usage, why))?;
    let store = store::open(&url, &session.settings_at(session.folder()?))?;
    Ok((url, store))
}

/// A place of releases as `releases:` would name it: a folder, a page of GitHub or its downloads too.
fn as_store(said: &str) -> String {
    let said = said.trim_end_matches('/');
    let page = said.trim_end_matches("/releases/download").trim_end_matches(".git");
    if let Some(rest) = page.strip_prefix("https://github.com/") {
        return format!("github:{rest}");
    }
    let is_web = said.starts_with("https://") || said.starts_with("http://");
    if is_web && said.ends_with("/releases/download") {
        return format!("github:{page}");
    }
    match said.contains(':') {
        true => said.to_owned(),
        false => format!("dir:{said}"),
    }
}

/// The newest version that is not a pre-release.
async fn newest(store: &dyn Store) -> Result<String, Fault> {
    let releases = store
        .releases()
        .await
        .map_err(|fault| fault.hint("name a version: `forge self-update v0.1.0`"))?;
    let version = |tag: &str| tag.strip_prefix(TAG)?.strip_prefix('v').map(str::to_owned);
    let known = releases.iter().filter(|release| !release.is_draft && !release.is_prerelease);
    let versions = known.filter_map(|release| version(&release.tag));
    let ranked = versions.filter_map(|version| Some((Precedence::parse(&version)?, version)));
    let stable = ranked.filter(|(precedence, _)| precedence.is_stable());
    let newest = stable.max_by(|(a, _), (b, _)| a.cmp(b)).map(|(_, version)| version);
    newest.ok_or_else(|| {
        Fault::new(Kind::Store, format!("{} has no release of forge", store.url()))
            .because(format!("none of its {} releases is called {TAG}vX.Y.Z", releases.len()))
    })
}

/// Whether `version` is newer than this program.
fn is_newer(version: &str) -> bool {
    Precedence::parse(version) > Precedence::parse(own::VERSION)
}

fn print_newer(session: &Session, wanted: &str, store: &dyn Store) -> Result<(), Fault> {
    if session.flags.json {
        let document = serde_json::json!({
            "schema": 1,
            "current": own::VERSION,
            "wanted": wanted,
            "is_newer": is_newer(wanted),
            "source": store.url(),
        });
        return session.say(&format!("{document:#}\n"));
    }
    session.say(&match is_newer(wanted) {
        true => format!("forge {wanted} is there, this is {}: `forge self-update`\n", own::VERSION),
        false => format!("this is forge {}; there is {wanted}\n", own::VERSION),
    })
}

/// The file of this program, which gets replaced.
fn place() -> Result<PathBuf, Fault> {
    let place = std::env::current_exe().and_then(|place| place.canonicalize());
    let place = place.map_err(|e| Fault::io("cannot tell where this program is", &e))?;
    if place.iter().any(|part| part == ".forge") {
        let what = format!("{} is not replaced", place.display());
        return Err(Fault::new(Kind::Usage, what)
            .because("a workspace pins this forge")
            .hint("`forge bump forge` there pins another one"));
    }
    Ok(place)
}

/// A release of forge, for one platform.
pub(super) struct ReleasedForge {
    version: String,
    tag: String,
    asset: String,
}

impl ReleasedForge {
    /// The one of `version`, which is written without a `v`.
    pub(super) fn for_version(version: &str, platform: Platform) -> Self {
        let (tag, asset) = (format!("{TAG}v{version}"), format!("{PROGRAM}-{platform}.tar.gz"));
        Self { version: version.to_owned(), tag, asset }
    }

    fn label(&self) -> String {
        format!("{}/{}", self.tag, self.asset)
    }

    /// Its bytes, verified.
    async fn fetch(&self, store: &dyn Store) -> Result<Vec<u8>, Fault> {
        let nothing = || {
            Fault::new(Kind::Store, format!("{} has no {}", store.url(), self.label()))
                .hint("`forge self-update --check` says which version there is")
        };
        let info = store.find(&self.tag, &self.asset).await?;
        info.ok_or_else(nothing)?;
        let expected = self.digest(store).await?;
        let bytes = store::read_bytes(store, &self.tag, &self.asset, MOST_BYTES).await?;
        let bytes = bytes.ok_or_else(nothing)?;
        let mut hasher = Hasher::new();
        hasher.update(&bytes);
        let actual = hasher.finish();
        let refused = |why: String| {
            Fault::new(Kind::Verification, format!("{} is not taken", self.label()))
                .because(why)
                .hint("nothing was replaced; find out what happened to the release")
        };
        match expected {
            Some(expected) if expected == actual => Ok(bytes),
            Some(expected) => {
                Err(refused(format!("its sha256 is {actual}, published is {expected}")))
            }
            None => Err(refused("no digest is published beside it".into())),
        }
    }

    /// Its digest: the one that is published beside it, or else the one that the store knows.
    pub(super) async fn digest(&self, store: &dyn Store) -> Result<Option<Sha256>, Fault> {
        let published = published_digest(store, &self.tag, &self.asset).await?;
        let info = store.find(&self.tag, &self.asset).await?;
        let known = info.and_then(|info| info.sha256);
        match (published, known) {
            (Some(published), Some(known)) if published != known => {
                let what = format!("{} has two digests", self.label());
                Err(Fault::new(Kind::Verification, what)
                    .because(format!("published is {published}, {} knows {known}", store.url())))
            }
            _ => Ok(published.or(known)),
        }
    }
}

/// Puts the program in `bytes` to `place`, in one step, after it has said its version.
fn install(
    session: &Session,
    new: &ReleasedForge,
    bytes: &[u8],
    place: &Path,
) -> Result<(), CliError> {
    let cannot = |error: &std::io::Error| {
        Fault::io(format!("cannot replace {}", place.display()), error).hint(
            "whoever installed it there can replace it; install.sh installs a forge of your own",
        )
    };
    let (Some(folder), Some(name)) = (place.parent(), place.file_name()) else {
        return Err(Fault::new(Kind::Failed, "this program is in no folder").into());
    };
    let folder = Folder::open(folder).map_err(|e| cannot(&e))?;
    let staging = Staging::new(&folder, Path::new("")).map_err(|e| cannot(&e))?;
    let keep = EntryPolicy::Only(BTreeSet::from([PROGRAM.to_owned()]));
    let unpacker = Unpacker { keep, ..Unpacker::new(new.label()) };
    let unpacked = unpacker.unpack(bytes, staging.path())?;
    if !unpacked.files.contains_key(PROGRAM) {
        let what = format!("{} holds no program called {PROGRAM}", new.label());
        return Err(Fault::new(Kind::Verification, what).into());
    }
    try_once(session, new, &staging.path().join(PROGRAM))?;
    let taken = staging.folder().rename(Path::new(PROGRAM), &folder, Path::new(name));
    taken.map_err(|e| cannot(&e))?;
    Ok(())
}

/// Asks the new program for its version.
fn try_once(session: &Session, new: &ReleasedForge, program: &Path) -> Result<(), Fault> {
    let line = CommandLine::Argv(vec![program.display().to_string(), "--version".into()]);
    let folder = program.parent().unwrap_or(Path::new("/"));
    let command = Command { timeout: Some(PATIENCE), ..Command::new(line, folder) };
    let mut said = String::new();
    let runner = session.host.runner(1);
    let mut hear = |line: &str| said.push_str(line);
    let ended = session.host.runtime()?.block_on(runner.run(&command, &mut hear));
    let refused = |why: String| {
        Fault::new(Kind::Verification, format!("{} does not run here", new.label()))
            .because(why)
            .hint("nothing was replaced")
    };
    ended.map_err(|fault| refused(format!("{fault} {said}")))?;
    let is_it = said.split_whitespace().any(|word| word == new.version);
    match is_it {
        true => Ok(()),
        false => Err(refused(format!("asked for its version it says `{said}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_named_as_install_sh_takes_them() {
        for (said, store) in [
            ("https://github.com/o/r", "github:o/r"),
            ("https://github.com/o/r.git", "github:o/r"),
            ("https://github.com/o/r/releases/download/", "github:o/r"),
            ("https://ghe.example.org/o/r/releases/download", "github:https://ghe.example.org/o/r"),
            ("https://example.org/forge", "https://example.org/forge"),
            ("github:o/r", "github:o/r"),
            ("/srv/forge", "dir:/srv/forge"),
            ("dir:../releases", "dir:../releases"),
        ] {
            assert_eq!(as_store(said), store, "{said}");
            StoreUrl::parse(&as_store(said)).unwrap();
        }
    }
}
