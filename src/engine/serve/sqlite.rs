//! The first home of the queue: SQLite, in WAL, each transaction synced (`synchronous=FULL`) before anybody is told.
//!
//! One thread writes (`writer`), a second connection reads beside it. That one job at a time is at work on a subsystem
//! in an environment is an index of the database, and not a convention.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, named_params, params};

use super::{
    Admission, JobEnd, JobFilter, JobKind, JobQueue, JobState, NewJob, ServedJob,
    job::now,
    writer::{BatchWriter, database_fault},
};
use crate::{
    model::{Fault, Kind},
    process::ProcessId,
};

/// The version of the tables below.
const VERSION: u32 = 1;

const TABLES: &str = "
CREATE TABLE jobs(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  environment TEXT NOT NULL,
  name TEXT NOT NULL,
  rank INTEGER NOT NULL,
  request TEXT NOT NULL,
  key TEXT UNIQUE,
  requested_by TEXT NOT NULL,
  retry_of INTEGER,
  run_after INTEGER,
  state TEXT NOT NULL,
  error TEXT NOT NULL DEFAULT '',
  exit_code INTEGER,
  ledger_ids TEXT NOT NULL DEFAULT '[]',
  created INTEGER NOT NULL,
  started INTEGER,
  ended INTEGER,
  owner TEXT,
  attempt INTEGER NOT NULL DEFAULT 0,
  process TEXT
) STRICT;
CREATE UNIQUE INDEX one_at_work ON jobs(environment, name) WHERE state IN ('RUNNING', 'CANCELLING');
CREATE INDEX waiting ON jobs(rank, id) WHERE state = 'QUEUED';
CREATE INDEX at_work ON jobs(owner) WHERE state IN ('RUNNING', 'CANCELLING');
CREATE INDEX by_state ON jobs(state, id);
CREATE INDEX by_environment ON jobs(environment, state, id);
CREATE INDEX by_environment_alone ON jobs(environment, id);
CREATE INDEX by_name ON jobs(name, environment, id);
";

const COLUMNS: &str = "id, request, key, requested_by, retry_of, run_after, state, error, exit_code, ledger_ids, \
                       created, started, ended, attempt, process";

/// The next job: nobody is at work on what it is about, and nobody who waits for the same comes before it.
const CLAIM: &str = "
UPDATE jobs SET state = 'RUNNING', owner = :owner, started = :now, attempt = attempt + 1, process = NULL
WHERE id = (
  SELECT id FROM jobs j WHERE state = 'QUEUED' AND (run_after IS NULL OR run_after <= :now) AND NOT EXISTS (
    SELECT 1 FROM jobs r WHERE r.environment = j.environment AND r.state IN ('QUEUED', 'RUNNING', 'CANCELLING')
      AND (r.name = j.name OR r.name = '' OR j.name = '')
      AND (r.state != 'QUEUED'
           OR ((r.rank, r.id) < (j.rank, j.id) AND (r.run_after IS NULL OR r.run_after <= :now))))
  ORDER BY rank, id LIMIT 1)
RETURNING ";

/// A queue in a file.
pub struct SqliteJobs {
    writer: BatchWriter,
    reader: Arc<Mutex<Connection>>,
}

impl SqliteJobs {
    /// The queue in the file at `path`, which is made if it is missing. The caller sees to it that no other server
    /// uses it.
    ///
    /// # Errors
    /// `Failed` if it cannot be opened, or a newer forge made it.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let within = |error: &rusqlite::Error| {
            let fault = database_fault(error);
            fault.within(format!("cannot open {}", path.display()))
        };
        let open = || -> rusqlite::Result<Connection> {
            let db = Connection::open(path)?;
            db.busy_timeout(Duration::from_secs(10))?;
            db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
            Ok(db)
        };
        let db = open().map_err(|error| within(&error))?;
        let version: u32 = db
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(|error| within(&error))?;
        match version {
            0 => {
                let made = format!("BEGIN; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;");
                db.execute_batch(&made).map_err(|error| within(&error))?;
            }
            VERSION => {}
            newer => {
                let what = format!("a newer forge made {}", path.display());
                return Err(Fault::new(Kind::Failed, what)
                    .because(format!("its tables have version {newer}, this forge knows {VERSION}"))
                    .hint("`forge self-update` brings the newest"));
            }
        }
        let reader = open().map_err(|error| within(&error))?;
        Ok(Self { writer: BatchWriter::begin(db)?, reader: Arc::new(Mutex::new(reader)) })
    }

    async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let reader = self.reader.clone();
        let asked = tokio::task::spawn_blocking(move || {
            // A panic while it was held leaves a connection that still answers.
            let db = reader.lock().unwrap_or_else(PoisonError::into_inner);
            question(&db).map_err(|error| database_fault(&error))
        });
        asked.await.map_err(|error| {
            Fault::new(Kind::Failed, "the queue of jobs cannot be read").because(error.to_string())
        })?
    }
}

