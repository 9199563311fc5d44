use std::{path::PathBuf, process::ExitCode};

use clap::{ArgGroup, Args};
use serde::Serialize;
use stemma_backup::{BackedUp, Keys, Listed, Manifest, Order};
use stemma_core::{ErrorKind, Problem, SystemClock, Timestamp, audit::Verdict, id::HomeId};
use stemma_engine::Layout;

use crate::{
    backups::{Bar, PlaceArgs, cache, keep_private},
    global::Global,
    print::{self, Output},
    session, settings, view,
};

/// Back this home up to a folder or a bucket, while others use it
///
/// Takes all content, the ledger, the prediction log and what else is in `.stemma`, as of one moment: what was acknowledged
/// before it is in it. What is there from earlier backups isn't sent again. What is cut short is no backup, and those from
/// before stay. The folder around the home is not in it: `stemma.toml`, `stemma.lock`, code and tracked files are Git's.
/// Whether the keys are in it has to be said each time.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["with_keys", "without_keys", "list", "verify"])))]
pub struct BackupArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Take the keys along: whoever can read the backup can sign for this home and make prediction ids
    #[arg(long)]
    with_keys: bool,
    /// Leave the keys out: without them, kept elsewhere, a restored home can be audited and not opened
    #[arg(long)]
    without_keys: bool,
    /// List the backups that are there
    #[arg(long)]
    list: bool,
    /// Restore the newest backup into a folder that is removed again, and verify it there
    #[arg(long)]
    verify: bool,
    /// The backup to verify, by its id
    #[arg(long, value_name = "ID", requires = "verify")]
    backup: Option<String>,
    /// Where to restore for `--verify`; it takes as much room as the home
    #[arg(long, value_name = "FOLDER", requires = "verify")]
    scratch: Option<PathBuf>,
    /// Begin anew where the place that held backups before is gone, empty, or another one
    #[arg(long, conflicts_with_all = ["list", "verify"])]
    create: bool,
}

/// A backup, as it is printed.
#[derive(Serialize)]
struct Shown {
    id: String,
    home: HomeId,
    made: Timestamp,
    program: String,
    events: u64,
    contents: u64,
    files: usize,
    keys: Keys,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
}

#[derive(Serialize)]
struct Made {
    #[serde(flatten)]
    backup: Shown,
    target: String,
    /// Bytes of packs that were not there before.
    sent_bytes: u64,
    sent_packs: u64,
    /// The key that signs, where it lies outside of the home: it is in no backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_outside: Option<PathBuf>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Line {
    Whole(Shown),
    Damaged { id: String, damaged: String },
}

#[derive(Serialize)]
struct Verified {
    #[serde(flatten)]
    backup: Shown,
    verdict: Verdict,
    /// Keys without which it can't be opened, by their paths in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing_keys: Vec<String>,
}

