//! Migrations: numbered SQL texts, each applied once, in order, recorded with its checksum.

use stemma_core::Digest;

use crate::{
    LedgerError,
    sql::{Database, Session, Value},
    tree::Frontier,
};

/// All migrations. A released one is never edited; its checksum is checked.
const MIGRATIONS: [(i64, &str); 2] =
    [(1, include_str!("migrations/0001_first.sql")), (2, include_str!("migrations/0002_grants_in_one_tree.sql"))];

/// Brings a database to the newest migration.
pub async fn migrate(database: &Database) -> Result<(), LedgerError> {
    let mut session = database.begin().await?;
    session
        .execute("CREATE TABLE IF NOT EXISTS migration (number BIGINT PRIMARY KEY, checksum TEXT NOT NULL)", &[])
        .await?;
    let applied = session.rows("SELECT number, checksum FROM migration ORDER BY number", &[]).await?;
    for row in &applied {
        let number = row.int("number")?;
        let Some((_, sql)) = MIGRATIONS.iter().find(|(known, _)| *known == number) else {
            return Err(LedgerError::Newer(number));
        };
        if row.text("checksum")? != Digest::of(sql.as_bytes()).to_string() {
            return Err(LedgerError::Damaged(format!("migration {number} is not the one this program knows")));
        }
    }
    for (number, sql) in MIGRATIONS.iter().skip(applied.len()) {
        run(&mut session, sql).await?;
        let values = [Value::Int(*number), Value::Text(Digest::of(sql.as_bytes()).to_string())];
        session.execute("INSERT INTO migration (number, checksum) VALUES ($1, $2)", &values).await?;
    }
    let empty = [Value::Blob(Frontier::default().root().to_vec())];
    session.execute("INSERT INTO head (id, size, root) VALUES (1, 0, $1) ON CONFLICT (id) DO NOTHING", &empty).await?;
    session.commit().await
}

/// Makes all tables in an empty database.
pub async fn create_tables(session: &mut Session) -> Result<(), LedgerError> {
    for (_, sql) in MIGRATIONS {
        run(session, sql).await?;
    }
    Ok(())
}

async fn run(session: &mut Session, sql: &str) -> Result<(), LedgerError> {
    for statement in sql.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        let statement = session.table_definition(statement);
        session.execute(&statement, &[]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn grants_of_the_first_tables_are_kept() {
        let database = Database::open_memory().await.unwrap();
        let mut session = database.begin().await.unwrap();
        let (number, sql) = MIGRATIONS[0];
        run(&mut session, "CREATE TABLE migration (number BIGINT PRIMARY KEY, checksum TEXT NOT NULL)").await.unwrap();
        run(&mut session, sql).await.unwrap();
        let values = [Value::Int(number), Value::Text(Digest::of(sql.as_bytes()).to_string())];
        session.execute("INSERT INTO migration (number, checksum) VALUES ($1, $2)", &values).await.unwrap();
        run(&mut session, "INSERT INTO content_grant (project, digest, size) VALUES ('p', 'b3:1', 7)").await.unwrap();
        session.commit().await.unwrap();

        migrate(&database).await.unwrap();
        let mut session = database.begin().await.unwrap();
        let rows = session.rows("SELECT project, digest, size FROM content_grant", &[]).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].text("digest").unwrap(), rows[0].int("size").unwrap()), ("b3:1".to_owned(), 7));
    }
}
