//! What a Dockerfile sees of the workspace: the files of its context that count, less those that
//! `.dockerignore` names.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::ignore::DockerIgnore;
use crate::{
    disk::{Folder, MOST_OF_TEXT, is_absent, open_file, read_text},
    model::{Checksum, Fault, Kind},
    walk::{self, InputFile, InputKind, Walker, letter_of_file},
    workspace::Dockerfile,
};

/// The name of the file that says what stays out.
const IGNORE: &str = ".dockerignore";

/// A Dockerfile with all that it sees.
#[derive(Clone, Debug)]
pub struct DockerContext {
    /// The Dockerfile itself.
    pub text: String,
    /// By where they are in the context, in order.
    files: Vec<(String, InputFile)>,
}

impl DockerContext {
    /// The context of `dockerfile`, in the workspace at `root`.
    ///
    /// # Errors
    /// `Usage` if there is no such Dockerfile; `Failed` if files cannot be read.
    pub fn find(root: &Path, walker: &Walker, dockerfile: &Dockerfile) -> Result<Self, Fault> {
        let path = root.join(&dockerfile.path);
        let text = read_text(&path, MOST_OF_TEXT).map_err(|error| {
            let what = format!("cannot read {}", dockerfile.path.display());
            Fault { kind: Kind::Usage, ..Fault::io(what, &error) }
        })?;
        let context = root.join(&dockerfile.context);
        let ignore = ignore(&path, &context)?;
        let listing = walker.list(&context).map_err(|error| {
            Fault::io(format!("cannot list {}", dockerfile.context.display()), &error)
        })?;
        let mut files = Vec::new();
        for input in listing.inputs {
            let Ok(below) = input.path.strip_prefix(&context) else { continue };
            let name = below.to_string_lossy().into_owned();
            if !(name.is_empty() || name == IGNORE || ignore.ignores(&name)) {
                files.push((name, input));
            }
        }
        files.sort();
        Ok(Self { text, files })
    }

    /// The digest of the Dockerfile and of each file that it sees.
    ///
    /// # Errors
    /// `Failed` if they cannot be read.
    pub fn digest(&self) -> Result<[u8; 32], Fault> {
        let mut all = Checksum::new();
        all.update(format!("{}\0{}", self.text.len(), self.text).as_bytes());
        for (name, input) in &self.files {
            let digest = walk::read(input).map_err(|error| unreadable(&input.path, &error))?;
            all.update(format!("{}\0{name}\0{}\0", name.len(), digest.letter).as_bytes());
            all.update(&digest.checksum);
        }
        Ok(all.finish())
    }

    /// Copies what the Dockerfile sees to the new folder `name` in `folder`: with modes as git knows
    /// them, so that it is the same in each clone.
    ///
    /// # Errors
    /// `Failed` if it cannot be read or written.
    pub fn stage(&self, folder: &Folder, name: &str) -> Result<PathBuf, Fault> {
        let to = Path::new(name);
        let copy = || -> io::Result<()> {
            folder.make_new_folder(to)?;
            for (name, input) in &self.files {
                stage_one(folder, &to.join(name), input)
                    .map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
            }
            Ok(())
        };
        copy().map_err(|error| Fault::io("cannot copy what the Dockerfile sees", &error))?;
        Ok(folder.path().join(to))
    }
}

fn stage_one(folder: &Folder, to: &Path, input: &InputFile) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        folder.make_folder(parent)?;
    }
    match input.kind {
        InputKind::EmptyFolder => folder.make_folder(to).map(drop),
        InputKind::Link => folder.symlink(&fs::read_link(&input.path)?, to),
        InputKind::File => {
            let mut from = open_file(&input.path)?;
            let mode = if letter_of_file(&from.metadata()?) == 'x' { 0o755 } else { 0o644 };
            let mut file = folder.create_new(to, mode)?;
            io::copy(&mut from, &mut file)?;
            // Whatever the user's mask is.
            file.set_permissions(fs::Permissions::from_mode(mode))
        }
    }
}

/// What stays out: as the file beside the Dockerfile says, or else that in the context.
fn ignore(dockerfile: &Path, context: &Path) -> Result<DockerIgnore, Fault> {
    let mut own = dockerfile.as_os_str().to_owned();
    own.push(IGNORE);
    for path in [PathBuf::from(own), context.join(IGNORE)] {
        match read_text(&path, MOST_OF_TEXT) {
            Ok(text) => return Ok(DockerIgnore::parse(&text)),
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(unreadable(&path, &error)),
        }
    }
    Ok(DockerIgnore::default())
}

fn unreadable(path: &Path, error: &io::Error) -> Fault {
    Fault::io(format!("cannot read {}", path.display()), error)
}
