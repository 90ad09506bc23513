//! Where some sources changed, only those and what needs them are looked at again, and what comes out is
//! what a look at everything gives.

use std::{fs, thread::sleep, time::Duration};

use crate::support::Sandbox;

/// After that, a file is older than what a tick of the clock hides.
const TICK: Duration = Duration::from_millis(60);

/// A tool, what is built with it, what needs that, a family, and some that stand alone.
fn workspace() -> Sandbox {
    let user = "build_needs: [tool]\nneeds: [peer]\nsource: { path: code/user }\n\
                build: { run: '(cat main; tool) > {{ out }}/user' }\n";
    let family = "discover: fleet/{each}\nname: '{{ each }}'\nsource: { path: '{{ folder }}' }\n\
                  build: { run: 'cp main {{ out }}/{{ name }}' }\n";
    let shared = "source: { path: code/shared, also: [protos] }\n\
                  build: { run: 'cp main {{ out }}/shared' }\n";
    let other = shared.replace("shared", "other");
    let sandbox = ["tool", "peer", "one", "two", "three", "four"]
        .into_iter()
        .fold(Sandbox::new(), |sandbox, name| sandbox.script(name, "v1"))
        .file("code/user/main", "#!/bin/sh\n")
        .spec("user", "v1", user)
        .file("code/shared/main", "#!/bin/sh\n# s\n")
        .file("code/other/main", "#!/bin/sh\n# o\n")
        .file("protos/a.proto", "a")
        .spec("shared", "v1", shared)
        .spec("other", "v1", &other)
        .file("fleet/red/main", "#!/bin/sh\n# r\n")
        .file("fleet/blue/main", "#!/bin/sh\n# b\n")
        .spec("red", "v1", "")
        .spec("blue", "v1", "")
        .file("subsystems/fleet.yml", family);
    for name in ["red", "blue"] {
        // Its version is pinned; its spec is that of the family.
        fs::remove_file(sandbox.path(&format!("subsystems/{name}.yml"))).unwrap();
    }
    sandbox.forge("ensure").succeeds();
    sandbox
}

/// What `ensure` makes of what is not fresh.
fn made(sandbox: &Sandbox) -> String {
    sleep(TICK);
    let hows = sandbox.hows("ensure");
    assert_eq!(hows.len(), 11, "{hows:?}");
    let made = hows.iter().filter(|(_, how)| how != "fresh");
    made.map(|(name, how)| format!("{name} {how}")).collect::<Vec<_>>().join(", ")
}

/// What `words` print where no snapshot is there.
fn whole(sandbox: &Sandbox, words: &str) -> String {
    let (kept, aside) = (sandbox.path(".forge/state/snapshot"), sandbox.beside("aside"));
    let has_one = fs::rename(&kept, &aside).is_ok();
    let run = sandbox.forge(words).run();
    if has_one {
        fs::rename(aside, kept).unwrap();
    }
    run.stdout()
}

#[test]
fn what_changed_and_what_needs_it_is_made_and_nothing_else_is_touched() {
    let sandbox = workspace();
    assert_eq!(made(&sandbox), "");
    for (path, expected) in [
        ("code/one/one.sh", "one built"),
        ("code/tool/tool.sh", "tool built, user built"),
        ("code/peer/new", "peer built"),
        ("fleet/red/main", "red built"),
        ("protos/b.proto", "other built, shared built"),
    ] {
        sandbox.write(path, &format!("#!/bin/sh\necho {path}\n"));
        assert_eq!(made(&sandbox), expected, "{path}");
        assert_eq!(made(&sandbox), "", "{path} again");
        assert_eq!(made(&sandbox), "", "{path} once more");
    }
    assert!(sandbox.read(".forge/installed/user/user").ends_with("\ncode/tool/tool.sh\n"));
    let installed = fs::read_dir(sandbox.path(".forge/installed")).unwrap().count();
    assert_eq!(installed, 11, "what was not looked at is still there");
}

#[test]
fn a_plan_says_the_same_whether_a_part_or_everything_is_looked_at() {
    let sandbox = workspace();
    let edits: [(&str, &dyn Fn()); 8] = [
        ("nothing", &|| {}),
        ("a change", &|| sandbox.write("code/two/two.sh", "#!/bin/sh\n# 2\n")),
        ("a new file", &|| sandbox.write("code/user/more", "2")),
        ("a file that goes", &|| fs::remove_file(sandbox.path("code/user/more")).unwrap()),
        ("damage", &|| sandbox.write(".forge/installed/tool/tool", "damaged")),
        ("what is gone", &|| fs::remove_dir_all(sandbox.path(".forge/installed/three")).unwrap()),
        ("a spec", &|| {
            sandbox.write("subsystems/one.yml", "build: { run: 'cp /bin/true {{ out }}/one' }");
        }),
        ("what is ignored from now on", &|| sandbox.write("code/four/.gitignore", "*.txt")),
    ];
    for (what, edit) in edits {
        edit();
        sleep(TICK);
        for words in ["plan", "plan --json"] {
            let part = sandbox.forge(words).run().stdout();
            assert_eq!(part, whole(&sandbox, words), "{what}: {words}");
        }
        sandbox.forge("ensure").run();
        sleep(TICK);
        let part = sandbox.forge("plan").run().stdout();
        assert_eq!(part, whole(&sandbox, "plan"), "{what}: after it was ensured");
        assert!(!part.contains("built"), "{what}: {part}");
    }
}

#[test]
fn what_fails_is_tried_again_and_the_rest_holds() {
    let sandbox = workspace();
    assert_eq!(made(&sandbox), "");
    fs::remove_file(sandbox.path("code/two/two.sh")).unwrap();
    for _ in 0..2 {
        assert_eq!(made(&sandbox), "two failed");
    }
    sandbox.write("code/two/two.sh", "#!/bin/sh\necho two again\n");
    assert_eq!(made(&sandbox), "two built");
    assert_eq!(made(&sandbox), "");
}
