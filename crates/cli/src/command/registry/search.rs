use std::{io::Read as _, process::ExitCode};

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser as _},
};
use stemma_api::types::{FoundThings, Limit, SearchRegistry};
use stemma_core::{
    Problem,
    search::{Order, Query, Realm},
};
use stemma_server::href;

use crate::{
    global::Global,
    print::Output,
    session::{self, Session},
    view,
};

/// Longest file with a row that is read.
const ROW_BYTES_MAX: u64 = 16 << 10;

/// Search versions, datasets and runs
///
/// In all projects that you may read, or in the one that `--project` names. A query is made of conditions, joined by `and`,
/// `or`, `not` and parentheses: `auc > 0.8`, `params.lr = 0.1`, `stage = production`, `alias:champion`, `by:ada@example.org`,
/// `registered > 2026-03-01`, `has gate:equal-by-sex`, `input:age`, `output:score`, `trained_on:german-credit@1`,
/// `package:numpy==2.1.0`, `name like 'credit%'`. A word by itself is looked for in names and in the reasons that people gave.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// What must hold; everything without it
    query: Vec<String>,
    /// Among what
    #[arg(long = "in", value_name = "WHAT", default_value = "versions", value_parser = realms())]
    realm: Realm,
    /// Only versions that can be asked about this row: a JSON object, a file that holds one, or `-`
    #[arg(long, value_name = "ROW")]
    accepts: Option<String>,
    /// By what they are listed, as in `auc desc`, `name` or `params.lr asc`; without it the newest first
    #[arg(long, value_name = "ORDER", value_parser = order)]
    order: Option<String>,
    /// How many
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on where another page ended
    #[arg(long, value_name = "NEXT")]
    cursor: Option<String>,
    /// Also count what there is, by project, stage, format and who made it
    #[arg(long)]
    facets: bool,
}

pub async fn run(args: SearchArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let ask = ask(args, global)?;
    session::with(global, async |session| {
        let found = find(session, &ask, output).await?;
        let page = session.page(&href::found(&ask));
        output.result(&found, || view::registry::text(&found, page.as_deref(), output));
        Ok(())
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

fn ask(args: SearchArgs, global: &Global) -> Result<SearchRegistry, Problem> {
    let query = Some(args.query.join(" ")).filter(|query| !query.trim().is_empty());
    // what can't be read is told before a home is opened
    if let Some(query) = &query {
        let query = Query::parse(query).map_err(|error| {
            Problem::invalid(error.to_string()).hint("`stemma search --help` tells how conditions are written")
        })?;
        query.check(args.realm)?;
    }
    Ok(SearchRegistry {
        query,
        realm: args.realm,
        project: global.project.clone(),
        accepts: args.accepts.map(|row| read_row(&row)).transpose()?,
        order: args.order,
        cursor: args.cursor,
        limit: Limit::near(args.limit),
        counts: args.facets,
    })
}

async fn find(session: &Session, ask: &SearchRegistry, output: &Output) -> Result<FoundThings, Problem> {
    let spinner = output.spinner();
    spinner.set_message("searching");
    let found = session.client.search(ask).await;
    spinner.finish_and_clear();
    found
}

/// A row as it stands there, or as a file holds it.
fn read_row(row: &str) -> Result<String, Problem> {
    if row.trim_start().starts_with('{') {
        return Ok(row.to_owned());
    }
    let unreadable = |error: std::io::Error| {
        Problem::invalid(format!("can't read `{row}`: {error}"))
            .hint("give a row as in `{\"age\": 30}`, or a file with one")
    };
    let mut text = String::new();
    let read = match row {
        "-" => std::io::stdin().take(ROW_BYTES_MAX + 1).read_to_string(&mut text),
        path => std::fs::File::open(path).map_err(unreadable)?.take(ROW_BYTES_MAX + 1).read_to_string(&mut text),
    };
    match read.map_err(unreadable)? as u64 {
        length if length > ROW_BYTES_MAX => {
            Err(Problem::invalid(format!("`{row}` is longer than the {ROW_BYTES_MAX} bytes that are read of a row")))
        }
        _ => Ok(text),
    }
}

fn realms() -> impl clap::builder::TypedValueParser<Value = Realm> {
    let named = |name: String| Realm::ALL.into_iter().find(|realm| realm.as_str() == name).unwrap_or_default();
    PossibleValuesParser::new(Realm::ALL.map(Realm::as_str)).map(named)
}

/// An order that can be read; the server reads it once more.
fn order(text: &str) -> Result<String, String> {
    Order::parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}
