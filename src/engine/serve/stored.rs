//! The queue, kept in tables.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    Admission, JobEnd, JobFilter, JobOutput, JobQueue, JobState, NewJob, OutputStream, ServedJob,
    sql::{self, COLUMNS, SqlHome, SqlRow, SqlStep, SqlValue},
};
use crate::{
    model::{Fault, Kind},
    process::ProcessId,
};

/// How long nothing may be heard of a job before others take it for gone, if nothing else is said.
const LEASE: Duration = Duration::from_secs(180);

/// A queue in tables.
pub struct StoredJobs {
    home: Arc<dyn SqlHome>,
    /// How long nothing may be heard of a job, in milliseconds.
    lease: i64,
}

impl StoredJobs {
    /// The queue at `home`.
    pub(super) fn new(home: Arc<dyn SqlHome>) -> Self {
        Self { home, lease: 0 }.with_lease(LEASE)
    }

    /// The same, in which nothing may be heard of a job for `lease`.
    #[must_use]
    pub fn with_lease(self, lease: Duration) -> Self {
        Self { lease: i64::try_from(lease.as_millis()).unwrap_or(i64::MAX / 2), ..self }
    }

    async fn jobs(&self, step: SqlStep) -> Result<Vec<ServedJob>, Fault> {
        self.home.read(step).await?.iter().map(sql::job).collect()
    }

    async fn changed(&self, step: SqlStep) -> Result<Vec<ServedJob>, Fault> {
        self.home.write(step.returning()).await?.iter().map(sql::job).collect()
    }

    async fn one_by(&self, column: &str, value: SqlValue) -> Result<Option<ServedJob>, Fault> {
        let text = format!("SELECT {COLUMNS} FROM jobs WHERE {column} = $1");
        Ok(self.jobs(SqlStep::new(text, [value])).await?.pop())
    }
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| {
        Fault::new(Kind::Failed, "a job cannot be written down").because(error.to_string())
    })
}

/// What finds the jobs that `filter` describes.
fn listing(filter: &JobFilter) -> SqlStep {
    let (mut conditions, mut values) = (vec!["1 = 1".to_owned()], Vec::new());
    let mut add = |condition: &str, value: SqlValue| {
        values.push(value);
        conditions.push(format!("{condition} ${}", values.len()));
    };
    if let Some(environment) = &filter.environment {
        add("environment =", environment.as_str().into());
    }
    if let Some(name) = &filter.name {
        add("name =", name.as_str().into());
    }
    let order = if filter.oldest_first { "ASC" } else { "DESC" };
    if let Some(behind) = filter.behind {
        add(if filter.oldest_first { "id >" } else { "id <" }, behind.into());
    }
    if !filter.states.is_empty() {
        let states: Vec<String> =
            filter.states.iter().map(|state| format!("'{}'", state.as_str())).collect();
        conditions.push(format!("state IN ({})", states.join(", ")));
    }
    let text = format!(
        "SELECT {COLUMNS} FROM jobs WHERE {} ORDER BY id {order} LIMIT {}",
        conditions.join(" AND "),
        filter.most
    );
    SqlStep::new(text, values)
}

#[async_trait]
impl JobQueue for StoredJobs {
    async fn add(&self, new: NewJob, most: u64) -> Result<Admission, Fault> {
        let request = &new.request;
        let values = [
            request.environment.as_str().into(),
            request.name.as_str().into(),
            request.kind.rank().into(),
            json(request)?.as_str().into(),
            new.key.as_deref().into(),
            new.requested_by.as_str().into(),
            new.retry_of.into(),
            new.run_after.into(),
            i64::try_from(most).unwrap_or(i64::MAX).into(),
        ];
        if let Some(job) = self.changed(SqlStep::new(sql::ADD, values)).await?.pop() {
            return Ok(Admission::New(Box::new(job)));
        }
        if let Some(key) = &new.key
            && let Some(known) = self.one_by("key", key.as_str().into()).await?
        {
            let is_same = known.asked.request == new.request;
            let known = Box::new(known);
            return Ok(if is_same { Admission::Known(known) } else { Admission::Other(known) });
        }
        Ok(Admission::Full(most))
    }

    async fn get(&self, id: u32) -> Result<Option<ServedJob>, Fault> {
        self.one_by("id", id.into()).await
    }

    async fn list(&self, filter: JobFilter) -> Result<Vec<ServedJob>, Fault> {
        self.jobs(listing(&filter)).await
    }

    async fn claim(&self, owner: &str) -> Result<Option<ServedJob>, Fault> {
        let step = SqlStep::new(sql::claim(), [owner.into(), self.lease.into()]);
        let claimed = self.home.write_alone(step.returning()).await?;
        claimed.first().map(sql::job).transpose()
    }

    async fn began(&self, id: u32, attempt: u32, process: ProcessId) -> Result<bool, Fault> {
        let process = json(&process)?;
        let values = [id.into(), attempt.into(), process.as_str().into(), self.lease.into()];
        let changed = self.changed(SqlStep::new(sql::began(), values)).await?;
        Ok(!changed.is_empty())
    }

