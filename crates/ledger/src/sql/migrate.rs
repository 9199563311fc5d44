//! Migrations: numbered SQL texts in this binary, applied once, in order, under a lock.

use sha2::{Digest as _, Sha256};

use super::{Connection, Value};
use crate::LedgerError;

struct Migration {
    number: i64,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "governed", sql: include_str!("../../migrations/0001_governed.sql") },
    Migration { number: 2, name: "telemetry", sql: include_str!("../../migrations/0002_telemetry.sql") },
];

impl Connection {
    /// Brings the database to the newest schema, or refuses one that is newer or different.
    pub async fn migrate(&mut self) -> Result<(), LedgerError> {
        self.begin().await?;
        let done = self.migrate_in_transaction().await;
        self.script(if done.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
        done
    }

    async fn migrate_in_transaction(&mut self) -> Result<(), LedgerError> {
        self.lock_migrations().await?;
        self.create_types().await?;
        self.script(
            "CREATE TABLE IF NOT EXISTS schema_migration (
                number BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum BLOB NOT NULL)",
        )
        .await?;
        let applied = self.rows("SELECT number, checksum FROM schema_migration ORDER BY number", &[]).await?;
        for row in &applied {
            let number = row.int("number")?;
            let Some(migration) = MIGRATIONS.iter().find(|known| known.number == number) else {
                let known = MIGRATIONS.last().map_or(0, |newest| newest.number);
                return Err(LedgerError::Newer { found: number, known });
            };
            if row.hash("checksum")? != migration.checksum() {
                return Err(LedgerError::OtherMigration { number });
            }
        }
        for migration in &MIGRATIONS[applied.len()..] {
            self.script(migration.sql).await?;
            let recorded =
                [Value::Int(migration.number), Value::text(migration.name), Value::Blob(migration.checksum().to_vec())];
            self.execute("INSERT INTO schema_migration (number, name, checksum) VALUES ($1, $2, $3)", &recorded)
                .await?;
        }
        Ok(())
    }
}

impl Migration {
    fn checksum(&self) -> [u8; 32] {
        Sha256::digest(self.sql.as_bytes()).into()
    }
}
