//! Services: `forge up`, `down`, `logs`, `reload`, `verify --running`, and `ci:test` with the real
//! supervisor. Tests are left out where process-compose is not on PATH; continuous integration builds it.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::support::{Marker, Run, Sandbox, copy_tree, is_alive, is_here, wait_until};

/// A workspace with services, all of which are ended with the test.
struct Stack {
    /// Dropped first.
    ending: Ending,
    sandbox: Sandbox,
}

impl Stack {
    /// With the supervisor; none, where that is not here.
    fn new() -> Option<Self> {
        let copy = r#"build: { run: 'cp "$(command -v process-compose)" {{ out }}/' }"#;
        if !(is_here("process-compose") && is_here("cc")) {
            return None;
        }
        let spec = format!("binary: process-compose\n{copy}\n");
        let sandbox = Sandbox::new().spec("pc", "v1.46.0", &spec);
        let root = sandbox.root().canonicalize().expect("the workspace");
        Some(Self { ending: Ending(root), sandbox })
    }

    /// With a counter: a compiled HTTP server at `port`.
    fn counter(self, name: &str, port: u16, service: &str) -> Self {
        let source = fs::canonicalize("examples/services/counter/counter.c").expect("the example");
        let build = format!(
            "cc -DNAME='\"{{{{ version }}}}\"' -o {{{{ out }}}}/{name} {}",
            source.display()
        );
        let spec = format!(
            "build: {{ run: \"{}\" }}\nservice:\n  run: {name} serve {port}\n  ready: {{ http: 'http://127.0.0.1:{port}/x' }}\n{service}",
            build.replace('\\', "\\\\").replace('"', "\\\"")
        );
        Self { sandbox: self.sandbox.spec(name, "v1.0.0", &spec), ..self }
    }

    /// With a script that runs `lines`.
    fn script(self, name: &str, lines: &str, service: &str) -> Self {
        let path = format!("src/{name}");
        let sandbox = self.sandbox.file(&path, &format!("#!/bin/sh\n{lines}\n"));
        let spec = format!(
            "source: {{ path: src, only: [{name}] }}\nbuild: {{ run: 'install -m 755 {name} {{{{ out }}}}/{name}' }}\nservice:\n  run: {name}\n{service}"
        );
        Self { sandbox: sandbox.spec(name, "v1.0.0", &spec), ending: self.ending }
    }

    fn head(self, text: &str) -> Self {
        Self { sandbox: self.sandbox.head(text), ..self }
    }

    fn forge(&self, words: &str) -> crate::support::Invocation {
        self.sandbox.forge(words)
    }

    /// `forge up`, which succeeds.
    fn up(&self) -> Services {
        Services::from_run(&self.forge("up --json").succeeds())
    }

    /// The processes of the supervisor and all services.
    fn processes(&self) -> Vec<u32> {
        let root = self.sandbox.root().canonicalize().expect("the workspace");
        carriers(&root)
    }

    fn supervisor(&self) -> u32 {
        let text = fs::read_to_string(self.sandbox.path(".forge/state/services/supervisor"));
        let record: Value = serde_json::from_str(&text.expect("a supervisor")).expect("JSON");
        u32::try_from(record["pid"].as_u64().expect("its number")).expect("a number")
    }

    fn nothing_is_left(&self) {
        wait_until("no process is left", || self.processes().is_empty());
    }
}

/// Ends the services of a test that did not do so itself.
struct Ending(PathBuf);

impl Drop for Ending {
    fn drop(&mut self) {
        let mut down = Command::new(env!("CARGO_BIN_EXE_forge"));
        let _ = down.args(["down", "-q"]).current_dir(&self.0).output();
        if !std::thread::panicking() {
            assert!(carriers(&self.0).is_empty(), "processes are left");
        }
    }
}