pub async fn run(args: BackupArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    keep_private();
    if args.list {
        return list(&args, output).await;
    }
    match args.verify {
        true => verify(&args, output).await?,
        false => back_up(&args, global, output).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn back_up(args: &BackupArgs, global: &Global, output: &Output) -> Result<(), Problem> {
    if let Some(server) = &global.server {
        let problem = Problem::invalid(format!("the home of `{server}` can't be backed up from here"));
        return Err(problem.hint("run `stemma backup` where its files are, as the user who runs the server"));
    }
    let layout = Layout::new(&session::require_home()?).reaching(settings::database()?);
    let place = args.place.place()?;
    let order = Order {
        layout: &layout,
        place: &place,
        keys: if args.with_keys { Keys::Included } else { Keys::LeftOut },
        begin_anew: args.create,
        program: env!("CARGO_PKG_VERSION"),
        clock: &SystemClock,
    };
    let mut bar = Bar::new(output, "sending");
    let done = stemma_backup::back_up(&order, &mut |step, moved| bar.tell(step, moved)).await;
    bar.end();
    let BackedUp { id, manifest, sent_bytes, sent_packs } = done?;
    let key_outside = layout.read_home()?.and_then(|home| home.signing_key);
    let target = place.url().to_owned();
    let made = Made { backup: shown(id, &manifest), target, sent_bytes, sent_packs, key_outside };
    output.result(&made, || made_text(&made));
    Ok(())
}

fn shown(id: String, manifest: &Manifest) -> Shown {
    Shown {
        id,
        home: manifest.home,
        made: manifest.made,
        program: manifest.program.clone(),
        events: manifest.ledger.events,
        contents: manifest.contents.number,
        files: manifest.files.len(),
        keys: manifest.keys,
        left_out: manifest.left_out.clone(),
    }
}

fn made_text(made: &Made) -> String {
    let Made { backup, target, sent_bytes, .. } = made;
    let what = [
        view::count(backup.events, "event"),
        view::count(backup.contents, "content"),
        view::count(backup.files as u64, "file"),
    ];
    let mut text = format!("backup {} of {}; sent {}\n", backup.id, what.join(", "), print::bytes(*sent_bytes));
    text.push_str(&match backup.keys {
        Keys::Included => {
            format!("the keys are in it: whoever can read `{target}` can sign for this home and make prediction ids\n")
        }
        Keys::LeftOut => format!(
            "not in it: {}; keep them elsewhere: without them a restored home can be audited and not opened\n",
            backup.left_out.join(", ")
        ),
    });
    if let Some(path) = &made.key_outside {
        text.push_str(&format!(
            "the key that signs lies outside of the home and is in no backup: {}\n",
            path.display()
        ));
    }
    text
}

/// Exit code 8 if the manifest of one is damaged.
async fn list(args: &BackupArgs, output: &Output) -> Result<ExitCode, Problem> {
    let cache = cache()?;
    let remote = args.place.place()?.look(cache.path())?;
    let line = |Listed { id, manifest }: Listed| match manifest {
        Ok(manifest) => Line::Whole(shown(id, &manifest)),
        Err(damaged) => Line::Damaged { id, damaged },
    };
    let lines: Vec<Line> = stemma_backup::list(&remote).await?.into_iter().map(line).collect();
    let header = ["id", "made", "events", "contents", "keys"];
    output.result(&lines, || match lines.is_empty() {
        true => "there is no backup".to_owned(),
        false => print::table(&header, lines.iter().map(|line| row(line, output))),
    });
    let is_damaged = lines.iter().any(|line| matches!(line, Line::Damaged { .. }));
    Ok(if is_damaged { ExitCode::from(ErrorKind::Corrupt.exit_code()) } else { ExitCode::SUCCESS })
}

fn row(line: &Line, output: &Output) -> Vec<String> {
    match line {
        Line::Whole(shown) => vec![
            shown.id.clone(),
            print::time(shown.made),
            shown.events.to_string(),
            shown.contents.to_string(),
            match shown.keys {
                Keys::Included => "included".to_owned(),
                Keys::LeftOut => "left out".to_owned(),
            },
        ],
        Line::Damaged { id, damaged } => {
            vec![id.clone(), output.red(format!("damaged: {damaged}")), String::new(), String::new(), String::new()]
        }
    }
}

async fn verify(args: &BackupArgs, output: &Output) -> Result<(), Problem> {
    let cache = cache()?;
    let remote = args.place.place()?.look(cache.path())?;
    let scratch = args.scratch.as_deref().unwrap_or(cache.path());
    let mut bar = Bar::new(output, "reading");
    let told = &mut |step, moved| bar.tell(step, moved);
    let done = stemma_backup::verify(&remote, args.backup.as_deref(), scratch, told).await;
    bar.end();
    let done = done?;
    let (verdict, missing_keys) = (done.report.verdict, done.missing_keys);
    let verified = Verified { backup: shown(done.id, &done.manifest), verdict, missing_keys };
    output.result(&verified, || {
        let Shown { id, made, events, contents, .. } = &verified.backup;
        let what = format!("{}, {}", view::count(*events, "event"), view::count(*contents, "content"));
        let keys = match verified.missing_keys.as_slice() {
            [] => String::new(),
            keys => format!("it can't be opened without {}\n", keys.join(", ")),
        };
        format!("backup {id} of {} can be restored: {what}\n{keys}", print::time(*made))
    });
    Ok(())
}
