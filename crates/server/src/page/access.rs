//! The access log.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    act::Nothing,
    types::{AccessEntry, FindAccess, FoundAccess},
};
use stemma_core::{Problem, rights::Action};

use super::{filters, head::Head, paper::html};
use crate::{call::Call, href};

#[derive(Template)]
#[template(path = "access.html")]
struct AccessPage {
    head: Head,
    found: FoundAccess,
    /// Where it goes on.
    next: Option<String>,
    actions: Vec<&'static str>,
    ask: FindAccess,
}

impl AccessPage {
    fn is_asked(&self, action: &str) -> bool {
        self.ask.action.as_deref() == Some(action)
    }
}

pub async fn access(call: Call<(), Nothing, FindAccess>) -> Result<Response, Problem> {
    let head = Head::of_home(&call).await?;
    let ask = call.ask;
    let found = call.app.delivery.find_access(&ask).await?;
    let further = |cursor: String| FindAccess { cursor: Some(cursor), ..ask.clone() };
    let next = found.next.clone().map(|cursor| href::accesses(&further(cursor)));
    let actions = Action::ALL.into_iter().filter(|action| *action != Action::Public).map(Action::as_str).collect();
    html(AccessPage { head, found, next, actions, ask })
}
