//! A declared act and who does it. Without its act a route can't be written down, nor with a handler of other types.

use std::sync::Arc;

use axum::response::Response;
use futures::future::BoxFuture;
use stemma_api::act::{Act, Declaration, Path, Payload, Query};
use stemma_core::{Problem, name::ProjectName};

use crate::{
    call::{Call, Receive, Respond},
    context::Context,
};

pub type Handler = Arc<dyn Fn(Context) -> BoxFuture<'static, Result<Response, Problem>> + Send + Sync>;

/// Tells a problem; the address may have named a project.
pub type Refuse = fn(Problem, Option<ProjectName>) -> Response;

/// One entry of a table.
pub struct Route {
    pub act: &'static Declaration,
    pub handler: Handler,
}

/// Routes whose refusals look alike: problem documents, or pages.
pub struct Table {
    pub routes: Vec<Route>,
    pub refuse: Refuse,
    /// Whether browsers come here, with sessions, and are led to sign in.
    pub are_pages: bool,
}

/// Joins an act with its handler.
pub fn route<At, Ask, Request, Answer, In, Out, Running>(
    act: &'static Act<At, Ask, Request, Answer>,
    handler: impl Fn(Call<At, In, Ask>) -> Running + Copy + Send + Sync + 'static,
) -> Route
where
    At: Path + Send + 'static,
    Ask: Query,
    Request: Payload,
    Answer: Payload,
    In: Receive<Request> + 'static,
    Out: Respond<Answer>,
    Running: Future<Output = Result<Out, Problem>> + Send,
{
    let handler = move |context: Context| -> BoxFuture<'static, Result<Response, Problem>> {
        Box::pin(async move {
            let call = Call::receive(act, context).await?;
            let known = call.known.clone();
            let answer = handler(call).await.map_err(|problem| known.told_of_then(problem))?;
            answer.respond(known.told_as_of())
        })
    };
    Route { act: &act.declaration, handler: Arc::new(handler) }
}
