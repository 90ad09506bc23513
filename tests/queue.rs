//! What a queue of `forge serve` has to be, for each of its homes: SQLite, and the real PostgreSQL.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use forge::{
    process::ProcessId,
    serve::{
        Admission, JobEnd, JobFilter, JobKind, JobOutput, JobQueue, JobRequest, JobState, NewJob,
        OutputStream, ServedJob, StoredJobs,
    },
};

use crate::{
    remote_cache::certificates,
    support::{Postgres, is_here},
};

/// A queue that can be opened again.
struct Home {
    place: Place,
    lease: Duration,
}

enum Place {
    File(tempfile::TempDir),
    /// Of a server that ends with the last who has it.
    Database {
        url: String,
        _server: Arc<Postgres>,
    },
}

impl Home {
    fn file() -> Self {
        let place = Place::File(tempfile::tempdir().unwrap());
        Self { place, lease: Duration::from_secs(60) }
    }

    fn database() -> Option<Self> {
        let postgres = Postgres::shared()?;
        let place = Place::Database { url: postgres.database(), _server: postgres };
        Some(Self { place, lease: Duration::from_secs(60) })
    }

    async fn open(&self) -> Arc<StoredJobs> {
        let jobs = match &self.place {
            Place::File(folder) => StoredJobs::in_file(&folder.path().join("jobs.db")).unwrap(),
            Place::Database { url, .. } => StoredJobs::in_database(url).await.unwrap(),
        };
        Arc::new(jobs.with_lease(self.lease))
    }
}

/// Each of these, for each home.
macro_rules! for_each_home {
    ($($name:ident),* $(,)?) => {
        mod file {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::Home::file()).await;
            })*
        }
        mod database {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                if let Some(home) = super::Home::database() {
                    super::$name(home).await;
                }
            })*
        }
    };
}

for_each_home!(
    of_one_subsystem_one_is_at_work_in_order_and_a_rollback_comes_first,
    what_only_looks_waits_for_nobody,
    what_was_taken_is_there_after_a_restart_and_ends_once,
    a_key_is_one_job_and_a_full_queue_takes_none,
    what_waits_is_cancelled_and_what_runs_is_asked_to_end,
    what_is_for_later_waits_and_holds_up_nobody,
    many_who_ask_at_once_are_all_kept_and_pages_have_each_once,
    many_who_claim_at_once_never_have_the_same_or_the_same_subsystem,
    jobs_of_a_server_that_is_gone_wait_again_or_are_interrupted,
    what_was_printed_is_read_from_any_byte_on,
    a_turn_of_a_schedule_is_passed_once,
);

fn request(environment: &str, name: &str) -> JobRequest {
    JobRequest { environment: environment.into(), name: name.into(), ..JobRequest::default() }
}

fn new(request: JobRequest) -> NewJob {
    NewJob { request, requested_by: "a test".into(), ..NewJob::default() }
}

async fn added(jobs: &StoredJobs, request: JobRequest) -> ServedJob {
    match jobs.add(new(request), 1_000_000).await.unwrap() {
        Admission::New(job) => *job,
        other => panic!("{other:?}"),
    }
}

async fn claimed(jobs: &StoredJobs) -> Option<u32> {
    jobs.claim("a").await.unwrap().map(|job| job.id)
}

async fn end(jobs: &StoredJobs, id: u32) {
    jobs.end(id, 1, JobState::Succeeded, JobEnd::default()).await.unwrap();
}

async fn state(jobs: &StoredJobs, id: u32) -> JobState {
    jobs.get(id).await.unwrap().unwrap().state
}

async fn of_one_subsystem_one_is_at_work_in_order_and_a_rollback_comes_first(home: Home) {
    let jobs = home.open().await;
    for (environment, name) in
        [("test", "api"), ("test", "api"), ("test", "web"), ("test", ""), ("test", "web")]
    {
        added(&jobs, request(environment, name)).await;
    }
    let back = JobRequest { kind: JobKind::Rollback, ..request("test", "api") };
    let back = added(&jobs, back).await.id;
    let elsewhere = added(&jobs, request("production", "api")).await.id;
    assert_eq!(claimed(&jobs).await, Some(back));
    // 4 is about all of test, and waits for what comes before it; 5 waits for 4.
    assert_eq!(claimed(&jobs).await, Some(3));
    assert_eq!(claimed(&jobs).await, Some(elsewhere));
    assert_eq!(claimed(&jobs).await, None);
    end(&jobs, back).await;
    assert_eq!(claimed(&jobs).await, Some(1));
    for (ended, next) in [(3, None), (1, Some(2)), (2, Some(4)), (4, Some(5))] {
        end(&jobs, ended).await;
        assert_eq!(claimed(&jobs).await, next, "{ended}");
    }
}

