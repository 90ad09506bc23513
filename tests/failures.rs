//! Builds that go wrong: one clear error each, and the rest goes on.

use std::{fs, os::unix::fs::PermissionsExt, time::Instant};

use crate::support::{Marker, Run, Sandbox, wait_until};

/// A workspace with a good script and one subsystem that is built by these commands.
fn with_build(build: &str) -> Sandbox {
    Sandbox::new().script("good", "v1").spec("bad", "v1", &format!("build:\n{build}"))
}

/// The good one is there; the bad one is not.
fn the_rest_went_on(sandbox: &Sandbox, run: &Run) {
    assert_eq!(sandbox.run_binary("good"), "good v1\n", "{run}");
    assert!(!sandbox.path(".forge/installed/bad").exists(), "{run}");
    assert!(!sandbox.path(".forge/bin/bad").exists(), "{run}");
    let staging = sandbox.path(".forge/state/staging");
    let left = fs::read_dir(&staging).map_or(0, |entries| entries.flatten().count());
    assert_eq!(left, 0, "something half-made stays\n{run}");
}

#[test]
fn a_command_that_fails_is_told_with_its_last_lines_and_its_log() {
    let sandbox = with_build(
        "  run:\n    - for i in $(seq 500); do echo line $i; done\n    - echo the very reason >&2; exit 7\n",
    );
    let run = sandbox.forge("ensure").exits(1);
    run.says("the very reason").says("exited with code 7").says("line 500").says("bad.log");
    run.keeps_quiet_about("line 100\n");
    the_rest_went_on(&sandbox, &run);
}

#[test]
fn a_build_that_makes_no_binary_is_told_what_is_there_instead() {
    let sandbox = with_build("  run: echo x > {{ out }}/bda\n");
    let run = sandbox.forge("ensure").exits(1);
    run.says("the build made no `bad`").says("bda");
    the_rest_went_on(&sandbox, &run);
}

#[test]
fn a_build_that_makes_no_program_fails_verification() {
    let sandbox = with_build("  run: echo just text > {{ out }}/bad\n");
    let run = sandbox.forge("ensure").exits(4);
    run.says("neither a program nor a `#!` script");
    the_rest_went_on(&sandbox, &run);
}

#[test]
fn a_build_that_hangs_is_ended_with_everything_it_started() {
    let (marker, stray) = (Marker::new(), Marker::new());
    let sandbox = with_build(&format!(
        "  timeout: 1s\n  run: 'setsid {} & {} & wait'\n",
        stray.sleep(),
        marker.sleep()
    ));
    let began = Instant::now();
    let run = sandbox.forge("ensure").exits(124);
    run.says("after the 1.0 s that the whole build may take").says("bad");
    assert!(began.elapsed().as_secs() < 10, "it took {:?}", began.elapsed());
    assert_eq!(marker.alive() + stray.alive(), 0, "a process outlives it\n{run}");
    the_rest_went_on(&sandbox, &run);
}

#[test]
fn what_a_build_leaves_in_the_background_is_ended_too() {
    let (marker, stray) = (Marker::new(), Marker::new());
    let sandbox = with_build(&format!(
        "  run: |\n    {} >/dev/null 2>&1 &\n    setsid {} >/dev/null 2>&1 &\n    sleep 0.05\n    printf '#!/bin/sh\\necho fine\\n' > {{{{ out }}}}/bad\n",
        marker.sleep(),
        stray.sleep()
    ));
    let run = sandbox.forge("ensure").succeeds();
    assert_eq!(sandbox.run_binary("bad"), "fine\n");
    assert_eq!(marker.alive() + stray.alive(), 0, "a process outlives it\n{run}");
}

