//! The first home of the queue: SQLite, in WAL, each transaction synced (`synchronous=FULL`) before anybody is told.
//! One thread writes (`writer`), a second connection reads beside it.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use rusqlite::{
    Connection, Row, ToSql,
    types::{ToSqlOutput, ValueRef},
};

use super::{
    sql::{SqlHome, SqlRow, SqlStep, SqlValue, TABLES, VERSION},
    stored::StoredJobs,
    writer::{BatchWriter, database_fault},
};
use crate::model::{Fault, Kind};

/// How SQLite says what differs between databases.
const WORDS: &[(&str, &str)] = &[
    ("{now}", "CAST(round(unixepoch('subsec') * 1000) AS INTEGER)"),
    ("{id}", "INTEGER PRIMARY KEY AUTOINCREMENT"),
    ("{int}", "INTEGER"),
    ("{bytes}", "BLOB"),
    ("{end}", " STRICT"),
    ("{lock}", ""),
    ("$", "?"),
];

/// Tables in a file.
struct SqliteHome {
    writer: BatchWriter,
    reader: Arc<Mutex<Connection>>,
}

impl StoredJobs {
    /// The queue in the file at `path`, which is made if it is missing. The caller sees to it that no other server
    /// uses it.
    ///
    /// # Errors
    /// `Failed` if it cannot be opened, or a newer forge made it.
    pub fn in_file(path: &Path) -> Result<Self, Fault> {
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
                let tables = SqlStep::new(TABLES, []).in_words(WORDS);
                let made = format!("BEGIN; {tables} PRAGMA user_version = {VERSION}; COMMIT;");
                db.execute_batch(&made).map_err(|error| within(&error))?;
            }
            VERSION => {}
            newer => return Err(newer_fault(&path.display().to_string(), newer.into())),
        }
        let reader = open().map_err(|error| within(&error))?;
        let home =
            SqliteHome { writer: BatchWriter::begin(db)?, reader: Arc::new(Mutex::new(reader)) };
        Ok(Self::new(Arc::new(home)))
    }
}

/// The tables at `place` have a version that this forge does not know.
pub(super) fn newer_fault(place: &str, version: i64) -> Fault {
    Fault::new(Kind::Failed, format!("a newer forge made {place}"))
        .because(format!("its tables have version {version}, this forge knows {VERSION}"))
        .hint("`forge self-update` brings the newest")
}

impl ToSql for SqlValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Number(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn row(row: &Row<'_>, columns: usize) -> rusqlite::Result<SqlRow> {
    let value = |at| {
        Ok(match row.get_ref(at)? {
            ValueRef::Integer(number) => SqlValue::Number(number),
            ValueRef::Text(text) => SqlValue::Text(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Blob(bytes) => SqlValue::Bytes(bytes.to_vec()),
            ValueRef::Null | ValueRef::Real(_) => SqlValue::Null,
        })
    };
    (0..columns).map(value).collect::<rusqlite::Result<_>>().map(SqlRow)
}

fn take(db: &Connection, step: &SqlStep) -> rusqlite::Result<Vec<SqlRow>> {
    let mut statement = db.prepare_cached(&step.in_words(WORDS))?;
    let columns = statement.column_count();
    let values = rusqlite::params_from_iter(step.values.iter());
    statement.query_map(values, |it| row(it, columns))?.collect()
}

#[async_trait]
impl SqlHome for SqliteHome {
    async fn write(&self, step: SqlStep) -> Result<Vec<SqlRow>, Fault> {
        self.writer.write(move |db| take(db, &step)).await
    }

    /// One thread writes, and no other process does.
    async fn write_alone(&self, step: SqlStep) -> Result<Vec<SqlRow>, Fault> {
        self.write(step).await
    }

    async fn read(&self, step: SqlStep) -> Result<Vec<SqlRow>, Fault> {
        let reader = self.reader.clone();
        let asked = tokio::task::spawn_blocking(move || {
            // A panic while it was held leaves a connection that still answers.
            let db = reader.lock().unwrap_or_else(PoisonError::into_inner);
            take(&db, &step).map_err(|error| database_fault(&error))
        });
        asked.await.map_err(|error| {
            Fault::new(Kind::Failed, "the queue of jobs cannot be read").because(error.to_string())
        })?
    }
}
