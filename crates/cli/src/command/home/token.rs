use std::process::ExitCode;

use clap::{Args, Subcommand};
use stemma_api::types::{Page, Token};
use stemma_core::{Problem, id::TokenId, standing::Revocable};

use crate::{
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
    List,
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
        Act::List => list(global, output).await?,
        Act::Revoke { id } => user::revoke(Revocable::Token { token: id }, global, output).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(global: &Global, output: &Output) -> Result<(), Problem> {
    let list = async |session: &Session| Page::all(async |page| session.client.tokens(page).await).await;
    let page = session::with(global, list).await?;
    let header = ["id", "of", "label", "expires", "issued by"];
    output.result(&page, || print::table(&header, page.items.iter().map(row)));
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
