//! Who may ask endpoints: the part of the access table that the gateway needs.

use stemma_core::rights::Action;
use stemma_engine::access::{AccessTable, RoleGrant};
use stemma_gateway::{Access, Grant, Projects};

pub fn gateway_access(table: &AccessTable) -> Access {
    let mut access = Access { anonymous_local: true, ..Access::default() };
    for (hash, holder) in &table.holders {
        let invoking: Vec<&RoleGrant> =
            holder.grants.iter().filter(|grant| grant.role.allows(Action::Invoke)).collect();
        if invoking.is_empty() {
            continue;
        }
        let projects = if invoking.iter().any(|grant| grant.project.is_none()) {
            Projects::All
        } else {
            Projects::Only(invoking.iter().filter_map(|grant| grant.project.clone()).collect())
        };
        let grant = Grant { principal: holder.principal.clone(), projects, expires: holder.expires };
        access.tokens.insert(*hash, grant);
    }
    access
}
