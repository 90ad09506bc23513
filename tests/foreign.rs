//! What others wrote is not obeyed: repositories that somebody else owns, checkouts into which
//! settings were planted, URLs that are commands, and what comes unprotected.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use crate::support::{Invocation, Sandbox, git, is_here};

/// A script beside the workspace that leaves a mark when it runs.
fn trap(sandbox: &Sandbox) -> (PathBuf, PathBuf) {
    let (script, mark) = (sandbox.beside("trap"), sandbox.beside("mark"));
    fs::write(&script, format!("#!/bin/sh\ntouch {}\nexit 1\n", mark.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    (script, mark)
}

fn planted(trap: &std::path::Path) -> String {
    let trap = trap.display();
    format!(
        "[core]\n\tsshCommand = {trap}\n\tfsmonitor = {trap}\n[diff]\n\texternal = {trap}\n\
         [remote \"origin\"]\n\turl = ssh://x@127.0.0.1/x\n[filter \"z\"]\n\tclean = {trap}\n\tsmudge = {trap}\n"
    )
}

/// Takes the owner of every repository for somebody else, as git's own tests do.
fn owned_by_another(forge: Invocation) -> Invocation {
    forge.env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
}

#[test]
fn a_repository_of_another_user_runs_nothing_and_git_s_cure_is_told() {
    if !is_here("git") {
        return;
    }
    let sandbox = Sandbox::with_store().script("hello", "v1.0.0");
    let (trap, mark) = trap(&sandbox);
    let root = sandbox.root();
    git(&root, &["init", "-q", "-b", "main"]);
    git(&root, &["add", "-A"]);
    git(&root, &["commit", "-q", "-m", "feat: x"]);
    let config = root.join(".git/config");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text + &planted(&trap)).unwrap();
    fs::write(root.join(".git/info/attributes"), "* filter=z\n").unwrap();
    for words in ["affected --since HEAD", "changelog", "history hello", "release:notes"] {
        sandbox.write("code/hello/hello.sh", "#!/bin/sh\necho changed\n");
        let run = owned_by_another(sandbox.forge(words)).run();
        assert_ne!(run.code(), Some(0), "{run}");
        run.says("detected dubious ownership in repository");
        run.says("git config --global --add safe.directory");
        assert!(!mark.exists(), "{words} ran it");
    }
    // What needs no history is built all the same.
    owned_by_another(sandbox.forge("ensure --no-publish")).succeeds();
    assert!(!mark.exists());
}

/// A workspace whose tool comes from a repository beside it.
fn with_source() -> Sandbox {
    let sandbox = Sandbox::with_store();
    let source = sandbox.beside("upstream");
    fs::create_dir_all(&source).unwrap();
    git(&source, &["init", "-q", "-b", "main"]);
    fs::write(source.join("tool"), "#!/bin/sh\necho good\n").unwrap();
    git(&source, &["add", "-A"]);
    git(&source, &["commit", "-q", "-m", "x"]);
    git(&source, &["tag", "v1"]);
    let home = sandbox.beside("home");
    fs::create_dir_all(&home).unwrap();
    // Of the repository that is fetched, the user says that it is all right.
    let trusted = format!("[safe]\n\tdirectory = {0}\n\tdirectory = {0}/.git\n", source.display());
    fs::write(home.join(".gitconfig"), trusted).unwrap();
    let spec = format!(
        "source: {{ git: {} }}\nbuild: {{ run: 'cp tool {{{{ out }}}}/tool' }}\n",
        source.display()
    );
    sandbox.spec("tool", "v1", &spec)
}

#[test]
fn a_checkout_that_forge_made_is_used_whoever_it_seems_to_belong_to() {
    if !is_here("git") {
        return;
    }
    let sandbox = with_source();
    owned_by_another(sandbox.forge("ensure")).succeeds().says("built");
    owned_by_another(sandbox.forge("ensure --force")).succeeds();
}

#[test]
fn what_was_planted_into_a_checkout_runs_nothing() {
    if !is_here("git") {
        return;
    }
    let sandbox = with_source();
    sandbox.forge("ensure").succeeds();
    let (trap, mark) = trap(&sandbox);
    let config = fs::read_dir(sandbox.path(".forge/src")).unwrap().flatten();
    let config = config.map(|entry| entry.path().join(".git/config")).find(|path| path.exists());
    let config = config.expect("a checkout");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text + &planted(&trap)).unwrap();
    fs::write(config.with_file_name("info").join("attributes"), "* filter=z\n")
        .or_else(|_| {
            fs::create_dir_all(config.with_file_name("info"))?;
            fs::write(config.with_file_name("info").join("attributes"), "* filter=z\n")
        })
        .unwrap();
    sandbox.forge("ensure --force").succeeds();
    assert!(!mark.exists());
    assert!(!fs::read_to_string(&config).unwrap().contains("sshCommand"));
}

