//! Feedback: the label, reward or event that arrives after the prediction.
//!
//! It lies in a log of its own (`gateway/feedback`) and is never changed: what is told later is told beside it.

mod about;
mod dataset;
mod find;
mod given;
mod labels;
mod newest;
mod places;
mod recorded;
mod repeated;
mod seal;
mod table;

use std::{collections::HashMap, sync::Arc};

use stemma_api::types::{Feedback, FeedbackKept, SendFeedback, SendFeedbacks};
use stemma_core::{
    Problem,
    endpoint::{
        feedback::{FEEDBACK_VERSION, StoredFeedback},
        prediction::PredictionId,
    },
    name::ProjectName,
    rights::Action,
};
use stemma_engine::Caller;

pub(crate) use self::about::about;
use self::{
    given::{EndpointOf, Given, Told},
    repeated::known_already,
};
use crate::{Delivery, problem::feedback_problem, refusals::Refusals};

/// Most feedback of one request.
const ITEMS_MAX: usize = 50_000;

/// What became of one of many.
enum Kept {
    New(Feedback),
    Known(Feedback),
}

/// What became of each, with its place.
type Outcomes = Vec<(usize, Result<Kept, Problem>)>;

/// Endpoints by their numbers.
type Endpoints = HashMap<u16, Arc<EndpointOf>>;

impl Delivery {
    /// Keeps feedback on a prediction of this home.
    pub async fn feedback(
        &self,
        caller: &Caller,
        prediction: &PredictionId,
        send: SendFeedback,
    ) -> Result<Feedback, Problem> {
        let what = given::checked(send)?;
        let unknown = || Problem::not_found(format!("there is no prediction `{prediction}` here"));
        let address = prediction.open(self.prediction_key()).ok_or_else(unknown)?;
        let endpoint = self.endpoint_of(address.endpoint).await?.ok_or_else(unknown)?;
        caller.may_on(Action::Feedback, &endpoint.project, &endpoint.name).map_err(|_| unknown())?;
        let told = Told { at: 0, prediction: *prediction, address, endpoint, found: None, what };
        let (told, refused) = recorded::check(self, vec![told]).await?;
        if let Some(problem) = refused.into_first() {
            return Err(problem);
        }
        let (kept, _) = self.keep(caller, told).await?;
        // one was told, and one thing became of it
        let (_, kept) = kept.into_iter().next().ok_or_else(unknown)?;
        kept.map(|(Kept::New(feedback) | Kept::Known(feedback))| feedback)
    }

    /// Keeps feedback on many predictions of a project. What is refused is named by its place, and the rest is kept.
    pub async fn feedback_on_many(
        &self,
        caller: &Caller,
        project: &ProjectName,
        send: SendFeedbacks,
    ) -> Result<FeedbackKept, Problem> {
        if send.feedback.len() > ITEMS_MAX {
            let message = format!("{} feedbacks are more than {ITEMS_MAX} of one request", send.feedback.len());
            return Err(Problem::invalid(message).hint("send them in several"));
        }
        let mut refused = Refusals::default();
        let (mut told, mut sought, mut endpoints) = (Vec::new(), Vec::new(), Endpoints::new());
        for (at, one) in send.feedback.into_iter().enumerate() {
            match given::read(at, one, self.known().now()) {
                Ok(Given::Sought(one)) => sought.push(one),
                Ok(Given::Named(prediction, what)) => {
                    match self.named(project, at, prediction, what, &mut endpoints).await? {
                        Ok(one) => told.push(one),
                        Err(problem) => refused.add(at, problem),
                    }
                }
                Err(problem) => refused.add(at, problem),
            }
        }
        let (found, not_found) = find::find(self, project, sought).await?;
        told.extend(found);
        told.sort_by_key(|one| one.at);
        let (told, unfit) = recorded::check(self, told).await?;
        refused.append(not_found);
        refused.append(unfit);
        let (kept, gaps) = self.keep(caller, told).await?;
        let mut answer = FeedbackKept { gaps, ..FeedbackKept::default() };
        for (at, kept) in kept {
            match kept {
                Ok(Kept::New(_)) => answer.kept += 1,
                Ok(Kept::Known(_)) => answer.known += 1,
                Err(problem) => refused.add(at, problem),
            }
        }
        answer.refused_count = refused.count();
        answer.refused = refused.into_items();
        if let Err(problem) = self.seal_feedback_if_due().await {
            tracing::warn!(%problem, "feedback is kept, and could not be sealed; it will be tried again");
        }
        Ok(answer)
    }

    /// One that names its prediction, if that is one of the project.
    async fn named(
        &self,
        project: &ProjectName,
        at: usize,
        prediction: PredictionId,
        what: SendFeedback,
        endpoints: &mut Endpoints,
    ) -> Result<Result<Told, Problem>, Problem> {
        let unknown = || Problem::not_found(format!("there is no prediction `{prediction}` in project `{project}`"));
        let Some(address) = prediction.open(self.prediction_key()) else { return Ok(Err(unknown())) };
        let known = endpoints.get(&address.endpoint).cloned();
        let endpoint = match known {
            Some(endpoint) => Some(endpoint),
            None => self.endpoint_of(address.endpoint).await?,
        };
        let Some(endpoint) = endpoint.filter(|endpoint| endpoint.project == *project) else {
            return Ok(Err(unknown()));
        };
        endpoints.insert(address.endpoint, Arc::clone(&endpoint));
        Ok(Ok(Told { at, prediction, address, endpoint, found: None, what }))
    }

    async fn endpoint_of(&self, ordinal: u16) -> Result<Option<Arc<EndpointOf>>, Problem> {
        let found = self.known().endpoint_of_ordinal(ordinal).await?;
        Ok(found.map(|(project, name)| Arc::new(EndpointOf { project, name })))
    }

    /// Keeps what is new of it; all of that is on disk when this returns. Says where it could not be looked whether it is new.
    async fn keep(&self, caller: &Caller, told: Vec<Told>) -> Result<(Outcomes, Vec<String>), Problem> {
        let _turns = self.feedback_turns().take(told.iter().map(|one| one.address)).await;
        let mut known = about(self, told.iter().map(|one| one.address).collect()).await?;
        let (mut outcomes, mut new) = (Vec::with_capacity(told.len()), Vec::new());
        let (time, from) = (self.known().now(), &caller.actor.principal);
        for one in told {
            if let Err(problem) = known.check(one.address) {
                outcomes.push((one.at, Err(problem)));
                continue;
            }
            let there = known.feedback.entry(one.address).or_default();
            let outcome = match known_already(there, &one.what) {
                Ok(Some(known)) => Ok(Kept::Known(known.clone())),
                Err(problem) => Err(problem),
                Ok(None) => {
                    let SendFeedback { label, reward, event, comment, correction, key } = one.what;
                    let found = one.found;
                    let from = from.clone();
                    let feedback = Feedback { label, reward, event, comment, correction, key, found, time, from };
                    there.push(feedback.clone());
                    let EndpointOf { project, name } = one.endpoint.as_ref();
                    let (project, endpoint) = (project.clone(), name.clone());
                    let (v, prediction, feedback) = (FEEDBACK_VERSION, one.prediction, feedback);
                    let stored = StoredFeedback { v, project, endpoint, prediction, feedback: feedback.clone() };
                    new.push((one.address, stored));
                    Ok(Kept::New(feedback))
                }
            };
            outcomes.push((one.at, outcome));
        }
        self.feedback_log().append(&new).await.map_err(feedback_problem)?;
        Ok((outcomes, known.gaps))
    }
}