async fn what_only_looks_waits_for_nobody(home: Home) {
    let jobs = home.open().await;
    let deploy = added(&jobs, request("test", "api")).await.id;
    assert_eq!(claimed(&jobs).await, Some(deploy));
    let mut looks = Vec::new();
    for kind in [JobKind::Preview, JobKind::Drift, JobKind::Drift] {
        looks.push(added(&jobs, JobRequest { kind, ..request("test", "api") }).await.id);
    }
    for look in looks {
        assert_eq!(claimed(&jobs).await, Some(look));
    }
    // And nobody waits for it.
    end(&jobs, deploy).await;
    let next = added(&jobs, request("test", "")).await.id;
    assert_eq!(claimed(&jobs).await, Some(next));
}

async fn what_was_taken_is_there_after_a_restart_and_ends_once(home: Home) {
    let jobs = home.open().await;
    let one = added(&jobs, request("test", "api")).await;
    assert_eq!(claimed(&jobs).await, Some(one.id));
    assert!(jobs.began(one.id, 1, ProcessId::unknown(7)).await.unwrap());
    assert!(!jobs.began(one.id, 2, ProcessId::unknown(8)).await.unwrap());
    drop(jobs);
    let jobs = home.open().await;
    let found = jobs.at_work("a").await.unwrap();
    assert_eq!(found[0].process, Some(ProcessId::unknown(7)));
    assert_eq!(found[0].owner.as_deref(), Some("a"));
    assert!(jobs.at_work("another").await.unwrap().is_empty());
    // An attempt that is not the one at work ends nothing.
    jobs.end(one.id, 2, JobState::Failed, JobEnd::default()).await.unwrap();
    let how = JobEnd { error: "why\0 not".into(), exit_code: Some(3), ledger_ids: vec![4, 5] };
    jobs.end(one.id, 1, JobState::Stuck, how).await.unwrap();
    jobs.end(one.id, 1, JobState::Failed, JobEnd::default()).await.unwrap();
    jobs.put_back(one.id, 1).await.unwrap();
    assert_eq!(jobs.beat(one.id, 1).await.unwrap(), None);
    let ended = jobs.get(one.id).await.unwrap().unwrap();
    assert_eq!((ended.state, ended.end.exit_code), (JobState::Stuck, Some(3)));
    assert_eq!((ended.end.error.as_str(), &ended.end.ledger_ids[..]), ("why not", &[4, 5][..]));
    assert!(ended.created <= ended.started.unwrap() && ended.started <= ended.ended);
    assert_eq!(jobs.counts().await.unwrap(), [(JobState::Stuck, 1)]);
    assert_eq!(jobs.get(99).await.unwrap(), None);
}

async fn a_key_is_one_job_and_a_full_queue_takes_none(home: Home) {
    let jobs = home.open().await;
    let keyed = |name: &str| NewJob { key: Some("k".into()), ..new(request("test", name)) };
    let Admission::New(first) = jobs.add(keyed("api"), 1).await.unwrap() else { panic!("not new") };
    let again = jobs.add(keyed("api"), 1).await.unwrap();
    assert_eq!(again, Admission::Known(first.clone()));
    assert!(matches!(jobs.add(keyed("web"), 1).await.unwrap(), Admission::Other(_)));
    assert_eq!(jobs.add(new(request("test", "web")), 1).await.unwrap(), Admission::Full(1));
    assert_eq!(claimed(&jobs).await, Some(first.id));
    assert!(matches!(jobs.add(new(request("test", "web")), 1).await.unwrap(), Admission::New(_)));
    // Many with the same key are one.
    let asking = (0..20).map(|_| {
        let (jobs, new) =
            (jobs.clone(), NewJob { key: Some("l".into()), ..new(request("test", "")) });
        tokio::spawn(async move { jobs.add(new, 100).await.unwrap() })
    });
    let mut ids = BTreeSet::new();
    for asked in asking.collect::<Vec<_>>() {
        match asked.await.unwrap() {
            Admission::New(job) | Admission::Known(job) => ids.insert(job.id),
            other => panic!("{other:?}"),
        };
    }
    assert_eq!(ids.len(), 1);
}