fn one(db: &Connection, id: u32) -> rusqlite::Result<Option<ServedJob>> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1"))?;
    statement.query_row([id], job).optional()
}

fn wrong(
    column: usize,
    why: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, why.into())
}

fn job(row: &Row<'_>) -> rusqlite::Result<ServedJob> {
    let text = |column: usize| row.get::<_, String>(column);
    let state = text(6)?;
    let process: Option<String> = row.get(14)?;
    let process = process.map(|text| serde_json::from_str(&text)).transpose();
    Ok(ServedJob {
        id: row.get(0)?,
        asked: NewJob {
            request: serde_json::from_str(&text(1)?).map_err(|error| wrong(1, error))?,
            key: row.get(2)?,
            requested_by: row.get(3)?,
            retry_of: row.get(4)?,
            run_after: row.get(5)?,
        },
        state: JobState::parse(&state).ok_or_else(|| wrong(6, format!("a state `{state}`")))?,
        end: JobEnd {
            error: row.get(7)?,
            exit_code: row.get(8)?,
            ledger_ids: serde_json::from_str(&text(9)?).map_err(|error| wrong(9, error))?,
        },
        created: row.get(10)?,
        started: row.get(11)?,
        ended: row.get(12)?,
        attempt: row.get(13)?,
        process: process.map_err(|error| wrong(14, error))?,
    })
}

fn add(db: &Connection, new: NewJob, most: u64) -> rusqlite::Result<Admission> {
    if let Some(key) = &new.key {
        let question = format!("SELECT {COLUMNS} FROM jobs WHERE key = ?1");
        let known = db.prepare_cached(&question)?.query_row([key], job).optional()?;
        if let Some(known) = known {
            let is_same = known.asked.request == new.request;
            let known = Box::new(known);
            return Ok(if is_same { Admission::Known(known) } else { Admission::Other(known) });
        }
    }
    let waiting: u32 = db
        .prepare_cached("SELECT count(*) FROM jobs WHERE state = 'QUEUED'")?
        .query_row([], |row| row.get(0))?;
    if u64::from(waiting) >= most {
        return Ok(Admission::Full(waiting.into()));
    }
    let request = serde_json::to_string(&new.request).map_err(|error| wrong(1, error))?;
    let rank = u8::from(new.request.kind == JobKind::Deploy);
    let created = now();
    let insert = "INSERT INTO jobs(environment, name, rank, request, key, requested_by, retry_of, run_after, state, created)
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'QUEUED', ?9)";
    db.prepare_cached(insert)?.execute(params![
        new.request.environment,
        new.request.name,
        rank,
        request,
        new.key,
        new.requested_by,
        new.retry_of,
        new.run_after,
        created
    ])?;
    let id = u32::try_from(db.last_insert_rowid()).map_err(|error| wrong(0, error))?;
    Ok(Admission::New(Box::new(ServedJob {
        id,
        asked: new,
        state: JobState::Queued,
        end: JobEnd::default(),
        created,
        started: None,
        ended: None,
        attempt: 0,
        process: None,
    })))
}

fn list(db: &Connection, filter: &JobFilter) -> rusqlite::Result<Vec<ServedJob>> {
    let (mut conditions, mut values) = (vec!["1".to_owned()], Vec::<&dyn ToSql>::new());
    let mut add = |condition: &str, value| {
        values.push(value);
        conditions.push(condition.replace('?', &format!("?{}", values.len())));
    };
    if let Some(environment) = &filter.environment {
        add("environment = ?", environment);
    }
    if let Some(name) = &filter.name {
        add("name = ?", name);
    }
    let order = if filter.oldest_first { "ASC" } else { "DESC" };
    if let Some(behind) = &filter.behind {
        add(if filter.oldest_first { "id > ?" } else { "id < ?" }, behind);
    }
    if !filter.states.is_empty() {
        let states: Vec<String> =
            filter.states.iter().map(|state| format!("'{}'", state.as_str())).collect();
        conditions.push(format!("state IN ({})", states.join(", ")));
    }
    let question = format!(
        "SELECT {COLUMNS} FROM jobs WHERE {} ORDER BY id {order} LIMIT {}",
        conditions.join(" AND "),
        filter.most
    );
    let mut statement = db.prepare_cached(&question)?;
    let found = statement.query_map(values.as_slice(), job)?;
    found.collect()
}

