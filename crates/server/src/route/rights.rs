//! People, services, their roles and tokens.

use stemma_api::{
    paths,
    types::{AddPrincipal, IssuedToken, Page, Principal},
};
use stemma_core::Problem;

use super::{Route, json_route};
use crate::context::Context;

pub fn routes() -> Vec<Route> {
    vec![
        json_route!(GET paths::PRINCIPALS, ManageRights, "all principals and their roles", list, => Page<Principal>),
        json_route!(POST paths::PRINCIPALS, ManageRights, "grant a role and issue a token, shown once", add, AddPrincipal => IssuedToken),
    ]
}

async fn list(context: Context) -> Result<Page<Principal>, Problem> {
    Ok(Page { items: context.app.engine.principals().await?, next: None })
}

async fn add(mut context: Context) -> Result<IssuedToken, Problem> {
    let add: AddPrincipal = context.json().await?;
    context.app.engine.add_principal(&context.caller, context.request, add).await
}
