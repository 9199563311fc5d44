//! Migrations: numbered SQL texts, each applied once, in order, recorded with its checksum.

use stemma_core::Digest;

use crate::{
    LedgerError,
    event::adopt_leaves,
    projection::{adopt_for_search, adopt_names},
    row::{file::insert_all_files, grant::adopt_grants, search::insert_all_for_search},
    sql::{Database, Session, Value},
    tree::Frontier,
};

/// All migrations. A released one is never edited; its checksum is checked.
const MIGRATIONS: [(i64, &str); 13] = [
    (1, include_str!("migrations/0001_first.sql")),
    (2, include_str!("migrations/0002_grants_in_one_tree.sql")),
    (FILES_OF_RUNS, include_str!("migrations/0003_files_of_runs.sql")),
    (4, include_str!("migrations/0004_signing_keys.sql")),
    (SEALED_ROWS, include_str!("migrations/0005_sealed_rows.sql")),
    (EVENTS, include_str!("migrations/0006_events.sql")),
    (7, include_str!("migrations/0007_feedback_log.sql")),
    (SEARCH, include_str!("migrations/0008_search.sql")),
    (VERSION_NAMES, include_str!("migrations/0009_version_names.sql")),
    (10, include_str!("migrations/0010_meaning.sql")),
    (11, include_str!("migrations/0011_people.sql")),
    (12, include_str!("migrations/0012_decisions.sql")),
    (PASSWORDS, include_str!("migrations/0013_passwords.sql")),
];
/// How many migrations this program knows.
pub const NEWEST: usize = MIGRATIONS.len();
/// The migration that lists the files of runs anew, from their records.
const FILES_OF_RUNS: i64 = 3;
/// The migration after which every grant has an entry.
const SEALED_ROWS: i64 = 5;
/// The migration after which events are found by their columns.
const EVENTS: i64 = 6;
/// The migration after which versions, datasets and runs are searched; what there is already is taken in.
const SEARCH: i64 = 8;
/// The migration after which versions have further names; those that follow from registrations are made.
const VERSION_NAMES: i64 = 9;
/// The migration after which people may have passwords.
pub const PASSWORDS: i64 = 13;
/// Which migrations were applied.
const MIGRATION_TABLE: &str =
    "CREATE TABLE IF NOT EXISTS migration (number BIGINT PRIMARY KEY, checksum TEXT NOT NULL)";

/// Brings a database to the newest migration.
pub async fn migrate(database: &Database) -> Result<(), LedgerError> {
    let mut session = database.begin().await?;
    migrate_to(&mut session, NEWEST).await?;
    session.commit().await
}

/// Brings a database to so many migrations, in a transaction that is alone to write.
pub async fn migrate_to(session: &mut Session, count: usize) -> Result<(), LedgerError> {
    session.lock_for_migration().await?;
    session.execute(MIGRATION_TABLE, &[]).await?;
    let applied = applied(session).await?;
    for (number, sql) in MIGRATIONS.iter().take(count).skip(applied) {
        run(session, sql).await?;
        if *number == FILES_OF_RUNS {
            insert_all_files(session).await?;
        }
        if *number == SEALED_ROWS {
            adopt_grants(session).await?;
        }
        if *number == EVENTS {
            adopt_leaves(session).await?;
        }
        if *number == SEARCH {
            adopt_for_search(session).await?;
            insert_all_for_search(session).await?;
        }
        if *number == VERSION_NAMES {
            adopt_names(session).await?;
        }
        let values = [Value::Int(*number), Value::Text(Digest::of(sql.as_bytes()).to_string())];
        session.execute("INSERT INTO migration (number, checksum) VALUES ($1, $2)", &values).await?;
    }
    let empty = [Value::Blob(Frontier::default().root().to_vec())];
    session
        .execute("INSERT INTO head (id, size, root) VALUES (1, 0, $1) ON CONFLICT (id) DO NOTHING", &empty)
        .await
        .map(drop)
}

/// How many migrations a database has had. One that this program does not know, and one that is missing before another,
/// are errors.
pub async fn applied(session: &mut Session) -> Result<usize, LedgerError> {
    let rows = session.rows("SELECT number, checksum FROM migration ORDER BY number", &[]).await?;
    for (row, at) in rows.iter().zip(0..) {
        let number = row.int("number")?;
        let Some((known, sql)) = MIGRATIONS.get(at) else {
            return Err(LedgerError::Newer(number));
        };
        if number != *known || row.text("checksum")? != Digest::of(sql.as_bytes()).to_string() {
            return Err(LedgerError::Damaged(format!("migration {number} is not the one this program knows")));
        }
    }
    Ok(rows.len())
}

/// Makes the tables in an empty database as the first migrations do.
pub async fn create_tables(session: &mut Session, migrations: usize) -> Result<(), LedgerError> {
    session.execute(MIGRATION_TABLE, &[]).await?;
    for (_, sql) in MIGRATIONS.iter().take(migrations) {
        run(session, sql).await?;
    }
    Ok(())
}

