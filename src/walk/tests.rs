//! The walker against git itself, and what it does where git says nothing.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{PermissionsExt, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    process::Command,
};

use proptest::prelude::*;

use super::{FilePatterns, InputKind, Listing, Walker};
use crate::model::Layout;

/// Something that is done to a repository.
#[derive(Clone, Debug)]
enum Deed {
    Write(PathBuf),
    Link(PathBuf, PathBuf),
    Folder(PathBuf),
    Ignore(PathBuf, String),
    Track(PathBuf),
    Untrack(PathBuf),
    Remove(PathBuf),
}

/// A name that may be odd: a blank, a backslash, bytes that are not UTF-8.
fn name() -> impl Strategy<Value = PathBuf> {
    let names: &[&[u8]] = &[b"a", b"b", b"c.o", b"d e", b"x\\y", b"l\xe9", b"l\xe8", b"\"q\""];
    let part =
        || prop::sample::select(names).prop_map(|bytes| PathBuf::from(OsStr::from_bytes(bytes)));
    prop::collection::vec(part(), 1..4).prop_map(|parts| parts.into_iter().collect())
}

fn deed() -> impl Strategy<Value = Deed> {
    let rules = ["*.o", "/a", "b/", "!c.o", "a/*", "**/b", "d\\ e", "!b/", "x*", "/b/a"];
    let rule = prop::sample::select(rules.to_vec()).prop_map(ToOwned::to_owned);
    prop_oneof![
        6 => name().prop_map(Deed::Write),
        2 => (name(), name()).prop_map(|(path, to)| Deed::Link(path, to)),
        1 => name().prop_map(Deed::Folder),
        3 => (prop_oneof![Just(PathBuf::new()), name()], rule).prop_map(|(path, rule)| Deed::Ignore(path, rule)),
        3 => name().prop_map(Deed::Track),
        1 => name().prop_map(Deed::Untrack),
        1 => name().prop_map(Deed::Remove),
    ]
}

fn git(root: &Path, words: &[&OsStr]) -> Vec<u8> {
    let output = Command::new("git")
        .args(["-c", "core.excludesFile=/dev/null"])
        .args(words)
        .current_dir(root)
        .output()
        .unwrap();
    output.stdout
}

/// Does it; what cannot be done, since a file is where a folder would be, is left out.
fn perform(root: &Path, deed: &Deed) {
    let at = |path: &Path| root.join(path);
    let parent = |path: &Path| fs::create_dir_all(at(path).parent().unwrap());
    let add = |words: [&str; 3], path: &Path| {
        let words = words.map(OsStr::new);
        git(root, &[&words[..], &[path.as_os_str()]].concat());
        Ok(())
    };
    let _ = match deed {
        Deed::Write(path) => {
            parent(path).and_then(|()| fs::write(at(path), path.as_os_str().as_bytes()))
        }
        Deed::Link(path, to) => parent(path).and_then(|()| symlink(to, at(path))),
        Deed::Folder(path) => fs::create_dir_all(at(path)),
        Deed::Ignore(path, rule) => {
            let file = at(path).join(".gitignore");
            let old = fs::read_to_string(&file).unwrap_or_default();
            fs::create_dir_all(at(path)).and_then(|()| fs::write(file, old + rule + "\n"))
        }
        Deed::Track(path) => add(["add", "-f", "--"], path),
        Deed::Untrack(path) => add(["rm", "-rq", "--cached"], path),
        Deed::Remove(path) => fs::remove_file(at(path)),
    };
}

fn relative(root: &Path, listing: &Listing) -> BTreeSet<PathBuf> {
    let name = |path: &PathBuf| path.strip_prefix(root).unwrap().to_owned();
    listing.inputs.iter().map(|input| name(&input.path)).collect()
}

/// What git says: tracked files that are there, and those that are not ignored.
fn by_git(root: &Path) -> BTreeSet<PathBuf> {
    let words = ["ls-files", "-z", "-co", "--exclude-standard"].map(OsStr::new);
    let output = git(root, &words);
    let names = output.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let names = names.map(|name| PathBuf::from(OsStr::from_bytes(name)));
    // A tracked file that was removed, or is behind what has become a link, is not there.
    let is_there = |name: &PathBuf| {
        let behind = name.ancestors().skip(1).any(|part| root.join(part).is_symlink());
        !behind && fs::symlink_metadata(root.join(name)).is_ok_and(|found| !found.is_dir())
    };
    names.filter(is_there).collect()
}

