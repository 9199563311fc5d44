//! The contracts of versions, of which there are far fewer than versions.

use stemma_core::{name::ProjectName, search::Realm, signature::Signature};

use super::shelf::Shelf;
use crate::{LedgerError, View, sql::Value};

/// Most contracts that are looked at.
const CONTRACTS_MAX: usize = 10_000;

impl View {
    /// The contracts, by their numbers, of versions of some projects that ask for no input but those of these names.
    pub async fn contracts_within(
        &self,
        projects: &[ProjectName],
        inputs: &[&str],
    ) -> Result<Vec<(i64, Signature)>, LedgerError> {
        let mut read = self.read().await?;
        let shelf = Shelf::of(Realm::Versions, &read);
        let (named, project) = (read.session.list_at(2), read.session.unindexed("e.project"));
        let sql = format!(
            "SELECT c.from_seq AS contract, c.body AS body FROM contract c WHERE {} \
             AND NOT EXISTS (SELECT 1 FROM contract_field i WHERE i.contract = c.from_seq AND i.direction = 'input' \
             AND i.optional = 0 AND i.name NOT IN (SELECT list.value->>0 FROM {named})) \
             AND EXISTS (SELECT 1 FROM {} WHERE e.contract = c.from_seq AND {} \
             AND {project} IN (SELECT list.value->>0 FROM {}) LIMIT 1 OFFSET 0) ORDER BY c.from_seq LIMIT {}",
            read.holds("c"),
            shelf.things,
            shelf.is_thing,
            read.session.list_at(1),
            CONTRACTS_MAX + 1,
        );
        let projects = Value::list(projects.iter().map(|project| [project.as_str()]))?;
        let rows = read.session.rows(&sql, &[projects, Value::list(inputs.iter().map(|name| [name]))?]).await?;
        if rows.len() > CONTRACTS_MAX {
            return Err(LedgerError::TooMany(CONTRACTS_MAX));
        }
        rows.iter().map(|row| Ok((row.int("contract")?, row.json("body")?))).collect()
    }
}
