//! Tools of others that join a workspace: which version there is, which assets, and what the spec says.
//!
//! ```text
//! Origin ─┬─ go, crate ─ versions (Asker) ──────────────────────────> install_spec ─┐
//!         └─ github, url ─ assets (naming) ─ one fetched, looked into ─> UpstreamSpec ┴> Adoption
//! ```
//!
//! What is guessed from names is shown, and proven by installing what came out.

mod bins;
mod contents;
mod import;
mod known;
mod naming;
mod origin;
mod text;

use std::collections::{BTreeMap, BTreeSet};

pub use import::{ImportOutcome, ImportedLine, ImportedWorkspace, import};
pub use known::{KnownTool, known_tool, published_sums};
pub use naming::{AssetReading, assets_by_platform, checksums_of, read_asset};
pub use origin::Origin;

use crate::{
    model::{Digest, Fault, Kind, Layout, Name, Platform, Version, nearest},
    store::{self, Fetcher, ReleaseInfo, StoreSettings, StoreUrl, find_digest},
    upgrade::{Asker, ListedVersions, OfferFilter, Offers},
    workspace::Index,
};
use contents::{FetchedAsset, fetch};
use text::{NameTemplate, SpecDigest, UpstreamSpec, install_spec, version_in, with_version};

/// Platforms that a spec is written for if the vendor has something for them.
const USUAL: [&str; 5] =
    ["linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64", "windows-amd64"];
/// The longest file with checksums that is read, in bytes.
const MAX_SUMS: u64 = 4 << 20;

/// What is to join.
#[derive(Clone, Debug)]
pub struct AdoptRequest {
    /// As it was written.
    pub added: String,
    /// Where it comes from.
    pub origin: Origin,
    /// What it is called, if somebody says so.
    pub name: Option<String>,
    /// Its binaries, if somebody says so.
    pub binaries: Vec<String>,
    /// Whether a pre-release is taken too.
    pub pre: bool,
}

impl AdoptRequest {
    /// The command that says all of it.
    fn command(&self) -> String {
        format!("forge add {}", self.added)
    }

    /// What joins without anybody being asked: a tool that forge knows with its digests, at that version.
    ///
    /// # Errors
    /// `Usage` if its name cannot be one here.
    pub fn pinned(&self) -> Result<Option<Adoption>, Fault> {
        let Origin::Known(tool) = self.origin else { return Ok(None) };
        let Some(version) = tool.pinned_version() else { return Ok(None) };
        let name = self.called()?;
        let spec = tool.spec(name.as_str(), version, &self.command(), "https://github.com");
        let notes =
            vec![format!("{} {version}, with the digests that forge knows", tool.repository)];
        let binaries = vec![tool.binary().to_owned()];
        Ok(Some(Adoption { name, version: version.to_owned(), spec, binaries, notes }))
    }

    fn called(&self) -> Result<Name, Fault> {
        let called = self.name.clone().unwrap_or_else(|| self.origin.usual_name());
        Name::new(&called).map_err(|why| {
            Fault::new(Kind::Usage, format!("`{called}` cannot be added"))
                .because(why)
                .hint("name it: `--name NAME`")
        })
    }
}

/// What joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// What it is called.
    pub name: Name,
    /// Its version.
    pub version: String,
    /// The text of its spec.
    pub spec: String,
    /// The binaries that it yields.
    pub binaries: Vec<String>,
    /// What was found and guessed, a line each.
    pub notes: Vec<String>,
}

/// Who looks at what upstream has.
pub struct Adopter<'a> {
    /// Who asks for versions.
    pub asker: &'a Asker<'a>,
    /// How stores and fetches behave.
    pub settings: StoreSettings,
    /// Where half-made things go.
    pub layout: &'a Layout,
    /// The platforms of the workspace.
    pub platforms: Vec<Platform>,
    /// The platform that it is tried on.
    pub host: Platform,
}

