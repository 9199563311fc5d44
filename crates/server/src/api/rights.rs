//! People, services, their roles and tokens.

use stemma_api::{
    act::Nothing,
    acts::rights,
    types::{
        AddPrincipal, GrantRole, IssueToken, IssuedToken, NewToken, Page, Paging, PasswordOf, Principal,
        RemovePassword, Revoked, RightSince, RotateToken, SetPassword, Token,
    },
};
use stemma_core::{Problem, rights::Denial, standing::Revocable};

use crate::{
    call::Call,
    route::{Route, route},
};

pub fn routes() -> Vec<Route> {
    vec![
        route(&rights::PRINCIPALS, principals),
        route(&rights::GRANT, grant),
        route(&rights::TOKENS, tokens),
        route(&rights::ISSUE, issue),
        route(&rights::ROTATE, rotate),
        route(&rights::ROLES, roles),
        route(&rights::GRANT_ROLE, grant_role),
        route(&rights::DENY, deny),
        route(&rights::SET_PASSWORD, set_password),
        route(&rights::REMOVE_PASSWORD, remove_password),
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

async fn issue(call: Call<(), IssueToken>) -> Result<NewToken, Problem> {
    call.app.engine().issue(&call.caller, call.request, call.body).await
}

async fn rotate(call: Call<(), RotateToken>) -> Result<NewToken, Problem> {
    call.app.engine().rotate(&call.caller, call.request, call.body).await
}

async fn roles(call: Call<(), Nothing, Paging<u64>>) -> Result<Page<RightSince>, Problem> {
    let Paging { cursor, limit } = call.ask;
    call.known.page_of_rights(cursor, limit.get()).await
}

async fn grant_role(call: Call<(), GrantRole>) -> Result<Principal, Problem> {
    call.app.engine().grant_role(&call.caller, call.request, call.body).await
}

async fn deny(call: Call<(), Denial>) -> Result<Principal, Problem> {
    call.app.engine().deny(&call.caller, call.request, call.body).await
}

async fn set_password(call: Call<(), SetPassword>) -> Result<PasswordOf, Problem> {
    call.app.engine().set_password(&call.caller, call.request, call.body).await
}

async fn remove_password(call: Call<(), RemovePassword>) -> Result<PasswordOf, Problem> {
    call.app.engine().remove_password(&call.caller, call.request, call.body.principal).await
}

async fn revoke(call: Call<(), Revocable>) -> Result<Revoked, Problem> {
    call.app.engine().revoke(&call.caller, call.request, call.body).await
}
