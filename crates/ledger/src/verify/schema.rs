//! Tables, indexes, views and triggers: those that the migrations make, as they make them, and no others.

use std::collections::BTreeSet;

use stemma_core::audit::{Check, Fault};

use super::{
    listed,
    tables::{differences, rows_by_text},
};
use crate::{LedgerError, migrate, sql::Session};

/// Statistics for the query planner, which SQLite makes when somebody asks for them, say nothing of what there is.
const SQLITE: &str =
    "SELECT type, name, tbl_name, sql, 0 AS from_seq FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%'";

/// The columns of all tables as SQLite and as PostgreSQL tell them.
const COLUMNS_OF_SQLITE: &str = "SELECT m.name AS place, p.name AS what, 0 AS from_seq FROM sqlite_master m \
                                 JOIN pragma_table_info(m.name) p WHERE m.type = 'table' \
                                 UNION ALL SELECT name, 'index', 0 FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL";
const COLUMNS_OF_POSTGRES: &str = "SELECT CAST(table_name AS TEXT) AS place, CAST(column_name AS TEXT) AS what, \
                                   CAST(0 AS BIGINT) AS from_seq FROM information_schema.columns WHERE table_schema = current_schema() \
                                   UNION ALL SELECT CAST(indexname AS TEXT), 'index', 0 FROM pg_indexes \
                                   WHERE schemaname = current_schema() AND indexname NOT LIKE '%_pkey' \
                                   UNION ALL SELECT CAST(trigger_name AS TEXT), 'trigger', 0 FROM information_schema.triggers \
                                   WHERE trigger_schema = current_schema()";

/// Makes the tables in the empty database as the live one must have them, compares the definitions, and tells the tables.
/// Those that the live one is yet to have are there afterwards too.
pub async fn check(
    live: &mut Session,
    replayed: &mut Session,
    made: &mut BTreeSet<String>,
) -> Result<Check, LedgerError> {
    let mut check = Check::new("schema", "definitions of tables and indexes are those of the migrations");
    let migrations = match migrate::applied(live).await {
        Ok(migrations) => migrations,
        Err(error) => {
            // the tables are looked at as the newest program would have them
            check.fault(Fault::at("table `migration`", error.to_string()));
            migrate::NEWEST
        }
    };
    migrate::create_tables(replayed, migrations).await?;
    *made = listed::tables(replayed).await?;
    if migrations < migrate::NEWEST {
        check.leave_out(format!(
            "what the newest tables would tell: this ledger has had {migrations} of {} migrations; the next command that \
             opens the home brings it to the newest",
            migrate::NEWEST
        ));
    }
    let (asked, expected) =
        if live.is_postgres() { (COLUMNS_OF_POSTGRES, COLUMNS_OF_SQLITE) } else { (SQLITE, SQLITE) };
    let (have, want) = (rows_by_text(live, asked).await?, rows_by_text(replayed, expected).await?);
    check.looked_at = want.len() as u64;
    for (text, surplus, _) in differences(&have, &want) {
        let what = if surplus > 0 { "was added, or altered" } else { "is missing, or was altered" };
        check.fault(Fault::at("the schema", format!("{what}: {text}")));
    }
    migrate::create_newer_tables(replayed, migrations).await?;
    Ok(check)
}
