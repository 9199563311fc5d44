use std::process::ExitCode;

use clap::{Args, Subcommand};
use stemma_api::types::{GrantRole, Page, Principal, Right, RightSince};
use stemma_core::{
    Problem,
    name::{EndpointName, PrincipalName, ProjectName},
    rights::{Deniable, Denial, Role},
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

/// Roles of people and services, and what is denied to them
///
/// With `--project`, each holds in that project, else in all.
#[derive(Debug, Args)]
pub struct RoleArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List all roles that hold, and all that is denied, with since when
    List {
        #[command(flatten)]
        when: AtArgs,
    },
    /// Give somebody a role; `stemma user add` gives a token with it
    Grant {
        /// An e-mail address or a service's name
        name: PrincipalName,
        /// What they may do
        #[arg(value_parser = user::role())]
        role: Role,
        /// Only of this endpoint of the project; of the role `invoker`
        #[arg(long, value_name = "NAME")]
        endpoint: Option<EndpointName>,
    },
    /// Deny an action or a role to somebody, whatever they are granted
    ///
    /// An action that is denied is done by no role; a role that is denied is as if nobody had granted it. Holds at once, in
    /// a running server too. The last owner who can get in stays.
    Deny {
        /// As `stemma user list` has it
        name: PrincipalName,
        /// An action, as `approve`, or a role, as `approver`
        what: Deniable,
    },
    /// Take one role from somebody; tokens stay, with what other roles they have
    ///
    /// The role in the project named with `--project`, else the one in all projects. Holds at once, in a running server
    /// too.
    Revoke {
        /// As `stemma user list` has it
        name: PrincipalName,
        /// The role that ends; with `--denial`, the action or role that is denied no more
        what: Deniable,
        /// The role of this endpoint alone
        #[arg(long, value_name = "NAME", conflicts_with = "denial")]
        endpoint: Option<EndpointName>,
        /// Withdraw a denial: roles decide again
        #[arg(long)]
        denial: bool,
    },
}

pub async fn run(args: RoleArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let project = global.project.clone();
    match args.act {
        Act::List { when } => list(when, global, output).await?,
        Act::Grant { name, role, endpoint } => grant(name, role, endpoint, global, output).await?,
        Act::Deny { name, what } => deny(Denial { principal: name, what, project }, global, output).await?,
        Act::Revoke { name, what, endpoint: _, denial: true } => {
            let denial = Denial { principal: name, what, project };
            user::revoke(Revocable::Denial { denial }, global, output).await?;
        }
        Act::Revoke { name, what: Deniable::Role(role), endpoint, denial: false } => {
            let what = |here: &ProjectName| Revocable::Role {
                principal: name.clone(),
                role,
                project: place(endpoint.as_ref(), here, project.clone()),
                endpoint: endpoint.clone(),
            };
            user::revoke_in(what, global, output).await?;
        }
        Act::Revoke { name, what: Deniable::Action(action), endpoint: _, denial: false } => {
            let problem = Problem::invalid(format!("`{action}` is an action and no role"));
            return Err(
                problem.hint(format!("`stemma role deny {name} {action}` denies it; `--denial` withdraws that again"))
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn grant(
    principal: PrincipalName,
    role: Role,
    endpoint: Option<EndpointName>,
    global: &Global,
    output: &Output,
) -> Result<(), Problem> {
    let grant = async |session: &Session| {
        let project = place(endpoint.as_ref(), &session.project, global.project.clone());
        let grant = GrantRole { principal: principal.clone(), role, project, endpoint: endpoint.clone() };
        session.client.grant_role(&grant).await
    };
    let granted: Principal = session::with(global, grant).await?;
    output.result(&granted, || format!("{} is {}", granted.principal, user::roles(&granted)));
    Ok(())
}

/// An endpoint is in the project that one works in; all else holds everywhere unless a project is named.
fn place(endpoint: Option<&EndpointName>, here: &ProjectName, named: Option<ProjectName>) -> Option<ProjectName> {
    match endpoint {
        Some(_) => Some(here.clone()),
        None => named,
    }
}

async fn deny(denial: Denial, global: &Global, output: &Output) -> Result<(), Problem> {
    let denied: Principal = session::with(global, async |session| session.client.deny(&denial).await).await?;
    output.result(&denied, || denial.to_string());
    Ok(())
}

async fn list(when: AtArgs, global: &Global, output: &Output) -> Result<(), Problem> {
    let list = async |session: &Session| {
        let client = session.client.clone().at(when.at);
        Ok((Page::all(async |page| client.roles(page).await).await?, client.told_as_of()))
    };
    let (page, as_of) = session::with(global, list).await?;
    let header = ["name", "", "role or action", "where", "by"];
    output.dated(as_of, &page, || print::table(&header, page.items.iter().map(row)));
    Ok(())
}

fn row(one: &RightSince) -> Vec<String> {
    let place = |project: &Option<ProjectName>| match project {
        Some(project) => format!("in {project}"),
        None => "everywhere".to_owned(),
    };
    let by = view::by(&one.since);
    match &one.right {
        Right::Role(held) => {
            let at = match &held.endpoint {
                Some(endpoint) => format!("{endpoint} {}", place(&held.project)),
                None => place(&held.project),
            };
            let role = user::bare(&held.grant());
            vec![held.principal.to_string(), "has".to_owned(), role, at, by]
        }
        Right::Denial(denial) => {
            let (who, what) = (denial.principal.to_string(), denial.what.to_string());
            vec![who, "denied".to_owned(), what, place(&denial.project), by]
        }
    }
}
