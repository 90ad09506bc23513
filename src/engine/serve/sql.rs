//! The queue in the language of databases: one implementation of the port for all homes. A home ([`SqlHome`]) takes
//! single statements, each of which is one step; what differs between their languages is said by a few words between
//! braces, which each home replaces.

use async_trait::async_trait;

use crate::{
    model::{Fault, Kind},
    process::ProcessId,
};

use super::{JobEnd, JobRequest, JobState, NewJob, ServedJob};

/// The version of the tables.
pub(super) const VERSION: u32 = 1;

/// The tables. `{id}` is a number that the database gives, `{int}` one of 64 bits, `{bytes}` what is not text, and
/// `{end}` ends a table.
pub(super) const TABLES: &str = "
CREATE TABLE jobs(
  id {id},
  environment TEXT NOT NULL,
  name TEXT NOT NULL,
  rank {int} NOT NULL,
  request TEXT NOT NULL,
  key TEXT UNIQUE,
  requested_by TEXT NOT NULL,
  retry_of {int},
  run_after {int},
  state TEXT NOT NULL,
  error TEXT NOT NULL DEFAULT '',
  exit_code {int},
  ledger_ids TEXT NOT NULL DEFAULT '[]',
  created {int} NOT NULL,
  started {int},
  ended {int},
  owner TEXT,
  attempt {int} NOT NULL DEFAULT 0,
  process TEXT,
  lease {int}
){end};
CREATE UNIQUE INDEX one_at_work ON jobs(environment, name) WHERE state IN ('RUNNING', 'CANCELLING') AND rank < 2;
CREATE INDEX not_over ON jobs(environment, name, rank, id) WHERE state IN ('QUEUED', 'RUNNING', 'CANCELLING');
CREATE INDEX waiting ON jobs(rank, id) WHERE state = 'QUEUED';
CREATE INDEX at_work ON jobs(owner) WHERE state IN ('RUNNING', 'CANCELLING');
CREATE INDEX by_state ON jobs(state, id);
CREATE INDEX by_environment ON jobs(environment, state, id);
CREATE INDEX by_environment_alone ON jobs(environment, id);
CREATE INDEX by_name ON jobs(name, environment, id);
CREATE TABLE output(
  job {int} NOT NULL,
  attempt {int} NOT NULL,
  stream TEXT NOT NULL,
  start {int} NOT NULL,
  bytes {bytes} NOT NULL,
  PRIMARY KEY(job, attempt, stream, start)
){end};
CREATE TABLE schedules(name TEXT PRIMARY KEY, due {int} NOT NULL){end};
";

/// The columns of a job, as [`job`] reads them.
pub(super) const COLUMNS: &str = "id, request, key, requested_by, retry_of, run_after, state, error, exit_code, \
                                  ledger_ids, created, started, ended, attempt, process, owner";

/// Keeps a job, unless there are too many, or one has its key.
pub(super) const ADD: &str = "
INSERT INTO jobs(environment, name, rank, request, key, requested_by, retry_of, run_after, state, created)
SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS {int}), CAST($4 AS TEXT), CAST($5 AS TEXT), CAST($6 AS TEXT),
  CAST($7 AS {int}), CAST($8 AS {int}), 'QUEUED', {now}
WHERE (SELECT count(*) FROM jobs WHERE state = 'QUEUED') < CAST($9 AS {int})
  AND NOT EXISTS (SELECT 1 FROM jobs WHERE key = CAST($5 AS TEXT))
ON CONFLICT(key) DO NOTHING";

/// Who comes before a job, or is at work on what it is about.
const BEFORE: &str = "
  SELECT 1 FROM jobs r WHERE r.environment = j.environment AND r.state IN ('QUEUED', 'RUNNING', 'CANCELLING')
    AND r.rank < 2 AND (r.state <> 'QUEUED'
      OR ((r.rank, r.id) < (j.rank, j.id) AND (r.run_after IS NULL OR r.run_after <= {now})))";

/// The next job: nobody is at work on what it is about, and nobody who waits for the same comes before it. What
/// only looks waits for nobody.
pub(super) fn claim() -> String {
    format!(
        "UPDATE jobs SET state = 'RUNNING', owner = $1, started = {{now}}, attempt = attempt + 1, process = NULL,
           lease = {{now}} + CAST($2 AS {{int}})
         WHERE id = (
           SELECT id FROM jobs j WHERE state = 'QUEUED' AND (run_after IS NULL OR run_after <= {{now}}) AND (rank = 2 OR (
             NOT EXISTS ({BEFORE} AND r.name = j.name)
             AND NOT EXISTS ({BEFORE} AND r.name = '')
             AND (j.name <> '' OR NOT EXISTS ({BEFORE}))))
           ORDER BY rank, id LIMIT 1 {{lock}})"
    )
}

/// An attempt that is at work.
const ATTEMPT: &str = "WHERE id = $1 AND attempt = $2 AND state IN ('RUNNING', 'CANCELLING')";
/// What makes a job wait again, or ends one that somebody cancelled meanwhile.
const BACK: &str = "UPDATE jobs SET owner = NULL, started = NULL, process = NULL, lease = NULL,
  ended = CASE state WHEN 'CANCELLING' THEN {now} END,
  state = CASE state WHEN 'CANCELLING' THEN 'CANCELLED' ELSE 'QUEUED' END";
/// The jobs of others that nothing was heard of for too long.
const OVERDUE: &str = "WHERE owner <> $1 AND state IN ('RUNNING', 'CANCELLING') AND lease < {now}";

