//! Where forge writes, locks, sweeps and reads files: it follows no planted link, waits for no FIFO,
//! and is not confused by containers that share a workspace.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::{
        ffi::OsStrExt,
        fs::{PermissionsExt, symlink},
    },
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::support::{Invocation, Sandbox, wait_until};

/// Everything below `folder`, with what files hold.
fn held(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(held(&path));
        }
        let bytes = fs::read(&path).unwrap_or_default();
        all.insert(path.display().to_string(), bytes);
    }
    all
}

/// A folder beside the workspace with what somebody would miss.
fn home_of(sandbox: &Sandbox, name: &str) -> std::path::PathBuf {
    let home = sandbox.beside(name);
    fs::create_dir_all(home.join("docs/nats.1.0")).unwrap();
    fs::create_dir_all(home.join("staging-0123456789abcdef")).unwrap();
    fs::write(home.join("docs/thesis"), "precious").unwrap();
    fs::write(home.join("hello"), "export PATH=/x\n").unwrap();
    home
}

fn plant(sandbox: &Sandbox, link: &str, target: &Path) {
    let link = sandbox.path(link);
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    symlink(target, link).unwrap();
}

#[test]
fn a_planted_link_below_forge_is_refused_and_what_it_leads_to_stays() {
    let folders = ["bin", "installed", "logs", "src", "state", "state/staging", "state/locks"];
    for folder in folders {
        let sandbox = Sandbox::new().script("hello", "v1");
        let home = home_of(&sandbox, "victim");
        let before = held(&home);
        plant(&sandbox, &format!(".forge/{folder}"), &home);
        let run = sandbox.forge("ensure").run();
        assert_eq!(held(&home), before, "{folder}\n{run}");
        // What needs no source on disk need not notice that one.
        if folder != "src" {
            run.says(&format!(".forge/{folder} is a symbolic link"));
        }
    }
}

#[test]
fn a_planted_link_in_place_of_a_file_is_not_followed() {
    for file in ["state/locks/hello", "state/locks/forge.lock", "state/artifacts/hello"] {
        let sandbox = Sandbox::with_store().script("hello", "v1");
        let home = home_of(&sandbox, "victim");
        let before = held(&home);
        plant(&sandbox, &format!(".forge/{file}"), &home.join("hello"));
        sandbox.forge("ensure").run();
        assert_eq!(held(&home), before, "{file}");
    }
}

#[test]
fn a_forge_folder_that_is_a_link_needs_the_users_word() {
    let sandbox = Sandbox::new().script("hello", "v1");
    let home = home_of(&sandbox, "disk/victim");
    let before = held(&home);
    symlink(&home, sandbox.path(".forge")).unwrap();
    sandbox.forge("ensure").exits(1).says(".forge is a symbolic link").says("FORGE_LINKED_DIRS");
    sandbox.forge("clean:all").exits(1).says(".forge is a symbolic link");
    assert_eq!(held(&home), before);
    let allowed =
        |words: &str| sandbox.forge(words).env("FORGE_LINKED_DIRS", sandbox.beside("disk"));
    allowed("ensure").succeeds();
    assert_eq!(sandbox.run_binary("hello"), "hello v1\n");
    allowed("clean:all").succeeds();
    assert!(sandbox.path(".forge").is_symlink(), "the link stays");
    assert_eq!(fs::read_dir(home).unwrap().count(), 0);
}

#[test]
fn clean_removes_a_planted_link_and_not_what_it_leads_to() {
    for (verb, link) in [("clean:src", "src"), ("clean:dist", "dist"), ("clean", "logs")] {
        let sandbox = Sandbox::new().script("hello", "v1");
        let home = home_of(&sandbox, "victim");
        let before = held(&home);
        plant(&sandbox, &format!(".forge/{link}"), &home);
        sandbox.forge(verb).succeeds();
        assert!(!sandbox.path(&format!(".forge/{link}")).is_symlink(), "{verb}");
        assert_eq!(held(&home), before, "{verb}");
    }
}

/// Starts it with standard error in a file, whose text is what the second function tells.
fn started(sandbox: &Sandbox, mut forge: Invocation) -> (Child, impl Fn() -> String + use<>) {
    let path = sandbox.beside("said");
    forge.command().stderr(File::create(&path).unwrap()).stdout(Stdio::null());
    let child = forge.command().spawn().expect("forge starts");
    (child, move || fs::read_to_string(&path).unwrap())
}

