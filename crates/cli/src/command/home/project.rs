use std::process::ExitCode;

use clap::{Args, Subcommand};
use stemma_api::types::{CreateProject, Page, Project, WhyProject};
use stemma_core::{Problem, name::ProjectName};

use crate::{
    argument::AtArgs,
    global::Global,
    print::{self, Output},
    session::{self, Session},
    view,
};

/// Projects: made, listed, closed, and opened again
#[derive(Debug, Args)]
pub struct ProjectArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Make a project, so that things can be put into it
    ///
    /// `default` is there from the start. Names in it are its own but for those of endpoints, which are the home's.
    Create {
        /// A name that nobody made yet
        name: ProjectName,
    },
    /// List the projects that you may read
    List {
        #[command(flatten)]
        when: AtArgs,
    },
    /// Show who made a project, and whether it is closed
    Show {
        /// As `stemma project list` has it
        name: ProjectName,
        #[command(flatten)]
        when: AtArgs,
    },
    /// Let nothing in a project change any more
    ///
    /// It is still read, what is deployed answers, and feedback on it is taken. Rights can be taken away and content purged.
    Close(WhyArgs),
    /// Let a closed project change again
    Reopen(WhyArgs),
}

#[derive(Debug, Args)]
struct WhyArgs {
    /// As `stemma project list` has it
    name: ProjectName,
    /// Kept with it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub async fn run(args: ProjectArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    match args.act {
        Act::Create { name } => create(name, global, output).await?,
        Act::List { when } => list(when, global, output).await?,
        Act::Show { name, when } => show(name, when, global, output).await?,
        Act::Close(WhyArgs { name, reason }) => {
            let why = WhyProject { reason: reason.unwrap_or_default() };
            let close = session::with(global, async |session| session.client.close_project(&name, &why).await);
            let project: Project = close.await?;
            output.result(&project, || format!("closed {name}; it is read, and what is deployed answers"));
        }
        Act::Reopen(WhyArgs { name, reason }) => {
            let why = WhyProject { reason: reason.unwrap_or_default() };
            let reopen = session::with(global, async |session| session.client.reopen_project(&name, &why).await);
            let project: Project = reopen.await?;
            output.result(&project, || format!("reopened {name}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(project: ProjectName, global: &Global, output: &Output) -> Result<(), Problem> {
    let create = CreateProject { project };
    let made: Project = session::with(global, async |session| session.client.create_project(&create).await).await?;
    output.result(&made, || format!("made project {}; work in it with `--project {}`", made.project, made.project));
    Ok(())
}

async fn list(when: AtArgs, global: &Global, output: &Output) -> Result<(), Problem> {
    let list = async |session: &Session| {
        let client = session.client.clone().at(when.at);
        Ok((Page::all(async |page| client.projects(page).await).await?, client.told_as_of()))
    };
    let (page, as_of) = session::with(global, list).await?;
    output.dated(as_of, &page, || print::table(&["project", "made by", ""], page.items.iter().map(row)));
    Ok(())
}

async fn show(name: ProjectName, when: AtArgs, global: &Global, output: &Output) -> Result<(), Problem> {
    let show = async |session: &Session| {
        let client = session.client.clone().at(when.at);
        Ok((client.project(&name).await?, client.told_as_of()))
    };
    let (project, as_of) = session::with(global, show).await?;
    output.dated(as_of, &project, || print::table(&["project", "made by", ""], [row(&project)]));
    Ok(())
}

fn row(project: &Project) -> Vec<String> {
    let made = match (&project.made, &project.began) {
        (Some(made), _) => view::by(made),
        (None, Some(began)) => format!("nobody; the first fact in it is of {}", view::by(began)),
        (None, None) => "nobody".to_owned(),
    };
    let closed = project.closed.as_ref().map(|closed| match closed.reason.as_str() {
        "" => format!("closed by {}", view::by(&closed.closed)),
        reason => format!("closed by {}: {reason}", view::by(&closed.closed)),
    });
    vec![project.project.to_string(), made, closed.unwrap_or_default()]
}