async fn what_waits_is_cancelled_and_what_runs_is_asked_to_end(home: Home) {
    let jobs = home.open().await;
    let (one, two) =
        (added(&jobs, request("test", "api")).await, added(&jobs, request("test", "api")).await);
    assert_eq!(claimed(&jobs).await, Some(one.id));
    let cancelled = jobs.cancel(two.id, "not wanted").await.unwrap().unwrap();
    assert_eq!(
        (cancelled.state, cancelled.end.error.as_str()),
        (JobState::Cancelled, "not wanted")
    );
    assert_eq!(jobs.cancel(one.id, "x").await.unwrap().unwrap().state, JobState::Cancelling);
    assert_eq!(jobs.cancel(one.id, "x").await.unwrap().unwrap().state, JobState::Cancelling);
    assert_eq!(jobs.beat(one.id, 1).await.unwrap(), Some(JobState::Cancelling));
    // One that was to end and never began is not tried again.
    jobs.put_back(one.id, 1).await.unwrap();
    assert_eq!(state(&jobs, one.id).await, JobState::Cancelled);
    assert_eq!(jobs.cancel(99, "x").await.unwrap(), None);
}

async fn what_is_for_later_waits_and_holds_up_nobody(home: Home) {
    let jobs = home.open().await;
    let later = NewJob { run_after: Some(i64::MAX / 2), ..new(request("test", "api")) };
    jobs.add(later, 100).await.unwrap();
    let past = NewJob { run_after: Some(1), ..new(request("test", "api")) };
    let Admission::New(past) = jobs.add(past, 100).await.unwrap() else { panic!("not new") };
    assert_eq!(claimed(&jobs).await, Some(past.id));
    end(&jobs, past.id).await;
    assert_eq!(claimed(&jobs).await, None);
}

async fn many_who_ask_at_once_are_all_kept_and_pages_have_each_once(home: Home) {
    let jobs = home.open().await;
    let asking = (0..50).map(|at| {
        let jobs = jobs.clone();
        tokio::spawn(async move { added(&jobs, request("test", &format!("s{}", at % 5))).await.id })
    });
    let mut given = BTreeSet::new();
    for asked in asking.collect::<Vec<_>>() {
        assert!(given.insert(asked.await.unwrap()));
    }
    for oldest_first in [true, false] {
        let (mut seen, mut behind) = (Vec::new(), None);
        loop {
            let filter = JobFilter {
                environment: Some("test".into()),
                name: Some("s3".into()),
                states: vec![JobState::Queued, JobState::Failed],
                most: 3,
                oldest_first,
                behind,
            };
            let page = jobs.list(filter).await.unwrap();
            behind = page.last().map(|job| job.id);
            if page.is_empty() {
                break;
            }
            seen.extend(page.iter().map(|job| job.id));
        }
        assert_eq!(seen.len(), 10);
        assert!(seen.is_sorted_by(|a, b| if oldest_first { a < b } else { a > b }), "{seen:?}");
    }
}

/// What somebody did with jobs, in order: which began, and which ended.
type Doings = Arc<std::sync::Mutex<Vec<(ServedJob, bool)>>>;

