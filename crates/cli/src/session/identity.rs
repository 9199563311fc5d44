//! Who acts: a name without proof, or a token.

use std::process::Stdio;

use stemma_api::client::Identification;
use stemma_core::{Problem, name::PrincipalName};
use stemma_workspace::credentials;

use crate::{command::Global, settings};

/// Who the caller says they are in so many words: `--as NAME`, then `STEMMA_TOKEN`.
pub fn given(global: &Global) -> Option<Identification> {
    if let Some(name) = &global.acting_as {
        return Some(Identification { token: None, asserted: Some(name.clone()) });
    }
    let token = settings::token()?;
    Some(Identification { token: Some(token), asserted: None })
}

/// The token that the user's credentials file keeps for a home, else the name by which Git or the system knows them.
pub async fn kept(home: &str) -> Result<Identification, Problem> {
    let token = match settings::config_dir() {
        Some(dir) => credentials::token(&dir, home)?,
        None => None,
    };
    let asserted = match token {
        Some(_) => None,
        None => asserted_name().await,
    };
    Ok(Identification { token, asserted })
}

/// Who changes a workspace, as far as nobody asks the home.
pub async fn author(global: &Global) -> Option<PrincipalName> {
    match &global.acting_as {
        Some(name) => Some(name.clone()),
        None => asserted_name().await,
    }
}

/// The Git e-mail, else the user's name on this machine.
pub async fn asserted_name() -> Option<PrincipalName> {
    let names = [git_email().await, settings::user()];
    names.into_iter().flatten().find_map(|name| PrincipalName::new(name).ok())
}

async fn git_email() -> Option<String> {
    let output = tokio::process::Command::new("git")
        .args(["config", "user.email"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .await
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let email = text.trim();
    (output.status.success() && !email.is_empty()).then(|| email.to_owned())
}