#[test]
fn waiting_for_the_lock_of_forge_lock_is_told_and_can_be_interrupted() {
    let sandbox = Sandbox::with_store().script("hello", "v1");
    let path = sandbox.path(".forge/state/locks/forge.lock");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "4711").unwrap();
    let held = File::open(&path).unwrap();
    held.lock().unwrap();
    for signal in ["INT", "TERM"] {
        let (mut forge, said) = started(&sandbox, sandbox.forge("ensure"));
        wait_until("it says for whom it waits", || {
            said().contains("waiting for another forge (process 4711), which writes forge.lock")
        });
        let pid = forge.id().to_string();
        Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap();
        wait_until("it ends", || forge.try_wait().unwrap().is_some());
        sandbox.forge("clean").succeeds();
    }
    drop(held);
    sandbox.forge("ensure").succeeds();
    assert!(sandbox.path("forge.lock").exists());
}

/// What forge says, which must not wait for anything.
fn ends(sandbox: &Sandbox, forge: Invocation) -> String {
    let (mut forge, said) = started(sandbox, forge);
    wait_until("it ends", || forge.try_wait().unwrap().is_some());
    said()
}

fn fifo(path: &Path) {
    let _ = fs::remove_file(path);
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_fifo_is_refused_and_not_waited_for() {
    let task = "tasks: { t: { dotenv: [.env], run: 'true' } }\n";
    for (file, words) in [
        ("versions.yml", "check"),
        ("subsystems/hello.yml", "check"),
        ("forge.lock", "check"),
        (".env", "t"),
    ] {
        let sandbox = Sandbox::new().head(task).script("hello", "v1");
        fifo(&sandbox.path(file));
        let said = ends(&sandbox, sandbox.forge(words));
        assert!(said.contains("FIFO"), "{file}: {said}");
    }
    // What says more of a repository, a user or a cache says nothing then.
    for file in [
        "work/.git/commondir",
        "work/.git/config",
        "work/.git/index",
        "work/.git/info/exclude",
        "work/.gitattributes",
        "work/code/hello/.gitignore",
        "home/.gitconfig",
        "home/.config/git/config",
        "home/.config/git/ignore",
        "data/record.key",
    ] {
        let sandbox = Sandbox::new().script("hello", "v1").file(".gitignore", "hello.sh\n");
        let path = sandbox.beside(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fifo(&path);
        ends(&sandbox, sandbox.forge("explain hello"));
        ends(&sandbox, sandbox.forge("plan"));
    }
    // What only remembers is as good as not there.
    let sandbox = Sandbox::with_store().script("hello", "v1");
    sandbox.forge("ensure").succeeds();
    std::fs::create_dir_all(sandbox.path(".forge/state/artifacts")).unwrap();
    fifo(&sandbox.path(".forge/state/artifacts/hello"));
    fifo(&sandbox.beside("event"));
    let forge = sandbox.forge("ensure");
    let forge =
        forge.env("GITHUB_ACTIONS", "true").env("GITHUB_EVENT_PATH", sandbox.beside("event"));
    ends(&sandbox, forge);
    sandbox.forge("verify").succeeds();
}

#[test]
fn a_tool_is_a_name_and_doctor_runs_nothing_of_the_workspace() {
    let evil = |name: &str| format!("binary: e\nbuild:\n  run: 'true'\n  tools: [{name}]\n");
    for path in ["./evil", "/bin/sh", "../evil", "a/b", ".", "-x", "'two words'"] {
        let sandbox = Sandbox::new().spec("e", "v1", &evil(path));
        sandbox.forge("check").exits(2).says("cannot be a tool").says("subsystems/e.yml:4:11");
    }
    let sandbox = Sandbox::new().spec("e", "v1", &evil("evil"));
    for folder in [".", "bin"] {
        let program = sandbox.path(folder).join("evil");
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        fs::write(&program, "#!/bin/sh\ntouch pwned\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(&program, program.with_file_name("git")).unwrap();
        fs::copy(&program, program.with_file_name("gh")).unwrap();
    }
    let inside = sandbox.path("bin").display().to_string();
    for first in [".", "", "bin", &inside] {
        let path = format!("{first}:{}", std::env::var("PATH").unwrap_or_default());
        let run = sandbox.forge("doctor").env("PATH", path).run();
        run.says("evil is not installed");
        assert!(!sandbox.path("pwned").exists(), "{first}\n{run}");
    }
}

#[test]
fn without_a_home_one_warning_is_told_and_work_goes_on() {
    // Nothing can be made below a file, by root neither.
    let homeless = |sandbox: &Sandbox, words: &str| {
        let forge = sandbox.forge(words).env("HOME", "/dev/null");
        ["FORGE_CACHE_DIR", "FORGE_DATA_DIR", "XDG_CACHE_HOME", "XDG_DATA_HOME"]
            .into_iter()
            .fold(forge, |forge, name| forge.env(name, ""))
    };
    let sandbox = Sandbox::new().script("hello", "v1").script("other", "v1");
    let run = homeless(&sandbox, "ensure").succeeds();
    assert_eq!(run.stderr().matches("warning").count(), 1, "{run}");
    run.says("there is no cache that workspaces share").says("FORGE_CACHE_DIR");
    assert_eq!(sandbox.run_binary("hello"), "hello v1\n");
    homeless(&sandbox, "ensure").succeeds();
    // Nothing can be remembered; what is locked and released is not done again all the same.
    let released = Sandbox::with_store().script("hello", "v1");
    homeless(&released, "ensure").succeeds().says("published");
    let plan = homeless(&released, "plan").succeeds();
    plan.says("unchanged").keeps_quiet_about("repaired").keeps_quiet_about("published");
    fs::remove_dir_all(released.beside("store")).unwrap();
    homeless(&released, "plan").succeeds().says("published");
    let doctor = homeless(&sandbox, "doctor").succeeds();
    doctor.says("there is no cache that workspaces share").says("counts for one run only");
    // Who needs a store is told that there is none.
    let run = homeless(&sandbox, "release:binary hello").run();
    assert_ne!(run.code(), Some(0), "{run}");
}

#[test]
fn a_workspace_whose_path_is_no_plain_text_is_refused() {
    let odd: [(&[u8], &str); 3] = [
        (b"a:b", "its path holds a `:`"),
        (b"a\nb", "its path holds a line break"),
        (b"a\xffb", "its path is not UTF-8"),
    ];
    for (name, why) in odd {
        let sandbox = Sandbox::new();
        let folder = sandbox.root().join(std::ffi::OsStr::from_bytes(name));
        for words in ["init", "init --dry-run"] {
            sandbox.forge(words).arg(&folder).exits(2).says(why).says("rename the folder");
        }
        assert!(!folder.exists());
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("versions.yml"), "versions: {}\ntasks: { t: 'true' }\n").unwrap();
        for words in ["check", "env", "t", "ensure", "list"] {
            sandbox.forge(words).within(&folder).exits(2).says(why);
        }
        sandbox.forge("doctor").within(&folder).exits(1).says(why);
    }
}

/// A folder that somebody would miss, and one with links that lead there.
fn planted(links: &[(&str, &str)]) -> (Sandbox, std::path::PathBuf) {
    let sandbox = Sandbox::with_store().script("hello", "v1");
    let home = home_of(&sandbox, "victim");
    for (link, target) in links {
        plant(&sandbox, link, &home.join(target));
    }
    (sandbox, home)
}

#[test]
fn what_is_written_for_people_goes_through_no_link_that_leads_out() {
    let ci = "ci:init --forge https://example.org/forge.git";
    let forced = format!("{ci} --force");
    for (link, target, words, code) in [
        ("new/versions.yml", "nothing", "init new", 2),
        ("new/subsystems", "docs", "init new", 1),
        ("new/hello", "", "init new", 1),
        (".github", "docs", ci, 1),
        (".github/workflows", "docs", ci, 1),
        (".github/workflows/forge.yml", "nothing", ci, 2),
        // What is a link is replaced by a file then.
        (".github/workflows/forge.yml", "hello", &forced, 0),
        ("forge.lock", "nothing", "ensure", 0),
        ("trace.json", "hello", "ensure --trace trace.json", 1),
        ("Taskfile.yml", "nothing", "migrate --into new", 2),
    ] {
        let (sandbox, home) = planted(&[(link, target)]);
        let before = held(&home);
        let run = sandbox.forge(words).run();
        assert_eq!(held(&home), before, "{link}: {words}\n{run}");
        assert_eq!(run.code(), Some(code), "{link}: {words}\n{run}");
    }
    // Links that stay in the workspace are the user's.
    let sandbox = Sandbox::with_store().script("hello", "v1").file("locks/forge.lock", "");
    symlink("locks/forge.lock", sandbox.path("forge.lock")).unwrap();
    sandbox.forge("ensure").succeeds();
    assert!(sandbox.path("forge.lock").is_symlink());
    assert!(sandbox.read("locks/forge.lock").contains("hello"));
}

#[test]
fn waiting_for_the_records_of_tasks_is_told_and_can_be_interrupted() {
    let task = "tasks: { t: { inputs: [versions.yml], run: 'true' } }\n";
    let sandbox = Sandbox::new().head(task).script("hello", "v1");
    sandbox.forge("t").succeeds();
    sandbox.forge("t --force").succeeds();
    let path = sandbox.path(".forge/state/tasks.lock");
    fs::write(&path, "4711").unwrap();
    let held = File::open(&path).unwrap();
    held.lock().unwrap();
    let (mut forge, said) = started(&sandbox, sandbox.forge("t --force"));
    wait_until("it says for whom it waits", || {
        said().contains("waiting for another forge (process 4711), which writes the records")
    });
    Command::new("kill").args(["-INT", &forge.id().to_string()]).status().unwrap();
    wait_until("it ends", || forge.try_wait().unwrap().is_some());
    assert_eq!(forge.wait().unwrap().code(), Some(130), "{}", said());
    drop(held);
    sandbox.forge("t --force").succeeds();
}

/// `forge`, as the first process of a namespace of its own, as in a container.
fn contained(sandbox: &Sandbox, words: &str) -> Command {
    let mut forge = sandbox.forge(words);
    let mut inside = Command::new("unshare");
    inside.args(["-pf", "--mount-proc"]).arg(forge.command().get_program());
    inside.args(forge.command().get_args()).current_dir(sandbox.root());
    for (key, value) in forge.command().get_envs() {
        inside.env(key, value.unwrap_or_default());
    }
    inside.stdout(Stdio::null()).stderr(Stdio::null());
    inside
}

#[test]
fn containers_that_share_a_workspace_leave_each_others_work_alone() {
    let works = Command::new("unshare").args(["-pf", "--mount-proc", "true"]).status();
    if !works.is_ok_and(|status| status.success()) {
        eprintln!("skipped: this machine makes no namespaces");
        return;
    }
    let slow = "sandbox: off\nbuild:\n  run: 'touch {{ root }}/begun; while [ ! -e {{ root }}/go ]; do sleep 0.02; done; printf \"#!/bin/sh\\necho slow\\n\" > {{ out }}/slow; chmod +x {{ out }}/slow'\n";
    let sandbox = Sandbox::new().spec("slow", "v1", slow).script("quick", "v1");
    let mut first = contained(&sandbox, "ensure slow").spawn().unwrap();
    wait_until("the build began", || sandbox.path("begun").exists());
    // The processes of both have the same numbers, and neither sees the other's.
    for _ in 0..3 {
        assert!(contained(&sandbox, "ensure quick").status().unwrap().success());
        sandbox.forge("clean:dist").succeeds();
        fs::remove_dir_all(sandbox.path(".forge/installed/quick")).unwrap();
    }
    fs::write(sandbox.path("go"), "").unwrap();
    assert!(first.wait().unwrap().success());
    assert_eq!(sandbox.run_binary("slow"), "slow\n");
}

#[test]
fn an_event_that_cannot_be_read_is_told_once() {
    let sandbox = Sandbox::new().script("hello", "v1");
    for words in ["plan", "ensure"] {
        let forge = sandbox.forge(words).env("GITHUB_ACTIONS", "true");
        let run = forge.env("GITHUB_EVENT_PATH", sandbox.beside("event")).succeeds();
        let told = run.stderr().matches("cannot read the event of the workflow").count();
        assert_eq!(told, 1, "{words}: {run}");
    }
}
