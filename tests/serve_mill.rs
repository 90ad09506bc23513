//! The queue and the conductor of `forge serve` at work on many jobs that do next to nothing, while the server and the
//! processes of jobs are killed. `FORGE_TEST_MILL_JOBS` and `FORGE_TEST_MILL_KILLS` say how much of that; what came of it
//! is printed. (`serve_chaos` does the same with real deployments, of which there cannot be so many.)
//!
//! This program is server and runner, too: started again as one of its own tests, with a variable that says so.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::OpenOptions,
    io::Write,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use forge::{
    model::Fault,
    process::{Cancel, ProcessId},
    reapi::ServerAddress,
    serve::{
        Callers, Catalog, DeployAway, DeployClient, DeployGround, JobFilter, JobOutcome,
        JobProcess, JobQueue, JobRequest, JobSeat, JobStarter, JobState, LedgerEntry, ServeParts,
        ServeSettings, ServedEnvironment, ServedJob, StoredJobs, serve,
    },
    workspace::DeploySchedule,
};

/// The folder of a server, and the port.
const SERVER: &str = "FORGE_TEST_MILL_SERVER";
/// The folder of a job, and what it is.
const RUNNER: &str = "FORGE_TEST_MILL_RUNNER";
/// How many environments there are.
const STACKS: usize = 100;

/// The number that the variable `name` says.
fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

fn environments() -> Vec<String> {
    (0..STACKS).map(|at| format!("e{at}")).collect()
}

/// A workspace of which nobody knows anything.
struct BareGround;

#[async_trait]
impl DeployGround for BareGround {
    async fn catalog(&self) -> Result<Catalog, Fault> {
        Ok(Catalog { environments: environments(), names: vec!["api".into()] })
    }

    async fn schedules(&self) -> Result<Vec<DeploySchedule>, Fault> {
        Ok(Vec::new())
    }

    async fn placements(&self) -> Result<Vec<ServedEnvironment>, Fault> {
        Ok(Vec::new())
    }

    async fn deployed_by(&self, _: ProcessId) -> Result<Vec<LedgerEntry>, Fault> {
        Ok(Vec::new())
    }
}

/// Starts this program as a runner.
struct Runners;

fn again(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("serve_mill::{test}"), "--test-threads=1"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command
}

impl JobStarter for Runners {
    fn start(&self, job: &ServedJob, process: JobProcess<'_>) -> Result<ProcessId, Fault> {
        let mut runner = again("as_runner");
        let place = process.folder.display();
        let what = format!("{place} {} {}", job.id, job.request().environment);
        // The folder is a filter that finds no test; by it the process is found.
        runner.arg(process.folder).env(RUNNER, what).env_remove(SERVER);
        let mut child =
            runner.spawn().map_err(|error| Fault::io("cannot start a runner", &error))?;
        let number = i32::try_from(child.id()).unwrap();
        let found = ProcessId::find(number).unwrap_or_else(|| ProcessId::unknown(number));
        std::thread::spawn(move || child.wait());
        Ok(found)
    }
}

/// What this program does when it is started as a server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_server() {
    let Ok(place) = std::env::var(SERVER) else { return };
    let (root, port) = place.split_once(' ').unwrap();
    let root = PathBuf::from(root);
    let settings = ServeSettings {
        address: ([127, 0, 0, 1], port.parse::<u16>().unwrap()).into(),
        tls: None,
        callers: Callers::default(),
        most_at_work: 8,
        most_waiting: 1_000_000,
        root: root.clone(),
        owner: "mill".into(),
        shared: None,
    };
    let parts = ServeParts {
        jobs: Arc::new(StoredJobs::in_file(&root.join("jobs.db")).unwrap()),
        ground: Arc::new(BareGround),
        starter: Arc::new(Runners),
        tell: Arc::new(|_, _, _| ()),
    };
    serve(settings, parts, Cancel::new()).await.unwrap();
}

/// What this program does when it is started as a runner.
#[test]
fn as_runner() {
    let Ok(what) = std::env::var(RUNNER) else { return };
    let words: Vec<&str> = what.split(' ').collect();
    let [folder, id, place] = words[..] else { panic!("{what}") };
    let folder = Path::new(folder);
    let Some(seat) = JobSeat::take(folder).unwrap() else { return };
    let seen = folder.parent().unwrap().with_file_name("seen");
    let note = |what: &str| {
        let mut file = OpenOptions::new().append(true).create(true).open(&seen).unwrap();
        file.write_all(format!("{what} {id} {place}\n").as_bytes()).unwrap();
    };
    note("b");
    std::thread::sleep(Duration::from_millis(5));
    note("e");
    seat.leave(&JobOutcome::default()).unwrap();
}

/// A server that can be killed, and its folder.
struct Mill {
    folder: tempfile::TempDir,
    port: u16,
    server: Child,
}