pub(super) fn began() -> String {
    format!("UPDATE jobs SET process = $3, lease = {{now}} + CAST($4 AS {{int}}) {ATTEMPT}")
}

pub(super) fn beat() -> String {
    format!("UPDATE jobs SET lease = {{now}} + CAST($3 AS {{int}}) {ATTEMPT}")
}

pub(super) fn put_back() -> String {
    format!("{BACK} {ATTEMPT}")
}

pub(super) fn put_back_overdue() -> String {
    format!("{BACK} {OVERDUE} AND process IS NULL")
}

pub(super) fn interrupt_overdue() -> String {
    format!(
        "UPDATE jobs SET state = 'INTERRUPTED', ended = {{now}},
           error = 'nothing was heard of it any more: its process at ' || owner || ' is gone, or that machine is; '
             || 'the ledger there has what it did'
         {OVERDUE} AND process IS NOT NULL"
    )
}

pub(super) fn end() -> String {
    format!(
        "UPDATE jobs SET state = $3, error = $4, exit_code = CAST($5 AS {{int}}), ledger_ids = $6, ended = {{now}} {ATTEMPT}"
    )
}

pub(super) const CANCEL: &str = "UPDATE jobs SET
    error = CASE state WHEN 'QUEUED' THEN CAST($2 AS TEXT) ELSE error END,
    ended = CASE state WHEN 'QUEUED' THEN {now} ELSE ended END,
    state = CASE state WHEN 'QUEUED' THEN 'CANCELLED' ELSE 'CANCELLING' END
  WHERE id = $1 AND state IN ('QUEUED', 'RUNNING')";

/// A value of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SqlValue {
    Null,
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl From<i64> for SqlValue {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for SqlValue {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<&str> for SqlValue {
    fn from(text: &str) -> Self {
        // No text of PostgreSQL has this character.
        Self::Text(text.replace('\0', ""))
    }
}

impl<T: Into<SqlValue>> From<Option<T>> for SqlValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A statement with its values, `$1` being the first.
#[derive(Clone, Debug)]
pub(super) struct SqlStep {
    pub(super) text: String,
    pub(super) values: Vec<SqlValue>,
}

impl SqlStep {
    pub(super) fn new(text: impl Into<String>, values: impl IntoIterator<Item = SqlValue>) -> Self {
        Self { text: text.into(), values: values.into_iter().collect() }
    }

    /// The same, which returns the jobs that it changed.
    pub(super) fn returning(self) -> Self {
        Self { text: format!("{} RETURNING {COLUMNS}", self.text), ..self }
    }

    /// Its text with the words between braces replaced.
    pub(super) fn in_words(&self, words: &[(&str, &str)]) -> String {
        words.iter().fold(self.text.clone(), |text, (from, to)| text.replace(from, to))
    }
}

/// A line of an answer.
#[derive(Clone, Debug)]
pub(super) struct SqlRow(pub(super) Vec<SqlValue>);

impl SqlRow {
    pub(super) fn number(&self, at: usize) -> Option<i64> {
        match self.0.get(at) {
            Some(SqlValue::Number(number)) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn text(&self, at: usize) -> Option<&str> {
        match self.0.get(at) {
            Some(SqlValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(super) fn bytes(&self, at: usize) -> Option<&[u8]> {
        match self.0.get(at) {
            Some(SqlValue::Bytes(bytes)) => Some(bytes),
            _ => None,
        }
    }
}

/// Where tables are.
#[async_trait]
pub(super) trait SqlHome: Send + Sync {
    /// Takes a step that others see whole or not at all, and that survives the end of this process.
    async fn write(&self, step: SqlStep) -> Result<Vec<SqlRow>, Fault>;

    /// The same, while nobody else takes such a step.
    async fn write_alone(&self, step: SqlStep) -> Result<Vec<SqlRow>, Fault>;

    /// Answers a question.
    async fn read(&self, step: SqlStep) -> Result<Vec<SqlRow>, Fault>;
}

/// The job in a line of [`COLUMNS`].
pub(super) fn job(row: &SqlRow) -> Result<ServedJob, Fault> {
    read_job(row).ok_or_else(|| {
        let id = row.number(0).unwrap_or_default();
        Fault::new(
            Kind::Failed,
            format!("the queue says of job {id} what this forge does not know"),
        )
        .hint("a newer forge may have written it; `forge self-update` brings the newest")
    })
}

fn read_job(row: &SqlRow) -> Option<ServedJob> {
    let text = |at| row.text(at).map(str::to_owned);
    let small = |at: usize| row.number(at).map(u32::try_from).transpose().ok();
    let request: JobRequest = serde_json::from_str(row.text(1)?).ok()?;
    let process: Option<ProcessId> = row.text(14).map(serde_json::from_str).transpose().ok()?;
    Some(ServedJob {
        id: small(0)??,
        asked: NewJob {
            request,
            key: text(2),
            requested_by: text(3)?,
            retry_of: small(4)?,
            run_after: row.number(5),
        },
        state: JobState::parse(row.text(6)?)?,
        end: JobEnd {
            error: text(7)?,
            exit_code: row.number(8).map(i32::try_from).transpose().ok()?,
            ledger_ids: serde_json::from_str(row.text(9)?).ok()?,
        },
        created: row.number(10)?,
        started: row.number(11),
        ended: row.number(12),
        attempt: small(13)??,
        process,
        owner: text(15),
    })
}
