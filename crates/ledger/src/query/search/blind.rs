//! What a search can't see: of how many things something is not known.

use stemma_core::{name::ProjectName, search::Realm};

use super::shelf::Shelf;
use crate::{
    LedgerError, View,
    row::search::EVALUATED,
    sql::{Session, Value},
};

/// Things that are counted at most; there may be more.
pub const BLIND_MAX: u64 = 1000;

/// How many versions of models there are of which something is not known, each up to [`BLIND_MAX`] and one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Blind {
    /// Their newest evaluation is from before the ledger was told metrics.
    pub unmeasured: u64,
    /// Nobody knows which run made them.
    pub without_run: u64,
    pub without_contract: u64,
}

impl Blind {
    /// What is counted no further.
    pub const MAX: u64 = BLIND_MAX;
}

impl View {
    /// Counts the versions of some projects that a search is blind to.
    pub async fn search_blind(&self, projects: &[ProjectName]) -> Result<Blind, LedgerError> {
        let mut read = self.read().await?;
        let shelf = Shelf::of(Realm::Versions, &read);
        let things = format!("{} WHERE {} AND ", shelf.things, shelf.is_thing);
        let evaluated = format!(
            "{} CROSS JOIN {things} f.kind = '{EVALUATED}' AND f.name = '' AND {} AND e.id = f.id AND ",
            shelf.facts, shelf.is_fact
        );
        let values = [Value::list(projects.iter().map(|project| [project.as_str()]))?];
        Ok(Blind {
            unmeasured: count(&evaluated, &values, &mut read.session).await?,
            without_run: count(&format!("{things} e.run = '' AND "), &values, &mut read.session).await?,
            without_contract: count(&format!("{things} e.contract = 0 AND "), &values, &mut read.session).await?,
        })
    }
}

async fn count(from: &str, values: &[Value], session: &mut Session) -> Result<u64, LedgerError> {
    let (project, list) = (session.unindexed("e.project"), session.list_at(1));
    let some =
        format!("SELECT 1 AS one FROM {from}{project} IN (SELECT list.value->>0 FROM {list}) LIMIT {}", BLIND_MAX + 1);
    let row = session.row(&format!("SELECT COUNT(*) AS n FROM ({some}) some_of_them"), values).await?;
    Ok(row.map(|row| row.int("n")).transpose()?.unwrap_or(0).max(0) as u64)
}
