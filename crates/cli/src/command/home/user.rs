use std::process::ExitCode;

use clap::{Args, Subcommand, builder::PossibleValuesParser, builder::TypedValueParser};
use stemma_api::types::{AddPrincipal, IssuedToken, Page, Principal, RemovePassword, Revoked, SetPassword};
use stemma_core::{
    Problem,
    name::{PrincipalName, ProjectName},
    rights::{Action, Role, RoleGrant},
    standing::Revocable,
};

use crate::{
    argument::AtArgs,
    global::Global,
    password::new_password,
    print::{self, Output},
    session::{self, Session},
    view,
};

/// People and services: their roles and tokens
#[derive(Debug, Args)]
pub struct UserArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    Add(AddArgs),
    /// List everybody with their roles, or those who may do something
    List {
        /// Only those who may do this, as `promote`: in the project named with `--project`, else in the whole home
        #[arg(long, value_name = "ACTION", value_parser = action())]
        may: Option<Action>,
        #[command(flatten)]
        when: AtArgs,
    },
    Password(PasswordArgs),
    /// Take all roles, all tokens and the password from somebody
    ///
    /// Holds at once, in a running server too. What they did stays on record, also what they approved. The last owner who
    /// can get in stays: make another first.
    Revoke {
        /// As `stemma user list` has it
        name: PrincipalName,
    },
}

/// Give somebody a role and a new token, which is shown once
///
/// The role holds in the project named with `--project`, else in all.
#[derive(Debug, Args)]
struct AddArgs {
    /// An e-mail address or a service's name
    name: PrincipalName,
    /// What they may do
    #[arg(long, value_parser = role())]
    role: Role,
    /// What the token is for
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// Days until the token expires; without it, it never does
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    expires_days: Option<u32>,
}

/// Set the password by which somebody signs in to the pages, or remove it
///
/// One's own, or anybody's by an owner. It has 15 characters or more, and is typed twice. Whoever is signed in by the one
/// before is signed out. Who has none signs in with a token.
#[derive(Debug, Args)]
struct PasswordArgs {
    /// As `stemma user list` has it
    name: PrincipalName,
    /// Read it from standing input, up to the end of the first line
    #[arg(long, conflicts_with = "remove")]
    stdin: bool,
    /// They sign in with tokens only from now on
    #[arg(long)]
    remove: bool,
}

pub(super) fn role() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::as_str)).try_map(|text| Role::parse(&text).ok_or("not a role"))
}

fn action() -> impl TypedValueParser<Value = Action> {
    PossibleValuesParser::new(Action::ALL.map(Action::as_str)).try_map(|text| text.parse::<Action>())
}

pub async fn run(args: UserArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    match args.act {
        Act::Add(args) => add(args, global, output).await?,
        Act::List { may, when } => list(may, when, global, output).await?,
        Act::Password(args) => password(args, global, output).await?,
        Act::Revoke { name } => revoke(Revocable::User { principal: name }, global, output).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn add(args: AddArgs, global: &Global, output: &Output) -> Result<(), Problem> {
    let add = AddPrincipal {
        principal: args.name,
        role: args.role,
        project: global.project.clone(),
        label: args.label.unwrap_or_default(),
        expires_days: args.expires_days,
    };
    let issued = session::with(global, async |session| session.client.add_principal(&add).await);
    let issued: IssuedToken = issued.await?;
    let scope = match &add.project {
        Some(project) => format!("in project `{project}`"),
        None => "in all projects".to_owned(),
    };
    output.note(format!("{} is {} {scope}; the token is shown only now:", issued.principal, issued.role));
    output.result(&issued, || issued.token.clone());
    Ok(())
}

async fn password(args: PasswordArgs, global: &Global, output: &Output) -> Result<(), Problem> {
    let principal = args.name;
    let of = match args.remove {
        true => {
            let remove = RemovePassword { principal };
            session::with(global, async |session| session.client.remove_password(&remove).await).await?
        }
        false => {
            let set = SetPassword { password: new_password(&principal, args.stdin)?, principal };
            session::with(global, async |session| session.client.set_password(&set).await).await?
        }
    };
    output.result(&of, || match of.is_set {
        true => format!("{} signs in by the new password", of.principal),
        false => format!("{} has no password any more", of.principal),
    });
    Ok(())
}

/// Withdraws what is meant and says what that was.
pub(super) async fn revoke(what: Revocable, global: &Global, output: &Output) -> Result<(), Problem> {
    revoke_in(|_| what.clone(), global, output).await
}

/// The same of what depends on the project that one works in.
pub(super) async fn revoke_in(
    what: impl Fn(&ProjectName) -> Revocable,
    global: &Global,
    output: &Output,
) -> Result<(), Problem> {
    let revoke = async |session: &Session| session.client.revoke(&what(&session.project)).await;
    let revoked: Revoked = session::with(global, revoke).await?;
    output.result(&revoked, || {
        let roles = revoked.roles.iter().map(|role| format!("revoked {role}"));
        let tokens = revoked.tokens.iter().map(|token| format!("revoked token {token}"));
        let denials = revoked.denials.iter().map(|denial| format!("no more: {denial}"));
        let passwords = revoked.passwords.iter().map(|of| format!("removed the password of {of}"));
        roles.chain(tokens).chain(denials).chain(passwords).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

async fn list(may: Option<Action>, when: AtArgs, global: &Global, output: &Output) -> Result<(), Problem> {
    let list = async |session: &Session| {
        let client = session.client.clone().at(when.at);
        if let Some(project) = &global.project {
            // a name that nobody made is an error, and not a project in which few may do anything
            client.project(project).await?;
        }
        Ok((Page::all(async |page| client.principals(page).await).await?, client.told_as_of()))
    };
    let (mut page, as_of) = session::with(global, list).await?;
    if let Some(action) = may {
        page.items.retain(|one| one.may(action, global.project.as_ref()));
    }
    output.dated(as_of, &page, || print::table(&["name", "roles", "added by"], page.items.iter().map(row)));
    Ok(())
}

fn row(principal: &Principal) -> Vec<String> {
    vec![principal.principal.to_string(), roles(principal), view::by(&principal.added)]
}

/// `contributor in credit, no approve`.
pub(super) fn roles(principal: &Principal) -> String {
    let grants = principal.grants.iter().map(|grant| RoleGrant::from(grant).to_string());
    let denied = principal.denials.iter().map(|denial| match &denial.project {
        Some(project) => format!("no {} in {project}", denial.what),
        None => format!("no {}", denial.what),
    });
    grants.chain(denied).collect::<Vec<_>>().join(", ")
}

/// A role without where it holds.
pub(super) fn bare(grant: &RoleGrant) -> String {
    RoleGrant { project: None, endpoint: None, ..grant.clone() }.to_string()
}
