//! One SQL text for SQLite and PostgreSQL, over sqlx's two concrete drivers. All dialect differences live here.

use std::{
    borrow::Cow,
    fs::File,
    io::ErrorKind,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    str::FromStr as _,
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::{
    AssertSqlSafe, Column as _, Connection as _, PgConnection, PgPool, Postgres, Row as _, Sqlite, SqliteConnection,
    SqlitePool, Transaction, TypeInfo as _, ValueRef as _,
    postgres::{PgConnectOptions, PgPoolOptions, PgRow},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};

use tokio::sync::Mutex;

use crate::{DatabaseUrl, LedgerError};

/// How long somebody may wait for a connection while all are in use.
const ACQUIRE_MAX: Duration = Duration::from_secs(10);
/// How long another owner is waited for, and how often it is tried.
const OWNER_MAX: Duration = Duration::from_secs(3);
const OWNER_RETRY: Duration = Duration::from_millis(50);

/// A value as it is bound or read. A NULL carries its type: PostgreSQL wants to know it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(String),
    Int(i64),
    Real(f64),
    Blob(Vec<u8>),
    NullText,
    NullInt,
}

impl Value {
    /// Many rows as one value, each a tuple or an array.
    pub fn list(rows: impl IntoIterator<Item: serde::Serialize>) -> Result<Self, LedgerError> {
        let rows: Vec<_> = rows.into_iter().collect();
        Ok(Self::Text(serde_json::to_string(&rows)?))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        text.map_or(Self::NullText, Self::Text)
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        number.map_or(Self::NullInt, Self::Int)
    }
}

/// Whether upper and lower case are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Counts,
    Ignored,
}

/// The pattern of `LIKE` as `GLOB` writes it.
fn as_glob(pattern: &str) -> String {
    let mut glob = String::with_capacity(pattern.len());
    for letter in pattern.chars() {
        match letter {
            '%' => glob.push('*'),
            '_' => glob.push('?'),
            '*' | '?' | '[' => glob.extend(['[', letter, ']']),
            other => glob.push(other),
        }
    }
    glob
}

/// A row that was read, column by column.
#[derive(Debug, Clone, PartialEq)]
pub struct Row(Vec<(String, Value)>);

impl Row {
    pub fn value(&self, name: &str) -> Result<&Value, LedgerError> {
        let found = self.0.iter().find(|(column, _)| column == name).map(|(_, value)| value);
        found.ok_or_else(|| LedgerError::Damaged(format!("a row has no column `{name}`")))
    }

    pub fn text(&self, name: &str) -> Result<String, LedgerError> {
        self.optional_text(name)?.ok_or_else(|| wrong(name, "text"))
    }

    pub fn optional_text(&self, name: &str) -> Result<Option<String>, LedgerError> {
        match self.value(name)? {
            Value::Text(text) => Ok(Some(text.clone())),
            Value::NullText | Value::NullInt => Ok(None),
            _ => Err(wrong(name, "text")),
        }
    }

    pub fn int(&self, name: &str) -> Result<i64, LedgerError> {
        match self.value(name)? {
            Value::Int(number) => Ok(*number),
            _ => Err(wrong(name, "a whole number")),
        }
    }

    pub fn optional_int(&self, name: &str) -> Result<Option<i64>, LedgerError> {
        match self.value(name)? {
            Value::Int(number) => Ok(Some(*number)),
            Value::NullText | Value::NullInt => Ok(None),
            _ => Err(wrong(name, "a whole number")),
        }
    }

    pub fn blob(&self, name: &str) -> Result<Vec<u8>, LedgerError> {
        match self.value(name)? {
            Value::Blob(bytes) => Ok(bytes.clone()),
            _ => Err(wrong(name, "bytes")),
        }
    }

    pub fn optional_blob(&self, name: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        match self.value(name)? {
            Value::NullText | Value::NullInt => Ok(None),
            _ => self.blob(name).map(Some),
        }
    }