async fn many_who_claim_at_once_never_have_the_same_or_the_same_subsystem(home: Home) {
    let jobs = home.open().await;
    for at in 0..120 {
        let name = if at % 10 == 9 { String::new() } else { format!("s{}", at % 4) };
        added(&jobs, request(&format!("e{}", at % 2), &name)).await;
    }
    let doings = Doings::default();
    let mut workers = Vec::new();
    for worker in 0..8 {
        // With several servers, each has connections of its own.
        let jobs = match &home.place {
            Place::File(_) => jobs.clone(),
            Place::Database { .. } => home.open().await,
        };
        let doings = doings.clone();
        workers.push(tokio::spawn(async move {
            loop {
                let counts = jobs.counts().await.unwrap();
                if counts.iter().all(|(state, _)| state.is_over()) {
                    return;
                }
                let Some(job) = jobs.claim(&format!("w{worker}")).await.unwrap() else {
                    tokio::task::yield_now().await;
                    continue;
                };
                doings.lock().unwrap().push((job.clone(), true));
                tokio::task::yield_now().await;
                doings.lock().unwrap().push((job.clone(), false));
                jobs.end(job.id, 1, JobState::Succeeded, JobEnd::default()).await.unwrap();
            }
        }));
    }
    for worker in workers {
        worker.await.unwrap();
    }
    let (mut at_work, mut last, mut seen) = (Vec::<ServedJob>::new(), BTreeMap::new(), 0);
    for (job, begins) in doings.lock().unwrap().iter() {
        if !begins {
            at_work.retain(|it| it.id != job.id);
            continue;
        }
        seen += 1;
        let (place, name) = (&job.request().environment, &job.request().name);
        let meets = |it: &&ServedJob| {
            let other = &it.request().name;
            it.request().environment == *place
                && (other == name || other.is_empty() || name.is_empty())
        };
        assert_eq!(at_work.iter().find(meets), None, "{job:?}");
        let before = last.insert((place.clone(), name.clone()), job.id);
        assert!(before.is_none_or(|before| before < job.id), "{job:?} after {before:?}");
        at_work.push(job.clone());
    }
    assert_eq!(seen, 120);
}

async fn jobs_of_a_server_that_is_gone_wait_again_or_are_interrupted(home: Home) {
    let home = Home { lease: Duration::ZERO, ..home };
    let jobs = home.open().await;
    for name in ["never", "gone", "cancelled", "own"] {
        added(&jobs, request("test", name)).await;
    }
    for (id, owner) in [(1, "dead"), (2, "dead"), (3, "dead"), (4, "live")] {
        assert_eq!(jobs.claim(owner).await.unwrap().unwrap().id, id);
    }
    assert!(jobs.began(2, 1, ProcessId::unknown(7)).await.unwrap());
    jobs.cancel(3, "").await.unwrap();
    // The lease is over as soon as the clock goes on.
    let mut ended = BTreeMap::new();
    while ended.len() < 3 {
        let found = jobs.end_overdue("live").await.unwrap();
        ended.extend(found.into_iter().map(|job| (job.id, job)));
        tokio::task::yield_now().await;
    }
    let states = [1, 2, 3].map(|id| ended[&id].state);
    assert_eq!(states, [JobState::Queued, JobState::Interrupted, JobState::Cancelled]);
    assert!(ended[&2].end.error.contains("nothing was heard of it any more: its process at dead"));
    assert_eq!(state(&jobs, 4).await, JobState::Running);
    // What comes late finds that it is not its job any more.
    assert!(!jobs.began(1, 1, ProcessId::unknown(8)).await.unwrap());
    assert_eq!(jobs.beat(2, 1).await.unwrap(), None);
    jobs.end(2, 1, JobState::Succeeded, JobEnd::default()).await.unwrap();
    assert_eq!(state(&jobs, 2).await, JobState::Interrupted);
    // While something is heard of it, it stays whose it is.
    let home = Home { lease: Duration::from_secs(60), ..home };
    let jobs = home.open().await;
    let again = jobs.claim("dead").await.unwrap().unwrap();
    assert_eq!((again.id, again.attempt), (1, 2));
    assert_eq!(jobs.beat(1, 2).await.unwrap(), Some(JobState::Running));
    assert!(jobs.end_overdue("live").await.unwrap().is_empty());
}

