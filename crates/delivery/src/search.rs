//! Finding predictions: the log from its newest segment to its first, as far as somebody wants to see it.

mod cursor;
mod found;
mod look;
mod page;
mod places;
mod question;

use std::sync::Arc;

use stemma_api::types::{FindPredictions, FoundPredictions};
use stemma_core::{Problem, name::ProjectName, rights::Action};
use stemma_engine::{Caller, problem::internal};

use self::{
    look::{Looked, look_through},
    page::Page,
    places::Places,
    question::Question,
};
use crate::Delivery;

/// Segments that are looked through at the same time at most. It begins with one: the newest may have it all.
const AT_ONCE_MAX: usize = 8;

impl Delivery {
    /// Finds predictions of a project, newest first. A page ends when it is full, or when it took too much work: then it
    /// says how far it came.
    pub async fn find_predictions(
        &self,
        caller: &Caller,
        project: &ProjectName,
        ask: &FindPredictions,
    ) -> Result<FoundPredictions, Problem> {
        caller.may_within(Action::ReadPredictions, project)?;
        if let Some(endpoint) = &ask.endpoint {
            caller.may_on(Action::ReadPredictions, project, endpoint)?;
        }
        let reach = caller.reach(Action::ReadPredictions, project);
        let mut question = Question::read(self, project, &reach, ask).await?;
        if let Err(error) = self.log().flush().await {
            question.reasons.push(format!("what was answered last may be missing: {error}"));
        }
        let question = Arc::new(question);
        let mut places = Places::of(self, &question);
        let mut page = Page::new(&question);
        let mut at_once = 1;
        while page.is_open() {
            let groups = places.next(self.known(), at_once).await?;
            if groups.is_empty() {
                page.end();
                break;
            }
            let looking: Vec<_> = groups
                .into_iter()
                .map(|group| {
                    let (question, store) = (Arc::clone(&question), self.known().store().clone());
                    let key = self.prediction_key().clone();
                    tokio::task::spawn_blocking(move || look_through(group, &question, &store, &key))
                })
                .collect();
            for looked in looking {
                let looked: Looked = looked.await.map_err(internal)?;
                page.add(looked);
            }
            at_once = (at_once * 2).min(AT_ONCE_MAX);
        }
        Ok(page.close(places.passed()))
    }
}
