//! Stopped, killed, and several at once: the next run always ends right.

use std::{
    fs,
    io::Read,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::support::{Marker, Sandbox, is_alive, is_here, wait_until};

fn signal(name: &str, pid: u32) {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(status.expect("kill").success(), "kill -{name} {pid}");
}

/// All that a finished child printed.
fn output(mut child: Child) -> (Option<i32>, String, String) {
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    (child.wait().unwrap().code(), out, err)
}

/// Files in the workspace that only a half-done write leaves.
fn half_written(sandbox: &Sandbox) -> Vec<String> {
    let names = sandbox.listing().into_iter().filter(|(path, what)| {
        what.starts_with("file") || path.parent().is_some_and(|parent| parent.ends_with("staging"))
    });
    let names = names.map(|(path, _)| path.display().to_string());
    let is_half = |name: &String| {
        let file = name.rsplit('/').next().unwrap_or_default();
        let temporary = file.starts_with('.')
            && !matches!(file, ".version" | ".record" | ".gitignore" | ".forge")
            // Who made a folder of sources, beside it.
            && !file.ends_with(".class");
        temporary
            || name.contains("/staging/")
            || name.contains("/half-made/")
            || file.ends_with(".part")
            || file.contains(".tmp.")
    };
    names.filter(|name| !name.starts_with("work/code")).filter(is_half).collect()
}

#[test]
fn a_stopped_run_leaves_no_process_and_no_half_written_file() {
    for name in ["INT", "TERM"] {
        let (marker, stray) = (Marker::new(), Marker::new());
        let sandbox = Sandbox::with_store()
            .script("good", "v1")
            .spec(
                "slow",
                "v1",
                &format!(
                    "sandbox: off\nbuild: {{ run: 'echo half > {{{{ out }}}}/slow; setsid {} & touch {{{{ root }}}}/begun; {}' }}\n",
                    stray.sleep(),
                    marker.sleep()
                ),
            )
            .spec("later", "v1", "build_needs: [slow]\nbuild: { run: exit 0 }\n");
        let child = sandbox.forge("ensure").start();
        wait_until("the build sleeps", || {
            sandbox.path("begun").exists()
                && sandbox.path(".forge/bin/good").exists()
                && marker.alive() == 1
        });
        let began = Instant::now();
        signal(name, child.id());
        let (code, out, err) = output(child);
        assert_eq!(code, Some(130), "{out}{err}");
        assert!(began.elapsed() < Duration::from_secs(8), "it took {:?}", began.elapsed());
        assert_eq!(marker.alive() + stray.alive(), 0, "a process outlives it\n{out}{err}");
        assert!(half_written(&sandbox).is_empty(), "{:?}", half_written(&sandbox));
        assert!(!sandbox.path(".forge/installed/slow").exists());
        let line = |name: &str| out.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        assert!(line("slow").is_some_and(|line| line.contains("cancelled")), "{out}{err}");
        assert!(line("later").is_some_and(|line| !line.contains("failed")), "{out}{err}");
        assert_eq!(sandbox.run_binary("good"), "good v1\n");
        // What was done stays done.
        sandbox.write(
            "subsystems/slow.yml",
            "build: { run: 'printf \"#!/bin/sh\\n\" > {{ out }}/slow' }\n",
        );
        sandbox.write("subsystems/later.yml", "build_needs: [slow]\nbuild: { run: 'slow; printf \"#!/bin/sh\\n\" > {{ out }}/later' }\n");
        let hows = sandbox.hows("ensure");
        assert_eq!(hows[0], ("good".into(), "fresh".into()));
        assert!(hows.iter().skip(1).all(|(_, how)| how == "built"), "{hows:?}");
    }
}

#[test]
fn a_stopped_run_says_so_in_its_document() {
    let marker = Marker::new();
    let sandbox =
        Sandbox::new().spec("slow", "v1", &format!("build: {{ run: {} }}\n", marker.sleep()));
    let child = sandbox.forge("ensure --json").start();
    wait_until("the build sleeps", || marker.alive() == 1);
    signal("INT", child.id());
    let (code, out, err) = output(child);
    assert_eq!(code, Some(130), "{err}");
    let document: serde_json::Value = serde_json::from_str(&out).expect("a document");
    assert_eq!(document["ok"], false);
    assert_eq!(document["artifacts"][0]["how"], "skipped");
    assert_eq!(document["artifacts"][0]["reason"], "cancelled");
}

#[test]
fn a_second_signal_takes_the_grace_away() {
    let marker = Marker::new();
    let stubborn = format!(
        "build: {{ run: \"trap '' TERM INT; {} & while :; do sleep 0.01; done\" }}\n",
        marker.sleep()
    );
    let sandbox = Sandbox::new().spec("stubborn", "v1", &stubborn);
    let child = sandbox.forge("ensure").start();
    wait_until("the build runs", || marker.alive() == 1);
    signal("INT", child.id());
    std::thread::sleep(Duration::from_millis(50));
    let began = Instant::now();
    signal("INT", child.id());
    let (code, _, err) = output(child);
    assert_eq!(code, Some(130), "{err}");
    assert!(began.elapsed() < Duration::from_millis(1500), "it took {:?}", began.elapsed());
    assert_eq!(marker.alive(), 0);
}

/// The next number of a sequence that looks random (xorshift), below `limit`.
fn random(state: &mut u64, limit: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % limit
}

/// Twenty subsystems: scripts, some built with each other, some slow, some of which sleep
/// in a way that tells if they survive.
fn twenty(marker: &Marker) -> Sandbox {
    let mut sandbox = Sandbox::with_store();
    for i in 0..12 {
        sandbox = sandbox.script(&format!("plain{i}"), "v1");
    }
    for i in 0..4 {
        let spec = format!(
            "build_needs: [plain{i}]\nbuild: {{ run: 'plain{i} > /dev/null; printf \"#!/bin/sh\\necho need{i}\\n\" > {{{{ out }}}}/need{i}' }}\n"
        );
        sandbox = sandbox.spec(&format!("need{i}"), "v1", &spec);
    }
    for i in 0..4 {
        // Sleeps only while the flag is there, so that a run without it ends.
        let spec = format!(
            "build: {{ run: 'printf half > {{{{ out }}}}/slow{i}; test -e {{{{ root }}}}/fast || {}; printf \"#!/bin/sh\\necho slow{i}\\n\" > {{{{ out }}}}/slow{i}' }}\n",
            marker.sleep()
        );
        sandbox = sandbox.spec(&format!("slow{i}"), "v1", &spec);
    }
    sandbox
}

#[test]
fn killed_at_any_moment_the_next_run_ends_right() {
    const ROUNDS: u64 = 200;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed =
        std::env::var("FORGE_TEST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(now | 1);
    eprintln!("seed: {seed} (FORGE_TEST_SEED repeats it)");
    let mut state = seed;
    let marker = Marker::new();
    let sandbox = twenty(&marker);
    let mut longest = Duration::ZERO;
    for round in 0..ROUNDS {
        // Mixed states: something is gone, damaged, changed or another version.
        match random(&mut state, 6) {
            0 => drop(fs::remove_dir_all(sandbox.path(".forge"))),
            1 => drop(fs::remove_dir_all(sandbox.beside("cache"))),
            2 => drop(fs::remove_dir_all(sandbox.path(".forge/installed/plain3"))),
            3 => sandbox.write("code/plain5/plain5.sh", &format!("#!/bin/sh\necho {round}\n")),
            4 => drop(fs::remove_dir_all(sandbox.beside("store"))),
            _ => {}
        }
        let mut invocation = sandbox.forge("ensure -j 4");
        invocation.command().process_group(0);
        let mut child = invocation.start();
        std::thread::sleep(Duration::from_micros(random(&mut state, 60_000)));
        let group = random(&mut state, 2) == 0;
        let target = if group { format!("-{}", child.id()) } else { child.id().to_string() };
        let _ = Command::new("kill").args(["-9", "--", &target]).output();
        child.wait().unwrap();
        if round % 10 == 9 {
            let began = Instant::now();
            wait_until("no process of a killed run is alive", || marker.alive() == 0);
            longest = longest.max(began.elapsed());
            fs::write(sandbox.path("fast"), "").unwrap();
            let run = sandbox.forge("ensure -j 4").run();
            assert_eq!(run.code(), Some(0), "seed {seed}, round {round}: {run}");
            sandbox.forge("verify").succeeds();
            for name in ["plain0", "need2", "slow3"] {
                let said = sandbox.run_binary(name);
                assert!(said.starts_with(name), "seed {seed}, round {round}: {name} says {said:?}");
            }
            fs::remove_file(sandbox.path("fast")).unwrap();
        }
    }
    eprintln!("the last process of a killed run ended after {longest:?} at most");
    // What the store holds by now serves a fresh clone; what it lost is built there.
    let clone = sandbox.clone_fresh();
    clone.write("fast", "");
    clone.forge("ensure").succeeds();
    clone.forge("verify").succeeds();
}

#[test]
fn after_a_kill_nothing_half_made_stays_for_long() {
    let marker = Marker::new();
    let sandbox = twenty(&marker);
    let mut child = sandbox.forge("ensure -j 4").start();
    wait_until("a build sleeps", || marker.alive() > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("its processes ended", || marker.alive() == 0);
    fs::write(sandbox.path("fast"), "").unwrap();
    sandbox.forge("ensure").succeeds();
    // A store may have several writers: what one of them left goes after a day.
    let mut left = half_written(&sandbox);
    left.retain(|name| {
        !name.starts_with("store/.partial/") && !name.starts_with("cache/half-made/")
    });
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn two_runs_at_once_build_each_artifact_once() {
    for (round, processes) in [2, 3, 4, 2, 4].into_iter().enumerate() {
        let mut sandbox = Sandbox::with_store();
        for i in 0..8 {
            sandbox = sandbox.script(&format!("s{i}"), "v1");
        }
        let slow = format!(
            "build_needs: [s1]\nbuild: {{ run: 'sleep 0.2; echo x >> {}; s1; printf \"#!/bin/sh\\n\" > {{{{ out }}}}/slow' }}\n",
            sandbox.beside("builds").display()
        );
        let sandbox = sandbox.spec("slow", "v1", &slow);
        let children: Vec<_> =
            (0..processes).map(|_| sandbox.forge("ensure --json -j 2").start()).collect();
        let mut built = 0;
        for child in children {
            let (code, out, err) = output(child);
            assert_eq!(code, Some(0), "round {round}: {out}{err}");
            let document: serde_json::Value = serde_json::from_str(&out).expect("a document");
            let artifacts = document["artifacts"].as_array().unwrap();
            assert_eq!(artifacts.len(), 9, "{out}");
            built += artifacts.iter().filter(|a| a["how"] == "built").count();
        }
        assert_eq!(sandbox.builds(), 9, "round {round}: something was built twice");
        assert_eq!(built, 9, "round {round}: each says of itself what it built");
        sandbox.forge("verify").succeeds();
        sandbox.all_are("fresh");
        assert!(half_written(&sandbox).is_empty(), "{:?}", half_written(&sandbox));
        let clone = sandbox.clone_fresh();
        clone.all_are("downloaded");
    }
}

#[test]
fn several_machines_on_one_store_end_in_one_release() {
    for _ in 0..3 {
        let first = (0..6).fold(Sandbox::with_store(), |it, i| it.script(&format!("s{i}"), "v1"));
        let machines: Vec<_> = (0..3).map(|_| first.clone_fresh()).collect();
        let children: Vec<_> =
            machines.iter().map(|it| it.forge("ensure --json").start()).collect();
        let mut published = 0;
        for child in children {
            let (code, out, err) = output(child);
            assert_eq!(code, Some(0), "{out}{err}");
            let document: serde_json::Value = serde_json::from_str(&out).expect("a document");
            let artifacts = document["artifacts"].as_array().unwrap();
            published += artifacts.iter().filter(|a| a["published"] == true).count();
        }
        assert_eq!(published, 6, "each release has one publisher");
        let locks: Vec<_> = machines.iter().map(|machine| machine.read("forge.lock")).collect();
        assert!(locks.iter().all(|lock| *lock == locks[0]), "they disagree: {locks:#?}");
        let late = machines[0].clone_fresh();
        late.all_are("downloaded");
    }
}

#[test]
fn whoever_waits_for_a_killed_forge_goes_on_at_once() {
    let marker = Marker::new();
    let spec = format!(
        "build: {{ run: 'test -e {{{{ root }}}}/fast || {}; printf \"#!/bin/sh\\n\" > {{{{ out }}}}/slow' }}\n",
        marker.sleep()
    );
    let sandbox = Sandbox::new().spec("slow", "v1", &spec);
    let mut first = sandbox.forge("ensure").start();
    wait_until("the first builds", || marker.alive() == 1);
    fs::write(sandbox.path("fast"), "").unwrap();
    let second = sandbox.forge("ensure").start();
    std::thread::sleep(Duration::from_millis(100));
    assert!(is_alive(second.id()), "it waits");
    first.kill().unwrap();
    first.wait().unwrap();
    let (code, out, err) = output(second);
    assert_eq!(code, Some(0), "{out}{err}");
    wait_until("the killed build ended", || marker.alive() == 0);
}

#[test]
fn builds_that_use_make_share_the_budget_of_jobs() {
    if !is_here("make") {
        return;
    }
    // Each target notes when it began and ended; never may more than two run at once.
    let makefile =
        "all: 1 2 3 4 5 6\n1 2 3 4 5 6:\n\t@echo b >> $(LOG); sleep 0.05; echo e >> $(LOG)\n";
    let mut sandbox = Sandbox::new();
    let log = sandbox.beside("targets");
    fs::write(&log, "").unwrap();
    for name in ["one", "two"] {
        let spec = format!(
            "source: {{ path: code/{name} }}\nbuild:\n  run:\n    - make LOG={}\n    - printf '#!/bin/sh\\n' > {{{{ out }}}}/{name}\n  tools: [make]\n",
            log.display()
        );
        sandbox = sandbox.file(&format!("code/{name}/Makefile"), makefile).spec(name, "v1", &spec);
    }
    let run = sandbox.forge("ensure -j 2 -v").succeeds();
    let (mut running, mut most) = (0, 0);
    for line in fs::read_to_string(&log).unwrap().lines() {
        running += if line == "b" { 1 } else { -1 };
        most = most.max(running);
    }
    assert_eq!((running, fs::read_to_string(&log).unwrap().lines().count()), (0, 24), "{run}");
    assert_eq!(most, 2, "{run}");
}

/// Where a system allows little, forge says so: it neither panics nor is it ended by a signal.
#[test]
fn limits_of_the_system_end_in_an_error() {
    let sandbox = Sandbox::new().script("a", "v1").script("b", "v1");
    let forge = sandbox.forge("ensure").command().get_program().to_owned();
    let limits = ["-n 5", "-n 6", "-n 7", "-n 8", "-n 12", "-n 24", "-n 64"].into_iter();
    for limit in limits.chain(["-v 300000", "-v 500000", "-v 4000000"]) {
        let mut limited = sandbox.forge("ensure");
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit {limit}; exec timeout 60 \"$0\" ensure")]).arg(&forge);
        shell.current_dir(sandbox.root());
        for (key, value) in limited.command().get_envs() {
            shell.env(key, value.unwrap_or_default());
        }
        let output = shell.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        assert!(matches!(code, Some(0..=4)), "{limit}: {code:?}\n{said}");
        assert!(!said.contains("panicked"), "{limit}: {said}");
        let shown = format!("{}{said}", String::from_utf8_lossy(&output.stdout));
        assert!(code == Some(0) || shown.contains("error"), "{limit}: {shown}");
    }
}

/// Whatever a process says of itself, and whatever it forgets.
#[test]
fn no_process_of_a_build_outlives_it() {
    let ways = [
        "FORGE_COMMAND=services-x setsid SLEEP &",
        "FORGE_COMMAND=services-0123456789abcdef-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef setsid SLEEP &",
        "FORGE_COMMAND=${FORGE_COMMAND%-*}-x setsid SLEEP &",
        "FORGE_COMMAND=${FORGE_COMMAND%%-*}-0-1 setsid SLEEP &",
        "env -i setsid SLEEP &",
        // In a group of its own, but in the session of forge.
        "env -i perl -e 'setpgrp(0, 0); exec @ARGV' SLEEP &",
        "(env -i setsid sh -c '(setsid SLEEP &) ; exit' &) ; exit",
        "env -i setsid sh -c 'trap \"\" TERM; SLEEP; SLEEP' &",
    ];
    for way in ways {
        let marker = Marker::new();
        let sleep = format!("{} >/dev/null 2>&1", marker.sleep());
        let script = format!("#!/bin/sh\n{}\nsleep 0.05\n", way.replace("SLEEP", &sleep));
        let sandbox = Sandbox::new().file("leave.sh", &script).spec(
            "tool",
            "v1",
            "build: { run: 'sh {{ root }}/leave.sh; printf \"#!/bin/sh\\n\" > {{ out }}/tool' }\n",
        );
        sandbox.forge("ensure").succeeds();
        assert_eq!(marker.alive(), 0, "{way}");
    }
}

/// Who becomes forge may have started something before, and that is none of forge's business.
#[test]
fn what_was_there_before_forge_stays() {
    let marker = Marker::new();
    let sandbox = Sandbox::new().script("tool", "v1");
    let mut forge = sandbox.forge("ensure");
    let line = format!("{} >/dev/null 2>&1 & echo $! >&2; exec \"$@\"", marker.sleep());
    let mut shell = Command::new("sh");
    shell.args(["-c", &line, "sh"]).arg(forge.command().get_program());
    shell.args(forge.command().get_args()).current_dir(sandbox.root());
    for (key, value) in forge.command().get_envs() {
        shell.env(key, value.unwrap_or_default());
    }
    let output = shell.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let was_alive = marker.alive();
    let pid = said.lines().next().and_then(|line| line.parse().ok()).expect("its number");
    signal("KILL", pid);
    assert!(output.status.success(), "{said}");
    assert_eq!(was_alive, 1);
}

/// In a container the session of a process may have begun outside, where it has no number.
#[test]
fn in_a_namespace_of_processes_strays_are_ended_too() {
    let works = Command::new("unshare").args(["-pf", "--mount-proc", "true"]).status();
    if !works.is_ok_and(|status| status.success()) {
        eprintln!("skipped: this machine makes no namespaces");
        return;
    }
    let stray = Marker::new();
    let spec = format!(
        "build: {{ run: 'setsid {} & printf \"#!/bin/sh\\n\" > {{{{ out }}}}/tool' }}\n",
        stray.sleep()
    );
    let sandbox = Sandbox::new().spec("tool", "v1", &spec);
    let mut forge = sandbox.forge("ensure");
    let mut inside = Command::new("unshare");
    inside.args(["-pf", "--mount-proc"]).arg(forge.command().get_program());
    inside.args(forge.command().get_args()).current_dir(sandbox.root());
    for (key, value) in forge.command().get_envs() {
        inside.env(key, value.unwrap_or_default());
    }
    let output = inside.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(stray.alive(), 0);
}

#[test]
fn a_flood_of_output_does_not_keep_a_signal_from_working() {
    let flood = "tasks: { out: 'yes', both: 'yes & yes >&2' }";
    let build = "build: { run: 'yes' }\n";
    let sandbox = Sandbox::new().head(flood).spec("hello", "v1", build);
    for words in
        ["run out", "run both", "run out both --parallel", "run out --output quiet", "ensure"]
    {
        let mut forge = sandbox.forge(words);
        forge.command().stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = forge.command().spawn().expect("forge starts");
        std::thread::sleep(Duration::from_millis(300));
        assert!(child.try_wait().unwrap().is_none(), "{words} ended by itself");
        signal("INT", child.id());
        let began = Instant::now();
        wait_until("it ends", || child.try_wait().unwrap().is_some());
        // A second is much; a busy machine needs more for what is read already.
        assert!(began.elapsed() < Duration::from_secs(5), "{words} took {:?}", began.elapsed());
        assert_eq!(child.wait().unwrap().code(), Some(130), "{words}");
    }
}
