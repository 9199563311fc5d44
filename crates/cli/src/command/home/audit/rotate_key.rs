use std::path::PathBuf;

use clap::Args;
use stemma_core::{ErrorKind, Problem, history::KeySuccession, id::RequestId};

use crate::{
    global::Global,
    print::Output,
    session::{self, Session},
};

/// Sign the ledger's heads with a new key from now on
///
/// The key before names the new one in an event, signs nothing more and is removed; what it has signed stays valid. It
/// takes an owner's token.
#[derive(Debug, Args)]
pub struct RotateKeyArgs {
    /// Keep the new key in this file, outside of the home; the home must not be served meanwhile
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
}

pub async fn run(args: RotateKeyArgs, global: &Global, output: &Output) -> Result<(), Problem> {
    let succession = session::with(global, async |session| match &args.to {
        None => session.client.rotate_key().await,
        Some(path) => rotate_to(session, path).await,
    });
    let succession: KeySuccession = succession.await?;
    output.result(&succession, || format!("signed by {} from now on", succession.to));
    if let Some(path) = &args.to {
        output.note(format!(
            "the key is in `{}`, and the home names that place; keep a copy where the home's backups are not",
            path.display()
        ));
    }
    Ok(())
}

/// No server takes a path from a caller: this process must own the home itself.
async fn rotate_to(session: &Session, path: &PathBuf) -> Result<KeySuccession, Problem> {
    let Some(engine) = session.own_engine() else {
        return Err(Problem::new(ErrorKind::Conflict, "the home is served, and a server takes no path for its key")
            .hint("stop the server, change the key, and start it again"));
    };
    let path = std::path::absolute(path)
        .map_err(|error| Problem::invalid(format!("`{}` is no path: {error}", path.display())))?;
    let home = session.workspace()?.home_dir();
    if path.starts_with(&home) {
        let message = format!("`{}` lies in the home `{}`", path.display(), home.display());
        return Err(Problem::invalid(message).hint("whoever can write to the home would have the key"));
    }
    let token = session.client.token().ok_or_else(|| {
        Problem::new(ErrorKind::Unauthenticated, "to change the signing key needs a credential")
            .hint("set STEMMA_TOKEN to an owner's token")
    })?;
    engine.rotate_key(&engine.known().authenticate(token)?, RequestId::generate(), Some(&path)).await
}
