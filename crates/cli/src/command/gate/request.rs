use std::process::ExitCode;

use clap::{Args, Subcommand};
use stemma_api::types::{CloseRequest, CommentOnRequest, PromotionRequest, RequestPromotion};
use stemma_core::{Problem, policy::Stage};

use crate::{
    argument::{AtArgs, model_and_version, stage},
    global::Global,
    print::Output,
    session, view,
};

/// Ask that a version be promoted, and answer what others ask
///
/// An approval answers a request, and the promotion closes it. `stemma requests` lists those that wait.
#[derive(Debug, Args)]
pub struct RequestArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Ask that a version be promoted
    Promote {
        /// As in `credit-score@1.1.0`; a name alone means the newest version
        #[arg(value_name = "MODEL@VERSION")]
        version: String,
        /// Where to
        #[arg(long, default_value = "production", value_parser = stage())]
        stage: Stage,
        /// What those who decide should know
        #[arg(long, value_name = "TEXT")]
        comment: String,
    },
    /// Say something to a request
    Comment {
        /// The request's number
        request: u32,
        /// What to say
        #[arg(long, value_name = "TEXT")]
        comment: String,
    },
    /// Withdraw a request of your own
    Withdraw {
        /// The request's number
        request: u32,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Refuse a request; needs the right to approve
    Refuse {
        /// The request's number
        request: u32,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Show a request with all that was said of it
    Show {
        /// The request's number
        request: u32,
        #[command(flatten)]
        when: AtArgs,
    },
}

pub async fn run(args: RequestArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    session::with(global, async |session| {
        let (client, project) = (&session.client, &session.project);
        let found: PromotionRequest = match &args.act {
            Act::Promote { version, stage, comment } => {
                let (model, version) = model_and_version(version)?;
                let ask = RequestPromotion { stage: *stage, comment: comment.clone() };
                client.request_promotion(project, &model, &version, &ask).await?
            }
            Act::Comment { request, comment } => {
                let comment = CommentOnRequest { comment: comment.clone() };
                client.comment_on_request(project, *request, &comment).await?
            }
            Act::Withdraw { request, reason } => {
                client.withdraw_request(project, *request, &CloseRequest { reason: reason.clone() }).await?
            }
            Act::Refuse { request, reason } => {
                client.refuse_request(project, *request, &CloseRequest { reason: reason.clone() }).await?
            }
            Act::Show { request, when } => {
                let client = client.clone().at(when.at);
                let found = client.promotion_request(project, *request).await?;
                output.dated(client.told_as_of(), &found, || view::request::text(&found, output));
                return Ok(ExitCode::SUCCESS);
            }
        };
        output.result(&found, || view::request::text(&found, output));
        Ok(ExitCode::SUCCESS)
    })
    .await
}
