use std::{
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Serialize;
use stemma_api::types::{FindEvents, Limit, ProvedEvent};
use stemma_core::{
    ErrorKind, Problem,
    history::proof::{ExportCheck, ExportEnd, ExportHeader, ProvedHead},
};
use tempfile::NamedTempFile;

use super::{events::Which, prove::unproved};
use crate::{
    global::Global,
    print::Output,
    session::{self, Session, cannot_write},
};

/// Events of one answer: their bodies may be long.
const PAGE: u32 = 200;

/// Write events with what proves them into a file, for somebody who verifies it without us
///
/// All events, whose leaves make the signed root: then nothing can be missing. Or those that are asked for, each with its
/// path to the root. The file holds what the events say. `examples/verify-proof` verifies it without Stemma.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The file to write, a line of JSON for each event
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    which: Which,
    /// Overwrite a file that is there
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Serialize)]
struct Exported {
    file: PathBuf,
    /// Lines with an event.
    events: u64,
    /// All that there are.
    whole: bool,
    /// Events of the signed history, and who signed it.
    size: u64,
    key: String,
}

pub async fn run(args: ExportArgs, global: &Global, output: &Output) -> Result<(), Problem> {
    if args.file.exists() && !args.force {
        return Err(exists(&args.file));
    }
    let exported = session::with(global, async |session| {
        let ask = FindEvents { limit: Limit::near(PAGE), ..args.which.ask(global, session)? };
        export(session, ask, &args, output).await
    })
    .await?;
    output.result(&exported, || {
        let all = if exported.whole { "all " } else { "" };
        let Exported { events, size, key, .. } = &exported;
        format!("{all}{events} events, of the {size} that the key {key} has signed")
    });
    Ok(())
}

async fn export(
    session: &Session,
    mut ask: FindEvents,
    args: &ExportArgs,
    output: &Output,
) -> Result<Exported, Problem> {
    let shown = session.client.history([]).await?;
    let head = ProvedHead { note: shown.head.note, key: shown.head.key, successions: shown.successions };
    let header = ExportHeader::new(ask.is_of_all(), head);
    let mut check = header.checks().map_err(unproved)?;
    let size = check.head().size();
    let mut file = Lines::beside(&args.file)?;
    file.line(&header)?;
    let bar = output.row_progress(size, "exporting events");
    let mut events = 0;
    loop {
        let page = session.client.export_events(size, &ask).await?;
        file.events(&page.items, &mut check)?;
        events += page.items.len() as u64;
        bar.set_position(page.items.last().map_or(size, |last| last.seq));
        match page.next {
            None => break,
            Some(next) => ask.cursor = Some(further(&next, ask.cursor)?),
        }
    }
    bar.finish_and_clear();
    check.end().map_err(unproved)?;
    file.line(&ExportEnd { end: events })?;
    file.put(&args.file, args.force)?;
    let key = check.head().key().to_string();
    Ok(Exported { file: args.file.clone(), events, whole: header.whole, size, key })
}

/// A page that was asked for before would be asked for for ever.
fn further(next: &str, before: Option<u64>) -> Result<u64, Problem> {
    next.parse().ok().filter(|next| before.is_none_or(|before| *next > before)).ok_or_else(|| {
        Problem::new(ErrorKind::Internal, format!("the server's list goes on at `{next}`, which is nowhere"))
    })
}

/// A file that is in its place only once it is whole.
struct Lines(BufWriter<NamedTempFile>);

impl Lines {
    fn beside(path: &Path) -> Result<Self, Problem> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = NamedTempFile::new_in(folder).map_err(|error| cannot_write(folder, &error))?;
        Ok(Self(BufWriter::new(file)))
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), Problem> {
        let text = serde_json::to_string(value).expect("a line is texts and numbers");
        writeln!(self.0, "{text}").map_err(|error| cannot_write(self.0.get_ref().path(), &error))
    }

    fn events(&mut self, events: &[ProvedEvent], check: &mut ExportCheck) -> Result<(), Problem> {
        for event in events {
            check.event(event).map_err(unproved)?;
            self.line(event)?;
        }
        Ok(())
    }

    fn put(self, path: &Path, force: bool) -> Result<(), Problem> {
        let file = self.0.into_inner().map_err(|error| cannot_write(path, error.error()))?;
        file.as_file().sync_all().map_err(|error| cannot_write(path, &error))?;
        let put = if force { file.persist(path) } else { file.persist_noclobber(path) };
        match put {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Err(exists(path)),
            Err(error) => Err(cannot_write(path, &error.error)),
        }
    }
}

fn exists(path: &Path) -> Problem {
    Problem::new(ErrorKind::Conflict, format!("`{}` is there already", path.display()))
        .hint("name another file, or overwrite it with `--force`")
}
