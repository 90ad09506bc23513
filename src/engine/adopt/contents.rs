//! What is in an asset: fetched, digested, unpacked beside the workspace and looked at.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    path::Path,
};

use futures_util::StreamExt;

use super::{Adopter, naming::read_asset, text::with_version};
use crate::{
    archive::{EntryPolicy, Unpacked, Unpacker},
    cache::stage,
    disk::{Folder, Staging, open_file},
    model::{Digest, Fault, HEADER_BYTES, Header, Kind, Name, read_header},
    store::{Beginnings, BrokenTransfer, Fetcher},
};

/// More programs than these in one asset are not all meant.
const MOST: usize = 8;
/// The packed asset.
const PACKED: &str = "packed";
/// What came out of it.
const UNPACKED: &str = "unpacked";

/// An asset, unpacked.
pub struct FetchedAsset {
    staging: Staging,
    url: String,
    unpacked: Unpacked,
}

/// The programs in an asset.
pub struct Programs {
    /// How many folders are dropped.
    pub strip: usize,
    /// What each is called, and where it is, after `strip`.
    found: BTreeMap<String, String>,
}

/// Fetches the asset at `url`; a bare program is called `program`.
pub async fn fetch(adopter: &Adopter<'_>, url: &str, program: &str) -> Result<FetchedAsset, Fault> {
    let staging = stage(adopter.layout)?;
    let path = staging.path().join(PACKED);
    let fetcher = Fetcher::new(&adopter.settings);
    let mut beginnings = Beginnings::default();
    while let Err(broken) = save(&fetcher, url, staging.folder(), &path).await {
        beginnings.again(broken)?;
    }
    let unpacker = Unpacker {
        program: Some(program.to_owned()),
        keep: EntryPolicy::Possible,
        ..Unpacker::new(url)
    };
    let file = open_file(&path).map_err(|error| cannot("read", &path, &error))?;
    let unpacked = unpacker.unpack(file, &staging.path().join(UNPACKED))?;
    Ok(FetchedAsset { staging, url: url.to_owned(), unpacked })
}