impl Adopter<'_> {
    /// What joins as `wish` says.
    ///
    /// # Errors
    /// `Store` if upstream does not know it, or has nothing for this platform; `Usage` if its name or
    /// version cannot be one here.
    pub async fn adopt(&self, wish: &AdoptRequest) -> Result<Adoption, Fault> {
        let name = wish.called()?;
        match &wish.origin {
            Origin::Go { path, version } => self.go(wish, name, path, version.as_deref()).await,
            Origin::Crate { name: of, version } => {
                self.crate_(wish, name, of, version.as_deref()).await
            }
            Origin::GitHub { owner, repo, version } => {
                self.github(wish, name, (owner, repo), version.as_deref()).await
            }
            Origin::Known(tool) => {
                let (owner, repo) = tool.repository.split_once('/').unwrap_or_default();
                self.github(wish, name, (owner, repo), None).await
            }
            Origin::Url(url) => self.url(wish, name, url).await,
        }
    }

    async fn go(
        &self,
        wish: &AdoptRequest,
        name: Name,
        path: &str,
        version: Option<&str>,
    ) -> Result<Adoption, Fault> {
        let index = Index::Go { path: path.to_owned(), is_module: false };
        let version = self.version_of(&index, version, wish.pre).await?;
        let mut binaries = wish.binaries.clone();
        let built = Origin::Go { path: path.to_owned(), version: None }.usual_name();
        if binaries.is_empty() && built != name.as_str() {
            binaries.push(built);
        }
        let spec = install_spec(&wish.command(), &binaries, "go", path);
        let notes = vec![format!("{index} has {version}")];
        Ok(Adoption { binaries: or_name(binaries, &name), name, version, spec, notes })
    }

    async fn crate_(
        &self,
        wish: &AdoptRequest,
        name: Name,
        of: &str,
        version: Option<&str>,
    ) -> Result<Adoption, Fault> {
        let index = Index::Crate(of.to_owned());
        let version = self.version_of(&index, version, wish.pre).await?;
        let mut notes = vec![format!("{index} has {version}")];
        let mut binaries = wish.binaries.clone();
        if binaries.is_empty() {
            binaries = bins::of_crate(self, of, &version).await?;
            notes.push(format!("it yields {}", binaries.join(", ")));
        }
        if matches!(binaries.as_slice(), [one] if one == name.as_str()) {
            binaries.clear();
        }
        let spec = install_spec(&wish.command(), &binaries, "cargo", of);
        Ok(Adoption { binaries: or_name(binaries, &name), name, version, spec, notes })
    }

    /// The version `wanted` of what `index` lists, or the newest.
    async fn version_of(
        &self,
        index: &Index,
        wanted: Option<&str>,
        pre: bool,
    ) -> Result<String, Fault> {
        let mut answers = self.asker.ask(BTreeSet::from([index]), wanted).await;
        let listed = answers.remove(index).unwrap_or_else(|| Ok(Vec::new()))?;
        let offers = Offers::as_listed(&listed);
        match wanted {
            Some(wanted) => {
                let with_v = format!("v{wanted}");
                let known = [wanted, &with_v].into_iter().find(|text| offers.get(text).is_some());
                known.map(str::to_owned).ok_or_else(|| {
                    let fault =
                        Fault::new(Kind::Store, format!("{index} has no version `{wanted}`"));
                    match nearest(wanted, offers.versions()) {
                        Some(near) => fault.hint(format!("did you mean `{near}`?")),
                        None => fault,
                    }
                })
            }
            None => {
                let newest = offers.newest("main", OfferFilter { pre, major: true });
                let newest = newest.map(|offer| offer.version.clone());
                newest.ok_or_else(|| no_release(&index.to_string(), &listed))
            }
        }
    }

    async fn github(
        &self,
        wish: &AdoptRequest,
        name: Name,
        (owner, repo): (&str, &str),
        version: Option<&str>,
    ) -> Result<Adoption, Fault> {
        let url = StoreUrl::parse(&format!("github:{owner}/{repo}"))
            .map_err(|why| Fault::new(Kind::Usage, why))?;
        let releases = store::open(&url, &self.settings)?.releases().await?;
        let release = chosen(&url.to_string(), &releases, version, repo, wish.pre)?;
        let Some((before, version)) = version_in(&release.tag) else {
            let what = format!("the tag `{}` of {url} holds no version", release.tag);
            return Err(
                Fault::new(Kind::Usage, what).hint("write the spec by hand: `forge help spec`")
            );
        };
        let names: Vec<&str> = release.assets.iter().map(|asset| asset.name.as_str()).collect();
        let assets = self.assets(&names, &release.tag, &url.to_string())?;
        let server = self.settings.environment.get("GITHUB_SERVER_URL");
        let server =
            server.filter(|it| !it.is_empty()).map_or("https://github.com", |it| it.as_str());
        let folder = format!("{}/{owner}/{repo}/releases/download", server.trim_end_matches('/'));
        let link = |asset: &str| format!("{folder}/{}/{asset}", release.tag.replace('/', "%2F"));
        let own = &assets[&self.host];
        let fetched = fetch(self, &link(own), name.as_str()).await?;
        let tag = format!("{}{{{{ version }}}}", before.replace('/', "%2F"));
        let templates =
            assets.iter().map(|(platform, asset)| (*platform, with_version(asset, version)));
        let template = NameTemplate::from_names(&templates.collect());
        let sums = checksums_of(&names, own);
        let digest = match sums {
            Some(sums) if sums.starts_with(own.as_str()) => {
                let ending = &sums[own.len()..];
                self.published(&link(sums), own, &fetched).await?;
                SpecDigest::Published(format!("{folder}/{tag}/{}{ending}", template.text))
            }
            Some(sums) => {
                self.published(&link(sums), own, &fetched).await?;
                SpecDigest::Published(format!("{folder}/{tag}/{}", with_version(sums, version)))
            }
            None => SpecDigest::Pinned(self.digests(&assets, release, &link, &fetched).await?),
        };
        let mut notes = vec![format!("{url} has {} with {} assets", release.tag, names.len())];
        notes.extend(assets.iter().map(|(platform, asset)| format!("{platform}: {asset}")));
        notes.push(match (&digest, sums) {
            (SpecDigest::Published(_), Some(sums)) => format!("digests: published in {sums}"),
            _ => "digests: pinned in the spec, since the release publishes none".to_owned(),
        });
        let binaries = fetched.programs(&name, &wish.binaries)?;
        notes.push(format!("{own} holds {}", binaries.shown()));
        let spec = UpstreamSpec {
            command: wish.command(),
            binaries: binaries.named(&name),
            url: format!("{folder}/{tag}/{}", template.text),
            words: template.words,
            digest,
            strip: binaries.strip,
            paths: binaries.paths(version),
        };
        let (version, binaries) = (version.to_owned(), or_name(spec.binaries.clone(), &name));
        Ok(Adoption { name, version, spec: spec.text(), binaries, notes })
    }

    /// The asset for each platform that has one; for this machine's there must be one.
    fn assets(
        &self,
        names: &[&str],
        tag: &str,
        place: &str,
    ) -> Result<BTreeMap<Platform, String>, Fault> {
        let mut wanted: BTreeSet<Platform> = self.platforms.iter().copied().collect();
        wanted.extend(USUAL.iter().filter_map(|platform| platform.parse::<Platform>().ok()));
        wanted.insert(self.host);
        let wanted: Vec<Platform> = wanted.into_iter().collect();
        let found = assets_by_platform(names.iter().copied(), &wanted);
        let found: BTreeMap<Platform, String> =
            found.into_iter().map(|(platform, name)| (platform, name.to_owned())).collect();
        if found.contains_key(&self.host) {
            return Ok(found);
        }
        let what = format!("release {tag} of {place} has no asset for {}", self.host);
        let listed = match names {
            [] => "it has no assets".to_owned(),
            names => {
                format!("it has {}", names.iter().take(12).copied().collect::<Vec<_>>().join(", "))
            }
        };
        Err(Fault::new(Kind::Store, what)
            .because(listed)
            .hint("if it can be built: `forge add go:MODULE` or `forge add crate:NAME`"))
    }

    /// Compares what was fetched with the checksums at `url`.
    async fn published(&self, url: &str, asset: &str, fetched: &FetchedAsset) -> Result<(), Fault> {
        let text = Fetcher::new(&self.settings).get_text(url, MAX_SUMS).await?;
        let text = text.ok_or_else(|| Fault::new(Kind::Store, format!("{url} is not there")))?;
        let digest = find_digest(&text, asset)
            .map_err(|why| Fault::new(Kind::Store, format!("{url} cannot be used")).because(why))?;
        fetched.compare(&digest)
    }

    /// The digests of `assets`: as the release says, or of what is fetched for that.
    async fn digests(
        &self,
        assets: &BTreeMap<Platform, String>,
        release: &ReleaseInfo,
        link: &dyn Fn(&str) -> String,
        fetched: &FetchedAsset,
    ) -> Result<BTreeMap<Platform, Digest>, Fault> {
        let mut digests = BTreeMap::from([(self.host, fetched.digest())]);
        for (platform, asset) in assets.iter().filter(|(platform, _)| **platform != self.host) {
            let known = release.assets.iter().find(|it| it.name == *asset).and_then(|it| it.sha256);
            let digest = match known {
                Some(sha256) => Digest::from(sha256),
                // Fetching all that could be wanted one day would take long.
                None if !self.platforms.contains(platform) => continue,
                None => fetch(self, &link(asset), "program").await?.digest(),
            };
            digests.insert(*platform, digest);
        }
        Ok(digests)
    }

    async fn url(&self, wish: &AdoptRequest, name: Name, url: &str) -> Result<Adoption, Fault> {
        let file = url.rsplit('/').next().unwrap_or(url);
        let version = version_of_url(url).ok_or_else(|| {
            Fault::new(Kind::Usage, format!("cannot tell the version of {url}"))
                .because("a version is one like 1.2.3 in a URL")
                .hint("write the spec by hand: `forge help spec`")
        })?;
        let platforms = read_asset(file).map_or(vec![self.host], |reading| reading.platforms);
        let fetched = fetch(self, url, name.as_str()).await?;
        let binaries = fetched.programs(&name, &wish.binaries)?;
        let digests = platforms.iter().map(|platform| (*platform, fetched.digest())).collect();
        let shown: Vec<String> = platforms.iter().map(ToString::to_string).collect();
        let notes = vec![
            format!("{file} is for {}", shown.join(", ")),
            format!("it holds {}", binaries.shown()),
        ];
        let spec = UpstreamSpec {
            command: wish.command(),
            binaries: binaries.named(&name),
            url: with_version(url, version),
            words: BTreeMap::new(),
            digest: SpecDigest::Pinned(digests),
            strip: binaries.strip,
            paths: binaries.paths(version),
        };
        let (version, binaries) = (version.to_owned(), or_name(spec.binaries.clone(), &name));
        Ok(Adoption { name, version, spec: spec.text(), binaries, notes })
    }
}