    /// Reads a column that holds the text form of a type.
    pub fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<T, LedgerError> {
        self.text(name)?.parse().map_err(|_| wrong(name, std::any::type_name::<T>()))
    }

    /// Reads a column that holds JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, LedgerError> {
        serde_json::from_str(&self.text(name)?)
            .map_err(|error| LedgerError::Damaged(format!("column `{name}`: {error}")))
    }

    /// All columns as one comparable text.
    pub fn canonical(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}={value:?}")).collect::<Vec<_>>().join("|")
    }

    /// The columns in their order.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().map(|(_, value)| value)
    }
}

fn wrong(name: &str, expected: &str) -> LedgerError {
    LedgerError::Damaged(format!("column `{name}` is not {expected}"))
}

/// A text with names in braces, each replaced by a part of the statement; never by anything that a caller gave.
pub fn filled(text: &str, parts: &[(&str, &str)]) -> String {
    parts.iter().fold(text.to_owned(), |text, (name, part)| text.replace(&format!("{{{name}}}"), part))
}

/// An open database.
#[derive(Debug, Clone)]
pub enum Database {
    /// One connection writes, several read.
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    Postgres {
        pool: PgPool,
        /// Keeps other owners out for as long as it is open.
        owner: Option<Arc<Mutex<Option<PgConnection>>>>,
    },
}

/// A pool that opens a new connection in place of one whose last transaction could not be ended, as when the disk was
/// full: such a connection would refuse all later ones.
fn whole_connections(most: u32) -> SqlitePoolOptions {
    let is_whole = |connection: &SqliteConnection| !connection.is_in_transaction();
    SqlitePoolOptions::new()
        .max_connections(most)
        .before_acquire(move |connection, _| Box::pin(std::future::ready(Ok(is_whole(connection)))))
}

/// A transaction.
pub struct Session {
    transaction: Open,
    changed: u64,
}

enum Open {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl From<Open> for Session {
    fn from(transaction: Open) -> Self {
        Self { transaction, changed: 0 }
    }
}

/// SQLite makes a database for others to read, as far as the umask lets it, and the files beside it like the database.
fn make_private(path: &Path) -> std::io::Result<()> {
    match File::options().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

impl Database {
    pub async fn open_sqlite(path: &Path) -> Result<Self, LedgerError> {
        make_private(path).map_err(sqlx::Error::Io)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // NORMAL is not safe on power loss
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let writer = whole_connections(1).connect_with(options.clone()).await?;
        let readers = whole_connections(4).connect_with(options.read_only(true)).await?;
        Ok(Self::Sqlite { writer, readers })
    }

    /// A database that is there, for reading only; its owner may be writing meanwhile. Nothing is set that is kept in it.
    pub async fn open_to_look(path: &Path) -> Result<Self, LedgerError> {
        let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.map_err(unreadable)?;
        let asked = sqlx::query("SELECT COUNT(*) FROM sqlite_master").execute(&pool).await;
        asked.map_err(unreadable)?;
        Ok(Self::Sqlite { writer: pool.clone(), readers: pool })
    }

    /// An empty database in memory, for replaying events.
    pub async fn open_memory() -> Result<Self, LedgerError> {
        let options = SqliteConnectOptions::from_str("sqlite::memory:")?;
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await?;
        Ok(Self::Sqlite { writer: pool.clone(), readers: pool })
    }

    /// Its schema is made if it is missing; all tables lie in it.
    pub async fn open_postgres(at: &DatabaseUrl) -> Result<Self, LedgerError> {
        let mut first = at.connect().await?;
        make_schema(&mut first, at.schema()).await?;
        first.close().await?;
        Ok(Self::Postgres { pool: whole_pool(at.options()?, 8), owner: None })
    }

    /// The same for its owner: there is one at a time, in all processes and on all machines.
    pub async fn own_postgres(at: &DatabaseUrl) -> Result<Self, LedgerError> {
        let mut first = at.connect().await?;
        become_owner(&mut first, at).await?;
        make_schema(&mut first, at.schema()).await?;
        let owner = Some(Arc::new(Mutex::new(Some(first))));
        Ok(Self::Postgres { pool: whole_pool(at.options()?, 8), owner })
    }

    /// A database that is there, for reading only; its owner may be writing meanwhile.
    pub async fn look_at_postgres(at: &DatabaseUrl) -> Result<Self, LedgerError> {
        at.connect().await?.close().await?;
        let options = at.options()?.options([("default_transaction_read_only", "on")]);
        Ok(Self::Postgres { pool: whole_pool(options, 1), owner: None })
    }

    /// Starts a transaction that will write. On SQLite it is alone from here on.
    pub async fn begin(&self) -> Result<Session, LedgerError> {
        Ok(Session::from(match self {
            Self::Sqlite { writer, .. } => Open::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres { pool, .. } => Open::Postgres(pool.begin().await?),
        }))
    }

    /// Starts a transaction that only reads, all of it at one moment.
    pub async fn read(&self) -> Result<Session, LedgerError> {
        Ok(Session::from(match self {
            Self::Sqlite { readers, .. } => Open::Sqlite(readers.begin().await?),
            Self::Postgres { pool, .. } => {
                Open::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
            }
        }))
    }

    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres { pool, owner } => {
                pool.close().await;
                if let Some(owner) = owner
                    && let Some(connection) = owner.lock().await.take()
                    && let Err(error) = connection.close().await
                {
                    tracing::warn!("the connection that owned the ledger's database broke: {error}");
                }
            }
        }
    }
}

