use std::process::ExitCode;

use clap::Args;
use stemma_api::types::{LiftQuarantine, Pulled, Quarantined, SetQuarantine};
use stemma_core::Problem;

use crate::{argument::model_and_version, global::Global, print::Output, session};

/// Keep a model version back, at once
///
/// It is not promoted, approved, deployed, gone back to or asked by a larger share, until the quarantine is lifted. What
/// answers goes on, unless `--pull` takes it away.
#[derive(Debug, Args)]
pub struct QuarantineArgs {
    /// As in `credit-score@1.1.0` or `credit-score@champion`
    #[arg(value_name = "MODEL@VERSION")]
    version: String,
    /// Why; callers of endpoints that nothing may answer for are told
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Let each endpoint that it answers go back to the newest revision that may answer; where there is none, callers get
    /// 503 and the reason. Ends a running canary
    #[arg(long, conflicts_with = "lift")]
    pull: bool,
    /// End the quarantine; endpoints stay as they are
    #[arg(long)]
    lift: bool,
}

pub async fn run(args: QuarantineArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    if !args.version.contains('@') {
        return Err(Problem::invalid(format!("`{}` names no version", args.version)).hint("write `model@1.2.0`"));
    }
    let (model, version) = model_and_version(&args.version)?;
    let done = session::with(global, async |session| {
        let (client, project) = (&session.client, &session.project);
        match args.lift {
            true => {
                let lift = LiftQuarantine { reason: args.reason.clone() };
                client.lift_quarantine(project, &model, &version, &lift).await
            }
            false => {
                let set = SetQuarantine { reason: args.reason.clone(), pull: args.pull };
                client.quarantine(project, &model, &version, &set).await
            }
        }
    });
    let done = done.await?;
    output.result(&done, || text(&done));
    Ok(ExitCode::SUCCESS)
}

fn text(done: &Quarantined) -> String {
    let name = done.version.name();
    let mut lines = vec![match &done.version.quarantine {
        Some(one) => format!("{name} is in quarantine: {}", one.reason),
        None => format!("{name} is not in quarantine any more"),
    }];
    lines.extend(done.pulled.iter().map(pulled));
    if done.version.quarantine.is_some() {
        lines.extend(
            done.answers.iter().map(|endpoint| format!("! it still answers {endpoint}; `--pull` takes it away")),
        );
    }
    lines.join("\n")
}

fn pulled(one: &Pulled) -> String {
    let Pulled { endpoint, from, to } = one;
    match to {
        Some(to) => format!("{endpoint}#{from} → {endpoint}#{to}"),
        None => format!("{endpoint}#{from} → nothing may answer: callers get 503 and the reason"),
    }
}