/// The processes that were started by the supervisor of the workspace at `root`: its socket, or its
/// configuration, is in their command line, or they live in that folder.
fn carriers(root: &Path) -> Vec<u32> {
    let state = root.join(".forge");
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_ours = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let environment = String::from_utf8_lossy(&environment).into_owned();
        let is_service = environment.split('\0').any(|v| v.starts_with("FORGE_COMMAND=services-"));
        is_service && environment.contains(&state.display().to_string()) && is_alive(*pid)
    };
    numbers.filter(is_ours).collect()
}

/// What `forge up --json` says.
struct Services(Vec<Value>);

impl Services {
    fn from_run(run: &Run) -> Self {
        Self(run.json()["services"].as_array().expect("services").clone())
    }

    fn get(&self, name: &str) -> &Value {
        self.0.iter().find(|service| service["name"] == name).expect("the service")
    }

    fn pid(&self, name: &str) -> u32 {
        u32::try_from(self.get(name)["pid"].as_u64().expect("it runs")).expect("a number")
    }
}

/// A port at which nobody listens.
fn port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

/// A counter, and a script that needs it.
fn stack(port: u16) -> Option<Stack> {
    let stack = Stack::new()?.counter("api", port, "");
    Some(stack.script(
        "web",
        "echo web is here\nexec sleep 10000",
        "  needs: api\n  ready: { run: 'true' }\n",
    ))
}

#[test]
fn up_waits_until_all_are_ready_and_down_leaves_nothing() {
    let port = port();
    let Some(stack) = stack(port) else { return };
    let services = stack.up();
    assert_eq!(services.get("api")["ready"], true);
    assert_eq!(services.get("web")["state"], "running");
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let (api, web) = (services.pid("api"), services.pid("web"));

    let again = stack.up();
    assert_eq!((again.pid("api"), again.pid("web")), (api, web), "nothing was to do");
    stack.forge("logs web").succeeds().says("web is here").keeps_quiet_about("|");
    stack.forge("logs").succeeds().says("web | web is here").says("api | listening");
    stack.forge("verify --running").succeeds().says("3 of 3 running programs");
    stack.forge("clean all").exits(2).says("services run from what would be removed");

    let supervisor = stack.supervisor();
    stack.forge("down").succeeds().says("ended api, web");
    for pid in [api, web, supervisor] {
        assert!(!is_alive(pid));
    }
    assert!(stack.processes().is_empty());
    stack.forge("down").succeeds().says("no service was running");
    stack.forge("verify --running").exits(1).says("no service runs here");
}

#[test]
fn the_table_says_how_they_are() {
    let Some(stack) = stack(port()) else { return };
    let shown = stack.forge("up --dry-run").succeeds().stdout();
    insta::assert_snapshot!(shown, @r"
    service  version  state  ready  pid  since
    api      v1.0.0   down   -        -      -
    web      v1.0.0   down   -        -      -
    ");
    let run = stack.forge("explain web").succeeds();
    run.says("ready when     `true` succeeds, within 1 min 0 s").says("starts after   api");
    stack.forge("up api").succeeds().says("running").keeps_quiet_about("web");
    let shown = stack.forge("up --dry-run").succeeds();
    shown.says("down").says("running");
    let api = stack.up().pid("api");
    stack.forge("down web").succeeds().says("ended web");
    assert!(is_alive(api));
    let states = Services::from_run(&stack.forge("up --dry-run --json").succeeds());
    assert_eq!(states.get("web")["state"], "down");
    stack.up();
    stack.forge("down api").succeeds().says("ended api, web");
}

#[test]
fn a_service_that_ends_is_told_with_its_last_words() {
    let Some(stack) = Stack::new() else { return };
    let stack = stack.script("broken", "echo no such file: x.conf >&2\nexit 3", "");
    let run = stack.forge("up").exits(1);
    run.says("broken ended with code 3 before it was ready").says("no such file: x.conf");
    run.says(".forge/logs/services/broken.log");
}

#[test]
fn a_last_line_without_a_newline_is_logged_and_told() {
    let Some(stack) = Stack::new() else { return };
    let words = "echo one\nprintf 'bye'\nprintf 'fatal: cannot open config' >&2\n";
    let stack = stack.script("broken", &format!("{words}exit 3"), "");
    let run = stack.forge("up").exits(1);
    run.says("broken ended with code 3 before it was ready").says("fatal: cannot open config");
    let log = stack.sandbox.path(".forge/logs/services/broken.log");
    let mut lines: Vec<_> = fs::read_to_string(log).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["bye", "fatal: cannot open config", "one"]);
    stack.forge("logs broken").succeeds().says("fatal: cannot open config");
}

