//! Who the caller is, what the home is, and the API's own description.

use axum::response::Response;
use stemma_api::{
    paths,
    types::{Grant, HistoryShown, HomeInfo, Identity},
};
use stemma_core::Problem;

use super::{Route, json_route, raw_route};
use crate::{context::Context, openapi, problem};

pub fn routes() -> Vec<Route> {
    vec![
        json_route!(GET paths::HOME, Read, "the home and who you are to it", home, => HomeInfo),
        json_route!(GET paths::HOME_HISTORY, Read, "the signed head, and proofs that earlier ones are beginnings of it", history, => HistoryShown),
        raw_route!(GET paths::OPENAPI, Public, "this API as an OpenAPI 3.1 document", openapi_document),
        raw_route!(GET "/health", Public, "liveness", health),
        raw_route!(GET "/health/ready", Public, "whether ledger, prediction log and content can be written, and all endpoints answer", ready),
    ]
}

async fn home(context: Context) -> Result<HomeInfo, Problem> {
    let caller = &context.caller;
    let roles = caller.grants.iter().map(|grant| Grant { project: grant.project.clone(), role: grant.role }).collect();
    Ok(HomeInfo {
        home: context.app.known().home_id(),
        stemma_version: env!("CARGO_PKG_VERSION").to_owned(),
        projects: context.app.known().readable_projects(caller).await?,
        you: Identity { principal: caller.actor.principal.clone(), auth: caller.actor.auth, roles },
    })
}

/// Sizes that can be asked for at once.
const SIZES_MAX: usize = 256;

async fn history(context: Context) -> Result<HistoryShown, Problem> {
    let texts = context.queries("seen");
    if texts.len() > SIZES_MAX {
        return Err(Problem::invalid(format!("{} sizes are asked for; at most {SIZES_MAX} are possible", texts.len())));
    }
    let size = |text: &String| text.parse().map_err(|_| Problem::invalid(format!("`seen` is `{text}`, not a size")));
    let sizes = texts.iter().map(size).collect::<Result<_, _>>()?;
    Ok(context.app.engine().history(&sizes).await?.write())
}

async fn openapi_document(_: Context) -> Result<Response, Problem> {
    Ok(problem::json(http::StatusCode::OK, &openapi::document()))
}

async fn health(_: Context) -> Result<Response, Problem> {
    Ok(Response::new("OK\n".into()))
}

async fn ready(context: Context) -> Result<Response, Problem> {
    context.app.delivery.ready().await?;
    Ok(Response::new("ready\n".into()))
}
