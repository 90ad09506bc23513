//! No link is followed, on the way or at the end, and changes are made in one step.

use std::os::unix::fs::symlink;

use super::*;

struct Scene {
    _dir: tempfile::TempDir,
    own: Folder,
    elsewhere: PathBuf,
}

/// A folder of forge's with a link `out` in it that leads elsewhere.
fn scene() -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let (own, elsewhere) = (dir.path().join("own"), dir.path().join("elsewhere"));
    fs::create_dir_all(elsewhere.join("docs")).unwrap();
    fs::write(elsewhere.join("notes"), "precious").unwrap();
    fs::create_dir(&own).unwrap();
    symlink(&elsewhere, own.join("out")).unwrap();
    symlink(elsewhere.join("notes"), own.join("file")).unwrap();
    Scene { own: Folder::open(&own).unwrap(), elsewhere, _dir: dir }
}

fn refused<T>(done: io::Result<T>) {
    let error = done.err().expect("a link was followed").to_string();
    assert!(error.contains("is a symbolic link"), "{error}");
}

#[test]
fn no_link_on_the_way_is_followed() {
    let Scene { own, elsewhere, _dir } = scene();
    fs::write(own.path().join("own"), "x").unwrap();
    let at = |name: &str| Path::new("out").join(name);
    refused(own.folder(Path::new("out")));
    refused(own.make_folder(&at("new")));
    refused(own.make_new_folder(&at("new")));
    refused(own.create_new(&at("new"), 0o600));
    refused(own.open_or_create(&at("new")));
    refused(own.append(&at("notes")));
    refused(own.open_file(&at("notes")));
    refused(own.entry(&at("notes")));
    refused(own.replace(&at("notes"), b"x", Path::new("staging"), false));
    refused(own.replace(Path::new("x"), b"x", &at("staging"), false));
    refused(own.rename(Path::new("own"), &own, &at("own")));
    refused(own.rename(&at("notes"), &own, Path::new("notes")));
    refused(own.symlink(Path::new("x"), &at("x")));
    refused(own.hard_link(&at("notes"), &own, Path::new("notes")));
    refused(own.remove_file(&at("notes")));
    refused(own.remove_all(&at("docs")));
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 2);
    assert_eq!(fs::read_to_string(elsewhere.join("notes")).unwrap(), "precious");
}

#[test]
fn no_link_at_the_end_is_followed() {
    let Scene { own, elsewhere, _dir } = scene();
    let link = Path::new("file");
    refused(own.open_or_create(link));
    refused(own.append(link));
    refused(own.open_file(link));
    assert_eq!(own.create_new(link, 0o600).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    own.replace(link, b"mine", Path::new("staging"), true).unwrap();
    assert_eq!(fs::read_to_string(own.path().join("file")).unwrap(), "mine");
    own.remove_all(Path::new("out")).unwrap();
    assert_eq!(fs::read_to_string(elsewhere.join("notes")).unwrap(), "precious");
    assert!(elsewhere.join("docs").is_dir());
}

#[test]
fn without_openat2_each_step_is_checked() {
    let Scene { own, _dir, .. } = scene();
    own.make_folder(Path::new("a/b")).unwrap();
    let step = |below: &str| {
        let flags = FOLDER | OFlags::NOFOLLOW;
        resolve::open_step_by_step(own.as_fd(), Path::new(below), flags, Mode::empty())
    };
    assert!(step("a/b").is_ok());
    for link in ["out", "out/docs"] {
        let errno = step(link).unwrap_err();
        refused::<()>(Err(resolve::explain(own.as_fd(), own.path(), Path::new(link), errno)));
    }
}

#[test]
fn paths_that_lead_out_are_refused() {
    let Scene { own, _dir, .. } = scene();
    for path in ["../elsewhere/notes", "/etc/passwd", "a/../../x"] {
        let error = own.open_or_create(Path::new(path)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path}");
    }
}

#[test]
fn replacing_makes_parents_and_leaves_no_temporary() {
    let Scene { own, _dir, .. } = scene();
    let (path, staging) = (Path::new("a/b/c.txt"), own.path().join("staging"));
    own.replace(path, b"one", &staging, false).unwrap();
    own.replace(&own.path().join(path), b"two", &staging, true).unwrap();
    assert_eq!(fs::read(own.path().join(path)).unwrap(), b"two");
    assert_eq!(fs::read_dir(own.path().join("a/b")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(staging).unwrap().count(), 0);
}

#[test]
fn exchange_swaps_folders_and_keeps_the_old_one() {
    let Scene { own, _dir, .. } = scene();
    let (new, place) = (Path::new("new"), Path::new("x/place"));
    let text = |path: &Path| fs::read_to_string(own.path().join(path).join("file")).unwrap();
    for bytes in ["one", "two"] {
        own.make_new_folder(new).unwrap();
        fs::write(own.path().join("new/file"), bytes).unwrap();
        own.exchange(new, &own, place).unwrap();
        assert_eq!(text(place), bytes);
        if bytes == "two" {
            assert_eq!(text(new), "one");
        }
    }
    let at = own.folder(Path::new("x")).unwrap();
    swap_in_two_steps(own.as_fd(), OsStr::new("new"), at.as_fd(), OsStr::new("place")).unwrap();
    assert_eq!(text(place), "one");
    assert_eq!(text(new), "two");
}

#[test]
fn read_only_folders_are_removed_too() {
    use std::os::unix::fs::PermissionsExt;
    let Scene { own, _dir, .. } = scene();
    let deep = own.path().join("mod/cache/deep");
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("file"), "x").unwrap();
    for (folder, mode) in [("mod/cache/deep", 0o555), ("mod/cache", 0o000), ("mod", 0o555)] {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(own.path().join(folder), mode).unwrap();
    }
    own.remove_all(Path::new("mod")).unwrap();
    assert!(!own.path().join("mod").exists());
}
