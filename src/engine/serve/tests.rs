//! The folders of jobs, without servers. What a queue has to be is in `tests/queue.rs`, for each of its homes.

use super::{
    JobOutcome, JobSeat,
    seat::{JobFolder, SeatFinding},
};
use crate::process::ProcessId;

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
