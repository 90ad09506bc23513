//! Many tasks on few workers, and workers that are killed, forget everything and answer late or never: always the right
//! bytes or a clear error, and never a hang.
//!
//! `FORGE_TEST_CHAOS_ROUNDS=200` and `FORGE_TEST_SCALE_ACTIONS=520` ask for more than a run of all tests has time for.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    conformance::servers::Running,
    remote_execution::{has_engine, start_engine},
    support::{Mount, Sandbox},
};

/// How many rounds or actions a variable asks for.
fn wished(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Numbers that look random and are the same each time.
fn random(state: &AtomicU64) -> u64 {
    let step = |x: u64| {
        let x = x ^ (x << 13);
        let x = x ^ (x >> 7);
        x ^ (x << 17)
    };
    let before = state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |x| Some(step(x)));
    step(before.expect("it always changes"))
}

/// What stands between forge and the engine: of a hundred pieces of answers it loses some with their connection, and
/// delays some.
struct Proxy {
    port: u16,
    /// Where the engine is at the moment.
    engine: Arc<AtomicU16>,
    stop: Arc<AtomicBool>,
}

impl Proxy {
    fn start(engine: u16, lost: u64, late: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let (engine, stop) = (Arc::new(AtomicU16::new(engine)), Arc::new(AtomicBool::new(false)));
        let (target, stopped) = (engine.clone(), stop.clone());
        let state = Arc::new(AtomicU64::new(0x9e37_79b9_7f4a_7c15));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", target.load(Ordering::Relaxed)))
                else {
                    continue;
                };
                let (Ok(from), Ok(to)) = (client.try_clone(), server.try_clone()) else { continue };
                std::thread::spawn(move || pass(client, server, &|| Fate::Passes));
                let state = state.clone();
                let fate = move || match random(&state) % 100 {
                    it if it < lost => Fate::Lost,
                    it if it < lost + late => Fate::Late,
                    _ => Fate::Passes,
                };
                std::thread::spawn(move || pass(to, from, &fate));
            }
        });
        Self { port, engine, stop }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// What becomes of a piece of an answer.
enum Fate {
    Passes,
    Late,
    Lost,
}

fn pass(mut from: TcpStream, mut to: TcpStream, fate: &dyn Fn() -> Fate) {
    let mut piece = vec![0; 16 << 10];
    while let Ok(count) = from.read(&mut piece) {
        match fate() {
            Fate::Lost => break,
            Fate::Late => std::thread::sleep(Duration::from_millis(300)),
            Fate::Passes => {}
        }
        if count == 0 || to.write_all(&piece[..count]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

/// What happens in a round.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mishap {
    /// Nothing but what the proxy does.
    None,
    /// The engine is killed, and comes back with all that it had.
    Killed,
    /// The engine is killed, and comes back empty.
    Emptied,
    /// The disk of the engine is full.
    Full,
}

const MISHAPS: [Mishap; 5] =
    [Mishap::None, Mishap::Emptied, Mishap::Killed, Mishap::Emptied, Mishap::Full];

/// The engines of all rounds, of which one is under way.
struct Engines {
    folder: tempfile::TempDir,
    count: usize,
    running: Option<Running>,
    disk: Option<Mount>,
}

impl Engines {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, count: 0, running: None, disk: None }
    }

    fn kill(&mut self) {
        if let Some(mut engine) = self.running.take() {
            engine.kill();
        }
    }

    /// Starts the engine again: with what it had, or empty, on a disk without room if it `is_full`.
    fn start(&mut self, is_empty: bool, is_full: bool, proxy: Option<&Proxy>) -> u16 {
        self.kill();
        if is_empty || self.disk.is_some() {
            self.count += 1;
            self.disk = None;
        }
        let own = self.folder.path().join(self.count.to_string());
        fs::create_dir_all(&own).expect("its folder");
        if is_full {
            self.disk = Mount::small(&own.join("engine"), 512);
        }
        let engine = start_engine(&own, 2);
        let port = engine.port;
        self.running = Some(engine);
        if let Some(proxy) = proxy {
            proxy.engine.store(port, Ordering::Relaxed);
        }
        port
    }
}