/// `binaries`; the one that is called like `name` if none are named.
fn or_name(binaries: Vec<String>, name: &Name) -> Vec<String> {
    if binaries.is_empty() { vec![name.to_string()] } else { binaries }
}

/// The release of `place` that is meant by `version`, or the newest that is no draft.
fn chosen<'r>(
    place: &str,
    releases: &'r [ReleaseInfo],
    version: Option<&str>,
    repo: &str,
    pre: bool,
) -> Result<&'r ReleaseInfo, Fault> {
    let public = || releases.iter().filter(|release| !release.is_draft);
    if let Some(wanted) = version {
        let is_meant = |release: &&ReleaseInfo| {
            let version = version_in(&release.tag).map_or("", |(_, version)| version);
            release.tag == wanted
                || version.trim_start_matches('v') == wanted.trim_start_matches('v')
        };
        return public().find(is_meant).ok_or_else(|| {
            let fault = Fault::new(Kind::Store, format!("{place} has no release `{wanted}`"));
            match nearest(wanted, public().map(|release| release.tag.as_str())) {
                Some(near) => fault.hint(format!("did you mean `{near}`?")),
                None => fault,
            }
        });
    }
    // A repository of several components has tags of each; the one called like it is meant.
    let mut lines: BTreeMap<&str, Vec<ListedVersions>> = BTreeMap::new();
    for release in public() {
        if let Some((before, version)) = version_in(&release.tag) {
            let is_pre = release.is_prerelease;
            let listed = ListedVersions { is_pre, ..ListedVersions::named(version) };
            lines.entry(before).or_default().push(listed);
        }
    }
    let rank = |(before, listed): &(&&str, &Vec<ListedVersions>)| {
        let own = before.trim_end_matches(['-', '/', '_']);
        (own.is_empty() || own.eq_ignore_ascii_case(repo), listed.len())
    };
    let line = lines.iter().max_by_key(rank);
    let newest = line.and_then(|(before, listed)| {
        let offers = Offers::as_listed(listed);
        let newest = offers.newest("main", OfferFilter { pre, major: true })?;
        let tag = format!("{before}{}", newest.version);
        public().find(|release| release.tag == tag)
    });
    newest.ok_or_else(|| {
        let listed: Vec<_> = public().map(|it| ListedVersions::named(it.tag.clone())).collect();
        no_release(place, &listed)
    })
}

fn no_release(place: &str, listed: &[ListedVersions]) -> Fault {
    let fault = Fault::new(Kind::Store, format!("{place} has no release"));
    match listed.first() {
        None => fault.because("it lists none"),
        Some(first) => fault
            .because(format!("it lists only pre-releases and others, such as {}", first.name))
            .hint("`--pre` takes pre-releases too; `@VERSION` names one"),
    }
}

/// The version in a URL: the last in it that has a dot.
fn version_of_url(url: &str) -> Option<&str> {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = path.split_once('/').map_or("", |(_, path)| path);
    let shape = regex::Regex::new(r"v?[0-9]+(?:\.[0-9]+)+(?:-(?:rc|alpha|beta)\.?[0-9]+)?").ok()?;
    let found = shape.find_iter(path).last()?.as_str();
    // Where it is there with a `v` too, that one is pinned: both follow from it.
    let with_v = path.find(&format!("v{found}")).and_then(|at| path.get(at..=at + found.len()));
    let version = with_v.unwrap_or(found);
    Version::new(version).is_ok().then_some(version)
}
