use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use serde::Serialize;
use stemma_api::types::Resolved;
use stemma_core::{Digest, ErrorKind, Problem, name};
use tempfile::NamedTempFile;

use super::Global;
use crate::{
    print::{self, Output},
    session::{self, cannot_write},
};

/// Get content by any name it has
///
/// Verified while it is read and put in place whole: a file that is there is the content that was asked for.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// `model@version`, `model@alias`, `dataset@number`, `b3:…` or `sha256:…`
    #[arg(value_name = "REF")]
    reference: String,
    /// A file, or a folder to put it into; without it, the current folder
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Overwrite what is there
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
struct Got {
    name: String,
    digest: Digest,
    size: u64,
    path: PathBuf,
}

pub async fn run(args: GetArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let got = session::with(global, async |session| {
        let resolved = session.client.resolve(&session.project, &args.reference).await?;
        let path = destination(args.output.as_deref(), &resolved);
        if path.symlink_metadata().is_ok() && !args.force {
            return Err(exists(&path));
        }
        let folder = folder_of(&path);
        fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
        let file = session.download(&resolved, folder, output).await?;
        put_in_place(file, &path, args.force)?;
        Ok(Got { name: resolved.name, digest: resolved.digest, size: resolved.size, path })
    });
    let got = got.await?;
    output.result(&got, || format!("{}  {}  {}  {}", got.name, got.digest, got.path.display(), print::bytes(got.size)));
    Ok(ExitCode::SUCCESS)
}

/// The file to write: as asked, or under the content's own name in the folder that was asked for.
fn destination(asked: Option<&Path>, resolved: &Resolved) -> PathBuf {
    let own = match name::check_component(&resolved.file_name) {
        Ok(()) => resolved.file_name.clone(),
        Err(_) => resolved.digest.hex(),
    };
    match asked {
        None => PathBuf::from(own),
        Some(path) if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") => path.join(own),
        Some(path) => path.to_owned(),
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn put_in_place(file: NamedTempFile, path: &Path, force: bool) -> Result<(), Problem> {
    let put = if force { file.persist(path) } else { file.persist_noclobber(path) };
    match put {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Err(exists(path)),
        Err(error) => Err(cannot_write(path, &error.error)),
    }
}

fn exists(path: &Path) -> Problem {
    Problem::new(ErrorKind::Conflict, format!("`{}` is there already", path.display()))
        .hint("give another path with `-o PATH`, or overwrite it with `--force`")
}