#[test]
fn whatever_becomes_of_the_engine_there_are_the_right_bytes_or_an_error() {
    if !has_engine() {
        return;
    }
    let rounds = wished("FORGE_TEST_CHAOS_ROUNDS", 5);
    let mut engines = Engines::new();
    let proxy = Proxy::start(engines.start(true, false, None), 2, 3);
    let task = "tasks: { make: { inputs: [a.txt], outputs: [out/both], remote: true, run: 'sleep 0.3; cat a.txt a.txt > out/both; echo done' } }";
    let head = format!(
        "project: demo\nremote: {{ cache: \"grpc://127.0.0.1:{}\", execution: true, timeout: 20s }}\n{task}",
        proxy.port
    );
    let sandbox = Sandbox::new().head(&head).script("hello", "v1");
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    let (mut good, mut longest) = (0, Duration::ZERO);
    for round in 0..rounds {
        let mishap = MISHAPS[round % MISHAPS.len()];
        if mishap == Mishap::Full {
            engines.start(true, true, Some(&proxy));
        }
        let _ = fs::remove_dir_all(sandbox.path("out"));
        sandbox.write("a.txt", &format!("round {round}\n"));
        let began = Instant::now();
        let child = sandbox.forge("run make").start();
        if matches!(mishap, Mishap::Killed | Mishap::Emptied) {
            // Somewhere between the first byte and the last.
            std::thread::sleep(Duration::from_millis(30 * (round as u64 % 20)));
            engines.start(mishap == Mishap::Emptied, false, Some(&proxy));
        }
        let output = child.wait_with_output().expect("its end");
        assert!(began.elapsed() < Duration::from_secs(90), "round {round} hangs");
        longest = longest.max(began.elapsed());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => {
                let expected = format!("round {round}\nround {round}\n");
                assert_eq!(sandbox.read("out/both"), expected, "round {round}: {said}");
                good += usize::from(mishap != Mishap::Full);
            }
            Some(5) => {
                assert!(said.contains("error: ") && said.contains("because: "), "{said}");
                assert!(!sandbox.path("out/both").exists(), "round {round}: {said}");
            }
            code => panic!("round {round} ({mishap:?}) ended with {code:?}: {said}"),
        }
        *ends.entry(format!("{mishap:?} {:?}", output.status.code())).or_default() += 1;
        if mishap == Mishap::Full {
            engines.start(true, false, Some(&proxy));
        }
    }
    eprintln!("{rounds} rounds, the longest of {longest:.1?}: {ends:?}");
    assert!(good * 2 > rounds, "{good} of {rounds} rounds were good");
}

#[test]
fn many_tasks_are_dealt_to_few_workers_without_gaps() {
    if !has_engine() {
        return;
    }
    let (count, slots) = (wished("FORGE_TEST_SCALE_ACTIONS", 16), 8);
    let folder = tempfile::tempdir().expect("a folder");
    let engine = start_engine(folder.path(), slots);
    let mut names = Vec::new();
    let mut tasks = String::new();
    let mut total = 0.0;
    for number in 0..count {
        // From 1 to 3 seconds.
        let tenths = 10 + (number * 7919) % 21;
        total += tenths as f64 / 10.0;
        names.push(format!("t{number}"));
        let _ = writeln!(
            tasks,
            "  t{number}: {{ inputs: [a.txt], outputs: [out/{number}], remote: true, run: 'sleep {}.{}; echo {number} > out/{number}' }}",
            tenths / 10,
            tenths % 10
        );
    }
    let head = format!(
        "project: demo\nremote: {{ cache: \"grpc://127.0.0.1:{}\", execution: true, jobs: {slots} }}\ntasks:\n  all: {{ needs: [{}], run: 'true' }}\n{tasks}",
        engine.port,
        names.join(", ")
    );
    let sandbox = Sandbox::new().head(&head).script("hello", "v1").file("a.txt", "a\n");
    let began = Instant::now();
    let output = sandbox.forge("run all -j 1").start().wait_with_output().expect("its end");
    let wall = began.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains(&format!("{count} executed")), "{said}");
    for number in 0..count {
        assert_eq!(sandbox.read(&format!("out/{number}")), format!("{number}\n"));
    }
    let ratio = wall / (total / slots as f64);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    eprintln!(
        "{count} actions, {total:.0} s, {slots} slots: {wall:.1} s, {ratio:.2} of the least (load {load})"
    );
    // A short run has an end at which slots are empty; what is measured is a long one.
    let most = if count >= 500 { 1.2 } else { 4.0 };
    assert!(ratio <= most, "{ratio:.2}");
}