/// Makes the tables that are still to come where the first migrations made theirs: events are applied to the newest ones.
pub async fn create_newer_tables(session: &mut Session, migrations: usize) -> Result<(), LedgerError> {
    for (_, sql) in MIGRATIONS.iter().skip(migrations) {
        run(session, sql).await?;
    }
    Ok(())
}

async fn run(session: &mut Session, sql: &str) -> Result<(), LedgerError> {
    for statement in sql.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        let statement = session.table_definition(statement);
        session.execute(&statement, &[]).await.map_err(|error| match error.is_of_a_double() {
            true => LedgerError::Damaged(format!("what may be there once is there twice, and keeps off `{statement}`")),
            false => error,
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database as an earlier program left it.
    async fn with_migrations(count: usize) -> Database {
        let database = Database::open_memory().await.unwrap();
        let mut session = database.begin().await.unwrap();
        run(&mut session, "CREATE TABLE migration (number BIGINT PRIMARY KEY, checksum TEXT NOT NULL)").await.unwrap();
        for (number, sql) in &MIGRATIONS[..count] {
            run(&mut session, sql).await.unwrap();
            let values = [Value::Int(*number), Value::Text(Digest::of(sql.as_bytes()).to_string())];
            session.execute("INSERT INTO migration (number, checksum) VALUES ($1, $2)", &values).await.unwrap();
        }
        session.commit().await.unwrap();
        database
    }

    #[tokio::test]
    async fn files_of_earlier_runs_are_read_from_their_records() {
        let database = with_migrations(2).await;
        let (digest, id) = (Digest::of(b"a"), stemma_core::id::RunId::generate());
        let file = |path: &str| serde_json::json!({"path": path, "digest": digest, "size": 1, "certainty": "observed"});
        let record = serde_json::json!({
            "v": 1, "id": id, "project": "p", "kind": "training", "command": ["python"], "directory": "",
            "actor": {"principal": "ada@example.org", "auth": "asserted"}, "started": 5, "ended": 9, "exit": {"code": 0},
            "code": {"files": [file("train.py")]}, "environment": digest, "cpu_us": 1, "max_rss_bytes": 1,
            "capture": {"level": 4, "method": "ptrace", "environment_files": 0},
            "inputs": [file("in.csv")], "outputs": [file("out.csv")],
        });
        let mut session = database.begin().await.unwrap();
        let sql = "INSERT INTO run (place, run, project, digest, record) VALUES (1, $1, 'p', $2, $3)";
        let values = [Value::Text(id.to_string()), Value::Text(digest.to_string()), Value::Text(record.to_string())];
        session.execute(sql, &values).await.unwrap();
        run(
            &mut session,
            "INSERT INTO node (id, kind, key) VALUES (1, 'content', 'b3:1'), (2, 'run', 'r'), (3, 'environment', 'b3:2');
             INSERT INTO edge (project, source, kind, target, role, certainty) VALUES ('p', 1, 'read', 2, '', 'observed'),
             ('p', 2, 'wrote', 1, '', 'observed'), ('p', 1, 'ran_code', 2, '', 'observed'),
             ('p', 3, 'ran_environment', 2, '', 'observed')",
        )
        .await
        .unwrap();
        session.commit().await.unwrap();

        migrate(&database).await.unwrap();
        let mut session = database.begin().await.unwrap();
        let sql = "SELECT direction || ' ' || path || ' ' || workspace || '|' || started || '-' || ended AS file \
                   FROM run_file ORDER BY path";
        let rows = session.rows(sql, &[]).await.unwrap();
        let files: Vec<String> = rows.iter().map(|row| row.text("file").unwrap()).collect();
        assert_eq!(files, ["input in.csv |5-9", "output out.csv |5-9", "code train.py |5-9"]);
        let rows = session.rows("SELECT kind FROM edge", &[]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.text("kind").unwrap()).collect::<Vec<_>>(), ["ran_environment"]);
    }

    #[tokio::test]
    async fn grants_of_the_first_tables_are_kept() {
        let database = with_migrations(1).await;
        let mut session = database.begin().await.unwrap();
        let digest = Digest::of(b"1");
        let sql = format!("INSERT INTO content_grant (project, digest, size) VALUES ('p', '{digest}', 7)");
        run(&mut session, &sql).await.unwrap();
        session.commit().await.unwrap();

        migrate(&database).await.unwrap();
        let mut session = database.begin().await.unwrap();
        let rows = session.rows("SELECT project, digest, size FROM content_grant", &[]).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].text("digest").unwrap(), rows[0].int("size").unwrap()), (digest.to_string(), 7));
        let rows = session.rows("SELECT project, act, contents FROM grant_entry", &[]).await.unwrap();
        let entry = (rows[0].text("project").unwrap(), rows[0].text("act").unwrap());
        assert_eq!(entry, ("p".to_owned(), "granted".to_owned()));
        assert_eq!(crate::row::grant::decode(&rows[0].blob("contents").unwrap()).unwrap(), [(digest, 7)]);
    }
}
