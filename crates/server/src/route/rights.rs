//! People, services, their roles and tokens.

use stemma_api::{
    paths,
    types::{AddPrincipal, IssuedToken, Page, Principal, Revoked, Token},
};
use stemma_core::{Problem, policy::Revocable};

use super::{Route, json_route};
use crate::context::Context;

pub fn routes() -> Vec<Route> {
    vec![
        json_route!(GET paths::PRINCIPALS, ManageRights, "all principals and their roles", list, => Page<Principal>),
        json_route!(POST paths::PRINCIPALS, ManageRights, "grant a role and issue a token, shown once", add, AddPrincipal => IssuedToken),
        json_route!(GET paths::TOKENS, ManageRights, "all tokens that were not withdrawn, without their secrets", tokens, => Page<Token>),
        json_route!(POST paths::REVOCATIONS, ManageRights, "withdraw a role, a token, or all that somebody holds", revoke, Revocable => Revoked),
    ]
}

async fn list(context: Context) -> Result<Page<Principal>, Problem> {
    Ok(Page { items: context.app.known().principals().await?, next: None })
}

async fn add(mut context: Context) -> Result<IssuedToken, Problem> {
    let add: AddPrincipal = context.json().await?;
    context.app.engine().add_principal(&context.caller, context.request, add).await
}

async fn tokens(context: Context) -> Result<Page<Token>, Problem> {
    Ok(Page { items: context.app.known().tokens().await?, next: None })
}

async fn revoke(mut context: Context) -> Result<Revoked, Problem> {
    let what: Revocable = context.json().await?;
    context.app.engine().revoke(&context.caller, context.request, what).await
}
