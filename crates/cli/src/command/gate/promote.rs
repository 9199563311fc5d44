use std::process::ExitCode;

use clap::Args;
use stemma_api::types::{Promote, PromotePrevious, Promoted};
use stemma_core::{Problem, name::ModelName, policy::Stage};

use crate::{
    argument::{model_and_version, stage},
    global::Global,
    print::Output,
    session,
};

/// Move a model version to a stage
///
/// Refused with everything that is missing when the model's rules ask for gates or approvals that are not there.
#[derive(Debug, Args)]
pub struct PromoteArgs {
    /// As in `credit-score@1.1.0`; a name alone means the newest version, or with `--previous` the model
    #[arg(value_name = "MODEL@VERSION")]
    version: String,
    /// Where to
    #[arg(value_parser = stage())]
    stage: Stage,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Archive whatever else stands in the stage, in the same act
    #[arg(long, conflicts_with = "previous")]
    archive_others: bool,
    /// Let the version that was the stage's before be it again, if today's rules let it; the one that is now goes back to
    /// where it came from. Needs a reason
    #[arg(long, requires = "reason")]
    previous: bool,
}

pub async fn run(args: PromoteArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let reason = args.reason.clone().unwrap_or_default();
    let promoted = session::with(global, async |session| {
        let (client, project) = (&session.client, &session.project);
        if args.previous {
            let previous = PromotePrevious { stage: args.stage, reason };
            return client.promote_previous(project, &model_alone(&args.version)?, &previous).await;
        }
        let (model, version) = model_and_version(&args.version)?;
        let promote = Promote { stage: args.stage, reason, archive_others: args.archive_others };
        client.promote(project, &model, &version, &promote).await
    });
    let promoted = promoted.await?;
    output.result(&promoted, || text(&promoted));
    Ok(ExitCode::SUCCESS)
}

fn model_alone(text: &str) -> Result<ModelName, Problem> {
    if text.contains('@') {
        return Err(Problem::invalid(format!("`{text}` names a version, and `--previous` says which"))
            .hint("name the model alone"));
    }
    Ok(text.parse()?)
}

fn text(promoted: &Promoted) -> String {
    let Promoted { version, promotion, alias, left, requests } = promoted;
    let alias = alias.as_ref().map(|alias| format!(", `@{alias}` points at it now"));
    let (name, from, to) = (version.name(), promotion.from, promotion.to);
    let mut text = match from == to {
        true => format!("{name} is {to}'s again"),
        false => format!("{name}  {from} → {to}"),
    };
    text.push_str(&alias.unwrap_or_default());
    for number in left {
        text.push_str(&format!("\n{}@{number} left {}", version.model, promotion.to));
    }
    for request in requests {
        text.push_str(&format!("\nrequest {request} is done"));
    }
    for line in &promotion.unknown {
        text.push_str(&format!("\nnot known: {line}"));
    }
    text
}