async fn what_was_printed_is_read_from_any_byte_on(home: Home) {
    let jobs = home.open().await;
    let stream = OutputStream::Log;
    let piece = |start, text: &str| JobOutput { stream, start, bytes: text.as_bytes().to_vec() };
    jobs.keep_output(1, 1, piece(0, "one\n")).await.unwrap();
    jobs.keep_output(1, 1, piece(4, "two\0\u{e4}\n")).await.unwrap();
    // Brought once more, it is there once.
    jobs.keep_output(1, 1, piece(4, "two\0\u{e4}\n")).await.unwrap();
    jobs.keep_output(1, 2, piece(0, "another attempt\n")).await.unwrap();
    let read = |from| jobs.output(1, 1, stream, from);
    assert_eq!(read(0).await.unwrap(), Some(piece(0, "one\n")));
    assert_eq!(read(2).await.unwrap(), Some(piece(2, "e\n")));
    assert_eq!(read(4).await.unwrap(), Some(piece(4, "two\0\u{e4}\n")));
    assert_eq!(read(11).await.unwrap(), None);
    assert_eq!(jobs.output(1, 1, OutputStream::Document, 0).await.unwrap(), None);
}

async fn a_turn_of_a_schedule_is_passed_once(home: Home) {
    let jobs = home.open().await;
    assert_eq!(jobs.due("nightly").await.unwrap(), None);
    assert!(jobs.pass("nightly", None, 5).await.unwrap());
    assert!(!jobs.pass("nightly", None, 5).await.unwrap());
    assert!(jobs.pass("nightly", Some(5), 6).await.unwrap());
    assert!(!jobs.pass("nightly", Some(5), 6).await.unwrap());
    assert!(jobs.pass("weekly", None, 1).await.unwrap());
    assert_eq!(jobs.due("nightly").await.unwrap(), Some(6));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_and_comes_back_loses_nothing() {
    let Some(postgres) = Postgres::start() else { return };
    let jobs = StoredJobs::in_database(&postgres.database()).await.unwrap();
    let one = added(&jobs, request("test", "api")).await.id;
    assert_eq!(claimed(&jobs).await, Some(one));
    postgres.crash();
    // The step that finds the connection gone fails; those after it have a new one.
    let mut found = jobs.get(one).await;
    for _ in 0..20 {
        if found.is_ok() {
            break;
        }
        found = jobs.get(one).await;
    }
    assert_eq!(found.unwrap().unwrap().state, JobState::Running);
    let two = added(&jobs, request("test", "web")).await.id;
    let mut next = jobs.claim("a").await;
    for _ in 0..20 {
        if next.is_ok() {
            break;
        }
        next = jobs.claim("a").await;
    }
    assert_eq!(next.unwrap().map(|job| job.id), Some(two));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_of_a_database_is_verified() {
    if !is_here("openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let Some(postgres) = Postgres::start_secure(folder.path()) else { return };
    let url = postgres.database();
    let fault = StoredJobs::in_database(&url).await.err().expect("nobody knows its authority");
    assert!(fault.to_string().contains("UnknownIssuer"), "{fault}");
    let known = format!("{url}&sslrootcert={}", folder.path().join("ca.pem").display());
    let jobs = StoredJobs::in_database(&known).await.unwrap();
    added(&jobs, request("test", "api")).await;
    let question = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'forge serve'";
    assert_eq!(postgres.ask("postgres", question).as_deref(), Some("t"));
    let other = known.replace("127.0.0.1", "localhost");
    let fault = StoredJobs::in_database(&other).await.err().expect("it is not called so");
    assert!(fault.to_string().contains("certificate"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_database_is_said_without_its_password() {
    let said = async |url: &str| match StoredJobs::in_database(url).await {
        Ok(_) => panic!("{url} is a queue"),
        Err(fault) => fault.to_string(),
    };
    let refused = said("postgres://forge:verysecret@127.0.0.1:1/queue").await;
    assert!(refused.contains("127.0.0.1:1") && !refused.contains("verysecret"), "{refused}");
    let wrong = said("postgres://forge:verysecret@127.0.0.1/queue?colour=blue").await;
    assert!(wrong.contains("is not the address of a database"), "{wrong}");
    assert!(!wrong.contains("verysecret"), "{wrong}");
    let Some(postgres) = Postgres::shared() else { return };
    let url = postgres.database();
    drop(StoredJobs::in_database(&url).await.unwrap());
    let name = url.split(['/', '?']).nth(3).unwrap();
    postgres.ask(name, "UPDATE forge.version SET number = 99").unwrap();
    let newer = said(&url).await;
    assert!(newer.contains("its tables have version 99"), "{newer}");
}
