//! Feedback out of a table: rows are sent in batches, and what is refused is told by its place in the file.

use std::{collections::BTreeSet, path::Path, process::ExitCode};

use serde::Serialize;
use stemma_api::types::{FeedbackOn, Happening, SendFeedback, SendFeedbacks};
use stemma_core::{ErrorKind, Problem};

use crate::{
    global::Global,
    json_bytes::json_bytes,
    print::Output,
    rows::{Row, RowsFile},
    session::{self, Session},
};

const COLUMNS: [&str; 14] = [
    "prediction_id",
    "endpoint",
    "request_id",
    "unit",
    "since",
    "until",
    "label",
    "reward",
    "event",
    "value",
    "time",
    "comment",
    "correction",
    "key",
];
/// Rows that are sent together.
const ROWS_AT_ONCE: usize = 50_000;
/// Bytes that are sent together: a request is not to be too long.
const BYTES_AT_ONCE: usize = 8 << 20;
/// Refused rows that are told one by one.
const TOLD_MAX: usize = 1_000;
/// Of these, on a terminal.
const SHOWN_MAX: usize = 20;

/// What became of a file.
#[derive(Debug, Default, Serialize)]
struct Told {
    rows: u64,
    kept: u64,
    /// They were kept before.
    known: u64,
    refused: u64,
    /// The first of those that were refused.
    lines: Vec<RefusedLine>,
    /// Where it could not be looked whether something was kept before.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    gaps: BTreeSet<String>,
}

#[derive(Debug, Serialize)]
struct RefusedLine {
    line: u64,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

/// Rows that wait to be sent, with their places.
#[derive(Default)]
struct Waiting {
    feedback: Vec<FeedbackOn>,
    places: Vec<u64>,
    bytes: usize,
}

pub async fn send(input: &Path, endpoint: Option<&str>, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let mut file = RowsFile::open(input, &COLUMNS, |_| false)?;
    let told = session::with(global, async |session| send_rows(&mut file, endpoint, session, output).await);
    let told = told.await?;
    output.result(&told, || text(&told));
    match told.refused {
        0 => Ok(ExitCode::SUCCESS),
        _ => Ok(ExitCode::from(ErrorKind::Invalid.exit_code())),
    }
}

async fn send_rows(
    file: &mut RowsFile,
    endpoint: Option<&str>,
    session: &Session,
    output: &Output,
) -> Result<Told, Problem> {
    let bar = match file.count {
        Some(rows) => output.row_progress(rows, "telling"),
        None => output.spinner(),
    };
    let (mut told, mut waiting) = (Told::default(), Waiting::default());
    while let Some(batch) = file.next_batch()? {
        for row in file.rows(&batch) {
            told.rows += 1;
            let read = read(&row, endpoint).and_then(|one| Ok((json_bytes(&one)?, one)));
            let (bytes, one) = match read {
                Ok(read) => read,
                Err(problem) => {
                    told.refuse(row.place, problem.message, problem.hint);
                    continue;
                }
            };
            if waiting.is_full_with(bytes) {
                waiting.send(session, &mut told).await?;
                bar.set_position(told.rows);
                bar.set_message(if file.count.is_some() {
                    "telling".to_owned()
                } else {
                    format!("{} rows", told.rows)
                });
            }
            waiting.push(one, row.place, bytes);
        }
    }
    waiting.send(session, &mut told).await?;
    bar.finish_and_clear();
    Ok(told)
}

impl Waiting {
    /// Whether what waits is to be sent before so many bytes more.
    fn is_full_with(&self, bytes: usize) -> bool {
        self.feedback.len() >= ROWS_AT_ONCE || self.bytes + bytes > BYTES_AT_ONCE
    }

    fn push(&mut self, one: FeedbackOn, place: u64, bytes: usize) {
        self.bytes += bytes;
        self.feedback.push(one);
        self.places.push(place);
    }

    async fn send(&mut self, session: &Session, told: &mut Told) -> Result<(), Problem> {
        let Self { feedback, places, .. } = std::mem::take(self);
        if feedback.is_empty() {
            return Ok(());
        }
        let answer =
            session.client.send_feedbacks(&session.project, &SendFeedbacks { feedback }).await.map_err(|problem| {
                let kept = told.kept + told.known;
                match kept {
                    0 => problem,
                    _ => problem
                        .hint(format!("{kept} rows are kept; the same command again goes on, and keeps none twice")),
                }
            })?;
        told.kept += answer.kept;
        told.known += answer.known;
        told.gaps.extend(answer.gaps);
        told.refused += answer.refused_count.saturating_sub(answer.refused.len() as u64);
        for refused in answer.refused {
            let place = usize::try_from(refused.at).ok().and_then(|at| places.get(at)).copied().unwrap_or_default();
            told.refuse(place, refused.reason, refused.hint);
        }
        Ok(())
    }
}

impl Told {
    fn refuse(&mut self, line: u64, reason: String, hint: Option<String>) {
        self.refused += 1;
        if self.lines.len() < TOLD_MAX {
            self.lines.push(RefusedLine { line, reason, hint });
        }
    }
}

fn read(row: &Row<'_>, endpoint: Option<&str>) -> Result<FeedbackOn, Problem> {
    let (value, time) = (row.number("value")?, row.time("time")?);
    let event = row.text("event").map(|name| Happening { name, value, time });
    if event.is_none() && (value.is_some() || time.is_some()) {
        return Err(Problem::invalid("it has a value or a time and no event"));
    }
    let prediction = row.text("prediction_id");
    // of a date, what was answered on the day counts as before the event
    let until = row.last("until")?.or(row.last("time")?);
    // the endpoint of the command is that of rows which name none
    let endpoint = row.text("endpoint").or_else(|| endpoint.map(str::to_owned)).filter(|_| prediction.is_none());
    Ok(FeedbackOn {
        prediction,
        endpoint,
        request_id: row.text("request_id"),
        unit: row.text("unit"),
        since: row.time("since")?,
        until,
        what: SendFeedback {
            label: row.text("label"),
            reward: row.number("reward")?,
            event,
            comment: row.text("comment"),
            correction: row.text("correction"),
            key: row.text("key"),
        },
    })
}

fn text(told: &Told) -> String {
    let Told { rows, kept, known, refused, lines, gaps } = told;
    let mut text = format!("{rows} rows: {kept} kept, {known} kept before, {refused} refused\n");
    gaps.iter()
        .for_each(|gap| text.push_str(&format!("something may have been kept before where it can't be seen: {gap}\n")));
    for RefusedLine { line, reason, hint } in lines.iter().take(SHOWN_MAX) {
        let hint = hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        text.push_str(&format!("line {line}: {reason}{hint}\n"));
    }
    match usize::try_from(*refused).unwrap_or(usize::MAX).saturating_sub(SHOWN_MAX) {
        0 => {}
        more => text.push_str(&format!("and {more} more; `--json` tells the first {TOLD_MAX}\n")),
    }
    text
}
