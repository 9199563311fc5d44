//! The card of a version.

use askama::Template;
use axum::response::Response;
use stemma_api::types::{ApprovedCard, ModelCard};
use stemma_core::{
    Problem,
    card::{CardStatement, CardVerdict},
    meaning::Aspect,
    name::{ModelName, ProjectName},
};

use super::{filters, head::Head, paper::html_at};
use crate::{call::Call, href};

#[derive(Template)]
#[template(path = "card.html")]
struct CardPage {
    head: Head,
    project: ProjectName,
    card: ModelCard,
}

pub async fn card(call: Call<(ProjectName, ModelName, String)>) -> Result<Response, Problem> {
    let head = Head::of_call(&call, &call.at.0).await?;
    let ((project, model, version), known) = (call.at, call.known);
    let card = known.card(&project, &model, &version).await?;
    html_at(known.moment(), CardPage { head, project, card })
}

impl CardPage {
    fn said(&self, aspect: Aspect) -> Option<&CardStatement> {
        self.card.body.said.iter().find(|one| one.aspect == aspect)
    }

    /// What else is said, and what might be.
    fn lines(&self) -> [(&'static str, Option<&CardStatement>); 4] {
        [Aspect::Owner, Aspect::Licence, Aspect::BaseModel, Aspect::IntendedUse]
            .map(|aspect| (aspect.title(), self.said(aspect)))
    }

    fn tags(&self) -> impl Iterator<Item = &CardStatement> {
        self.card.body.said.iter().filter(|one| one.aspect == Aspect::Tag)
    }
}
