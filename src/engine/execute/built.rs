//! What a build put into `{{ out }}`: exactly the spec's binaries, each a file of its own.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

use crate::{
    disk::{Folder, open_file},
    model::{BinaryName, Fault, Kind},
};

/// Checks that every binary was built, and removes whatever else was put beside them.
pub(super) fn keep_only(out: &Path, binaries: &[BinaryName]) -> Result<(), Fault> {
    let missing: Vec<_> = binaries.iter().filter(|name| !out.join(name).is_file()).collect();
    let io = |e: &std::io::Error| Fault::io(format!("cannot read {}", out.display()), e);
    let found = fs::read_dir(out)
        .and_then(|entries| entries.collect::<Result<Vec<_>, _>>())
        .map_err(|e| io(&e))?;
    if let Some(name) = missing.first() {
        if let Some(what) = other_than_file(&out.join(name)) {
            return Err(Fault::new(
                Kind::Failed,
                format!("the build made `{name}`, which is not a file"),
            )
            .because(format!("{{{{ out }}}}/{name} is {what}"))
            .hint(format!("let a command of `build:` write a program to {{{{ out }}}}/{name}")));
        }
        let found: Vec<_> =
            found.iter().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        let there = match found.is_empty() {
            true => "nothing was put into {{ out }}".to_owned(),
            false => format!("{{{{ out }}}} holds {}", found.join(", ")),
        };
        return Err(Fault::new(Kind::Failed, format!("the build made no `{name}`"))
            .because(there)
            .hint(format!(
                "let a command of `build:` write it to {{{{ out }}}}/{name}, or correct `binary:`"
            )));
    }
    for name in binaries {
        own_file(out, name).map_err(|e| io(&e))?;
    }
    for entry in
        found.iter().filter(|e| !binaries.iter().any(|name| e.file_name() == name.as_str()))
    {
        let path = entry.path();
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let removed = if is_dir { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(|e| io(&e))?;
    }
    Ok(())
}

/// What is at `path` where a file should be; `None` if nothing is there.
fn other_than_file(path: &Path) -> Option<String> {
    let kind = fs::symlink_metadata(path).ok()?.file_type();
    Some(match fs::read_link(path) {
        Ok(target) if fs::metadata(path).is_ok() => {
            format!("a link to {}, which is not a file", target.display())
        }
        Ok(target) => format!("a link to {}, where nothing is", target.display()),
        Err(_) if kind.is_dir() => "a folder".into(),
        Err(_) => "neither a file nor a folder".into(),
    })
}

/// Makes a binary that is a link, or another name of a file that lies elsewhere, a file of its own:
/// whatever is done to it then is done to nothing else.
fn own_file(out: &Path, name: &BinaryName) -> io::Result<()> {
    const COPY: &str = ".copy";
    let path = out.join(name);
    let metadata = fs::symlink_metadata(&path)?;
    if metadata.is_file() && metadata.nlink() == 1 {
        return Ok(());
    }
    let folder = Folder::open(out)?;
    let mut copy = folder.create_new(Path::new(COPY), 0o755)?;
    io::copy(&mut open_file(&path)?, &mut copy)?;
    folder.rename(Path::new(COPY), &folder, name.as_ref())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn an_output_that_is_a_link_becomes_a_file_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let (out, source) = (dir.path().join("out"), dir.path().join("source"));
        fs::create_dir(&out).unwrap();
        fs::write(&source, "#!/bin/sh\n").unwrap();
        symlink(&source, out.join("soft")).unwrap();
        fs::hard_link(&source, out.join("hard")).unwrap();
        symlink("soft", out.join("other")).unwrap();
        let names = ["soft", "hard"].map(|name| BinaryName::new(name).unwrap());
        keep_only(&out, &names).unwrap();
        for name in &names {
            let file = out.join(name);
            let metadata = fs::symlink_metadata(&file).unwrap();
            assert!(metadata.is_file() && metadata.nlink() == 1, "{name}");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o500)).unwrap();
        }
        assert_eq!(fs::read_to_string(&source).unwrap(), "#!/bin/sh\n");
        assert_eq!(fs::metadata(&source).unwrap().permissions().mode() & 0o200, 0o200);
        symlink(dir.path(), out.join("folder")).unwrap();
        assert!(keep_only(&out, &[BinaryName::new("folder").unwrap()]).is_err());
    }

    #[test]
    fn what_is_there_and_is_no_file_is_not_called_absent() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path();
        fs::create_dir(out.join("folder")).unwrap();
        symlink("nowhere", out.join("dangling")).unwrap();
        symlink("folder", out.join("linked")).unwrap();
        drop(std::os::unix::net::UnixListener::bind(out.join("socket")).unwrap());
        for (name, told) in [
            ("folder", "made `folder`, which is not a file: {{ out }}/folder is a folder"),
            ("dangling", "{{ out }}/dangling is a link to nowhere, where nothing is"),
            ("linked", "{{ out }}/linked is a link to folder, which is not a file"),
            ("socket", "{{ out }}/socket is neither a file nor a folder"),
            ("absent", "the build made no `absent`: {{ out }} holds "),
        ] {
            let fault = keep_only(out, &[BinaryName::new(name).unwrap()]).unwrap_err();
            assert!(fault.to_string().contains(told), "{fault}");
        }
    }
}
