//! What goes into a build, and into what `affected` says: the same files, and no file that is not seen.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink, net::UnixListener},
};

use crate::support::{Sandbox, git, is_here};

/// A repository with a subsystem `api` in the folder `api`, whose binary is all of its files and, by
/// `more`, others.
fn sandbox(more: &str) -> Sandbox {
    let build =
        format!("build: {{ run: '(echo \"#!/bin/sh\"; cat *.txt {more}) > {{{{ out }}}}/api' }}\n");
    let sandbox = Sandbox::with_store()
        .file(".gitignore", ".forge/\n*.gen.txt\n")
        .file("api/a.txt", "a\n")
        .spec("api", "v1.0.0", &format!("source: {{ path: api }}\n{build}"));
    if is_here("git") {
        git(&sandbox.root(), &["init", "--quiet", "--initial-branch=main"]);
        commit(&sandbox);
    }
    sandbox
}

fn commit(sandbox: &Sandbox) {
    git(&sandbox.root(), &["add", "-A"]);
    git(&sandbox.root(), &["commit", "--quiet", "--allow-empty", "-m", "x"]);
}

/// Whether `ensure` builds, and `affected` says so, once what is there now is committed.
fn counts(sandbox: &Sandbox) -> (bool, bool) {
    commit(sandbox);
    let affected = sandbox.forge("affected --since HEAD~1 --json").succeeds().json();
    let how = &sandbox.forge("ensure --no-publish --json").succeeds().json()["artifacts"][0]["how"];
    (how == "built", !affected["affected"].as_array().unwrap().is_empty())
}

const BOTH: (bool, bool) = (true, true);
const NEITHER: (bool, bool) = (false, false);

#[test]
fn what_git_tracks_counts_though_it_is_ignored() {
    if !is_here("git") {
        return;
    }
    let sandbox = sandbox("");
    sandbox.write("api/b.gen.txt", "1\n");
    git(&sandbox.root(), &["add", "-f", "api/b.gen.txt"]);
    commit(&sandbox);
    assert_eq!(counts(&sandbox), (true, false), "built for the first time");
    sandbox.write("api/b.gen.txt", "2\n");
    assert_eq!(counts(&sandbox), BOTH);
    sandbox.write("api/c.gen.txt", "not tracked\n");
    assert_eq!(counts(&sandbox), NEITHER);
    // Tracked no more, it is ignored like others.
    git(&sandbox.root(), &["rm", "--quiet", "--cached", "api/b.gen.txt"]);
    assert_eq!(counts(&sandbox), BOTH);
    sandbox.write("api/b.gen.txt", "3\n");
    assert_eq!(counts(&sandbox), NEITHER);
}

#[test]
fn what_a_link_of_the_source_leads_to_counts() {
    if !is_here("git") {
        return;
    }
    let sandbox = sandbox("");
    sandbox.write("real/deep/x", "1");
    sandbox.write("other/y", "1");
    symlink("../between", sandbox.path("api/shared")).unwrap();
    symlink("real", sandbox.path("between")).unwrap();
    symlink("../../other", sandbox.path("real/deep/on")).unwrap();
    symlink("..", sandbox.path("api/up")).unwrap();
    symlink("/etc", sandbox.path("api/out")).unwrap();
    counts(&sandbox);
    let changes = |what: &str, expected: (bool, bool), change: &dyn Fn()| {
        change();
        assert_eq!(counts(&sandbox), expected, "{what}");
    };
    changes("behind a link", BOTH, &|| sandbox.write("real/deep/x", "2"));
    changes("behind a link behind it", BOTH, &|| sandbox.write("other/y", "2"));
    changes("elsewhere", NEITHER, &|| sandbox.write("elsewhere", "2"));
    changes("the link on the way", BOTH, &|| {
        fs::remove_file(sandbox.path("between")).unwrap();
        symlink("other", sandbox.path("between")).unwrap();
    });
    changes("no longer behind it", NEITHER, &|| sandbox.write("real/deep/x", "3"));
}