#[test]
fn a_build_that_prints_a_gigabyte_costs_little_memory() {
    let sandbox = with_build(
        "  run: 'yes xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx | head -c 1000000000; exit 1'\n",
    );
    let mut child = sandbox.forge("ensure").start();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    // Read by others, so that the pipes never fill.
    let readers: Vec<std::thread::JoinHandle<usize>> = [
        Box::new(child.stdout.take().unwrap()) as Box<dyn std::io::Read + Send>,
        Box::new(child.stderr.take().unwrap()),
    ]
    .into_iter()
    .map(|mut pipe| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            pipe.read_to_end(&mut bytes).unwrap();
            bytes.len()
        })
    })
    .collect();
    let code = loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    assert_eq!(code, Some(1));
    let printed: usize = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
    assert!(printed < 1 << 20, "{printed} bytes were passed on");
    assert!(peak > 1000 && peak < 200 << 10, "{peak} KiB at its peak");
    let logs = sandbox.listing().into_keys().filter(|path| path.ends_with("bad.log"));
    let size: u64 = logs.map(|log| fs::metadata(sandbox.beside("").join(log)).unwrap().len()).sum();
    assert!(size < 100 << 20, "the log has {size} bytes");
}

#[test]
fn a_missing_tool_is_named_with_who_needs_it_and_what_to_do() {
    let sandbox = with_build("  tools: [nosuchtool]\n  run: nosuchtool -o {{ out }}/bad\n");
    let run = sandbox.forge("ensure").exits(1);
    run.says("nosuchtool is not installed").says("bad is built with it").says("subsystems/bad.yml");
    run.says("install nosuchtool and put it on PATH");
    the_rest_went_on(&sandbox, &run);
}

#[test]
fn a_declared_tool_is_missed_even_if_only_a_script_would_call_it() {
    let sandbox = with_build("  tools: [nosuchtool]\n  run: 'if true; then nosuchtool; fi'\n");
    let run = sandbox.forge("ensure").exits(1);
    run.says("nosuchtool").says("install nosuchtool");
}

#[test]
fn a_tool_of_another_version_than_declared_is_refused() {
    let sandbox = Sandbox::new()
        .file(
            "tools/bin/mytool",
            "#!/bin/sh\ntest \"$1\" = version && echo mytool version mt1.30.2\n",
        )
        .script("good", "v1");
    let tool = sandbox.path("tools/bin/mytool");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let build = |version: &str| {
        format!(
            "sandbox: off\nbuild: {{ run: 'echo built >> {{{{ root }}}}/log; printf \"#!/bin/sh\\n\" > {{{{ out }}}}/bad', tools: {{ mytool: '{version}' }} }}\n"
        )
    };
    let path =
        format!("{}:{}", sandbox.path("tools/bin").display(), std::env::var("PATH").unwrap());
    let sandbox = sandbox.spec("bad", "v1", &build("1.3"));
    let run = sandbox.forge("ensure").env("PATH", &path).exits(1);
    run.says("mytool is not the 1.3 that bad is built with").says("mytool version mt1.30.2");
    assert!(!sandbox.path("log").exists(), "a command ran\n{run}");
    the_rest_went_on(&sandbox, &run);
    sandbox.write("subsystems/bad.yml", &build("1.30"));
    sandbox.forge("ensure").env("PATH", &path).succeeds();
}

#[test]
fn dependents_of_a_failure_are_skipped_and_say_why_with_the_root_cause_first() {
    let sandbox = Sandbox::new()
        .script("apart", "v1")
        .spec("root", "v1", "build: { run: echo rootcause; exit 1 }\n")
        .spec("middle", "v1", "build_needs: [root]\nbuild: { run: exit 0 }\n")
        .spec("aaa", "v1", "build_needs: [middle]\nbuild: { run: exit 0 }\n");
    let run = sandbox.forge("ensure --json").exits(1);
    let reasons: Vec<String> = run.json()["artifacts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| format!("{} {}: {}", a["name"], a["how"], a["reason"]).replace('"', ""))
        .collect();
    assert_eq!(reasons[0], "aaa skipped: needs middle, which was skipped", "{run}");
    assert!(reasons[1].starts_with("apart built"), "{run}");
    assert_eq!(reasons[2], "middle skipped: needs root, which failed", "{run}");
    assert!(reasons[3].starts_with("root failed"), "{run}");
    let run = sandbox.forge("ensure").exits(1);
    let text = run.stdout();
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what:?}\n{run}"));
    assert!(at("rootcause") < at("needs root"), "{run}");
    assert_eq!(sandbox.run_binary("apart"), "apart v1\n");
}

