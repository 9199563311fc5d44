//! Card: what is known of a version on one sheet, each number with its evidence.

mod approval;
mod body;
mod similar;

use stemma_api::types::{Approval, CardApproval, CardRevision, ModelCard, ModelVersion};
use stemma_core::{
    Digest, ErrorKind, Problem, canonical,
    card::CardBody,
    name::{EndpointName, ModelName, ProjectName},
};

use self::{approval::how_approved, body::body_of, similar::similar_to};
use crate::{Engine, Known, problem::internal, resolve::find_version};

impl Known {
    /// The card of a version.
    pub async fn card(&self, project: &ProjectName, model: &ModelName, version: &str) -> Result<ModelCard, Problem> {
        let version = find_version(self, project, model, version).await?;
        let body = body_of(self, project, &version).await?;
        let (digest, _) = canonical::digest(&body).map_err(internal)?;
        let approvals = self.approvals(project, &version).await?;
        let approvals = how_approved(self, &version, &approvals, (digest, &body)).await;
        let (similar, similar_left_out) = similar_to(self, project, &version).await?;
        Ok(ModelCard {
            project: project.clone(),
            model: model.clone(),
            number: version.number,
            digest,
            body,
            stage: version.stage,
            aliases: version.aliases.clone(),
            approvals,
            answers: answers(self, project, &version).await?,
            similar,
            similar_left_out,
        })
    }
}

impl Known {
    /// Approvals of a version, each with what became of the card that it names.
    pub async fn card_approvals(
        &self,
        project: &ProjectName,
        version: &ModelVersion,
        approvals: &[Approval],
    ) -> Result<Vec<CardApproval>, Problem> {
        if approvals.is_empty() {
            return Ok(Vec::new());
        }
        let body = body_of(self, project, version).await?;
        let (digest, _) = canonical::digest(&body).map_err(internal)?;
        Ok(how_approved(self, version, approvals, (digest, &body)).await)
    }
}

impl Engine {
    /// Keeps the card of a version as it is now, for an approval of it. One that is not the expected one is refused.
    pub(super) async fn approved_card(
        &self,
        project: &ProjectName,
        version: &ModelVersion,
        expected: Option<Digest>,
    ) -> Result<Digest, Problem> {
        let body: CardBody = body_of(self.known(), project, version).await?;
        let (digest, bytes) = canonical::digest(&body).map_err(internal)?;
        if let Some(expected) = expected.filter(|expected| *expected != digest) {
            let message = format!("the card of {} is `{digest}` now, not `{expected}`", version.name());
            return Err(Problem::new(ErrorKind::Conflict, message)
                .hint(format!("read it again: `stemma card {}`", version.name())));
        }
        self.put_content(project, bytes).await
    }
}

/// Revisions that serve or served a version, and which of them answer.
async fn answers(known: &Known, project: &ProjectName, version: &ModelVersion) -> Result<Vec<CardRevision>, Problem> {
    let mut answers = Vec::new();
    for revision in known.revisions_serving(project, version).await? {
        let Some((endpoint, number)) = revision.split_once('#') else { continue };
        let number: u32 = number.parse().map_err(internal)?;
        let live = known.live_revision_if_any(&endpoint.parse::<EndpointName>()?).await?;
        let is_live = live.is_some_and(|live| live.revision.number == number);
        answers.push(CardRevision { endpoint: endpoint.to_owned(), number, is_live });
    }
    Ok(answers)
}
