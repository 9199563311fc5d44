use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use stemma_api::types::{Describe, OfThing, Page, StatementsOf};
use stemma_core::{
    ErrorKind, Problem,
    meaning::{Aspect, Said},
};

use crate::{
    argument::AtArgs,
    global::Global,
    print::Output,
    session::{self, Session},
    view::meaning,
};

/// Say what a thing is, and see what is said of it
///
/// Without anything to say, shows what is said, by whom and since when. What is said stays with its history; an empty
/// text takes it back.
#[derive(Debug, Args)]
pub struct DescribeArgs {
    /// `project`, a model, `MODEL@VERSION`, a dataset or an endpoint; `model:NAME`, `dataset:NAME` or `endpoint:NAME` where
    /// several have the name
    #[arg(value_name = "THING")]
    thing: String,
    /// What it is
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Who answers for it: a team or a person
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// Under which licence it may be used, as in `Apache-2.0`
    #[arg(long, alias = "license", value_name = "NAME")]
    licence: Option<String>,
    /// What it is for, and what it is not for
    #[arg(long, value_name = "TEXT")]
    intended_use: Option<String>,
    /// What a model was made on top of: `MODEL@VERSION`, or any other name
    #[arg(long, value_name = "NAME")]
    base_model: Option<String>,
    /// A Markdown file that becomes the written part of the model's card; `-` reads it from the input
    #[arg(long, value_name = "FILE")]
    card: Option<PathBuf>,
    /// Show all that was ever said, the newest first
    #[arg(long, conflicts_with_all = ["description", "owner", "licence", "intended_use", "base_model", "card"])]
    history: bool,
    #[command(flatten)]
    when: AtArgs,
}

pub async fn run(args: DescribeArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let said = said(&args)?;
    if said.is_empty() {
        show(&args, global, output).await?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.when.at.is_some() {
        return Err(Problem::invalid("nothing can be said in the past").hint("leave `--at` out"));
    }
    let describe = Describe { of: args.thing, said };
    let described =
        session::with(global, async |session| session.client.describe(&session.project, &describe).await).await?;
    output.result(&described, || meaning::described(&described));
    Ok(ExitCode::SUCCESS)
}

async fn show(args: &DescribeArgs, global: &Global, output: &Output) -> Result<(), Problem> {
    session::with(global, async |session: &Session| {
        let (client, project) = (session.client.clone().at(args.when.at), &session.project);
        if args.history {
            let page = Page::all::<u64, 1000>(async |page| {
                let (cursor, limit) = (page.cursor, stemma_api::types::Limit::near(page.limit.get()));
                client.statements(project, &StatementsOf { of: args.thing.clone(), cursor, limit }).await
            })
            .await?;
            output.dated(client.told_as_of(), &page, || meaning::history(&page.items));
        } else {
            let found = client.meaning(project, &OfThing { of: args.thing.clone() }).await?;
            output.dated(client.told_as_of(), &found, || meaning::text(&found));
        }
        Ok(())
    })
    .await
}

fn said(args: &DescribeArgs) -> Result<Said, Problem> {
    Ok(Said {
        description: args.description.clone(),
        owner: args.owner.clone(),
        licence: args.licence.clone(),
        intended_use: args.intended_use.clone(),
        base_model: args.base_model.clone(),
        card: args.card.as_deref().map(read_card).transpose()?,
        ..Said::default()
    })
}

/// Reads a card, no further than it may go.
fn read_card(path: &Path) -> Result<String, Problem> {
    let most = Aspect::Card.bytes_max() as u64;
    let unreadable =
        |error: std::io::Error| Problem::new(ErrorKind::Config, format!("`{}` can't be read: {error}", path.display()));
    let mut text = String::new();
    match path.to_str() {
        Some("-") => std::io::stdin().take(most + 1).read_to_string(&mut text),
        _ => fs::File::open(path).map_err(unreadable)?.take(most + 1).read_to_string(&mut text),
    }
    .map_err(unreadable)?;
    if text.len() as u64 > most {
        let message = format!("`{}` has more than {most} bytes, which is the most that a card takes", path.display());
        return Err(Problem::new(ErrorKind::TooLarge, message));
    }
    Ok(text)
}
