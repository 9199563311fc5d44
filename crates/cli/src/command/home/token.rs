use std::{collections::BTreeSet, process::ExitCode};

use clap::{Args, Subcommand};
use stemma_api::types::{IssueToken, NewToken, Page, RotateToken, Token};
use stemma_core::{
    Problem,
    id::TokenId,
    name::{EndpointName, PrincipalName, ProjectName},
    rights::{Action, TokenScope},
    standing::Revocable,
};

use crate::{
    argument::AtArgs,
    command::home::user,
    global::Global,
    print::{self, Output},
    session::{self, Session},
    view,
};

/// Tokens that prove who somebody is, and how far they reach
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
    Issue(IssueArgs),
    /// Issue a token in the place of another, with the same scope and for as long; it is shown once
    ///
    /// The other ends at once, or after `--grace-hours`, so that there is time to bring the new one to where it is used.
    Rotate {
        /// As `stemma token list` has it
        id: TokenId,
        /// Hours for which the other still holds
        #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u32).range(1..))]
        grace_hours: Option<u32>,
    },
    /// End one token; its holder keeps the roles and other tokens
    ///
    /// Holds at once, in a running server too.
    Revoke {
        /// As `stemma token list` has it
        id: TokenId,
    },
}

/// Issue a token for somebody who is known; it is shown once
///
/// It lets its holder do what their roles allow. What is named here only narrows that, also when they get further roles.
#[derive(Debug, Args)]
struct IssueArgs {
    /// As `stemma user list` has it
    name: PrincipalName,
    /// What the token is for
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// Days until the token expires; without it, it never does
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    expires_days: Option<u32>,
    /// Only in this project, and not in the whole home; can be repeated
    #[arg(long = "in-project", value_name = "NAME")]
    projects: Vec<ProjectName>,
    /// Only this endpoint, in a project named with `--in-project`, else in the one you work in; can be repeated
    #[arg(long = "endpoint", value_name = "NAME")]
    endpoints: Vec<EndpointName>,
    /// Only this action, as `invoke`; can be repeated
    #[arg(long = "action", value_name = "ACTION", value_parser = action)]
    actions: Vec<Action>,
}

impl IssueArgs {
    fn scope(&self, here: &ProjectName) -> TokenScope {
        let mut projects: BTreeSet<ProjectName> = self.projects.iter().cloned().collect();
        if projects.is_empty() && !self.endpoints.is_empty() {
            projects.insert(here.clone());
        }
        TokenScope {
            projects: Some(projects).filter(|names| !names.is_empty()),
            endpoints: Some(self.endpoints.iter().cloned().collect()).filter(|names: &BTreeSet<_>| !names.is_empty()),
            actions: Some(self.actions.iter().copied().collect()).filter(|names: &BTreeSet<_>| !names.is_empty()),
        }
    }
}

fn action(text: &str) -> Result<Action, String> {
    let words = || Action::ALL.map(|action| format!("`{action}`")).join(", ");
    Action::parse(text).ok_or_else(|| format!("actions are {}", words()))
}

pub async fn run(args: TokenArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    match args.act {
        Act::List { when } => list(when, global, output).await?,
        Act::Issue(args) => issue(args, global, output).await?,
        Act::Rotate { id, grace_hours } => rotate(RotateToken { token: id, grace_hours }, global, output).await?,
        Act::Revoke { id } => user::revoke(Revocable::Token { token: id }, global, output).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn issue(args: IssueArgs, global: &Global, output: &Output) -> Result<(), Problem> {
    let issue = async |session: &Session| {
        let issue = IssueToken {
            principal: args.name.clone(),
            label: args.label.clone().unwrap_or_default(),
            expires_days: args.expires_days,
            scope: args.scope(&session.project),
        };
        session.client.issue_token(&issue).await
    };
    let issued: NewToken = session::with(global, issue).await?;
    output.note(format!("a token of {} for {}; it is shown only now:", issued.principal, issued.scope));
    output.result(&issued, || issued.token.clone());
    Ok(())
}

async fn rotate(rotate: RotateToken, global: &Global, output: &Output) -> Result<(), Problem> {
    let rotated = session::with(global, async |session| session.client.rotate_token(&rotate).await);
    let rotated: NewToken = rotated.await?;
    let until = rotated.replaces.as_ref().and_then(|replaced| replaced.until);
    let old = match until {
        Some(until) => format!("the other holds until {}", print::time(until)),
        None => "the other holds no more".to_owned(),
    };
    output.note(format!("a token of {} for {}, {old}; it is shown only now:", rotated.principal, rotated.scope));
    output.result(&rotated, || rotated.token.clone());
    Ok(())
}

async fn list(when: AtArgs, global: &Global, output: &Output) -> Result<(), Problem> {
    let list = async |session: &Session| {
        let client = session.client.clone().at(when.at);
        Ok((Page::all(async |page| client.tokens(page).await).await?, client.told_as_of()))
    };
    let (page, as_of) = session::with(global, list).await?;
    let header = ["id", "of", "label", "for", "expires", "issued by"];
    output.dated(as_of, &page, || print::table(&header, page.items.iter().map(row)));
    Ok(())
}

fn row(token: &Token) -> Vec<String> {
    let expires = match token.expires {
        None => "never".to_owned(),
        Some(time) if token.expired => format!("expired {}", print::time(time)),
        Some(time) => print::time(time),
    };
    let (of, scope) = (token.principal.to_string(), token.scope.to_string());
    vec![token.token.to_string(), of, token.label.clone(), scope, expires, view::by(&token.issued)]
}