#[test]
fn a_url_that_is_a_command_is_told_where_it_stands() {
    for url in ["ext::sh -c touch", "ext::touch", "hg::https://example.org/x", "-x"] {
        let sandbox = Sandbox::new().spec(
            "tool",
            "v1",
            &format!("source: {{ git: '{url}' }}\nbuild: {{ run: 'true' }}\n"),
        );
        let run = sandbox.forge("check").exits(2);
        run.says("is not a URL of a git repository").says("tool.yml:1");
    }
}

#[test]
fn what_comes_unprotected_is_refused_unless_its_digest_is_pinned() {
    let sum = "0".repeat(64);
    let upstream = |url: &str, sha256: &str| {
        let spec = format!("upstream: {{ url: '{url}', sha256: '{sha256}' }}\n");
        Sandbox::new().spec("tool", "v1", &spec)
    };
    let (http, https) = ("http://example.org/x.tgz", "https://example.org/x.tgz");
    upstream(http, &sum).forge("check").succeeds();
    upstream(https, "https://example.org/sums").forge("check").succeeds();
    let local = "http://127.0.0.1:9/sums";
    upstream("http://127.0.0.1:9/x.tgz", local).forge("check").succeeds();
    let run = upstream(http, "https://example.org/sums").forge("check").exits(2);
    run.says("is not protected").says("tool.yml:1").says("pin the digest itself");
    let run = upstream(https, "http://example.org/sums").forge("check").exits(2);
    run.says("a checksums file that comes so proves nothing").says("tool.yml:1");
    let store = Sandbox::new().head("releases: http://example.org/r").script("x", "v1");
    let run = store.forge("check").exits(2);
    run.says("would be read over unprotected http").says("versions.yml:1");
    let read =
        |spec: &str| Sandbox::new().spec("tool", "v1", &format!("build: {{ run: x }}\n{spec}"));
    for spec in [
        "source: { git: 'http://example.org/r.git' }\n",
        "source: { git: 'git://example.org/r.git' }\n",
        "newer: { tags: 'http://example.org/r.git' }\n",
        "newer: { url: 'http://example.org/page', pattern: 'v[0-9]+' }\n",
    ] {
        let run = read(spec).forge("check").exits(2);
        run.says("is not protected").says("tool.yml:2").says("write `https://…`");
    }
    for spec in
        ["source: { git: 'http://127.0.0.1:9/r.git' }\n", "source: { git: 'ssh://h/r.git' }\n"]
    {
        read(spec).forge("check").succeeds();
    }
    let local = Sandbox::new().head("releases: http://127.0.0.1:9/r").script("x", "v1");
    local.forge("check").succeeds();
}

#[test]
fn what_is_secret_in_a_url_is_shown_nowhere() {
    let sum = "0".repeat(64);
    let (user, query) = ("bob:hunter2pw", "X-Sig=QUERYSECRET");
    let spec =
        format!("upstream:\n  url: http://{user}@127.0.0.1:9/e.tgz?{query}\n  sha256: {sum}\n");
    let source = |url: &str| {
        format!("source: {{ git: '{url}' }}\nbuild: {{ run: 'curl https://{user}@h/?{query}' }}\n")
    };
    let sandbox = Sandbox::new()
        .spec("e", "v1", &spec)
        .spec("g", "v1", &source(&format!("https://{user}@127.0.0.1:9/r.git?{query}")))
        .spec(
            "f",
            "v1",
            &format!("build: {{ run: 'echo {user} {query}; false https://{user}@h/?{query}' }}\n"),
        )
        .head(&format!("tasks: {{ t: \"false https://{user}@h/?{query}\" }}"));
    for words in [
        "explain e",
        "explain g",
        "explain f",
        "explain t",
        "explain e --json",
        "plan",
        "plan --json",
        "list --json",
        "status --json",
        "ensure e",
        "ensure g --json",
        "ensure f -v --trace trace.json",
        "run t -v",
        "outdated",
        "lock",
        "verify --json",
        "ensure e --offline",
        "doctor --json",
    ] {
        let run = sandbox.forge(words).run();
        run.keeps_quiet_about("hunter2pw").keeps_quiet_about("QUERYSECRET");
    }
    // Nor where the line is shown that is wrong.
    sandbox.write(
        "subsystems/e.yml",
        &format!("{spec}\nstrange: 1\n  url: http://{user}@h/?{query}\n"),
    );
    let run = sandbox.forge("check").exits(2);
    run.keeps_quiet_about("hunter2pw").keeps_quiet_about("QUERYSECRET");
    sandbox.write(
        "subsystems/e.yml",
        &format!("upstream:\n  url: ftp://{user}@h/?{query}\n  sha256: {sum}\n"),
    );
    let run = sandbox.forge("check").exits(2);
    run.keeps_quiet_about("hunter2pw").keeps_quiet_about("QUERYSECRET").says("ftp://");
    let mut files = Vec::new();
    let mut folders = vec![sandbox.path(".forge")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path().is_dir() {
                true => folders.push(entry.path()),
                false => files.push(entry.path()),
            }
        }
    }
    files.push(sandbox.path("trace.json"));
    files.push(sandbox.path("forge.lock"));
    for file in files {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap_or_default()).into_owned();
        assert!(!text.contains("hunter2pw") && !text.contains("QUERYSECRET"), "{}", file.display());
    }
}
