//! Who may ask endpoints: the part of the access table that the gateway needs.

use stemma_core::rights::Action;
use stemma_engine::access::{AccessTable, TokenHolder};
use stemma_gateway::{Access, Grant};

pub fn gateway_access(table: &AccessTable) -> Access {
    let invoking = table.holders.iter().filter(|(_, holder)| holder.rights.decide_somewhere(Action::Invoke).is_ok());
    let grant = |(hash, holder): (&[u8; 32], &TokenHolder)| {
        let (principal, rights, expires) = (holder.principal.clone(), holder.rights.clone(), holder.expires);
        (*hash, Grant { principal, rights, expires })
    };
    Access { anonymous_local: true, tokens: invoking.map(grant).collect() }
}
