//! The second home of the queue: PostgreSQL, in its schema `forge`. Several servers share it.
//!
//! One connection takes the steps of all calls, and a second one those that others must not take at the same time: a
//! job is claimed under a lock of the database, since what may be claimed depends on what everybody else is at. What is
//! lost is connected again at the next step.

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::BytesMut;
use tokio::sync::Mutex;
use tokio_postgres::{
    Client, Config, Row, Statement,
    types::{FromSql, IsNull, ToSql, Type, to_sql_checked},
};

use super::{
    postgres_tls::{PostgresTls, without_authority},
    sql::{SqlHome, SqlRow, SqlStep, SqlValue, TABLES, VERSION},
    sqlite::newer_fault,
    stored::StoredJobs,
};
use crate::model::{Fault, Kind, shown_url};

/// How PostgreSQL says what differs between databases.
const WORDS: &[(&str, &str)] = &[
    ("{now}", "CAST(floor(extract(epoch FROM statement_timestamp()) * 1000) AS BIGINT)"),
    ("{id}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
    ("{int}", "BIGINT"),
    ("{bytes}", "BYTEA"),
    ("{end}", ""),
    ("{lock}", "FOR UPDATE OF j SKIP LOCKED"),
];
/// What a connection begins with. One that hangs while it has the lock loses it.
const BEGINNING: &str = "SET search_path TO forge; SET synchronous_commit TO on; SET lock_timeout TO '10s'; \
                         SET idle_in_transaction_session_timeout TO '10s'; SET client_min_messages TO warning";
/// The lock of those who make the tables, and of those who claim; numbers of forge's own.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7420, 1)";
/// How long a connection may take to be made, and an answer to come.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);

/// A connection, and what it was taught.
struct PostgresLink {
    client: Client,
    statements: std::sync::Mutex<HashMap<String, Statement>>,
}

/// Tables at a server.
struct PostgresHome {
    config: Config,
    tls: PostgresTls,
    /// The server as people read it.
    place: String,
    calls: Mutex<Option<Arc<PostgresLink>>>,
    claims: Mutex<Option<Arc<PostgresLink>>>,
}

/// Whether `text` is the address of a database, and not a folder.
pub fn is_database(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

impl StoredJobs {
    /// The queue in the database at `url`, whose tables are made if they are missing. Has to be called within a
    /// runtime.
    ///
    /// # Errors
    /// `Usage` if the address is wrong; `Store` if the database is not reached or refuses; `Failed` if a newer forge
    /// made it.
    pub async fn in_database(url: &str) -> Result<Self, Fault> {
        let place = shown_url(url);
        let wrong = |why: String| {
            Fault::new(Kind::Usage, format!("{place} is not the address of a database"))
                .because(why)
                .hint("write `postgres://USER:PASSWORD@HOST/DATABASE?sslmode=require`")
        };
        let (url, authority) = without_authority(url);
        let mut config: Config =
            url.parse().map_err(|error: tokio_postgres::Error| wrong(told(&error)))?;
        config.application_name("forge serve").connect_timeout(CONNECT);
        let tls = PostgresTls::for_config(&mut config, authority.as_deref())?;
        let home = PostgresHome {
            config,
            tls,
            place: place.clone(),
            calls: Mutex::default(),
            claims: Mutex::default(),
        };
        home.prepare().await?;
        Ok(Self::new(Arc::new(home)))
    }
}

impl PostgresHome {
    /// Makes the tables, if they are missing.
    async fn prepare(&self) -> Result<(), Fault> {
        let fault = |error: tokio_postgres::Error| self.fault(&error);
        let mut held = self.claims.lock().await;
        let link = self.link(&mut held).await?;
        let client = &link.client;
        client.batch_execute("BEGIN; SET LOCAL lock_timeout TO '60s'").await.map_err(fault)?;
        client.batch_execute(LOCK).await.map_err(fault)?;
        let known = client.query_one("SELECT to_regclass('forge.version') IS NOT NULL", &[]).await;
        let is_there: bool = known.and_then(|row| row.try_get(0)).map_err(fault)?;
        if !is_there {
            let tables = SqlStep::new(TABLES, []).in_words(WORDS);
            let made = format!(
                "CREATE SCHEMA IF NOT EXISTS forge; {tables} CREATE TABLE version(number BIGINT NOT NULL); \
                 INSERT INTO version VALUES ({VERSION});"
            );
            client.batch_execute(&made).await.map_err(fault)?;
        }
        let found = client.query_one("SELECT number FROM version", &[]).await;
        let found: i64 = found.and_then(|row| row.try_get(0)).map_err(fault)?;
        client.batch_execute("COMMIT").await.map_err(fault)?;
        match found == i64::from(VERSION) {
            true => Ok(()),
            false => Err(newer_fault(&self.place, found)),
        }
    }

    /// The connection in `held`, or a new one.
    async fn link(&self, held: &mut Option<Arc<PostgresLink>>) -> Result<Arc<PostgresLink>, Fault> {
        if let Some(link) = held.as_ref().filter(|link| !link.client.is_closed()) {
            return Ok(link.clone());
        }
        let connecting = async {
            let (client, connection) = self.config.connect(self.tls.clone()).await?;
            // How it ends is seen by whoever uses it.
            tokio::spawn(async move { drop(connection.await) });
            client.batch_execute(BEGINNING).await?;
            Ok(client)
        };
        let client = self.timed(connecting).await?;
        let link = Arc::new(PostgresLink { client, statements: std::sync::Mutex::default() });
        *held = Some(link.clone());
        Ok(link)
    }

    async fn timed<T>(
        &self,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Fault> {
        match tokio::time::timeout(ANSWER, work).await {
            Ok(done) => done.map_err(|error| self.fault(&error)),
            Err(_) => Err(Fault::new(Kind::Store, format!("{} does not answer", self.place))),
        }
    }

    /// What the database says is wrong.
    fn fault(&self, error: &tokio_postgres::Error) -> Fault {
        // Class 53 is a lack of something such as space, class 57 an end of the server.
        let passes = error
            .code()
            .is_none_or(|code| code.code().starts_with("53") || code.code().starts_with("57"));
        let kind = if passes { Kind::Store } else { Kind::Failed };
        Fault::new(kind, format!("the queue of jobs at {} cannot be used", self.place))
            .because(told(error))
    }
}

/// What `error` says, with its cause.
fn told(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), std::error::Error::source(error)) {
        (Some(said), _) => said.message().to_owned(),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

impl PostgresLink {
    fn known(&self) -> MutexGuard<'_, HashMap<String, Statement>> {
        // A panic while it was held leaves a map that is whole.
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn statement(&self, step: &SqlStep) -> Result<Statement, tokio_postgres::Error> {
        if let Some(known) = self.known().get(&step.text).cloned() {
            return Ok(known);
        }
        let made = self.client.prepare(&step.in_words(WORDS)).await?;
        self.known().insert(step.text.clone(), made.clone());
        Ok(made)
    }

    async fn take(&self, step: &SqlStep) -> Result<Vec<SqlRow>, tokio_postgres::Error> {
        let statement = self.statement(step).await?;
        let values: Vec<&(dyn ToSql + Sync)> =
            step.values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let rows = self.client.query(&statement, &values).await?;
        rows.iter().map(row).collect()
    }
}

fn row(row: &Row) -> Result<SqlRow, tokio_postgres::Error> {
    (0..row.len()).map(|at| row.try_get(at)).collect::<Result<_, _>>().map(SqlRow)
}

type Wrong = Box<dyn std::error::Error + Sync + Send>;

impl<'r> FromSql<'r> for SqlValue {
    fn from_sql(kind: &Type, raw: &'r [u8]) -> Result<Self, Wrong> {
        Ok(match *kind {
            Type::INT8 => Self::Number(i64::from_sql(kind, raw)?),
            Type::BYTEA => Self::Bytes(raw.to_vec()),
            _ => Self::Text(String::from_sql(kind, raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Wrong> {
        Ok(Self::Null)
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT8 | Type::BYTEA | Type::TEXT)
    }
}

impl ToSql for SqlValue {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Wrong> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Number(number) => number.to_sql(kind, out),
            Self::Text(text) => text.to_sql(kind, out),
            Self::Bytes(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        <Self as FromSql<'_>>::accepts(kind)
    }

    to_sql_checked!();
}

#[async_trait]
impl SqlHome for PostgresHome {
    async fn write(&self, step: SqlStep) -> Result<Vec<SqlRow>, Fault> {
        let link = self.link(&mut *self.calls.lock().await).await?;
        self.timed(link.take(&step)).await
    }

    async fn write_alone(&self, step: SqlStep) -> Result<Vec<SqlRow>, Fault> {
        let mut held = self.claims.lock().await;
        let link = self.link(&mut held).await?;
        // Two statements: the second one sees what those did who had the lock before.
        let taking = async {
            link.client.batch_execute(&format!("BEGIN; {LOCK}")).await?;
            let rows = link.take(&step).await?;
            link.client.batch_execute("COMMIT").await?;
            Ok(rows)
        };
        let taken = self.timed(taking).await;
        if taken.is_err() {
            // Nothing is known of the transaction: the next one begins with a new connection.
            *held = None;
        }
        taken
    }

    async fn read(&self, step: SqlStep) -> Result<Vec<SqlRow>, Fault> {
        self.write(step).await
    }
}