/// Nothing is between the supervisor and a service: signals, exit codes and children are its own.
#[test]
fn a_service_is_the_process_that_the_supervisor_started() {
    let Some(stack) = Stack::new() else { return };
    let lines = "ps -o pid= --ppid $$ >&2\ntrap 'printf ended; exit 9' TERM\nprintf begun\n\
                 while :; do sleep 0.05; done";
    let stack = stack.script("one", lines, "").script("killed", "printf last\nkill -9 $$", "");
    let run = stack.forge("up").exits(1);
    run.says("killed ended with code").says("last");
    let states = Services::from_run(&stack.forge("up --dry-run --json").succeeds());
    let supervisor = stack.supervisor();
    let parent = fs::read_to_string(format!("/proc/{}/stat", states.pid("one"))).unwrap();
    let parent: Vec<_> = parent.rsplit_once(')').unwrap().1.split_whitespace().collect();
    assert_eq!(parent[1], supervisor.to_string(), "its parent");
    assert_eq!(parent[2], states.pid("one").to_string(), "it leads its group");
    stack.forge("down one").succeeds();
    let log = fs::read_to_string(stack.sandbox.path(".forge/logs/services/one.log")).unwrap();
    assert!(log.contains("begunended\n"), "{log}");
    // The one child that it saw is the `ps` that looked.
    assert_eq!(log.lines().filter(|line| line.trim().parse::<u32>().is_ok()).count(), 1, "{log}");
}

#[test]
fn a_service_that_keeps_ending_is_told() {
    let Some(stack) = Stack::new() else { return };
    let ready = "  restart: on-failure\n  ready: { run: 'false', period: 10s }\n";
    let stack = stack.script("broken", "exit 3", ready);
    stack.forge("up").exits(1).says("broken keeps ending").says("it said nothing");
}

#[test]
fn a_service_that_is_not_ready_in_time_is_told_by_name() {
    let Some(stack) = Stack::new() else { return };
    let port = port();
    let ready = format!("  ready: {{ tcp: {port}, period: 1s, retries: 1 }}\n");
    let stack = stack.script("slow", "echo still thinking\nexec sleep 10000", &ready);
    let stack = stack.script("after", "exec sleep 10000", "  needs: slow\n");
    let run = stack.forge("up").exits(124);
    run.says("slow runs, and was not ready within 1 s").says("still thinking");
    run.says(&format!("the last probe saw: connection refused at 127.0.0.1:{port}"));
    let states = Services::from_run(&stack.forge("up --dry-run --json").succeeds());
    assert_eq!(states.get("after")["state"], "down", "what it needs is not ready");
}

#[test]
fn the_probe_says_what_it_saw_and_logs_begin_at_the_last_start() {
    let Some(stack) = Stack::new() else { return };
    let ready =
        "  ready: { run: 'echo no tables yet; exit 7', period: 1s, timeout: 1s, retries: 2 }\n";
    let stack = stack.script("db", "echo start of $$\nexec sleep 10000", ready);
    let run = stack.forge("up").exits(124);
    run.says("exited with code 7: no tables yet").says("start of");
    let log = || fs::read_to_string(stack.sandbox.path(".forge/logs/services/db.log")).unwrap();
    let first = log();
    stack.forge("down").succeeds();
    let run = stack.forge("up").exits(124);
    let second = log().strip_prefix(&first).expect("the log goes on").trim().to_owned();
    run.says(&second);
    assert!(!run.stderr().contains(first.trim()), "{}", run.stderr());
    let logs = stack.forge("logs db").succeeds();
    assert_eq!(logs.stdout().trim(), second);
}

