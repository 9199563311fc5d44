//! Endpoints and their deployment revisions.

use stemma_core::{
    Problem,
    name::{EndpointName, ProjectName},
};

use crate::{
    Client,
    act::{NoQuery, Nothing},
    types::*,
};

acts! {
    LIST as endpoints: GET /projects/{project: ProjectName}/endpoints ? Paging<u64, 100> => Page<EndpointDetail>,
        Read in Endpoints at any time, Ordinary, "all endpoints";
    SHOW: GET /projects/{project: ProjectName}/endpoints/{endpoint: EndpointName} ? Paging<u32, 100> => EndpointDetail,
        Read in Project at any time, Ordinary, "an endpoint with its revisions";
    DEPLOY as deploy: POST /projects/{project: ProjectName}/endpoints/{endpoint: EndpointName}/revisions,
        Deploy => DeployedRevision,
        Deploy in Project, Ordinary, "deploy model versions behind an endpoint";
    REVISION as revision: GET /projects/{project: ProjectName}/endpoints/{endpoint: EndpointName}/revisions/{number: u32}
        => DeployedRevision,
        Read in Project at any time, Ordinary, "a deployment revision";
    ROLL_OUT as change_rollout: POST /projects/{project: ProjectName}/endpoints/{endpoint: EndpointName}/rollout,
        ChangeRollout => DeployedRevision,
        Deploy in Project, Ordinary, "change a canary's share, let it take over, or end it";
    ROLL_BACK as roll_back: POST /projects/{project: ProjectName}/endpoints/{endpoint: EndpointName}/rollback,
        Rollback => DeployedRevision,
        Deploy in Project, Ordinary, "let an earlier revision answer again";
    UNDEPLOY as undeploy: POST /projects/{project: ProjectName}/endpoints/{endpoint: EndpointName}/undeploy,
        Undeploy => EndpointDetail,
        Deploy in Project, Ordinary, "take an endpoint down";
    RECORD as record_predictions:
        POST /projects/{project: ProjectName}/endpoints/{endpoint: EndpointName}/predictions/record,
        RecordPredictions => PredictionsRecorded,
        Report in Project, Heavy, "record predictions that were made elsewhere";
    DATASET as dataset_from_feedback: POST /projects/{project: ProjectName}/endpoints/{endpoint: EndpointName}/dataset,
        DatasetFromFeedback => FeedbackDataset,
        Track in Project, Heavy, "make a dataset version of predictions and what came of them";
}

impl Client {
    /// Reports predictions that are written already.
    pub async fn record_written_predictions(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
        written: &WrittenPredictions<'_>,
    ) -> Result<PredictionsRecorded, Problem> {
        self.call_written(&RECORD, (project, endpoint), &NoQuery {}, written).await
    }

    /// An endpoint with its newest revisions and the live one.
    pub async fn endpoint(&self, project: &ProjectName, endpoint: &EndpointName) -> Result<EndpointDetail, Problem> {
        self.call(&SHOW, (project, endpoint), &Paging::default(), &Nothing).await
    }

    /// An endpoint with all its revisions.
    pub async fn whole_endpoint(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
    ) -> Result<EndpointDetail, Problem> {
        let mut paging = Paging::default();
        let mut whole = self.call(&SHOW, (project, endpoint), &paging, &Nothing).await?;
        while let Some(next) = whole.next.take() {
            paging.go_on(&next)?;
            let more = self.call(&SHOW, (project, endpoint), &paging, &Nothing).await?;
            // the live one is on every page
            whole
                .revisions
                .retain(|one| more.revisions.iter().all(|other| other.revision.number != one.revision.number));
            whole.revisions.extend(more.revisions);
            whole.next = more.next;
        }
        whole.revisions.sort_by_key(|one| std::cmp::Reverse(one.revision.number));
        Ok(whole)
    }
}
