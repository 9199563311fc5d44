//! Who is known, and who may do what.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    act::Nothing,
    types::{Principal, WhoMay},
};
use stemma_core::{Problem, rights::Action};

use super::{filters, head::Head, paper::html_at};
use crate::{call::Call, href};

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    head: Head,
    ask: WhoMay,
    /// Those who may do what is asked about, or everybody.
    found: Vec<Principal>,
    /// Those who may not, only because it is denied to them.
    denied: Vec<Principal>,
    /// How many are known.
    known: usize,
}

impl PeoplePage {
    fn is_asked(&self, action: &Action) -> bool {
        self.ask.may.as_ref() == Some(action)
    }
}

pub async fn people(call: Call<(), Nothing, WhoMay>) -> Result<Response, Problem> {
    let head = Head::of_home_call(&call).await?;
    let (ask, known) = (call.ask, call.known);
    let all = known.principals().await?;
    let count = all.len();
    let (found, denied) = match ask.may {
        None => (all, Vec::new()),
        Some(action) => {
            let (found, others): (Vec<_>, Vec<_>) =
                all.into_iter().partition(|one| one.may(action, ask.project.as_ref()));
            let roles_allow = |one: &Principal| {
                let without = Principal { denials: Vec::new(), ..one.clone() };
                without.may(action, ask.project.as_ref())
            };
            (found, others.into_iter().filter(roles_allow).collect())
        }
    };
    html_at(known.moment(), PeoplePage { head, ask, found, denied, known: count })
}
