use std::process::ExitCode;

use clap::Args;
use stemma_api::types::Approve;
use stemma_core::{Digest, Problem, policy::Stage};

use crate::{
    argument::{model_and_version, stage},
    global::Global,
    print::Output,
    session, view,
};

/// Approve a model version for a stage
///
/// An approval is bound to the version's content, to all evidence that exists now, and to the card as it is now. It counts only with a
/// credential, and not from somebody who made the version.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// As in `credit-score@1.1.0` or `credit-score@staging`; a name alone means the newest version
    #[arg(value_name = "MODEL@VERSION")]
    version: String,
    /// What it is approved for
    #[arg(long, default_value = "production", value_parser = stage())]
    stage: Stage,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The digest of the card that is approved, as `stemma card` shows it: if the card has changed by then, nothing is
    /// approved
    #[arg(long, value_name = "DIGEST")]
    card: Option<Digest>,
}

pub async fn run(args: ApproveArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let (model, version) = model_and_version(&args.version)?;
    let approve = Approve { stage: args.stage, reason: args.reason, card: args.card };
    let approved = session::with(global, async |session| {
        // an alias may move meanwhile: what is approved is what it names now
        let found = session.client.version(&session.project, &model, &version).await?.version;
        let number = found.number.to_string();
        let approval = session.client.approve(&session.project, &model, &number, &approve).await?;
        Ok((found.name(), approval))
    });
    let (name, approval) = approved.await?;
    output.result(&approval, || {
        let (stage, evidence) = (approval.stage, approval.evidence.len());
        let card = approval.card.map(|card| format!(" and card {}", view::short(&card))).unwrap_or_default();
        format!("{name} approved for {stage} by {} on {evidence} pieces of evidence{card}", approval.approved.actor)
    });
    Ok(ExitCode::SUCCESS)
}
