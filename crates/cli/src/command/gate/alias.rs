use std::process::ExitCode;

use clap::{Args, Subcommand};
use stemma_api::types::{Alias, AliasMove, Aliases, Paging, RemoveAlias, SetAlias};
use stemma_core::{
    Problem,
    name::{AliasName, ModelName},
};

use crate::{
    argument::AtArgs,
    global::Global,
    print::{self, Output},
    session::{self, Session},
    view,
};

/// Names of your own for versions of a model, as in `credit-score@challenger`
///
/// An alias that a promotion rule moves is protected: it moves by promotion only. All that ever moved an alias is kept.
#[derive(Debug, Args)]
pub struct AliasArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Point an alias at a version
    Set {
        /// As in `credit-score@challenger`
        #[arg(value_name = "MODEL@ALIAS")]
        alias: String,
        /// A version's number, another alias or a stage
        version: String,
        /// Why, for those who ask later
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Remove an alias
    Remove {
        /// As in `credit-score@challenger`
        #[arg(value_name = "MODEL@ALIAS")]
        alias: String,
        /// Why, for those who ask later
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// List a model's aliases, or all that moved one of them
    List {
        /// A model, or one of its aliases, as in `credit-score@champion`
        #[arg(value_name = "MODEL[@ALIAS]")]
        of: String,
        #[command(flatten)]
        when: AtArgs,
    },
}

pub async fn run(args: AliasArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    match args.act {
        Act::Set { alias, version, reason } => {
            let (model, alias) = model_and_alias(&alias)?;
            let set = SetAlias { version, reason };
            let set = session::with(global, async |session| {
                session.client.set_alias(&session.project, &model, &alias, &set).await
            });
            let set = set.await?;
            output.result(&set, || format!("{model}@{alias} → {}", set.version));
        }
        Act::Remove { alias, reason } => {
            let (model, alias) = model_and_alias(&alias)?;
            let remove = RemoveAlias { reason };
            let removed = session::with(global, async |session| {
                session.client.remove_alias(&session.project, &model, &alias, &remove).await
            });
            let removed = removed.await?;
            let from = removed.from.map(|number| format!(", which was {number}")).unwrap_or_default();
            output.result(&removed, || format!("{model}@{alias} is removed{from}"));
        }
        Act::List { of, when } => session::with(global, async |session| list(session, &of, when, output).await).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(session: &Session, of: &str, when: AtArgs, output: &Output) -> Result<(), Problem> {
    let (model, alias) = match of.contains('@') {
        true => model_and_alias(of).map(|(model, alias)| (model, Some(alias)))?,
        false => (of.parse()?, None),
    };
    let client = session.client.clone().at(when.at);
    let mut found = client.aliases(&session.project, &model, &Paging::default()).await?;
    let mut paging = Paging::default();
    while let Some(next) = found.next.take() {
        paging.go_on(&next)?;
        let more = client.aliases(&session.project, &model, &paging).await?;
        found.moves.extend(more.moves);
        found.next = more.next;
    }
    if let Some(alias) = &alias {
        found.aliases.retain(|one| one.alias == *alias);
        found.moves.retain(|one| one.alias == *alias);
        if found.moves.is_empty() {
            return Err(Problem::not_found(format!("model `{model}` never had an alias `{alias}`"))
                .hint(format!("`stemma alias list {model}` lists those that it has")));
        }
    }
    output.dated(client.told_as_of(), &found, || text(&found, alias.as_ref()));
    Ok(())
}

fn model_and_alias(text: &str) -> Result<(ModelName, AliasName), Problem> {
    match text.split_once('@') {
        Some((model, alias)) if !alias.is_empty() => Ok((model.parse()?, alias.parse()?)),
        _ => Err(Problem::invalid(format!("`{text}` names no alias")).hint("write `model@alias`")),
    }
}

fn text(found: &Aliases, alias: Option<&AliasName>) -> String {
    if alias.is_some() {
        let header = ["alias", "from", "to", "reason", "by"];
        return print::table(&header, found.moves.iter().map(moved));
    }
    if found.aliases.is_empty() {
        return format!("{} has no alias", found.model);
    }
    let header = ["alias", "version", "moved by", "last moved"];
    print::table(&header, found.aliases.iter().map(pointing))
}

fn pointing(one: &Alias) -> Vec<String> {
    let by = one.moved_by.map_or("people".to_owned(), |stage| format!("promotions to {stage}"));
    vec![format!("@{}", one.alias), one.version.to_string(), by, view::by(&one.moved)]
}

fn moved(one: &AliasMove) -> Vec<String> {
    let number = |number: Option<stemma_core::version::VersionNumber>| {
        number.map_or("–".to_owned(), |number| number.to_string())
    };
    let reason = if one.reason.is_empty() { "by a promotion".to_owned() } else { one.reason.clone() };
    vec![format!("@{}", one.alias), number(one.from), number(one.to), reason, view::by(&one.moved)]
}
