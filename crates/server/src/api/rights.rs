//! People, services, their roles and tokens.

use stemma_api::{
    act::Nothing,
    acts::rights,
    types::{AddPrincipal, IssuedToken, Page, Paging, Principal, Revoked, Token},
};
use stemma_core::{Problem, standing::Revocable};

use crate::{
    call::Call,
    route::{Route, route},
};

pub fn routes() -> Vec<Route> {
    vec![
        route(&rights::PRINCIPALS, principals),
        route(&rights::GRANT, grant),
        route(&rights::TOKENS, tokens),
        route(&rights::REVOKE, revoke),
    ]
}

async fn principals(call: Call<(), Nothing, Paging<u64>>) -> Result<Page<Principal>, Problem> {
    let Paging { cursor, limit } = call.ask;
    call.known.page_of_principals(cursor, limit.get()).await
}

async fn grant(call: Call<(), AddPrincipal>) -> Result<IssuedToken, Problem> {
    call.app.engine().add_principal(&call.caller, call.request, call.body).await
}

async fn tokens(call: Call<(), Nothing, Paging<u64>>) -> Result<Page<Token>, Problem> {
    let Paging { cursor, limit } = call.ask;
    call.known.page_of_tokens(cursor, limit.get()).await
}

async fn revoke(call: Call<(), Revocable>) -> Result<Revoked, Problem> {
    call.app.engine().revoke(&call.caller, call.request, call.body).await
}
