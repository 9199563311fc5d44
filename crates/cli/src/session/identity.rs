//! Who acts: a name without proof, or a token.

use std::process::Stdio;

use stemma_api::client::Identification;
use stemma_core::{Problem, name::PrincipalName};
use stemma_workspace::credentials;

use crate::{global::Global, settings};

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

/// The e-mail that a commit made here would have as its author's, else the user's name on this machine.
///
/// In Git's own order: `GIT_AUTHOR_EMAIL`, the settings `author.email` and `user.email`, `EMAIL`. What Git would make up
/// from the machine's name is nobody's.
pub async fn asserted_name() -> Option<PrincipalName> {
    first_name([
        settings::author_email(),
        git_setting("author.email").await,
        git_setting("user.email").await,
        settings::email(),
        settings::user(),
    ])
}

fn first_name(names: [Option<String>; 5]) -> Option<PrincipalName> {
    names.into_iter().flatten().find_map(|name| PrincipalName::new(name.trim()).ok())
}

async fn git_setting(name: &str) -> Option<String> {
    let output = tokio::process::Command::new("git")
        .args(["config", name])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .await
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let email = text.trim();
    (output.status.success() && !email.is_empty()).then(|| email.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_can_be_a_name_is_taken() {
        let names = |names: [&str; 5]| first_name(names.map(|name| (!name.is_empty()).then(|| name.to_owned())));
        let name = |text: &str| Some(PrincipalName::new(text).unwrap());
        assert_eq!(names(["a@x.org", "b@x.org", "c@x.org", "d@x.org", "e"]), name("a@x.org"));
        assert_eq!(names(["", "b@x.org", "c@x.org", "d@x.org", "e"]), name("b@x.org"));
        assert_eq!(names([" ", "", " c@x.org\n", "d@x.org", "e"]), name("c@x.org"));
        assert_eq!(names(["", "", "", "", "e"]), name("e"));
        assert_eq!(names(["", "", "", "", ""]), None);
    }
}