impl Mill {
    fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let server = Self::serve(folder.path(), port);
        Self { folder, port, server }
    }

    fn serve(folder: &Path, port: u16) -> Child {
        let place = format!("{} {port}", folder.display());
        again("as_server").env(SERVER, place).spawn().unwrap()
    }

    fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
        self.server = Self::serve(self.folder.path(), self.port);
    }

    /// Kills a runner, if one runs.
    fn kill_runner(&self) -> bool {
        let place = self.folder.path().join("jobs").display().to_string();
        let found = Command::new("pgrep").args(["-f", &place]).output().unwrap().stdout;
        let found = String::from_utf8(found).unwrap();
        let own = std::process::id().to_string();
        let pid = found.lines().find(|pid| *pid != own && *pid != self.server.id().to_string());
        pid.is_some_and(|pid| Command::new("kill").args(["-KILL", pid]).status().unwrap().success())
    }

    fn client(&self) -> DeployClient {
        let address = ServerAddress::parse(&format!("grpc://127.0.0.1:{}", self.port)).unwrap();
        let away = DeployAway { address, token: None, authority: None, identity: None };
        DeployClient::new(away).unwrap()
    }
}

impl Drop for Mill {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

/// Asks for so many jobs by 50 clients at once, each with a key until the server has it, and returns how long each
/// answer took, in milliseconds.
async fn ask_for(mill: &Mill, count: usize) -> Vec<f64> {
    let mut clients = Vec::new();
    for at in 0..50 {
        let client = mill.client();
        clients.push(tokio::spawn(async move {
            let mut took = Vec::new();
            for at in (at..count).step_by(50) {
                let request = JobRequest {
                    environment: format!("e{}", at % STACKS),
                    name: "api".into(),
                    ..JobRequest::default()
                };
                let mut began = Instant::now();
                while client.ask(&request, &format!("job {at}")).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    began = Instant::now();
                }
                took.push(began.elapsed().as_secs_f64() * 1000.0);
            }
            took
        }));
    }
    let mut all = Vec::new();
    for client in clients {
        all.extend(client.await.unwrap());
    }
    all.sort_by(f64::total_cmp);
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_jobs_none_is_lost_none_runs_twice_and_each_stack_keeps_its_order() {
    let (count, kills) = (number("FORGE_TEST_MILL_JOBS", 300), number("FORGE_TEST_MILL_KILLS", 20));
    let mut mill = Mill::begin();
    let began = Instant::now();
    let took = ask_for(&mill, count).await;
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize];
    eprintln!(
        "Deploy, {count} times by 50 clients at once, while 8 runners run: median {:.1} ms, p99 {:.1} ms",
        at(0.5),
        at(0.99)
    );
    let watcher = StoredJobs::in_file(&mill.folder.path().join("jobs.db")).unwrap();
    let (mut killed, mut last) = ([0, 0], (0, Instant::now()));
    loop {
        let counts = watcher.counts().await.unwrap();
        let over = counts.iter().filter(|(state, _)| state.is_over()).map(|(_, count)| *count);
        let over = usize::try_from(over.sum::<u64>()).unwrap();
        if over > last.0 {
            last = (over, Instant::now());
        }
        assert!(last.1.elapsed() < Duration::from_secs(120), "nothing goes on: {counts:?}");
        if over == count {
            break;
        }
        let all = killed[0] + killed[1];
        if all < kills && over * kills >= all * count {
            if all % 2 == 0 {
                mill.kill();
                killed[0] += 1;
            } else if mill.kill_runner() {
                killed[1] += 1;
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    check(&watcher, &mill.folder.path().join("seen"), count, killed[1]).await;
    eprintln!(
        "{count} jobs over {STACKS} stacks on 8 runners, {} kills of the server and {} of runners: none lost, none \
         twice, in order; {:.0} s",
        killed[0],
        killed[1],
        began.elapsed().as_secs_f64()
    );
}

async fn check(jobs: &StoredJobs, seen: &Path, count: usize, killed: usize) {
    let filter = JobFilter { most: count + 1, oldest_first: true, ..JobFilter::default() };
    let all = jobs.list(filter).await.unwrap();
    let keys: BTreeSet<_> = all.iter().filter_map(|job| job.asked.key.clone()).collect();
    assert_eq!((all.len(), keys.len()), (count, count), "some are lost, or there twice");
    let interrupted = all.iter().filter(|job| job.state == JobState::Interrupted).count();
    let succeeded = all.iter().filter(|job| job.state == JobState::Succeeded).count();
    assert_eq!(interrupted + succeeded, count);
    assert!(interrupted <= killed, "{interrupted} were interrupted, {killed} killed");
    let seen = std::fs::read_to_string(seen).unwrap();
    let (mut at_work, mut last, mut ended) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
    for line in seen.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [what, id, place] = words[..] else { panic!("{line}") };
        let id: u32 = id.parse().unwrap();
        if what == "b" {
            // One that was killed has no end.
            at_work.insert(place, id);
            let before = last.insert(place, id);
            assert!(before.is_none_or(|before| before < id), "{line}: {before:?} was before it");
        } else {
            assert_eq!(at_work.remove(place), Some(id), "{line}: two met");
            assert!(ended.insert(id));
        }
    }
    assert!(ended.len() >= succeeded, "{} of {succeeded} ran", ended.len());
}