fn whole_pool(options: PgConnectOptions, most: u32) -> PgPool {
    PgPoolOptions::new().max_connections(most).acquire_timeout(ACQUIRE_MAX).connect_lazy_with(options)
}

async fn make_schema(connection: &mut PgConnection, schema: &str) -> Result<(), LedgerError> {
    // to make what is there already takes the right to make one
    let there = sqlx::query("SELECT 1 FROM pg_namespace WHERE nspname = $1").bind(schema);
    if there.fetch_optional(&mut *connection).await?.is_none() {
        let made = AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\""));
        sqlx::query(made).execute(&mut *connection).await?;
    }
    let domain = "DO $$ BEGIN CREATE DOMAIN blob AS bytea; EXCEPTION WHEN duplicate_object THEN NULL; END $$";
    sqlx::query(domain).execute(connection).await.map(drop).map_err(LedgerError::from)
}

/// Takes the database for as long as the connection is open. Of an owner that was killed it is free a moment later.
async fn become_owner(connection: &mut PgConnection, at: &DatabaseUrl) -> Result<(), LedgerError> {
    let give_up = Instant::now() + OWNER_MAX;
    loop {
        let sql = "SELECT pg_try_advisory_lock(hashtextextended('stemma owner ' || $1, 0))";
        let is_owner: bool = sqlx::query(sql).bind(at.schema()).fetch_one(&mut *connection).await?.try_get(0)?;
        if is_owner {
            return Ok(());
        }
        if Instant::now() > give_up {
            return Err(LedgerError::InUse(at.to_string()));
        }
        tokio::time::sleep(OWNER_RETRY).await;
    }
}

macro_rules! bind_all {
    ($query:expr, $values:expr) => {{
        let mut query = $query;
        for value in $values {
            query = match value {
                Value::Text(text) => query.bind(text.clone()),
                Value::Int(number) => query.bind(*number),
                Value::Real(number) => query.bind(*number),
                Value::Blob(bytes) => query.bind(bytes.clone()),
                Value::NullText => query.bind(None::<String>),
                Value::NullInt => query.bind(None::<i64>),
            };
        }
        query
    }};
}

