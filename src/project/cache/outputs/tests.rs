//! What is kept comes back as it was, and nothing else is touched.

use std::os::unix::fs::symlink;

use super::*;
use crate::cache::SealKey;

/// A folder `made` with outputs, the cache, and a workspace `to` to restore them in.
struct Box {
    dir: tempfile::TempDir,
    cache: Cache,
}

/// The outputs of [`Box`].
const OUTPUTS: [&str; 4] = ["bin/tool", "current", "empty", "link"];

impl Box {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = dir.path().join("made");
        fs::create_dir_all(made.join("bin")).unwrap();
        fs::create_dir_all(made.join("empty")).unwrap();
        fs::create_dir_all(dir.path().join("to")).unwrap();
        fs::write(made.join("bin/tool"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(made.join("bin/tool"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("bin/tool", made.join("link")).unwrap();
        symlink("bin", made.join("current")).unwrap();
        let key = SealKey::in_folder(&dir.path().join("data"));
        let it = Self { cache: Cache::new(dir.path().join("cache"), key), dir };
        it.keep(&OUTPUTS).unwrap();
        it
    }

    fn keep(&self, names: &[&str]) -> Result<(), Fault> {
        let outputs = names.iter().map(|name| ((*name).to_owned(), "mark".to_owned())).collect();
        self.cache.keep_outputs("key", &self.dir.path().join("made"), &outputs)
    }

    fn restore(&self) -> Result<bool, Fault> {
        self.restore_as(&|_| true)
    }

    fn restore_as(&self, is_declared: &dyn Fn(&Path) -> bool) -> Result<bool, Fault> {
        let (root, dir) = (self.dir.path(), self.to());
        let half_made = &root.join("half-made");
        let stage = || Ok(Staging::new(&Folder::open(root).unwrap(), half_made).unwrap());
        let place = OutputPlace { dir: &dir, stage: &stage, is_declared };
        let kept = self.cache.restore_outputs("key", &place)?;
        assert_eq!(
            fs::read_dir(half_made).map_or(0, |inside| inside.count()),
            0,
            "all is tidied up"
        );
        Ok(kept.is_some())
    }

    fn to(&self) -> PathBuf {
        self.dir.path().join("to")
    }

    fn kept(&self) -> PathBuf {
        let (digest, _) =
            crate::archive::hash_file(&self.dir.path().join("made/bin/tool")).unwrap();
        self.cache.root().join(output_path(digest))
    }
}

#[test]
fn modes_links_and_empty_folders_come_back_and_writing_to_them_harms_nothing() {
    let it = Box::new();
    for _ in 0..2 {
        assert!(it.restore().unwrap());
        let tool = it.to().join("bin/tool");
        assert_eq!(fs::metadata(&tool).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(fs::read_link(it.to().join("link")).unwrap(), Path::new("bin/tool"));
        assert_eq!(fs::read_link(it.to().join("current")).unwrap(), Path::new("bin"));
        assert_eq!(fs::read_dir(it.to().join("empty")).unwrap().count(), 0);
        assert_eq!(fs::read_to_string(&tool).unwrap(), "#!/bin/sh\n");
        fs::write(&tool, "other").unwrap();
    }
    assert!(!it.cache.has_outputs("other"));
}

#[test]
fn folders_come_back_with_their_permissions_and_without_setuid() {
    let it = Box::new();
    let made = it.dir.path().join("made");
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    let mode = |path: &str| fs::metadata(it.to().join(path)).unwrap().permissions().mode() & 0o7777;
    fs::create_dir_all(made.join("deep/er/empty")).unwrap();
    fs::write(made.join("deep/er/file"), "x").unwrap();
    let modes = [
        ("bin", 0o4700),
        ("bin/tool", 0o6711),
        ("deep", 0o750),
        ("deep/er", 0o1500),
        ("deep/er/empty", 0o700),
    ];
    for (path, mode) in modes.iter().rev() {
        set(&made.join(path), *mode).unwrap();
    }
    it.keep(&["bin/tool", "deep/er/file", "deep/er/empty"]).unwrap();
    assert!(it.restore().unwrap());
    for (path, wanted) in modes {
        assert_eq!(mode(path), wanted & 0o777, "{path}");
    }
    // What was there before is its owner's.
    set(&it.to().join("bin"), 0o711).unwrap();
    set(&it.to().join("deep/er"), 0o700).unwrap();
    fs::remove_dir_all(it.to().join("deep")).unwrap();
    assert!(it.restore().unwrap());
    assert_eq!((mode("bin"), mode("deep/er")), (0o711, 0o500));
    // So that the folder can be removed.
    for top in [made, it.to()] {
        set(&top.join("deep/er"), 0o700).unwrap();
    }
}

#[test]
fn changed_bytes_are_refused_and_nothing_is_restored() {
    let it = Box::new();
    fs::set_permissions(it.kept(), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(it.kept(), "#!/bin/no\n").unwrap();
    assert_eq!(it.restore().unwrap_err().kind, Kind::Verification);
    assert_eq!(fs::read_dir(it.to()).unwrap().count(), 0);
    assert!(!it.restore().unwrap(), "it is not offered again");
}

#[test]
fn a_list_that_somebody_else_wrote_or_that_is_of_another_key_is_none() {
    let it = Box::new();
    let list = it.cache.root().join(list_path("key"));
    let good = fs::read(&list).unwrap();
    let text = String::from_utf8(good.clone()).unwrap();
    let (_, body) = text.split_once('\n').unwrap();
    fs::write(&list, body).unwrap();
    assert!(!it.restore().unwrap(), "without a seal");
    fs::write(&list, text.replace("bin/tool", "bin/evil")).unwrap();
    assert!(!it.restore().unwrap(), "changed");
    let other = SealKey::in_folder(&it.dir.path().join("other"));
    fs::write(&list, other.seal(&purpose("key"), body.as_bytes())).unwrap();
    assert!(!it.restore().unwrap(), "by another user");
    fs::write(it.cache.root().join(list_path("other")), good).unwrap();
    assert!(!it.cache.has_outputs("other"), "of another key");
}

/// The list is sealed, and lies all the same.
#[test]
fn a_file_behind_a_link_of_the_same_list_overwrites_nothing() {
    let it = Box::new();
    let victim = it.dir.path().join("victim");
    fs::create_dir(&victim).unwrap();
    fs::write(victim.join(".bashrc"), "precious").unwrap();
    let (digest, _) = crate::archive::hash_file(&it.kept()).unwrap();
    let output = |path: &str, kind| KeptOutput { path: path.into(), mark: String::new(), kind };
    let link = OutputKind::Link(path_to_text(&victim));
    for outputs in [
        vec![output("l", link.clone()), output("l/.bashrc", OutputKind::File(digest, 0o644))],
        vec![output("../victim/.bashrc", OutputKind::File(digest, 0o644))],
    ] {
        let list = List { outputs, folders: BTreeMap::new() };
        let text = serde_json::to_vec(&list).unwrap();
        let sealed = it.cache.key().seal(&purpose("key"), &text);
        fs::write(it.cache.root().join(list_path("key")), sealed).unwrap();
        it.restore().unwrap_err();
        assert_eq!(fs::read(victim.join(".bashrc")).unwrap(), b"precious");
        assert_eq!(fs::read_dir(it.to()).unwrap().count(), 0);
    }
}

#[test]
fn a_link_gives_way_inside_of_what_the_task_makes_and_nowhere_else() {
    let it = Box::new();
    let mine = it.dir.path().join("mine");
    fs::create_dir(&mine).unwrap();
    fs::write(mine.join("tool"), "MY SOURCE").unwrap();
    symlink("../mine", it.to().join("bin")).unwrap();
    let fault = it.restore_as(&|path| path != Path::new("bin")).unwrap_err();
    assert!(fault.to_string().contains("is in the way"), "{fault}");
    assert_eq!(fs::read_link(it.to().join("bin")).unwrap(), Path::new("../mine"));
    symlink("../mine/tool", it.to().join("link")).unwrap();
    symlink("../mine", it.to().join("empty")).unwrap();
    assert!(it.restore().unwrap());
    assert_eq!(fs::read(mine.join("tool")).unwrap(), b"MY SOURCE");
    assert_eq!(fs::read(it.to().join("bin/tool")).unwrap(), b"#!/bin/sh\n");
    assert!(!it.to().join("bin").is_symlink() && !it.to().join("empty").is_symlink());
}

#[test]
fn what_was_replaced_is_put_back_when_something_fails() {
    let it = Box::new();
    symlink("nowhere", it.to().join("bin")).unwrap();
    fs::write(it.to().join("current"), "mine").unwrap();
    // The last of the outputs: a folder stands where a link is wanted.
    fs::create_dir_all(it.to().join("link/full")).unwrap();
    let fault = it.restore().unwrap_err();
    assert!(fault.to_string().contains("nothing is restored"), "{fault}");
    assert_eq!(fs::read_link(it.to().join("bin")).unwrap(), Path::new("nowhere"));
    assert_eq!(fs::read(it.to().join("current")).unwrap(), b"mine");
    assert!(it.to().join("link/full").is_dir());
}

/// A file stands where a folder is wanted, after others were put into their places.
#[test]
fn what_cannot_be_restored_whole_is_not_restored_at_all() {
    let it = Box::new();
    fs::write(it.dir.path().join("made/a"), "new").unwrap();
    it.keep(&["a", "bin/tool"]).unwrap();
    fs::write(it.to().join("a"), "old").unwrap();
    fs::write(it.to().join("bin"), "no folder").unwrap();
    let fault = it.restore().unwrap_err();
    assert!(fault.to_string().contains("nothing is restored"), "{fault}");
    assert_eq!(fs::read(it.to().join("a")).unwrap(), b"old");
    assert_eq!(fs::read(it.to().join("bin")).unwrap(), b"no folder");
}

#[test]
fn what_is_gone_is_a_miss() {
    let it = Box::new();
    fs::remove_file(it.kept()).unwrap();
    assert!(!it.restore().unwrap());
    assert_eq!(fs::read_dir(it.to()).unwrap().count(), 0);
}

#[test]
fn what_lies_outside_or_behind_a_link_is_not_kept() {
    let it = Box::new();
    for name in ["../made/bin/tool", "/etc/hostname"] {
        assert!(it.keep(&[name]).unwrap_err().to_string().contains("not kept"), "{name}");
    }
    let fault = it.keep(&["current", "current/tool"]).unwrap_err();
    assert!(fault.to_string().contains("behind the link current"), "{fault}");
    // What it leads to is kept by its own name.
    it.keep(&["bin/tool", "current", "current/tool"]).unwrap();
    assert!(it.restore().unwrap());
    assert_eq!(fs::read(it.to().join("current/tool")).unwrap(), b"#!/bin/sh\n");
}

#[test]
fn only_what_is_old_and_has_a_name_that_is_made_here_is_forgotten() {
    let it = Box::new();
    let root = it.cache.root();
    let old = SystemTime::now() - 2 * LIFETIME;
    let age = |path: &Path| fs::File::open(path).unwrap().set_modified(old).unwrap();
    let key = "ab".repeat(32);
    for name in [key.as_str(), "notes.txt"] {
        fs::write(root.join("tasks").join(name), "").unwrap();
        age(&root.join("tasks").join(name));
    }
    age(&it.kept());
    age(&root.join("tasks/.swept"));
    it.keep(&["empty"]).unwrap();
    assert!(!it.kept().exists() && !root.join("tasks").join(key).exists());
    assert!(root.join("tasks/notes.txt").exists());
}