#[test]
fn a_port_in_use_is_told_before_anything_starts() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let Some(stack) = stack(port) else { return };
    let run = stack.forge("up").exits(1);
    run.says(&format!("api cannot start: port {port} is in use"));
    run.says(&format!("process {} (", std::process::id()));
    assert!(stack.processes().is_empty());
}

#[test]
fn after_a_bump_up_replaces_what_is_stale_and_nothing_else() {
    let Some(stack) = stack(port()) else { return };
    let before = stack.up();
    let newer = "#!/bin/sh\necho web is newer\nexec sleep 10000\n";
    fs::write(stack.sandbox.path("src/web"), newer).unwrap();
    let manifest = stack.sandbox.path("versions.yml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("web: v1.0.0", "web: v2.0.0")).unwrap();

    stack.forge("verify --running").exits(4).says("forge reload web");
    let run = stack.forge("up --json").succeeds();
    run.says("web is started again: web v1.0.0");
    let after = Services::from_run(&run);
    assert_eq!(after.pid("api"), before.pid("api"));
    assert_ne!(after.pid("web"), before.pid("web"));
    assert!(!is_alive(before.pid("web")));
    stack.forge("logs -n 1 web").succeeds().says("web is newer");
    stack.forge("verify --running").succeeds();
}

#[test]
fn a_bumped_supervisor_is_replaced_by_the_next_up_with_all_that_runs() {
    let Some(stack) = stack(port()) else { return };
    let stack = stack.script("idle", "exec sleep 10000", "");
    stack.forge("up web").succeeds();
    let before = Services::from_run(&stack.forge("up --dry-run --json").succeeds());
    let supervisor = stack.supervisor();
    let spec = stack.sandbox.path("subsystems/pc.yml");
    let text = fs::read_to_string(&spec).unwrap();
    let newer = "{{ out }}/ && echo newer >> {{ out }}/process-compose'";
    fs::write(&spec, text.replace("{{ out }}/'", newer)).unwrap();
    let manifest = stack.sandbox.path("versions.yml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("pc: v1.46.0", "pc: v1.46.1")).unwrap();

    stack.forge("ensure pc").succeeds();
    let told = stack.forge("verify --running").exits(4);
    told.says("`forge up` replaces it, and starts all services again");
    let run = stack.forge("up api --json").succeeds();
    run.says("the supervisor is started again, and all services with it: pc v1.46.0 (");
    assert_ne!(stack.supervisor(), supervisor);
    let after = Services::from_run(&stack.forge("up --dry-run --json").succeeds());
    assert_ne!(after.pid("api"), before.pid("api"));
    assert_ne!(after.pid("web"), before.pid("web"), "it ran, though it was not named");
    assert_eq!(after.get("idle")["state"], "down", "it did not run");
    for pid in [supervisor, before.pid("api"), before.pid("web")] {
        assert!(!is_alive(pid));
    }
    stack.forge("verify --running api").succeeds();
    stack.forge("up api").succeeds().keeps_quiet_about("started again");
    assert_eq!(stack.up().pid("web"), after.pid("web"));
}

#[test]
fn reload_starts_one_again_and_tells_who_needs_it() {
    let Some(stack) = stack(port()) else { return };
    let before = stack.up();
    let run = stack.forge("reload api --json").succeeds();
    run.says("web needs api and was left running");
    let after = stack.up();
    assert_ne!(after.pid("api"), before.pid("api"));
    assert_eq!(after.pid("web"), before.pid("web"));
    assert!(!is_alive(before.pid("api")));
    // Again and again, in which a supervisor that takes its time would get stuck.
    for _ in 0..3 {
        stack.forge("reload api").succeeds();
        stack.forge("reload web").succeeds();
    }
    let services = stack.forge("ps --json").succeeds().json();
    assert_eq!(services["services"][0]["name"], "api");
    let before = stack.up();
    stack.forge("restart").succeeds();
    assert!(!is_alive(before.pid("api")) && !is_alive(before.pid("web")));
    stack.forge("stop web").succeeds().says("ended web");
    stack.forge("attach web").exits(1).says("web does not run");
    stack.forge("reload aip").exits(2).says("did you mean `api`?");
    stack.forge("reload pc").exits(2).says("pc is not a service");
}

#[test]
fn a_binary_that_was_replaced_under_a_running_service_is_noticed() {
    let Some(stack) = stack(port()) else { return };
    stack.up();
    // What everybody does: another file at the same place.
    let binary = stack.sandbox.path(".forge/installed/api/api");
    let other = stack.sandbox.path("other");
    fs::copy("/bin/sleep", &other).unwrap();
    fs::rename(&other, &binary).unwrap();
    let run = stack.forge("verify --running").exits(4);
    run.says("2 of 3 running programs are what is pinned").says("`api` was changed");
    stack.forge("ensure api").succeeds();
    // The bytes that run are those that are pinned, as they were all the time.
    stack.forge("verify --running").succeeds();
    stack.forge("down").succeeds();

    // And the other way round: another program runs than the one that is there.
    fs::copy("/bin/sleep", &other).unwrap();
    let manifest = stack.sandbox.path("subsystems/api.yml");
    let spec = fs::read_to_string(&manifest).unwrap();
    let odd = spec
        .replace("run: api serve", "run: exec ./api 10000; api serve")
        .replace("ready:", "env: { X: y }\n  # ");
    fs::write(&manifest, odd).unwrap();
    fs::rename(&other, stack.sandbox.path("api")).unwrap();
    stack.forge("up api").succeeds();
    let run = stack.forge("verify --running api").exits(4);
    run.says("runs another `api`").says("forge reload api");
}

#[test]
fn what_a_killed_supervisor_left_behind_is_found_and_ended() {
    let Some(stack) = stack(port()) else { return };
    for verb in ["up", "down"] {
        let before = stack.up();
        kill("KILL", stack.supervisor());
        wait_until("the supervisor is gone", || !is_alive(stack.supervisor()));
        assert!(is_alive(before.pid("api")));
        stack.forge(verb).succeeds();
        assert!(!is_alive(before.pid("api")) && !is_alive(before.pid("web")));
    }
    assert!(stack.processes().is_empty());
}

#[test]
fn what_left_its_group_and_holds_its_output_stops_nobody() {
    let Some(stack) = Stack::new() else { return };
    let marker = Marker::new();
    let lines = format!(
        "setsid {} &\necho started\ntrap '' TERM\nwhile :; do sleep 0.1; done",
        marker.sleep()
    );
    let service = "  stop: { grace: 1s }\n";
    let stack = stack.script("wedge", &lines, service).script("other", "exec sleep 10000", "");
    let before = stack.up();
    stack.forge("reload wedge").succeeds();
    wait_until("the old one is gone, the new one is there", || marker.alive() == 1);
    assert_eq!(stack.up().pid("other"), before.pid("other"));
    stack.forge("down").succeeds();
    assert_eq!(marker.alive(), 0);
}

#[test]
fn what_is_no_service_any_more_is_ended_by_the_next_up() {
    let Some(stack) = stack(port()) else { return };
    let before = stack.up();
    let spec = stack.sandbox.path("subsystems/web.yml");
    let text = fs::read_to_string(&spec).unwrap();
    fs::write(&spec, text.split("service:").next().unwrap()).unwrap();
    assert_eq!(stack.up().pid("api"), before.pid("api"));
    assert!(!is_alive(before.pid("web")));
    // A change of the spec alone makes it stale too.
    let spec = stack.sandbox.path("subsystems/api.yml");
    let text = fs::read_to_string(&spec).unwrap();
    fs::write(&spec, format!("{text}  env: {{ LEVEL: '$debug {{{{ name }}}}' }}\n")).unwrap();
    let run = stack.forge("up --json").succeeds();
    run.says("api is started again: its spec changed");
    let environment =
        fs::read(format!("/proc/{}/environ", Services::from_run(&run).pid("api"))).unwrap();
    assert!(String::from_utf8_lossy(&environment).contains("LEVEL=$debug api\0"));
    fs::write(&spec, format!("{text}  dir: nowhere\n")).unwrap();
    stack.forge("up").exits(1).says("nowhere is not there");
}

#[test]
fn two_workspaces_and_a_deep_one_do_not_meet() {
    let (Some(one), Some(two)) = (stack(port()), stack(port())) else { return };
    let deep = "deep".repeat(40);
    let far = two.sandbox.beside(&deep);
    copy_tree(&two.sandbox.root(), &far);
    one.up();
    two.up();
    let run = two.forge("up").within(&far).run();
    // Its port is taken by the other copy, so only the socket's path is put to the test here.
    assert_eq!(run.code(), Some(1), "{run}");
    two.forge("down").succeeds();
    two.forge("up").within(&far).succeeds().says("running");
    assert!(!one.processes().is_empty());
    two.forge("down").within(&far).succeeds().says("ended api, web");
    assert!(carriers(&far.canonicalize().unwrap()).is_empty());
    one.forge("verify --running").succeeds();
}

#[test]
fn up_from_within_a_task_outlives_the_task() {
    let Some(stack) = stack(port()) else { return };
    let forge = env!("CARGO_BIN_EXE_forge");
    let stack = stack.head(&format!("tasks: {{ start: '{forge} up', halt: '{forge} down' }}"));
    stack.forge("start").succeeds();
    let pid = stack.up().pid("api");
    stack.forge("verify --running").succeeds();
    assert!(is_alive(pid));
    stack.forge("halt").succeeds();
    assert!(stack.processes().is_empty());
}

#[test]
fn in_the_foreground_it_shows_what_they_say_and_ends_them_with_ctrl_c() {
    let Some(stack) = stack(port()) else { return };
    let mut child = stack.forge("up -f").start();
    wait_until("both run", || stack.processes().len() >= 3);
    let log = stack.sandbox.path(".forge/logs/services/web.log");
    wait_until("web speaks", || fs::read_to_string(&log).is_ok_and(|text| text.contains("here")));
    let mut shown = String::new();
    let out = child.stdout.take().expect("its output");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(out));
    while !shown.contains("web | web is here") {
        shown += &lines.next().expect("more").expect("text");
    }
    kill("INT", child.id());
    assert!(child.wait().unwrap().success());
    assert!(stack.processes().is_empty());
}

/// A counter, and a test that `runs`.
fn tested(runs: &str) -> Option<(Stack, u16)> {
    let port = port();
    let head = format!("tasks:\n  test: {{ run: ['api ask {port}', '{runs}'] }}");
    Some((stack(port)?.head(&head), port))
}

#[test]
fn ci_test_has_services_up_and_takes_them_down() {
    let Some((stack, _)) = tested("echo fine") else { return };
    stack.forge("ci:test").succeeds().says("asked 2 times").says("passed: test");
    assert!(stack.processes().is_empty());
    let Some((stack, _)) = tested("exit 7") else { return };
    stack.forge("ci:test").exits(1);
    assert!(stack.processes().is_empty());
}

#[test]
fn the_plan_of_ci_says_which_services_tests_have_and_why() {
    let Some((stack, _)) = tested("echo fine") else { return };
    let plan = |names: &str| stack.forge(&format!("ci:test {names} --dry-run")).succeeds().stdout();
    insta::assert_snapshot!(plan("web"), @r"
    stage    runs  because
    ci:test  yes   test; with services api (needed by web), web
    ");
    insta::assert_snapshot!(plan("api"), @r"
    stage    runs  because
    ci:test  yes   test; with services api
    ");
    assert!(!plan("pc").contains("services"), "it is none");
    let document = stack.forge("ci web --plan --json").succeeds().json();
    let services = &document["stages"][1]["services"];
    assert_eq!(services[0], serde_json::json!({ "name": "api", "because": "needed by web" }));
    assert_eq!(services[1]["because"], "it is selected");
    assert!(stack.processes().is_empty());
}

#[test]
fn ci_test_leaves_what_was_up_before() {
    let Some((stack, _)) = tested("echo fine") else { return };
    stack.forge("up api").succeeds();
    stack.forge("ci:test").succeeds();
    let states = Services::from_run(&stack.forge("up --dry-run --json").succeeds());
    assert_eq!(states.get("api")["state"], "running");
    assert_eq!(states.get("web")["state"], "down");
}

#[test]
fn ci_test_takes_services_down_whatever_ends_it() {
    for (signal, code) in [("INT", Some(130)), ("TERM", Some(130)), ("KILL", None)] {
        let marker = Marker::new();
        let Some((stack, _)) = tested(&marker.sleep()) else { return };
        let child = stack.forge("ci:test").start();
        wait_until("the test runs", || marker.alive() == 1);
        kill(signal, child.id());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), code, "{signal}");
        stack.nothing_is_left();
        assert_eq!(marker.alive(), 0);
    }
}

#[test]
fn a_test_that_is_killed_is_a_failure_and_services_go_down() {
    let Some((stack, _)) = tested("kill -9 $$") else { return };
    stack.forge("ci:test").exits(1).says("SIGKILL");
    assert!(stack.processes().is_empty());
}

#[test]
fn services_that_do_not_come_up_fail_ci_test_and_go_down() {
    let Some((stack, port)) = tested("echo fine") else { return };
    let stack = stack.script("broken", "exit 3", "  needs: api\n");
    stack.forge("ci:test").exits(1).says("broken ended with code 3").keeps_quiet_about("asked 2");
    assert!(stack.processes().is_empty());
    assert!(TcpListener::bind(("127.0.0.1", port)).is_ok());
}

#[test]
fn the_example_runs() {
    let Some(stack) = Stack::new() else { return };
    let folder: PathBuf = stack.sandbox.root();
    let pc = fs::read_to_string(folder.join("subsystems/pc.yml")).unwrap();
    copy_tree(Path::new("examples/services"), &folder);
    fs::write(folder.join("subsystems/pc.yml"), pc).unwrap();
    let manifest = fs::read_to_string(folder.join("versions.yml")).unwrap();
    fs::write(folder.join("versions.yml"), manifest.replace("18081", &port().to_string())).unwrap();
    stack.forge("up").succeeds().says("watcher");
    stack.forge("verify --running").succeeds().says("3 of 3");
    stack.forge("logs counter").succeeds().says("listening");
    stack.forge("reload counter").succeeds().says("watcher needs counter");
    stack.forge("down").succeeds().says("ended counter, watcher");
    stack.forge("ci:test").succeeds().says("asked 4 times");
}

#[test]
#[allow(clippy::too_many_lines, reason = "it is one picture")]
fn mistakes_are_told_with_their_places() {
    let sandbox = Sandbox::new()
        .spec("a", "v1", "build: { run: x }\nservice: { run: a, needs: [b, bb, c] }\n")
        .spec("b", "v1", "build: { run: x }\nservice: { run: b, needs: a, ready: { http: 'https://localhost/' } }\n")
        .spec("c", "v1", "build: { run: x }\n")
        .spec("d", "v1", "build: { run: x }\nservice: { run: d, ready: { tcp: 123456, period: 5 }, stop: { signal: KIL, grace: soon } }\n")
        .spec("e", "v1", "build: { run: x }\nservice: { run: 'e {{ prot }}', ready: { run: x, tries: 3 }, restart: yes }\n");
    insta::assert_snapshot!(sandbox.forge("check").exits(2).stderr(), @"
    error: a is a service, and nothing here supervises it
     --> subsystems/a.yml:2:1
      |
    2 | service: { run: a, needs: [b, bb, c] }
      | ^^^^^^^ needs a supervisor
      |
      = help: `forge add pc` pins Process Compose, as its vendor built it

    error: these services need each other in a cycle: a → b → a
     --> subsystems/a.yml:2:28
      |
    2 | service: { run: a, needs: [b, bb, c] }
      |                            ^ a needs b
      |
     ::: subsystems/b.yml:2:27
      |
    2 | service: { run: b, needs: a, ready: { http: 'https://localhost/' } }
      |                           - b needs a
      |
      = help: remove one of these needs

    error: the service of a needs `bb`, which is not a subsystem
     --> subsystems/a.yml:2:31
      |
    2 | service: { run: a, needs: [b, bb, c] }
      |                               ^^ not known
      |
      = help: known are `b`, `d`, `e`

    error: the service of a needs `c`, which is not a service
     --> subsystems/a.yml:2:35
      |
    2 | service: { run: a, needs: [b, bb, c] }
      |                                   ^ not known
      |
      = help: write `service:` in the spec of c; if only its binary is wanted, `needs: c` of the spec

    error: `https://localhost/` is not a plain HTTP URL
     --> subsystems/b.yml:2:45
      |
    2 | service: { run: b, needs: a, ready: { http: 'https://localhost/' } }
      |                                             ^^^^^^^^^^^^^^^^^^^^ not http://
      |
      = help: write `http://localhost:PORT/PATH`; for anything else, `run: curl -f …`

    error: `123456` is not a port
     --> subsystems/d.yml:2:34
      |
    2 | service: { run: d, ready: { tcp: 123456, period: 5 }, stop: { signal: KIL, grace: soon } }
      |                                  ^^^^^^ not a port
      |
      = help: a port is a number from 1 to 65535

    error: `5` is not a duration
     --> subsystems/d.yml:2:50
      |
    2 | service: { run: d, ready: { tcp: 123456, period: 5 }, stop: { signal: KIL, grace: soon } }
      |                                                  ^ not a duration
      |
      = help: write a number and `s`, `m` or `h`, such as `90s`, `10m` or `1h30m`

    error: `service.stop.signal` must be `TERM`, `INT`, `QUIT`, `HUP`, `USR1`, `USR2` or `KILL`, not `KIL`
     --> subsystems/d.yml:2:71
      |
    2 | service: { run: d, ready: { tcp: 123456, period: 5 }, stop: { signal: KIL, grace: soon } }
      |                                                                       ^^^ not one of them
      |
      = help: did you mean `KILL`?

    error: `soon` is not a duration
     --> subsystems/d.yml:2:83
      |
    2 | service: { run: d, ready: { tcp: 123456, period: 5 }, stop: { signal: KIL, grace: soon } }
      |                                                                                   ^^^^ not a duration
      |
      = help: write a number and `s`, `m` or `h`, such as `90s`, `10m` or `1h30m`

    error: templates know no `prot` here
     --> subsystems/e.yml:2:23
      |
    2 | service: { run: 'e {{ prot }}', ready: { run: x, tries: 3 }, restart: yes }
      |                       ^^^^ not known
      |
      = help: known are `arch`, `bin`, `commit`, `dir`, `env`, `exe`, `name`, `os`, `out`, `platform`, `root`, `rust_target`, `src`, `vars`, `version`, `version_number`, `work`

    error: how a service is ready has no key `tries`
     --> subsystems/e.yml:2:50
      |
    2 | service: { run: 'e {{ prot }}', ready: { run: x, tries: 3 }, restart: yes }
      |                                                  ^^^^^ not a known key
      |
      = help: known are `http`, `tcp`, `run`, `period`, `timeout`, `retries`, `delay`

    error: `service.restart` must be `no`, `on-failure` or `always`, not `yes`
     --> subsystems/e.yml:2:71
      |
    2 | service: { run: 'e {{ prot }}', ready: { run: x, tries: 3 }, restart: yes }
      |                                                                       ^^^ not one of them
      |
      = help: known are `no`, `on-failure`, `always`

    12 problems in 4 files
    ");
    let sandbox = Sandbox::new().spec("a", "v1", "build: { run: x }\n");
    sandbox.forge("up").exits(2).says("this workspace has no services");
}

fn kill(signal: &str, pid: u32) {
    let status = Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status();
    assert!(status.expect("kill").success());
}
