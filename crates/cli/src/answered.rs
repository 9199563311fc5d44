//! Models that the home can't ask itself: the declared command is run here, and what it answers is sent.
//!
//! The home is free for others while the command runs, which takes as long as it takes.

use std::collections::BTreeSet;

use stemma_api::types::{AskQuestion, CommandAnswers, Question};
use stemma_core::{Digest, ErrorKind, Problem, name::ModelName, record::Actor};
use stemma_workspace::{AnswerRequest, Workspace, answer};

use crate::{
    global::Global,
    print::{Output, harmless},
    recorded::{record, who},
    session::{self, Session},
};

/// Content that a command answers for.
#[derive(Debug, Clone)]
pub struct Subject {
    pub model: ModelName,
    /// For people: as in `digits@1.0.0`, or the name of a file.
    pub name: String,
    pub digest: Digest,
    pub file_name: String,
}

/// A question, with all that the command needs here.
#[derive(Debug)]
pub struct Prepared {
    pub question: Question,
    subject: Subject,
    actor: Actor,
    workspace: Workspace,
}

/// Asks the home for the question about some content and brings what the command needs; nothing if none is needed.
pub async fn prepare(session: &Session, subject: Subject, output: &Output) -> Result<Option<Prepared>, Problem> {
    // nobody but the folder that declares a command has it run
    let declares = |workspace: &Workspace| !declared(workspace, &subject.model).is_empty();
    if !session.workspace.as_ref().is_some_and(declares) {
        return Ok(None);
    }
    let ask = AskQuestion { digest: subject.digest };
    let Some(question) = session.client.evaluation_question(&session.project, &subject.model, &ask).await?.question
    else {
        return Ok(None);
    };
    let workspace = session::require_workspace()?;
    check_declared(&workspace, &subject.model, &question)?;
    let wanted = BTreeSet::from([subject.digest, question.digest]);
    if let Some(absent) = session.fetch_all(&wanted, output).await?.absent.first() {
        return Err(Problem::not_found(format!("the home does not have content `{absent}`, or not whole"))
            .hint("see `stemma verify`"));
    }
    Ok(Some(Prepared { question, subject, actor: who(session).await?, workspace }))
}

/// Runs the command, records its run, and returns what to send.
pub async fn answers(prepared: Prepared, global: &Global, output: &Output) -> Result<CommandAnswers, Problem> {
    let Prepared { question, subject, actor, workspace } = prepared;
    output.note(format!("{}: running `{}` on {} rows", subject.name, question.command.join(" "), question.rows));
    let request = AnswerRequest {
        command: question.command,
        model: subject.digest,
        file_name: subject.file_name,
        question: question.digest,
        actor,
        project: session::project(global, Some(&workspace)),
    };
    let spinner = output.spinner();
    let line = spinner.clone();
    let answering = tokio::task::spawn_blocking(move || {
        let store = workspace.open_store()?;
        answer(&workspace, &store, &request, &|last| line.set_message(harmless(last).into_owned()))
    });
    let answered = answering.await.map_err(|error| Problem::new(ErrorKind::Internal, error.to_string()));
    spinner.finish_and_clear();
    let answered = answered?.map_err(|error| {
        let problem = Problem::from(error);
        Problem { message: format!("{} could not be evaluated: {}", subject.name, problem.message), ..problem }
    })?;
    for note in &answered.captured.notes {
        output.note(format!("note: {note}"));
    }
    let run = session::with(global, async |session| record(session, &answered.captured, output).await).await?;
    Ok(CommandAnswers { run: run.record.id, answers: answered.answers })
}

/// A home may be somebody else's: what it asks to be run here must be what this folder declares.
fn check_declared(workspace: &Workspace, model: &ModelName, question: &Question) -> Result<(), Problem> {
    if declared(workspace, model) == question.command {
        return Ok(());
    }
    Err(Problem::new(
        ErrorKind::Config,
        format!(
            "the home asks for `{}`, which is not the command that stemma.toml declares",
            question.command.join(" ")
        ),
    )
    .hint(format!("nothing was run; see `stemma policy show {model}`, and bring stemma.toml up to date")))
}

fn declared<'w>(workspace: &'w Workspace, model: &ModelName) -> &'w [String] {
    let policy = workspace.settings().models.get(model);
    policy.and_then(|policy| policy.evaluation.as_ref()).map_or(&[], |evaluation| &evaluation.command)
}
