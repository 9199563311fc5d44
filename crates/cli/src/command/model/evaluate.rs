use std::process::ExitCode;

use clap::Args;
use stemma_api::types::Evaluated;
use stemma_core::{Problem, name::ModelName};

use crate::{
    answered::{self, Subject},
    argument::model_and_version,
    global::Global,
    print::Output,
    session::{self, Session},
    view::evaluation,
};

/// Evaluate a model version as its model declares
///
/// The home runs the model on the declared data itself. What it can't run is asked by the `command` that the evaluation
/// declares: it runs here, watched and without the network, and the home judges what it answers. The result is evidence,
/// bound to the version's content.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// As in `credit-score@1.1.0`; a name alone means the newest version
    #[arg(value_name = "MODEL@VERSION")]
    version: String,
}

pub async fn run(args: EvaluateArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let (model, version) = model_and_version(&args.version)?;
    let prepared = session::with(global, async |session| {
        let subject = subject(session, &model, &version).await?;
        answered::prepare(session, subject, output).await
    });
    let evaluated = match prepared.await? {
        None => {
            session::with(global, async |session| session.client.evaluate(&session.project, &model, &version).await)
                .await?
        }
        Some(prepared) => {
            let answers = answered::answers(prepared, global, output).await?;
            session::with(global, async |session| {
                session.client.evaluate_answers(&session.project, &model, &version, &answers).await
            })
            .await?
        }
    };
    output.result(&evaluated, || text(&evaluated, output));
    Ok(ExitCode::SUCCESS)
}

async fn subject(session: &Session, model: &ModelName, version: &str) -> Result<Subject, Problem> {
    let version = session.client.version(&session.project, model, version).await?.version;
    Ok(Subject { model: model.clone(), name: version.name(), digest: version.digest, file_name: version.file_name })
}

fn text(evaluated: &Evaluated, output: &Output) -> String {
    let report = &evaluated.report;
    let headline = evaluation::headline(report);
    format!("{}  {headline}\n\n{}", output.bold(&evaluated.version), evaluation::table(report))
}
