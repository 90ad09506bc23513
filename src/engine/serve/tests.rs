//! The queue and the folders of jobs, without servers.

use std::collections::BTreeSet;

use super::{
    Admission, JobEnd, JobFilter, JobKind, JobOutcome, JobQueue, JobRequest, JobSeat, JobState,
    NewJob, ServedJob, SqliteJobs,
    seat::{JobFolder, SeatFinding},
};
use crate::process::ProcessId;

fn request(environment: &str, name: &str) -> JobRequest {
    JobRequest { environment: environment.into(), name: name.into(), ..JobRequest::default() }
}

async fn added(jobs: &SqliteJobs, request: JobRequest) -> ServedJob {
    let new = NewJob { request, requested_by: "a test".into(), ..NewJob::default() };
    match jobs.add(new, 1_000_000).await.unwrap() {
        Admission::New(job) => *job,
        other => panic!("{other:?}"),
    }
}

async fn claimed(jobs: &SqliteJobs) -> Option<u32> {
    jobs.claim("a").await.unwrap().map(|job| job.id)
}

async fn end(jobs: &SqliteJobs, id: u32) {
    jobs.end(id, JobState::Succeeded, JobEnd::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_subsystem_one_is_at_work_in_order_and_a_rollback_comes_first() {
    let temp = tempfile::tempdir().unwrap();
    let jobs = SqliteJobs::open(&temp.path().join("jobs.db")).unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_is_there_after_a_restart_and_ends_once() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("jobs.db");
    let jobs = SqliteJobs::open(&path).unwrap();
    let one = added(&jobs, request("test", "api")).await;
    assert_eq!(claimed(&jobs).await, Some(one.id));
    jobs.began(one.id, 1, ProcessId::unknown(7)).await.unwrap();
    drop(jobs);
    let jobs = SqliteJobs::open(&path).unwrap();
    let found = jobs.at_work("a").await.unwrap();
    assert_eq!(found[0].process, Some(ProcessId::unknown(7)));
    assert!(jobs.at_work("another").await.unwrap().is_empty());
    end(&jobs, one.id).await;
    jobs.end(one.id, JobState::Failed, JobEnd::default()).await.unwrap();
    jobs.put_back(one.id, 1).await.unwrap();
    assert_eq!(jobs.get(one.id).await.unwrap().unwrap().state, JobState::Succeeded);
    assert_eq!(jobs.counts().await.unwrap(), [(JobState::Succeeded, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_at_once_are_all_kept_and_pages_have_each_once() {
    let temp = tempfile::tempdir().unwrap();
    let jobs = std::sync::Arc::new(SqliteJobs::open(&temp.path().join("jobs.db")).unwrap());
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
                name: Some("s3".into()),
                states: vec![JobState::Queued, JobState::Failed],
                most: 3,
                oldest_first,
                behind,
                ..JobFilter::default()
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

#[test]
fn a_process_that_comes_too_late_does_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let folder = JobFolder::make(temp.path(), 1, 1).unwrap();
    let own = ProcessId::find(i32::try_from(std::process::id()).unwrap()).unwrap();
    // It was started and has not begun; then its server is killed, and nobody knows of it.
    assert_eq!(folder.look_at(Some(own)).unwrap(), SeatFinding::AtWork);
    assert_eq!(folder.look_at(None).unwrap(), SeatFinding::NeverBegan);
    assert!(JobSeat::take(folder.path()).unwrap().is_none());
    assert_eq!(folder.look_at(Some(own)).unwrap(), SeatFinding::NeverBegan);
}

/// What `folder` says once nobody has the seat: a process that another test started may hold it a moment longer.
fn finding_at_last(folder: &JobFolder) -> SeatFinding {
    let began = std::time::Instant::now();
    loop {
        match folder.look_at(None).unwrap() {
            SeatFinding::AtWork if began.elapsed().as_secs() < 60 => std::thread::yield_now(),
            finding => return finding,
        }
    }
}

#[test]
fn whoever_has_the_seat_is_at_work_until_it_is_gone() {
    let temp = tempfile::tempdir().unwrap();
    let folder = JobFolder::make(temp.path(), 1, 1).unwrap();
    let seat = JobSeat::take(folder.path()).unwrap().unwrap();
    let own = folder.process().unwrap();
    assert_eq!(folder.look_at(None).unwrap(), SeatFinding::AtWork);
    drop(seat);
    assert_eq!(finding_at_last(&folder), SeatFinding::Gone(own));
    // One that is gone is not begun a second time.
    assert!(JobSeat::take(folder.path()).unwrap().is_none());
    let folder = JobFolder::make(temp.path(), 2, 1).unwrap();
    let outcome = JobOutcome { code: 3, ..JobOutcome::default() };
    JobSeat::take(folder.path()).unwrap().unwrap().leave(&outcome).unwrap();
    assert_eq!(finding_at_last(&folder), SeatFinding::Ended(outcome));
}