impl Session {
    pub const fn is_postgres(&self) -> bool {
        matches!(self.transaction, Open::Postgres(_))
    }

    /// Rows that [`Self::execute`] changed so far.
    pub const fn changed(&self) -> u64 {
        self.changed
    }

    /// Whether there is a table of this name.
    pub async fn has_table(&mut self, name: &str) -> Result<bool, LedgerError> {
        let sql = match self.transaction {
            Open::Sqlite(_) => "SELECT 1 AS there FROM sqlite_master WHERE name = $1",
            Open::Postgres(_) => {
                "SELECT 1 AS there FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1"
            }
        };
        Ok(self.row(sql, &[name.into()]).await?.is_some())
    }

    /// What to select from for the rows of a list (see [`Value::list`]) that is bound at a place: `list.value->>0` is the
    /// first column. One value stands for thousands, which the drivers would otherwise bind one by one.
    pub fn list_at(&self, place: usize) -> String {
        match self.transaction {
            Open::Sqlite(_) => format!("json_each(${place}) AS list"),
            Open::Postgres(_) => format!("jsonb_array_elements(CAST(${place} AS jsonb)) AS list(value)"),
        }
    }

    /// A column for which no index is to be used, where another one was chosen. PostgreSQL knows by itself.
    pub fn unindexed(&self, column: &str) -> String {
        match self.transaction {
            Open::Sqlite(_) => format!("+{column}"),
            Open::Postgres(_) => column.to_owned(),
        }
    }

