//! What is decided beside approvals and promotions: aliases, quarantine, going back, and what is asked for.

use stemma_core::name::{AliasName, ModelName, ProjectName};

use crate::types::*;

acts! {
    ALIASES as aliases: GET /projects/{project: ProjectName}/models/{model: ModelName}/aliases ? Paging<u64> => Aliases,
        Read in Project at any time, Ordinary, "a model's aliases, and all that moved them";
    SET_ALIAS as set_alias:
        PUT /projects/{project: ProjectName}/models/{model: ModelName}/aliases/{alias: AliasName}, SetAlias => Alias,
        Promote in Project, Ordinary, "point an alias at a version, unless promotions move it";
    REMOVE_ALIAS as remove_alias:
        POST /projects/{project: ProjectName}/models/{model: ModelName}/aliases/{alias: AliasName}/remove,
        RemoveAlias => AliasMove,
        Promote in Project, Ordinary, "remove an alias, unless promotions move it";
    PROMOTE_PREVIOUS as promote_previous:
        POST /projects/{project: ProjectName}/models/{model: ModelName}/"promote-previous", PromotePrevious => Promoted,
        Promote in Project, Ordinary, "let the version that was a stage's before be it again";
    QUARANTINE as quarantine:
        POST /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/quarantine,
        SetQuarantine => Quarantined,
        Promote in Project, Ordinary, "keep a version from being promoted, deployed or asked more";
    LIFT_QUARANTINE as lift_quarantine:
        POST /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/quarantine/lift,
        LiftQuarantine => Quarantined,
        Promote in Project, Ordinary, "end a version's quarantine";
    REQUEST as request_promotion:
        POST /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/requests,
        RequestPromotion => PromotionRequest,
        Track in Project, Ordinary, "ask that a version be promoted";
    REQUESTS as promotion_requests: GET /projects/{project: ProjectName}/requests ? Paging<u32> => Page<PromotionRequest>,
        Read in Project at any time, Ordinary, "all that was asked for, newest first";
    WAITING as waiting_requests: GET /projects/{project: ProjectName}/"requests-waiting" ? Paging<u32>
        => Page<PromotionRequest>,
        Read in Project at any time, Ordinary, "requests that wait for a decision, oldest first";
    SHOW_REQUEST as promotion_request: GET /projects/{project: ProjectName}/requests/{request: u32} => PromotionRequest,
        Read in Project at any time, Ordinary, "a request with its comments";
    COMMENT as comment_on_request: POST /projects/{project: ProjectName}/requests/{request: u32}/comments,
        CommentOnRequest => PromotionRequest,
        Track in Project, Ordinary, "say something to a request";
    WITHDRAW as withdraw_request: POST /projects/{project: ProjectName}/requests/{request: u32}/withdraw,
        CloseRequest => PromotionRequest,
        Track in Project, Ordinary, "withdraw a request of one's own";
    REFUSE as refuse_request: POST /projects/{project: ProjectName}/requests/{request: u32}/refuse,
        CloseRequest => PromotionRequest,
        Approve in Project, Ordinary, "refuse what is asked for";
}