#[test]
fn names_that_are_not_utf_8_are_told_apart() {
    if !is_here("git") {
        return;
    }
    let sandbox = sandbox("");
    counts(&sandbox);
    for name in [&b"l\xe9.txt"[..], b"l\xe8.txt"] {
        fs::write(sandbox.path("api").join(OsStr::from_bytes(name)), "1").unwrap();
        assert_eq!(counts(&sandbox), BOTH);
    }
    let run = sandbox.forge("affected --since HEAD~1 --json").succeeds().json();
    assert_eq!(run["affected"][0]["reasons"][0]["file"], r"api/l\xE8.txt");
}

#[test]
fn commands_that_leave_the_source_name_inputs() {
    if !is_here("git") {
        return;
    }
    for more in ["../VERSION", "{{ root }}/VERSION", "\"{{ src }}\"/../lib/*.h ../VERSION"] {
        let sandbox = sandbox(more);
        sandbox.write("VERSION", "1");
        sandbox.write("lib/a.h", "1");
        sandbox.write("lib/a.c", "1");
        counts(&sandbox);
        sandbox.write("VERSION", "2");
        assert_eq!(counts(&sandbox), BOTH, "{more}");
        sandbox.write("lib/a.h", "2");
        let has_lib = more.contains("lib");
        assert_eq!(counts(&sandbox), (has_lib, has_lib), "{more}");
        sandbox.write("lib/a.c", "2");
        assert_eq!(counts(&sandbox), NEITHER, "{more}");
        sandbox.forge("explain api").succeeds().says("VERSION (its commands name it)");
    }
}

#[test]
fn what_only_the_shell_knows_is_an_error_unless_also_says_what_it_is() {
    let sandbox = sandbox("../$DIR/VERSION");
    let run = sandbox.forge("check").exits(2);
    run.says("`../$DIR/VERSION` leads out of the source").says("also: [scripts]");
    let spec = sandbox.read("subsystems/api.yml");
    sandbox.write("subsystems/api.yml", &spec.replace("path: api", "path: api, also: lib"));
    sandbox.write("lib/VERSION", "1");
    sandbox.forge("check").succeeds();
}

/// A stranger's repository with the same recipe was built before.
#[test]
fn what_another_workspace_built_by_the_same_recipe_is_not_taken() {
    let workspace = |word: &str| {
        let spec =
            "binary: p\nsource: { path: app }\nbuild: { run: '../scripts/build.sh {{ out }}' }\n";
        let script = format!("#!/bin/sh\nprintf '#!/bin/sh\\necho {word}\\n' > $1/p\n");
        let sandbox = Sandbox::with_store()
            .file("app/x", "src")
            .file("scripts/build.sh", &script)
            .spec("p", "v1", spec);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(sandbox.path("scripts/build.sh"), mode).unwrap();
        sandbox
    };
    let (stranger, mine) = (workspace("stranger"), workspace("mine"));
    for sandbox in [&stranger, &mine] {
        let run = sandbox.forge("ensure --no-publish");
        let run = run.env("FORGE_CACHE_DIR", stranger.beside("cache"));
        run.env("FORGE_DATA_DIR", stranger.beside("data")).succeeds();
    }
    assert_eq!(mine.run_binary("p"), "mine\n");
}

#[test]
fn sockets_and_pipes_of_a_source_are_skipped_with_a_warning() {
    let sandbox = sandbox("");
    let _socket = UnixListener::bind(sandbox.path("api/dev.sock")).unwrap();
    let run = sandbox.forge("ensure --no-publish").succeeds();
    run.says("api/dev.sock in the source of api is skipped");
}

#[test]
fn a_pointer_of_git_lfs_is_told_with_what_to_run() {
    let sandbox = sandbox("");
    let pointer =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{:064}\nsize 7\n", 9);
    sandbox.write("api/big.txt", &pointer);
    sandbox.forge("ensure --no-publish").succeeds();
    sandbox.write(".gitattributes", "# art\napi/big.* filter=lfs diff=lfs merge=lfs -text\n");
    let run = sandbox.forge("ensure --no-publish --force").exits(1);
    run.says("api/big.txt is a pointer of Git LFS").says(".gitattributes:2").says("git lfs pull");
}