    /// A statement of a migration, written for SQLite. There a table `WITHOUT ROWID` is kept once, in the order of its key;
    /// PostgreSQL has no such thing. Texts that are ordered or searched by their beginnings are compared by their bytes,
    /// which is called otherwise there.
    pub fn table_definition<'a>(&self, sql: &'a str) -> Cow<'a, str> {
        match self.transaction {
            Open::Sqlite(_) => Cow::Borrowed(sql),
            Open::Postgres(_) => {
                Cow::Owned(sql.replace(" WITHOUT ROWID", "").replace(" COLLATE BINARY", " COLLATE \"C\""))
            }
        }
    }

    /// A condition: a text is like a pattern, in which `%` stands for any text and `_` for one letter. In letters of ASCII
    /// case counts, or not.
    pub fn like(&self, column: &str, pattern: &str, case: Case, values: &mut Vec<Value>) -> String {
        let (word, pattern) = match (&self.transaction, case) {
            // LIKE doesn't tell case apart there
            (Open::Sqlite(_), Case::Counts) => ("GLOB", as_glob(pattern)),
            (Open::Sqlite(_), Case::Ignored) => ("LIKE", pattern.to_owned()),
            (Open::Postgres(_), Case::Counts) => ("LIKE", pattern.replace('\\', "\\\\")),
            (Open::Postgres(_), Case::Ignored) => ("ILIKE", pattern.replace('\\', "\\\\")),
        };
        values.push(Value::Text(pattern));
        format!("{column} {word} ${}", values.len())
    }

    /// Keeps other migrations of the same tables out until the end of the transaction. On SQLite it is alone already.
    pub async fn lock_for_migration(&mut self) -> Result<(), LedgerError> {
        match self.transaction {
            Open::Sqlite(_) => Ok(()),
            Open::Postgres(_) => {
                let sql = "SELECT 1 AS locked FROM (SELECT pg_advisory_xact_lock(hashtext('stemma ' || current_schema()))) AS l";
                self.rows(sql, &[]).await.map(drop)
            }
        }
    }

    /// Runs statements without values that return nothing, as those about savepoints.
    pub async fn script(&mut self, sql: &'static str) -> Result<(), LedgerError> {
        match &mut self.transaction {
            Open::Sqlite(tx) => sqlx::raw_sql(sql).execute(&mut **tx).await.map(drop)?,
            Open::Postgres(tx) => sqlx::raw_sql(sql).execute(&mut **tx).await.map(drop)?,
        }
        Ok(())
    }

    /// Runs one statement; returns how many rows it changed.
    pub async fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, LedgerError> {
        let text = AssertSqlSafe(sql.to_owned());
        let changed = match &mut self.transaction {
            Open::Sqlite(tx) => bind_all!(sqlx::query(text), values).execute(&mut **tx).await?.rows_affected(),
            Open::Postgres(tx) => bind_all!(sqlx::query(text), values).execute(&mut **tx).await?.rows_affected(),
        };
        self.changed += changed;
        Ok(changed)
    }

    /// Runs a query, or a statement with RETURNING.
    pub async fn rows(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, LedgerError> {
        let text = AssertSqlSafe(sql.to_owned());
        match &mut self.transaction {
            Open::Sqlite(tx) => {
                let rows = bind_all!(sqlx::query(text), values).fetch_all(&mut **tx).await?;
                rows.iter().map(sqlite_row).collect()
            }
            Open::Postgres(tx) => {
                let rows = bind_all!(sqlx::query(text), values).fetch_all(&mut **tx).await?;
                rows.iter().map(postgres_row).collect()
            }
        }
    }

    pub async fn row(&mut self, sql: &str, values: &[Value]) -> Result<Option<Row>, LedgerError> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    pub async fn commit(self) -> Result<(), LedgerError> {
        match self.transaction {
            Open::Sqlite(tx) => tx.commit().await?,
            Open::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    pub async fn rollback(self) -> Result<(), LedgerError> {
        match self.transaction {
            Open::Sqlite(tx) => tx.rollback().await?,
            Open::Postgres(tx) => tx.rollback().await?,
        }
        Ok(())
    }
}

/// Tells a place where SQLite can't read (no lock or no memory shared with others can be had there) from damage.
fn unreadable(error: sqlx::Error) -> LedgerError {
    /// SQLITE_READONLY and SQLITE_CANTOPEN; what is above the lowest byte says more.
    const PLACE: [i32; 2] = [8, 14];
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<i32>().ok());
    match code.filter(|code| PLACE.contains(&(code & 0xff))) {
        Some(_) => LedgerError::NotReadableHere(error.to_string()),
        None => error.into(),
    }
}

fn sqlite_row(row: &SqliteRow) -> Result<Row, LedgerError> {
    let mut columns = Vec::with_capacity(row.len());
    for (at, column) in row.columns().iter().enumerate() {
        let raw = row.try_get_raw(at)?;
        let kind = if raw.is_null() { "NULL".to_owned() } else { raw.type_info().name().to_owned() };
        let value = match kind.as_str() {
            "NULL" => Value::NullText,
            "INTEGER" | "INT4" | "INT8" | "BIGINT" | "BOOLEAN" => Value::Int(row.try_get(at)?),
            "REAL" => Value::Real(row.try_get(at)?),
            "BLOB" => Value::Blob(row.try_get(at)?),
            _ => Value::Text(row.try_get(at)?),
        };
        columns.push((column.name().to_owned(), value));
    }
    Ok(Row(columns))
}

fn postgres_row(row: &PgRow) -> Result<Row, LedgerError> {
    let mut columns = Vec::with_capacity(row.len());
    for (at, column) in row.columns().iter().enumerate() {
        let raw = row.try_get_raw(at)?;
        let value = if raw.is_null() {
            Value::NullText
        } else {
            match column.type_info().name() {
                "INT8" => Value::Int(row.try_get(at)?),
                "INT4" => Value::Int(i64::from(row.try_get::<i32, _>(at)?)),
                "FLOAT8" => Value::Real(row.try_get(at)?),
                "TEXT" | "VARCHAR" | "NAME" => Value::Text(row.try_get(at)?),
                _ => Value::Blob(row.try_get_unchecked(at)?),
            }
        };
        columns.push((column.name().to_owned(), value));
    }
    Ok(Row(columns))
}
