//! What a server does by itself: a schedule whose turn has come asks for a job, with a key that names the turn. So of
//! several servers, or of one that was killed, each turn is one job. Which turn was the last is kept in the queue.
//!
//! A turn that nobody was there for is made up for if it is not long ago, and is else missed; that is told once.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    Admission, DeployGround, JobKind, JobQueue, JobRequest, NewJob, ServeListener, calls::QueueBell,
};
use crate::{
    model::Fault,
    process::Cancel,
    workspace::{DeploySchedule, ScheduledWork},
};

/// How long after its time a turn is made up for, in milliseconds.
const LATE: i64 = 5 * 60 * 1000;
/// By how much clocks may differ, in milliseconds; what was later than that came from a clock that was wrong.
const AHEAD: i64 = 60 * 60 * 1000;
/// How often it is looked: clocks jump, and people edit schedules.
const LOOK: Duration = Duration::from_secs(10);
/// At most so many turns are counted that were missed.
const MOST_COUNTED: usize = 10_000;

/// What asks for what is scheduled.
pub(super) struct Scheduler {
    pub(super) jobs: Arc<dyn JobQueue>,
    pub(super) ground: Arc<dyn DeployGround>,
    pub(super) bell: QueueBell,
    /// How many jobs may wait.
    pub(super) most_waiting: u64,
    pub(super) tell: ServeListener,
    /// The last job of each schedule that this server asked for, and what was told of it.
    pub(super) last: BTreeMap<String, u32>,
    pub(super) told: BTreeMap<String, String>,
}

impl Scheduler {
    /// Works until `stop`.
    pub(super) async fn work(mut self, stop: Cancel) {
        loop {
            let now = Timestamp::now();
            let next = match self.ground.schedules().await {
                Ok(schedules) => self.take_turns(&schedules, now).await,
                Err(fault) => {
                    self.tell_once("", &format!("the schedules cannot be read: {fault}"));
                    None
                }
            };
            let left = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
            // A moment later, so that it is not a moment too early.
            let pause = left.map_or(LOOK, |left| (left + Duration::from_millis(5)).min(LOOK));
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Asks for what is to be done at `now`, and returns when something is to be done next.
    pub(super) async fn take_turns(
        &mut self,
        schedules: &[DeploySchedule],
        now: Timestamp,
    ) -> Option<Timestamp> {
        let mut next = None::<Timestamp>;
        for schedule in schedules {
            if let Err(fault) = self.take_turn(schedule, now).await {
                self.tell_once(&schedule.name, &fault.to_string());
            }
            let Some(turn) = schedule.turn_after(now) else { continue };
            let text = format!(
                "schedule {} ({}) has its next turn at {turn}",
                schedule.name, schedule.text
            );
            // Told when it begins, and not for each turn.
            let turns = format!("{} {}", schedule.name, schedule.text);
            if self.told.insert(turns, String::new()).is_none() {
                (self.tell)("schedule", None, &text);
            }
            next = Some(next.map_or(turn.timestamp(), |it| it.min(turn.timestamp())));
        }
        next
    }

    fn tell_once(&mut self, name: &str, text: &str) {
        if self.told.get(name).is_none_or(|told| told != text) {
            self.told.insert(name.to_owned(), text.to_owned());
            (self.tell)("trouble", None, text);
        }
    }

    async fn take_turn(&mut self, schedule: &DeploySchedule, now: Timestamp) -> Result<(), Fault> {
        let (name, at) = (schedule.name.as_str(), now.as_millisecond());
        let Some(last) = self.jobs.due(name).await? else {
            // It is new: its turns begin now.
            return self.jobs.pass(name, None, at).await.map(drop);
        };
        if last > at + AHEAD {
            (self.tell)("schedule", None, &format!("schedule {name}: the clock was put back"));
            return self.jobs.pass(name, Some(last), at).await.map(drop);
        }
        let mut turns = Vec::new();
        let mut time = Timestamp::from_millisecond(last).unwrap_or(now);
        while let Some(turn) =
            schedule.turn_after(time).map(|it| it.timestamp()).filter(|it| *it <= now)
        {
            turns.push(turn);
            time = turn;
            if turns.len() > MOST_COUNTED {
                time = now - Duration::from_secs(120);
                turns.drain(..MOST_COUNTED / 2);
            }
        }
        let Some(latest) = turns.last().copied() else { return Ok(()) };
        let is_late = at - latest.as_millisecond() > LATE;
        if !is_late {
            self.ask(schedule, latest).await?;
        }
        let passed = self.jobs.pass(name, Some(last), latest.as_millisecond()).await?;
        let missed = turns.len() - usize::from(!is_late);
        if passed && missed > 0 {
            let text = format!(
                "schedule {name} missed {missed} of its turns, the first at {}, since nobody served then",
                turns[0]
            );
            (self.tell)("missed", None, &text);
        }
        Ok(())
    }

    /// Asks for what `schedule` does at `turn`.
    async fn ask(&mut self, schedule: &DeploySchedule, turn: Timestamp) -> Result<(), Fault> {
        let name = &schedule.name;
        if let Some(before) = self.last.get(name)
            && let Some(job) = self.jobs.get(*before).await?
            && !job.state.is_over()
        {
            let text =
                format!("schedule {name} leaves out its turn at {turn}: it is {} yet", job.state);
            (self.tell)("missed", Some(job.id), &text);
            return Ok(());
        }
        let new = NewJob {
            request: JobRequest {
                kind: match schedule.work {
                    ScheduledWork::Deploy => JobKind::Deploy,
                    ScheduledWork::Drift => JobKind::Drift,
                    ScheduledWork::Sweep => JobKind::Sweep,
                },
                environment: schedule.environment.clone(),
                from: schedule.from.clone().unwrap_or_default(),
                ..JobRequest::default()
            },
            key: Some(format!("schedule:{name}:{turn}")),
            requested_by: format!("schedule {name}"),
            retry_of: None,
            run_after: None,
        };
        match self.jobs.add(new, self.most_waiting).await? {
            Admission::New(job) => {
                let text = format!("schedule {name} has its turn: {}", job.request().label());
                (self.tell)("scheduled", Some(job.id), &text);
                self.last.insert(name.clone(), job.id);
                self.bell.ring();
            }
            Admission::Known(job) | Admission::Other(job) => {
                self.last.insert(name.clone(), job.id);
            }
            Admission::Full(waiting) => {
                let text = format!(
                    "schedule {name} leaves out its turn at {turn}: {waiting} wait already"
                );
                (self.tell)("missed", None, &text);
            }
        }
        Ok(())
    }
}