fn repository() -> Option<tempfile::TempDir> {
    let dir = tempfile::tempdir().unwrap();
    let is_here = Command::new("git").args(["init", "-q"]).current_dir(dir.path()).status().is_ok();
    assert!(is_here || std::env::var_os("CI").is_none(), "git is missing here");
    is_here.then_some(dir)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn whatever_is_done_to_a_repository_the_walker_and_git_agree(
        deeds in prop::collection::vec(deed(), 1..14),
        version in 2..5_u8,
    ) {
        let Some(dir) = repository() else { return Ok(()) };
        let root = dir.path().canonicalize().unwrap();
        let version = version.to_string();
        git(&root, &["config", "--local", "index.version", &version].map(OsStr::new));
        for deed in &deeds {
            perform(&root, deed);
        }
        let found = relative(&root, &Walker::new(&Layout::at(root.clone())).list(&root).unwrap());
        prop_assert_eq!(&found, &by_git(&root));
        // And so does whoever asks by patterns for what git does not ignore, but for folders behind
        // links, of which git knows nothing.
        let everything = ["**".to_owned()];
        let patterns = FilePatterns { dir: &root, written: &everything, follow: false };
        let found = patterns.list(Some(&Walker::new(&Layout::at(root.clone())))).unwrap();
        prop_assert_eq!(relative(&root, &found), by_git(&root));
    }
}

#[test]
fn a_split_index_a_worktree_and_sha256_are_read() {
    let Some(dir) = repository() else { return };
    let root = dir.path().canonicalize().unwrap();
    let said = |words: &str| git(&root, &words.split(' ').map(OsStr::new).collect::<Vec<_>>());
    fs::write(root.join(".gitignore"), "*.gen\n").unwrap();
    fs::write(root.join("one.gen"), "").unwrap();
    said("add -f one.gen .gitignore");
    said("update-index --split-index");
    fs::write(root.join("two.gen"), "").unwrap();
    fs::write(root.join("three.gen"), "").unwrap();
    said("add -f two.gen");
    let names = |root: &Path| {
        let found = relative(root, &Walker::new(&Layout::at(root.to_owned())).list(root).unwrap());
        found.into_iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&root), [".gitignore", "one.gen", "two.gen"]);
    said("-c user.name=A -c user.email=a@example.org commit -qm x");
    said("worktree add -q ../tree");
    let tree = root.parent().unwrap().join("tree");
    if tree.exists() {
        fs::write(tree.join("three.gen"), "").unwrap();
        assert_eq!(names(&tree), [".gitignore", "one.gen", "two.gen"]);
        fs::remove_dir_all(tree).unwrap();
    }
    let inner = tempfile::tempdir().unwrap();
    let root = inner.path().canonicalize().unwrap();
    git(&root, &["init", "-q", "--object-format=sha256"].map(OsStr::new));
    fs::write(root.join(".gitignore"), "*.gen\n").unwrap();
    fs::write(root.join("one.gen"), "").unwrap();
    fs::write(root.join("two.gen"), "").unwrap();
    git(&root, &["add", "-f", "one.gen"].map(OsStr::new));
    assert_eq!(names(&root), [".gitignore", "one.gen"]);
}

#[test]
fn rules_end_at_the_workspace_where_there_is_no_repository() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("work");
    fs::create_dir_all(root.join("app")).unwrap();
    fs::write(dir.path().join(".gitignore"), "*\n").unwrap();
    fs::write(root.join(".gitignore"), "*.o\n").unwrap();
    fs::write(root.join("app/a.c"), "").unwrap();
    fs::write(root.join("app/a.o"), "").unwrap();
    let listing = Walker::new(&Layout::at(root.clone())).list(&root.join("app")).unwrap();
    assert_eq!(relative(&root, &listing), BTreeSet::from([PathBuf::from("app/a.c")]));
}

