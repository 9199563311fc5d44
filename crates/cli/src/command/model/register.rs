use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use stemma_api::types::{ContentClaim, RegisterVersion, Registered};
use stemma_core::{ErrorKind, Problem, id::RunId, name::ModelName};

use crate::{
    declared,
    global::Global,
    print::Output,
    session::{self, Session, blocking},
    view::evaluation,
};

/// Register a file as a version of a model
///
/// The home evaluates it as the model declares, compares it with the reference version on the same rows, and decides
/// the number: MAJOR if the data contract broke, MINOR if it is shown to be better, else PIPELINE.
#[derive(Debug, Args)]
pub struct RegisterArgs {
    /// The model; made if it does not exist
    model: ModelName,
    /// The model's file
    path: PathBuf,
    /// The run that made it; without it, the newest run that wrote this content
    #[arg(long, value_name = "ID")]
    run: Option<RunId>,
}

pub async fn run(args: RegisterArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let registered = session::with(global, async |session| register(&args, session, output).await).await?;
    output.result(&registered, || text(&registered, output));
    Ok(ExitCode::SUCCESS)
}

async fn register(args: &RegisterArgs, session: &Session, output: &Output) -> Result<Registered, Problem> {
    let file_name = args.path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let file_name =
        file_name.ok_or_else(|| Problem::invalid(format!("`{}` is not the path of a file", args.path.display())))?;
    if args.path.is_dir() {
        return Err(Problem::invalid(format!("`{}` is a folder", args.path.display()))
            .hint("register the model's file, as in `model.onnx`"));
    }
    bring_policy_up_to_date(session, &args.model, output).await?;
    let (store, path) = (session.store()?.clone(), args.path.clone());
    let info = blocking(move || store.put_file(&path)).await?;
    session.ensure_content(&[ContentClaim { digest: info.digest, size: info.size, like: None }], output).await?;
    let (path, workspace) = match &session.workspace {
        Some(workspace) => (Some(workspace.shown_path(&args.path)?), Some(workspace.id()?)),
        None => (None, None),
    };
    let register = RegisterVersion { digest: info.digest, file_name, run: args.run, path, workspace };
    session.client.register(&session.project, &args.model, &register).await
}

/// A version is judged by the rules that the workspace declares, so they must hold at home first.
async fn bring_policy_up_to_date(session: &Session, model: &ModelName, output: &Output) -> Result<(), Problem> {
    let Some(declared) = declared::policy(session, model, output).await? else {
        return Ok(());
    };
    if declared::current(session, model).await?.as_ref() == Some(&declared) {
        return Ok(());
    }
    match declared::apply(session, model, declared).await {
        Ok(state) if state.changed => {
            output.note(format!("the rules of `{model}` in stemma.toml changed and hold from now on"));
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(problem) if matches!(problem.kind, ErrorKind::Unauthenticated | ErrorKind::Forbidden) => {
            let message =
                format!("the rules of `{model}` in stemma.toml differ from those that hold: {}", problem.message);
            Err(Problem::new(problem.kind, message).hint(format!(
                "let an owner run `stemma policy apply {model}`, or set STEMMA_TOKEN to an owner's token"
            )))
        }
        Err(problem) => Err(problem),
    }
}

fn text(registered: &Registered, output: &Output) -> String {
    let version = &registered.version;
    let name = output.bold(version.name());
    let mut text = if registered.unchanged {
        format!("{name}  (unchanged: the same content from the same facts; {})", version.reason)
    } else {
        format!("{name}  ({})", version.reason)
    };
    if let Some(report) = &registered.evaluation {
        text.push_str(&format!("\n{}\n\n{}", evaluation::headline(report), evaluation::table(report)));
    }
    text
}
