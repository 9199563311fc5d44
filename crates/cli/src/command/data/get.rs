use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use http_body_util::BodyExt as _;
use serde::Serialize;
use stemma_api::{client::Body, types::Resolved};
use stemma_core::{Digest, ErrorKind, Problem, external::NOT_HASHED, name, span::Span};
use tempfile::NamedTempFile;

use crate::{
    global::Global,
    print::{self, Output},
    session::{self, Session, broke_off, cannot_write},
};

/// Get content by any name it has
///
/// Verified while it is read and put in place whole: a file that is there is the content that was asked for.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// `model@version`, `model@alias`, `dataset@number`, `dataset@{2026-03-01}` (the end of that day; times without a
    /// zone are UTC), a tracked path with or without `@number` or `@{time}`, `b3:…` or `sha256:…`
    #[arg(value_name = "REF")]
    reference: String,
    /// A file, or a folder to put it into; without it, the current folder
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Overwrite what is there
    #[arg(long)]
    force: bool,
    /// Only these rows of a table (CSV with its header; JSON lines, as which also those of Parquet come), to stdout
    ///
    /// Counts from 0 without the header. What lies behind them is not read.
    #[arg(long, value_name = "A..B", conflicts_with = "bytes")]
    rows: Option<Span>,
    /// Only these bytes, to stdout
    #[arg(long, value_name = "A..B")]
    bytes: Option<Span>,
}

#[derive(Serialize)]
struct Got {
    name: String,
    digest: Digest,
    size: u64,
    path: PathBuf,
}

pub async fn run(args: GetArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    if args.rows.is_some() || args.bytes.is_some() {
        session::with(global, async |session| slice(&args, session).await).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let got = session::with(global, async |session| {
        let resolved = content(session, &args.reference).await?;
        let path = destination(args.output.as_deref(), &resolved);
        if path.symlink_metadata().is_ok() && !args.force {
            return Err(exists(&path));
        }
        let folder = folder_of(&path);
        fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
        if resolved.is_folder {
            session.write_folder(resolved.digest, &path, output).await?;
        } else {
            let file = session.download(&resolved, folder, output).await?;
            put_in_place(file, &path, args.force)?;
        }
        Ok(Got { name: resolved.name, digest: resolved.digest, size: resolved.size, path })
    });
    let got = got.await?;
    output.result(&got, || format!("{}  {}  {}  {}", got.name, got.digest, got.path.display(), print::bytes(got.size)));
    Ok(ExitCode::SUCCESS)
}

/// Writes a stretch to stdout, or to the file that was asked for.
async fn slice(args: &GetArgs, session: &Session) -> Result<(), Problem> {
    let resolved = content(session, &args.reference).await?;
    let (client, project, digest) = (&session.client, &session.project, &resolved.digest);
    let body = match (args.rows, args.bytes) {
        (Some(rows), _) => client.content_rows(project, digest, &resolved.name, rows).await?,
        (None, bytes) => client.content_bytes(project, digest, bytes.unwrap_or(Span { start: 0, end: None })).await?,
    };
    let Some(asked) = &args.output else {
        return copy(body, &mut std::io::stdout(), Path::new("stdout")).await;
    };
    let path = destination(Some(asked), &resolved);
    if path.symlink_metadata().is_ok() && !args.force {
        return Err(exists(&path));
    }
    let folder = folder_of(&path);
    fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
    let mut file = session::new_file(folder)?;
    copy(body, file.as_file_mut(), &path).await?;
    put_in_place(file, &path, args.force)
}

/// Content by name; data that is kept elsewhere is not ours to hand out.
async fn content(session: &Session, reference: &str) -> Result<Resolved, Problem> {
    let resolved = session::content(session, reference).await?;
    if resolved.kind == "external" {
        let message = format!("`{}` is kept elsewhere and {NOT_HASHED}", resolved.name);
        return Err(
            Problem::invalid(message).hint(format!("`stemma show {}` says where; fetch it there", resolved.name))
        );
    }
    Ok(resolved)
}

async fn copy(mut body: Body, sink: &mut impl Write, path: &Path) -> Result<(), Problem> {
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broke_off(size, &error))?;
        let Some(bytes) = frame.data_ref() else { continue };
        size += bytes.len() as u64;
        match sink.write_all(bytes) {
            // a reader that went away (`| head`) is no failure
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            written => written.map_err(|error| cannot_write(path, &error))?,
        }
    }
    sink.flush().map_err(|error| cannot_write(path, &error))
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