    async fn beat(&self, id: u32, attempt: u32) -> Result<Option<JobState>, Fault> {
        let values = [id.into(), attempt.into(), self.lease.into()];
        let changed = self.changed(SqlStep::new(sql::beat(), values)).await?;
        Ok(changed.first().map(|job| job.state))
    }

    async fn put_back(&self, id: u32, attempt: u32) -> Result<(), Fault> {
        let step = SqlStep::new(sql::put_back(), [id.into(), attempt.into()]);
        self.home.write(step).await.map(drop)
    }

    async fn end_overdue(&self, owner: &str) -> Result<Vec<ServedJob>, Fault> {
        let mut found = self.changed(SqlStep::new(sql::put_back_overdue(), [owner.into()])).await?;
        let gone = self.changed(SqlStep::new(sql::interrupt_overdue(), [owner.into()])).await?;
        found.extend(gone);
        Ok(found)
    }

    async fn cancel(&self, id: u32, why: &str) -> Result<Option<ServedJob>, Fault> {
        let changed = self.changed(SqlStep::new(sql::CANCEL, [id.into(), why.into()])).await?;
        match changed.into_iter().next() {
            Some(job) => Ok(Some(job)),
            None => self.get(id).await,
        }
    }

    async fn end(&self, id: u32, attempt: u32, state: JobState, end: JobEnd) -> Result<(), Fault> {
        let values = [
            id.into(),
            attempt.into(),
            state.as_str().into(),
            end.error.as_str().into(),
            end.exit_code.map(i64::from).into(),
            json(&end.ledger_ids)?.as_str().into(),
        ];
        self.home.write(SqlStep::new(sql::end(), values)).await.map(drop)
    }

    async fn at_work(&self, owner: &str) -> Result<Vec<ServedJob>, Fault> {
        let text = format!(
            "SELECT {COLUMNS} FROM jobs WHERE owner = $1 AND state IN ('RUNNING', 'CANCELLING') ORDER BY id"
        );
        self.jobs(SqlStep::new(text, [owner.into()])).await
    }

    async fn counts(&self) -> Result<Vec<(JobState, u64)>, Fault> {
        let text = "SELECT state, count(*) FROM jobs GROUP BY state ORDER BY state";
        let counted = self.home.read(SqlStep::new(text, [])).await?;
        let count = |row: &SqlRow| {
            Some((JobState::parse(row.text(0)?)?, u64::try_from(row.number(1)?).ok()?))
        };
        Ok(counted.iter().filter_map(count).collect())
    }

    async fn keep_output(&self, id: u32, attempt: u32, piece: JobOutput) -> Result<(), Fault> {
        let text =
            "INSERT INTO output(job, attempt, stream, start, bytes) VALUES ($1, $2, $3, $4, $5)
                    ON CONFLICT(job, attempt, stream, start) DO NOTHING";
        let start = i64::try_from(piece.start).unwrap_or(i64::MAX);
        let values = [
            id.into(),
            attempt.into(),
            piece.stream.as_str().into(),
            start.into(),
            SqlValue::Bytes(piece.bytes),
        ];
        self.home.write(SqlStep::new(text, values)).await.map(drop)
    }

    async fn output(
        &self,
        id: u32,
        attempt: u32,
        stream: OutputStream,
        from: u64,
    ) -> Result<Option<JobOutput>, Fault> {
        let text = "SELECT start, bytes FROM output WHERE job = $1 AND attempt = $2 AND stream = $3
                    AND start + length(bytes) > CAST($4 AS {int}) ORDER BY start LIMIT 1";
        let place = i64::try_from(from).unwrap_or(i64::MAX);
        let values = [id.into(), attempt.into(), stream.as_str().into(), place.into()];
        let rows = self.home.read(SqlStep::new(text, values)).await?;
        Ok(rows.first().and_then(|row| {
            let start = u64::try_from(row.number(0)?).ok()?;
            let bytes = row.bytes(1)?;
            let known = usize::try_from(from.saturating_sub(start)).ok()?;
            Some(JobOutput { stream, start: start.max(from), bytes: bytes.get(known..)?.to_vec() })
        }))
    }

    async fn due(&self, schedule: &str) -> Result<Option<i64>, Fault> {
        let text = "SELECT due FROM schedules WHERE name = $1";
        let rows = self.home.read(SqlStep::new(text, [schedule.into()])).await?;
        Ok(rows.first().and_then(|row| row.number(0)))
    }

    async fn pass(&self, schedule: &str, last: Option<i64>, due: i64) -> Result<bool, Fault> {
        let step = match last {
            Some(last) => SqlStep::new(
                "UPDATE schedules SET due = $3 WHERE name = $1 AND due = $2 RETURNING due",
                [schedule.into(), last.into(), due.into()],
            ),
            None => SqlStep::new(
                "INSERT INTO schedules(name, due) VALUES ($1, $2) ON CONFLICT(name) DO NOTHING RETURNING due",
                [schedule.into(), due.into()],
            ),
        };
        Ok(!self.home.write(step).await?.is_empty())
    }
}
