use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use serde::Serialize;
use stemma_api::types::{AskMock, MockTable};
use stemma_core::{ErrorKind, Problem};

use crate::{
    global::Global,
    print::Output,
    put_file::put_file,
    session::{self, Session},
};

/// Make rows like those of a table: the same columns, its region covered more sparsely, its edges and corners, no row of
/// its own
///
/// They are for tests: code that works on them was tried on what is least, greatest, rare or missing. The same table, count
/// and seed give the same rows.
#[derive(Debug, Args)]
pub struct MockArgs {
    /// A dataset, as in `wine@2`, a tracked path, or content
    #[arg(value_name = "TABLE")]
    of: String,
    /// How many rows
    #[arg(short = 'n', long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rows: u32,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// A CSV file; without it they are printed
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long, requires = "output")]
    force: bool,
}

#[derive(Debug, Serialize)]
struct Made<'a> {
    name: &'a str,
    rows: usize,
    file: &'a Path,
    notes: &'a [String],
}

pub async fn run(args: MockArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let made = session::with(global, async |session| mock(session, &args).await).await?;
    let csv = csv(&made)?;
    match &args.output {
        None => output.result(&made, || String::from_utf8_lossy(&csv).trim_end().to_owned()),
        Some(file) => {
            put_file(file, &csv, args.force)?;
            let told = Made { name: &made.name, rows: made.rows.len(), file, notes: &made.notes };
            output.result(&told, || format!("{} rows like those of {} in {}", told.rows, told.name, file.display()));
        }
    }
    for note in &made.notes {
        output.note(format!("note: {note}"));
    }
    Ok(ExitCode::SUCCESS)
}

async fn mock(session: &Session, args: &MockArgs) -> Result<MockTable, Problem> {
    let found = session::content(session, &args.of).await?;
    let reference = if found.kind == "content" { found.digest.to_string() } else { found.name };
    let ask = AskMock { reference, rows: Some(args.rows), seed: args.seed };
    session.client.mock(&session.project, &ask).await
}

fn csv(made: &MockTable) -> Result<Vec<u8>, Problem> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let unwritable = |error: csv::Error| Problem::new(ErrorKind::Internal, format!("rows can't be written: {error}"));
    writer.write_record(&made.columns).map_err(unwritable)?;
    for row in &made.rows {
        writer.write_record(row).map_err(unwritable)?;
    }
    writer.into_inner().map_err(|error| Problem::new(ErrorKind::Internal, format!("rows can't be written: {error}")))
}
