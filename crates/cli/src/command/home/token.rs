use std::process::ExitCode;

use clap::{Args, Subcommand};
use stemma_api::types::{Page, Token};
use stemma_core::{Problem, id::TokenId, standing::Revocable};

use crate::{
    argument::AtArgs,
    command::home::user,
    global::Global,
    print::{self, Output},
    session::{self, Session},
    view,
};

/// Tokens that prove who somebody is; `stemma user add` makes one
#[derive(Debug, Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List all tokens that were not revoked, by their ids: nobody has the secrets but their holders
    List {
        #[command(flatten)]
        when: AtArgs,
    },
    /// End one token; its holder keeps the roles and other tokens
    ///
    /// Holds at once, in a running server too.
    Revoke {
        /// As `stemma token list` has it
        id: TokenId,
    },
}

pub async fn run(args: TokenArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    match args.act {
        Act::List { when } => list(when, global, output).await?,
        Act::Revoke { id } => user::revoke(Revocable::Token { token: id }, global, output).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(when: AtArgs, global: &Global, output: &Output) -> Result<(), Problem> {
    let list = async |session: &Session| {
        let client = session.client.clone().at(when.at);
        Ok((Page::all(async |page| client.tokens(page).await).await?, client.told_as_of()))
    };
    let (page, as_of) = session::with(global, list).await?;
    let header = ["id", "of", "label", "expires", "issued by"];
    output.dated(as_of, &page, || print::table(&header, page.items.iter().map(row)));
    Ok(())
}

fn row(token: &Token) -> Vec<String> {
    let expires = match token.expires {
        None => "never".to_owned(),
        Some(time) if token.expired => format!("expired {}", print::time(time)),
        Some(time) => print::time(time),
    };
    let of = token.principal.to_string();
    vec![token.token.to_string(), of, token.label.clone(), expires, view::by(&token.issued)]
}