#[test]
fn sockets_and_pipes_are_passed_over_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let _socket = UnixListener::bind(dir.path().join("socket")).unwrap();
    let pipe = dir.path().join("pipe");
    let mode = rustix::fs::Mode::RWXU;
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let listing = Walker::new(&Layout::at(dir.path().to_owned())).list(dir.path()).unwrap();
    assert_eq!((listing.inputs.len(), listing.special.len()), (1, 2));
}

/// What a pattern finds in a small tree with links, as `name kind` where the kind is not a file.
fn found(dir: &Path, patterns: &[&str]) -> Vec<String> {
    let written: Vec<String> = patterns.iter().map(|one| (*one).to_owned()).collect();
    let patterns = FilePatterns { dir, written: &written, follow: true };
    let name = |input: &super::InputFile| {
        let name = input.path.strip_prefix(dir).unwrap().display().to_string();
        match input.kind {
            InputKind::File => name,
            InputKind::Link => format!("{name} ->"),
            InputKind::EmptyFolder => format!("{name}/"),
        }
    };
    patterns.list(None).unwrap().inputs.iter().map(name).collect()
}

#[test]
fn links_are_followed_each_folder_once_and_cycles_end() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    fs::create_dir_all(root.join("src/none")).unwrap();
    fs::create_dir_all(root.join("real/deep")).unwrap();
    fs::write(root.join("src/a.c"), "").unwrap();
    fs::write(root.join("real/b.c"), "").unwrap();
    fs::write(root.join("real/deep/c.h"), "").unwrap();
    let link = |target: &str, path: &str| symlink(target, root.join(path)).unwrap();
    link("../real", "src/shared");
    link("..", "src/up");
    link("nowhere", "src/gone");
    link("../../src", "real/deep/back");
    let all = ["src/a.c", "src/gone ->", "src/none/", "src/shared ->", "src/shared/b.c"];
    let rest = [
        "src/shared/deep/back ->",
        "src/shared/deep/back/a.c",
        "src/shared/deep/back/gone ->",
        "src/shared/deep/back/none/",
        "src/shared/deep/back/shared ->",
        "src/shared/deep/back/shared/b.c",
        "src/shared/deep/back/shared/deep/back ->",
        "src/shared/deep/back/shared/deep/c.h",
        "src/shared/deep/back/up ->",
        "src/shared/deep/c.h",
        "src/up ->",
    ];
    assert_eq!(found(&root, &["src"]), [&all[..], &rest[..]].concat());
    // Of a folder that a second link leads to, all counts.
    let code = found(&root, &["src/**/*.c"]);
    let of_second = |name: &&String| name.starts_with("src/shared/deep/back/shared/");
    assert_eq!((code.len(), code.iter().filter(of_second).count()), (6, 3), "{code:?}");
    assert_eq!(found(&root, &["src/*.c", "!src/a.c"]), [""; 0]);
    assert_eq!(found(&root, &["src/shared"]).first().map(String::as_str), Some("src/shared ->"));
    assert_eq!(found(&root, &["src/gone"]), ["src/gone ->"]);
    assert_eq!(found(&root, &["src/none"]), ["src/none/"]);
}

/// Thirty folders, each with two links to the next: a billion ways to the last.
#[test]
fn many_ways_to_one_folder_are_not_all_gone() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    for at in 0..30 {
        let folder = root.join(format!("{at}"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("file.c"), "").unwrap();
        fs::write(folder.join("file.h"), "").unwrap();
        for name in ["one", "two"] {
            symlink(format!("../{}", at + 1), folder.join(name)).unwrap();
        }
    }
    let names = found(&root, &["0/**/*.c"]);
    assert!(names.len() < 200, "{}", names.len());
    // Nothing is missed of what a second link leads to, whatever the pattern was.
    assert!(names.iter().any(|name| name.ends_with("two/file.h")), "{names:?}");
}

#[test]
fn a_folder_that_cannot_be_read_is_an_error_of_a_source() {
    let dir = tempfile::tempdir().unwrap();
    let closed = dir.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o0)).unwrap();
    let is_root = fs::read_dir(&closed).is_ok();
    assert_eq!(Walker::new(&Layout::at(dir.path().to_owned())).list(dir.path()).is_ok(), is_root);
    assert_eq!(found(dir.path(), &["**"]).is_empty(), !is_root);
}