#[test]
fn what_failed_is_tried_again_and_what_was_done_is_kept() {
    let sandbox = Sandbox::new().script("good", "v1").spec(
        "bad",
        "v1",
        "build: { run: 'test -f {{ root }}/ready; printf \"#!/bin/sh\\n\" > {{ out }}/bad' }\n",
    );
    sandbox.forge("ensure").exits(1);
    sandbox.write("ready", "");
    let hows = sandbox.hows("ensure");
    assert_eq!(hows, [("bad".into(), "built".into()), ("good".into(), "fresh".into())]);
    assert_eq!(sandbox.builds(), 1);
}

#[test]
fn garbage_in_what_forge_remembers_costs_work_and_nothing_else() {
    let sandbox = Sandbox::new().script("hello", "v1").script("bye", "v1");
    sandbox.forge("ensure").succeeds();
    std::thread::sleep(std::time::Duration::from_millis(120));
    sandbox.all_are("fresh");
    for garbage in [&b""[..], b"\0\0\0", b"forge-record 1 x\n{}", b"\xff\xfe garbage: [\n\n"] {
        // More is known than when it was installed.
        let touched = std::fs::File::open(sandbox.path(".forge/installed/hello/hello")).unwrap();
        touched.set_modified(std::time::UNIX_EPOCH).unwrap();
        sandbox.forge("ensure").succeeds();
        for path in [".forge/state/artifacts/hello", ".forge/state/snapshot"] {
            assert!(sandbox.path(path).exists(), "{path} moved: this test looks elsewhere");
            crate::support::overwrite(&sandbox.path(path), garbage);
            sandbox.all_are("fresh");
            std::thread::sleep(std::time::Duration::from_millis(60));
            sandbox.all_are("fresh");
        }
        crate::support::overwrite(&sandbox.path(".forge/installed/hello/.version"), garbage);
        let run = sandbox.forge("ensure").succeeds();
        run.says("the installed hello is damaged").says("its stamp");
        sandbox.forge("verify").succeeds();
        for entry in fs::read_dir(sandbox.beside("cache/artifacts")).unwrap().flatten() {
            crate::support::overwrite(&entry.path(), garbage);
        }
        sandbox.forge("clean:all").succeeds();
        sandbox.forge("ensure").succeeds();
        sandbox.forge("verify").succeeds();
    }
}

#[test]
fn something_in_the_way_of_an_installed_folder_is_told() {
    let sandbox = Sandbox::new().script("hello", "v1");
    fs::create_dir_all(sandbox.path(".forge")).unwrap();
    fs::write(sandbox.path(".forge/installed"), "in the way").unwrap();
    let run = sandbox.forge("ensure").run();
    assert_eq!(run.code(), Some(1), "{run}");
    run.says("hello").says(".forge/installed");
}

#[test]
fn a_source_that_changes_while_it_is_built_belongs_to_no_fingerprint() {
    let sandbox = Sandbox::new().file("code/a.txt", "a").spec(
        "racy",
        "v1",
        "source: { path: code }\nbuild: { run: 'printf \"#!/bin/sh\\n\" > {{ out }}/racy; echo b > a.txt' }\n",
    );
    let run = sandbox.forge("ensure").exits(1);
    run.says("the source of racy changed while it was built").says("code/a.txt");
    assert!(!sandbox.path(".forge/installed/racy").exists());
}

#[test]
fn a_script_without_the_executable_bit_is_installed_with_it() {
    let sandbox = Sandbox::new().script("hello", "v1");
    let code = sandbox.path("code/hello/hello.sh");
    fs::set_permissions(&code, fs::Permissions::from_mode(0o600)).unwrap();
    sandbox.forge("ensure").succeeds();
    assert_eq!(sandbox.run_binary("hello"), "hello v1\n");
}

#[test]
fn nothing_waits_for_input() {
    let sandbox =
        with_build("  run: 'cat; read -r x || true; printf \"#!/bin/sh\\n\" > {{ out }}/bad'\n");
    let mut child = sandbox.forge("ensure").start();
    wait_until("it ends", || child.try_wait().unwrap().is_some());
}
