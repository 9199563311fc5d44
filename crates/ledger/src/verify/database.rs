//! What the database says of itself: pages, indexes and what refers to what.

use stemma_core::audit::{Check, Fault};

use super::settled::settled;
use crate::{LedgerError, sql::Session};

const NAME: &str = "database";

pub async fn check(session: &mut Session) -> Check {
    settled(NAME, ask(session).await)
}

async fn ask(session: &mut Session) -> Result<Check, LedgerError> {
    let mut check = Check::new(NAME, "questions to the database about its own pages and indexes");
    if session.is_postgres() {
        check.leave_out("PostgreSQL's own pages and indexes: `pg_amcheck` and page checksums look at them");
        return Ok(check);
    }
    check.looked_at = 2;
    for row in session.rows("PRAGMA integrity_check(100)", &[]).await? {
        let said = row.text("integrity_check")?;
        if said != "ok" {
            check.fault(Fault::at("the database file", said));
        }
    }
    for row in session.rows("PRAGMA foreign_key_check", &[]).await? {
        check.fault(Fault::at(
            "the database file",
            format!("a row refers to one that is not there: {}", row.canonical()),
        ));
    }
    Ok(check)
}
