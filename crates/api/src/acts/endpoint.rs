//! Endpoints and their deployment revisions.

use stemma_core::name::{EndpointName, ProjectName};

use crate::types::*;

acts! {
    LIST as endpoints: GET /projects/{project: ProjectName}/endpoints ? Paging<EndpointName> => Page<EndpointDetail>,
        Read in Project, Ordinary, "all endpoints";
    SHOW as endpoint: GET /projects/{project: ProjectName}/endpoints/{endpoint: EndpointName} => EndpointDetail,
        Read in Project, Ordinary, "an endpoint with its revisions";
    DEPLOY as deploy: POST /projects/{project: ProjectName}/endpoints/{endpoint: EndpointName}/revisions,
        Deploy => DeployedRevision,
        Deploy in Project, Ordinary, "deploy model versions behind an endpoint";
    REVISION as revision: GET /projects/{project: ProjectName}/endpoints/{endpoint: EndpointName}/revisions/{number: u32}
        => DeployedRevision,
        Read in Project, Ordinary, "a deployment revision";
    ROLL_OUT as change_rollout: POST /projects/{project: ProjectName}/endpoints/{endpoint: EndpointName}/rollout,
        ChangeRollout => DeployedRevision,
        Deploy in Project, Ordinary, "change a canary's share, let it take over, or end it";
    ROLL_BACK as roll_back: POST /projects/{project: ProjectName}/endpoints/{endpoint: EndpointName}/rollback,
        Rollback => DeployedRevision,
        Deploy in Project, Ordinary, "let an earlier revision answer again";
    UNDEPLOY as undeploy: POST /projects/{project: ProjectName}/endpoints/{endpoint: EndpointName}/undeploy,
        Undeploy => EndpointDetail,
        Deploy in Project, Ordinary, "take an endpoint down";
}