async fn save(
    fetcher: &Fetcher,
    url: &str,
    folder: &Folder,
    path: &Path,
) -> Result<(), BrokenTransfer> {
    let absent = || Fault::new(Kind::Store, format!("{url} is not there"));
    let mut stream = fetcher.get(url).await?.ok_or_else(absent)?;
    // What broke off may be there.
    let _ = folder.remove_file(path);
    let file = folder.create_new(path, 0o600);
    let mut file = file.map_err(|error| cannot("write", path, &error))?;
    while let Some(piece) = stream.bytes.next().await {
        file.write_all(&piece?).map_err(|error| cannot("write", path, &error))?;
    }
    Ok(())
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Fault {
    Fault::io(format!("cannot {what} {}", path.display()), error)
}

impl FetchedAsset {
    /// Its digest.
    pub fn digest(&self) -> Digest {
        Digest::from(self.unpacked.sha256)
    }

    /// Where the file `path` in it is.
    pub fn path(&self, path: &str) -> std::path::PathBuf {
        self.staging.path().join(UNPACKED).join(path)
    }

    /// All files in it.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.unpacked.files.keys().map(String::as_str)
    }

    /// Compares it with the digest that was published.
    pub fn compare(&self, published: &Digest) -> Result<(), Fault> {
        let found = self.digest();
        // Of another algorithm, the run that installs it compares.
        if found.algorithm() != published.algorithm() || found == *published {
            return Ok(());
        }
        Err(Fault::new(Kind::Verification, format!("{} is not what was published", self.url))
            .because(format!("its digest is {found}"))
            .because(format!("published is {published}")))
    }

    /// The programs in it: those that are `named`; or the one that is called like the subsystem, with
    /// those beside it; or all, if there are few.
    pub fn programs(&self, name: &Name, named: &[String]) -> Result<Programs, Fault> {
        let programs = self.all_programs();
        let file_name = |path: &str| {
            let file = path.rsplit('/').next().unwrap_or(path);
            file.strip_suffix(".exe").unwrap_or(file).to_owned()
        };
        let folder = |path: &str| path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let called = name.as_str().rsplit('/').next().unwrap_or_default();
        let lacks = |fault: Fault| {
            let listed: Vec<_> = programs.iter().take(12).map(String::as_str).collect();
            let why = match listed.is_empty() {
                true => "it holds no program".to_owned(),
                false => format!("it holds {}", listed.join(", ")),
            };
            fault.because(why).hint("name what is wanted: `--binary NAME`")
        };
        let what =
            |name: &str| Fault::new(Kind::Usage, format!("{} holds no program `{name}`", self.url));
        let mut chosen: Vec<&String> = Vec::new();
        for binary in named {
            let found = programs.iter().find(|path| file_name(path) == *binary);
            chosen.push(found.ok_or_else(|| lacks(what(binary)))?);
        }
        if chosen.is_empty() {
            let own = programs.iter().find(|path| file_name(path) == called);
            let home = own.or(programs.iter().min_by_key(|path| path.matches('/').count()));
            let home = folder(home.ok_or_else(|| lacks(what(called)))?);
            chosen = programs.iter().filter(|path| folder(path) == home).collect();
            if let (true, Some(own)) = (chosen.len() > MOST, own) {
                chosen = vec![own];
            }
        }
        if chosen.len() > MOST {
            let what = format!("{} holds {} programs", self.url, chosen.len());
            return Err(lacks(Fault::new(Kind::Usage, what)));
        }
        Ok(Programs::from_chosen(&chosen, called, &folder, &file_name))
    }

    /// The paths of all files that are programs.
    fn all_programs(&self) -> Vec<String> {
        let root = self.staging.path().join(UNPACKED);
        let is_program = |path: &&String| {
            let mut head = Vec::new();
            let read = open_file(&root.join(path))
                .and_then(|file| file.take(HEADER_BYTES as u64).read_to_end(&mut head));
            let file = &self.unpacked.files[*path];
            let is_library =
                path.contains(".so") || path.ends_with(".dylib") || path.ends_with(".dll");
            match read.map(|_| read_header(&head)) {
                Ok(Header::Program(_)) => {
                    !is_library && !path.ends_with(".o") && !path.ends_with(".a")
                }
                Ok(Header::Script) => file.executable && !path.ends_with(".sh"),
                _ => false,
            }
        };
        self.unpacked.files.keys().filter(is_program).cloned().collect()
    }
}

impl Programs {
    fn from_chosen(
        chosen: &[&String],
        called: &str,
        folder: &dyn Fn(&str) -> String,
        file_name: &dyn Fn(&str) -> String,
    ) -> Self {
        let first = chosen.first().map(|path| folder(path)).unwrap_or_default();
        let is_one = chosen.iter().all(|path| folder(path) == first);
        let strip = match is_one && !first.is_empty() {
            true => first.split('/').count(),
            false => 0,
        };
        let place = |path: &str| path.splitn(strip + 1, '/').last().unwrap_or(path).to_owned();
        let found = chosen.iter().map(|path| {
            let own = file_name(path);
            // A lone program that is called after its platform is called after the subsystem here.
            let binary =
                if chosen.len() == 1 && read_asset(&own).is_some() { called } else { &own };
            (binary.to_owned(), place(path))
        });
        Self { strip, found: found.collect() }
    }

    /// Their names, for people.
    pub fn shown(&self) -> String {
        self.found.keys().cloned().collect::<Vec<_>>().join(", ")
    }

    /// Their names, unless it is one that is called like the subsystem; that one first.
    pub fn named(&self, name: &Name) -> Vec<String> {
        let called = name.as_str().rsplit('/').next().unwrap_or_default();
        let mut names: Vec<String> = self.found.keys().cloned().collect();
        names.sort_by_key(|binary| binary != called);
        if matches!(names.as_slice(), [one] if one == name.as_str()) {
            names.clear();
        }
        names
    }

    /// Where those are that are called otherwise, with `version` as a template.
    pub fn paths(&self, version: &str) -> BTreeMap<String, String> {
        let plain = |path: &String| path.strip_suffix(".exe").unwrap_or(path).to_owned();
        let other = self.found.iter().filter(|(binary, path)| plain(path) != **binary);
        other.map(|(binary, path)| (binary.clone(), with_version(path, version))).collect()
    }
}