fn claim(db: &Connection, owner: &str) -> rusqlite::Result<Option<ServedJob>> {
    let mut statement = db.prepare_cached(&format!("{CLAIM}{COLUMNS}"))?;
    statement.query_row(named_params! { ":owner": owner, ":now": now() }, job).optional()
}

fn cancel(db: &Connection, id: u32, why: &str) -> rusqlite::Result<Option<ServedJob>> {
    db.prepare_cached(
        "UPDATE jobs SET state = 'CANCELLED', error = ?2, ended = ?3 WHERE id = ?1 AND state = 'QUEUED'",
    )?
    .execute(params![id, why, now()])?;
    db.prepare_cached("UPDATE jobs SET state = 'CANCELLING' WHERE id = ?1 AND state = 'RUNNING'")?
        .execute([id])?;
    one(db, id)
}

fn end(db: &Connection, id: u32, state: JobState, end: &JobEnd) -> rusqlite::Result<()> {
    let ledger_ids = serde_json::to_string(&end.ledger_ids).map_err(|error| wrong(9, error))?;
    db.prepare_cached(
        "UPDATE jobs SET state = ?2, error = ?3, exit_code = ?4, ledger_ids = ?5, ended = ?6
         WHERE id = ?1 AND state IN ('RUNNING', 'CANCELLING')",
    )?
    .execute(params![id, state.as_str(), end.error, end.exit_code, ledger_ids, now()])
    .map(drop)
}

#[async_trait]
impl JobQueue for SqliteJobs {
    async fn add(&self, new: NewJob, most: u64) -> Result<Admission, Fault> {
        self.writer.write(move |db| add(db, new, most)).await
    }

    async fn get(&self, id: u32) -> Result<Option<ServedJob>, Fault> {
        self.read(move |db| one(db, id)).await
    }

    async fn list(&self, filter: JobFilter) -> Result<Vec<ServedJob>, Fault> {
        self.read(move |db| list(db, &filter)).await
    }

    async fn claim(&self, owner: &str) -> Result<Option<ServedJob>, Fault> {
        let owner = owner.to_owned();
        self.writer.write(move |db| claim(db, &owner)).await
    }

    async fn began(&self, id: u32, attempt: u32, process: ProcessId) -> Result<(), Fault> {
        let write = move |db: &Connection| {
            let process = serde_json::to_string(&process).map_err(|error| wrong(14, error))?;
            db.prepare_cached("UPDATE jobs SET process = ?3 WHERE id = ?1 AND attempt = ?2")?
                .execute(params![id, attempt, process])
                .map(drop)
        };
        self.writer.write(write).await
    }

    async fn put_back(&self, id: u32, attempt: u32) -> Result<(), Fault> {
        let write = move |db: &Connection| {
            db.prepare_cached(
                "UPDATE jobs SET owner = NULL, started = NULL, process = NULL,
                   ended = CASE state WHEN 'CANCELLING' THEN ?3 END,
                   state = CASE state WHEN 'CANCELLING' THEN 'CANCELLED' ELSE 'QUEUED' END
                 WHERE id = ?1 AND attempt = ?2 AND state IN ('RUNNING', 'CANCELLING')",
            )?
            .execute(params![id, attempt, now()])
            .map(drop)
        };
        self.writer.write(write).await
    }

    async fn cancel(&self, id: u32, why: &str) -> Result<Option<ServedJob>, Fault> {
        let why = why.to_owned();
        self.writer.write(move |db| cancel(db, id, &why)).await
    }

    async fn end(&self, id: u32, state: JobState, how: JobEnd) -> Result<(), Fault> {
        self.writer.write(move |db| end(db, id, state, &how)).await
    }

    async fn at_work(&self, owner: &str) -> Result<Vec<ServedJob>, Fault> {
        let owner = owner.to_owned();
        let question = format!(
            "SELECT {COLUMNS} FROM jobs WHERE owner = ?1 AND state IN ('RUNNING', 'CANCELLING') ORDER BY id"
        );
        self.read(move |db| {
            let mut statement = db.prepare_cached(&question)?;
            let found = statement.query_map([owner], job)?;
            found.collect()
        })
        .await
    }

    async fn counts(&self) -> Result<Vec<(JobState, u64)>, Fault> {
        let question = "SELECT state, count(*) FROM jobs GROUP BY state ORDER BY state";
        let counted = self.read(move |db| {
            let mut statement = db.prepare_cached(question)?;
            let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            found.collect::<rusqlite::Result<Vec<(String, u32)>>>()
        });
        let counted = counted.await?.into_iter();
        Ok(counted
            .filter_map(|(state, count)| Some((JobState::parse(&state)?, count.into())))
            .collect())
    }
}