#[test]
fn a_pointer_of_git_lfs_in_a_fetched_source_is_told_too() {
    if !is_here("git") {
        return;
    }
    let pointer =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{:064}\nsize 7\n", 9);
    let vendor =
        Sandbox::new().file("big.bin", &pointer).file(".gitattributes", "*.bin filter=lfs\n");
    git(&vendor.root(), &["init", "--quiet"]);
    commit(&vendor);
    git(&vendor.root(), &["tag", "v1.0.0"]);
    let spec = format!(
        "source: {{ git: {} }}\nbuild: {{ run: 'cp big.bin {{{{ out }}}}/art' }}\n",
        vendor.root().display()
    );
    let sandbox = Sandbox::with_store().spec("art", "v1.0.0", &spec);
    let run = sandbox.forge("ensure --no-publish").exits(1);
    run.says("big.bin in the source of art is a pointer of Git LFS").says("git lfs pull");
}

#[test]
fn a_folder_that_a_sparse_checkout_left_out_is_missed_only_by_who_wants_it() {
    if !is_here("git") {
        return;
    }
    let sandbox = sandbox("").file("web/w", "1").spec(
        "web",
        "v1.0.0",
        "source: { path: web }\nbuild: { run: 'cp w {{ out }}/web' }\n",
    );
    commit(&sandbox);
    fs::remove_dir_all(sandbox.path("web")).unwrap();
    sandbox.forge("check").succeeds();
    sandbox.forge("list").succeeds();
    sandbox.forge("ensure api --no-publish").succeeds();
    let run = sandbox.forge("ensure --no-publish").exits(1);
    run.says("web is not in this checkout").says("git sparse-checkout add");
    // Where git tracks nothing, it is a mistake.
    git(&sandbox.root(), &["rm", "-r", "--quiet", "--cached", "web"]);
    sandbox.forge("check").exits(2).says("there is no `web` in the workspace");
}

#[test]
fn a_source_of_which_the_checkout_lacks_a_part_is_not_built() {
    if !is_here("git") {
        return;
    }
    let module = Sandbox::new().file("lib.sh", "1");
    git(&module.root(), &["init", "--quiet", "--initial-branch=main"]);
    commit(&module);
    let sandbox = sandbox("").file("web/one/w", "1").file("web/two/w", "2").spec(
        "web",
        "v1.0.0",
        "source: { path: web }\nbuild: { run: '(echo \"#!/bin/sh\"; cat */*) > {{ out }}/web' }\n",
    );
    commit(&sandbox);
    let root = sandbox.root();
    git(&root, &["sparse-checkout", "set", "--cone", "subsystems", "code", "web/one"]);
    sandbox.forge("check").succeeds();
    let run = sandbox.forge("ensure web --no-publish").exits(1);
    run.says("web/two/w is not in this checkout").says("a sparse checkout leaves it out");
    git(&root, &["sparse-checkout", "disable"]);
    sandbox.forge("ensure web --no-publish").succeeds();
    // A submodule that was not checked out is as much of a hole.
    let url = module.root().display().to_string();
    let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "web/lib"];
    git(&root, &add);
    git(&root, &["submodule", "--quiet", "deinit", "--force", "web/lib"]);
    let run = sandbox.forge("ensure web --no-publish").exits(1);
    run.says("web/lib is not in this checkout").says("git submodule update --init");
}

#[test]
fn a_sparse_checkout_without_any_spec_says_how_to_get_them() {
    if !is_here("git") {
        return;
    }
    let sandbox = Sandbox::new().script("one", "v1").file(".gitignore", ".forge/\n");
    let root = sandbox.root();
    git(&root, &["init", "-q", "-b", "main"]);
    git(&root, &["add", "-A"]);
    git(&root, &["commit", "-q", "-m", "one"]);
    git(&root, &["sparse-checkout", "set", "code"]);
    assert!(!sandbox.path("subsystems").exists());
    let run = sandbox.forge("check").run();
    assert_eq!(run.code(), Some(2), "{run}");
    run.says("subsystems/ is not in this checkout").says("a sparse checkout leaves it out");
    run.says("run `git sparse-checkout add subsystems`");
    git(&root, &["sparse-checkout", "add", "subsystems"]);
    sandbox.forge("check").succeeds();
}
