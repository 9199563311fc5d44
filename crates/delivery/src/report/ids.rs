//! Which reports are recorded already: by the reporter's id and the time of the prediction.

use std::collections::{HashMap, HashSet};

use stemma_core::{ErrorKind, Problem, endpoint::prediction::PredictionRecord, name::EndpointName};
use stemma_engine::problem::internal;
use stemma_gateway::{OpenPart, SegmentId, read_marks};

use crate::{
    Delivery, gap,
    problem::log_problem,
    refusals::Refusals,
    reported::{OpenReports, ReportContent, ReportKey, report_content, report_key},
    sealed::{SealedFile, look_into},
};

/// A report, read.
pub struct Report {
    /// Its place in the request.
    pub at: usize,
    pub key: ReportKey,
    pub content: ReportContent,
    pub record: PredictionRecord,
}

/// Reports, told apart by whether they are recorded already.
#[derive(Default)]
pub struct Sorted {
    /// Each once.
    pub new: Vec<Report>,
    /// Those that say something else than what is recorded, or stands before them, under their id.
    pub refused: Refusals,
    /// Where it could not be looked.
    pub gaps: Vec<String>,
    /// What is recorded and not sealed.
    pub open: OpenReports,
}

/// Tells the reports of a request apart; `open` is what is known already of what is not sealed.
pub async fn sort(
    delivery: &Delivery,
    open: Option<OpenReports>,
    (endpoint, ordinal): (&EndpointName, u16),
    reports: Vec<Report>,
) -> Result<Sorted, Problem> {
    delivery.log().flush().await.map_err(log_problem)?;
    let there: HashSet<SegmentId> = delivery.log().segments().into_iter().collect();
    let mut open = match open {
        Some(open) => open,
        None => read_open(delivery, ordinal).await?,
    };
    open.keep_only(&there);
    let mut sorted = Sorted::default();
    sorted.gaps.extend(open.unread.iter().map(|unread| gap::of(unread, "prediction log")));
    let mut met = HashMap::with_capacity(reports.len());
    let reports = sorted.leave_out(reports, |report| {
        let known = met.get(&report.key).or_else(|| open.find(&report.key)).copied();
        met.entry(report.key).or_insert(report.content);
        known
    });
    let sealed = sealed(delivery, endpoint, &there, &reports, &mut sorted.gaps).await?;
    sorted.new = sorted.leave_out(reports, |report| sealed.get(&report.key).copied());
    sorted.open = open;
    Ok(sorted)
}

impl Sorted {
    /// Leaves out what is recorded; what is recorded with something else is refused.
    fn leave_out(
        &mut self,
        reports: Vec<Report>,
        mut recorded: impl FnMut(&Report) -> Option<ReportContent>,
    ) -> Vec<Report> {
        let mut left = Vec::with_capacity(reports.len());
        for report in reports {
            match recorded(&report) {
                None => left.push(report),
                Some(content) if content == report.content => {}
                Some(_) => self.refused.add(report.at, other_values()),
            }
        }
        left
    }
}

fn other_values() -> Problem {
    Problem::new(ErrorKind::Conflict, "its id was reported already for this time with other values")
        .hint("another prediction needs an id of its own")
}

async fn read_open(delivery: &Delivery, ordinal: u16) -> Result<OpenReports, Problem> {
    let log = delivery.log().clone();
    let read = move || {
        let (mut found, mut failed) = (OpenReports::default(), None);
        let seen = log.each(
            ordinal,
            |_| true,
            |address, record| {
                let Some(reported) = &record.reported else { return };
                match report_content(&record) {
                    Ok(content) => found.add(address.segment, report_key(&reported.id, record.time), content),
                    Err(problem) => failed = Some(problem),
                }
            },
        );
        found.unread = seen.unread;
        failed.map_or(Ok(found), Err)
    };
    tokio::task::spawn_blocking(read).await.map_err(internal)?
}

/// What is looked for in sealed files.
struct Search {
    /// Of the predictions, in microseconds.
    times: HashSet<i64>,
    sought: HashMap<ReportKey, ReportContent>,
    /// What is recorded of it.
    found: HashMap<ReportKey, ReportContent>,
}

/// What sealed files hold of these reports.
async fn sealed(
    delivery: &Delivery,
    endpoint: &EndpointName,
    open: &HashSet<SegmentId>,
    reports: &[Report],
    gaps: &mut Vec<String>,
) -> Result<HashMap<ReportKey, ReportContent>, Problem> {
    let mut search = Search::of(reports);
    let mut times: Vec<i64> = search.times.iter().copied().collect();
    times.sort_unstable();
    for part in delivery.known().sealed_parts(endpoint).await? {
        let next = times.partition_point(|time| *time < part.first_time.micros());
        let has_time = times.get(next).is_some_and(|time| *time <= part.last_time.micros());
        // the segment of a part is removed after the part is a fact: until then it is in the open ones
        if !has_time || open.contains(&part.segment) {
            continue;
        }
        let look = move |file: &SealedFile, search: &mut Search| search.look(file, part.first_row);
        let (grown, gap) = look_into(delivery, (&part.project, part.digest), search, look).await?;
        search = grown;
        gaps.extend(gap.map(|gap| gap.message));
    }
    Ok(search.found)
}

impl Search {
    fn of(reports: &[Report]) -> Self {
        Self {
            times: reports.iter().map(|report| report.record.time.micros()).collect(),
            sought: reports.iter().map(|report| (report.key, report.content)).collect(),
            found: HashMap::new(),
        }
    }

    /// Finds ids by columns alone; what was said under them is read only of those that were found.
    fn look(&mut self, file: &SealedFile, first_row: u32) -> Result<(), Problem> {
        let mut rows = Vec::new();
        file.read(|chunks| {
            read_marks(chunks, |mark| {
                let id = mark.reported_id.filter(|_| self.times.contains(&mark.time.micros()));
                let Some(key) = id.map(|id| report_key(id, mark.time)) else { return };
                if let Some(content) = self.sought.get(&key) {
                    // it is there: if its row can't be read, it is not recorded a second time
                    self.found.insert(key, *content);
                    rows.push((mark.row, key));
                }
            })
        })?;
        if rows.is_empty() {
            return Ok(());
        }
        let (numbers, keys): (Vec<u32>, Vec<ReportKey>) = rows.into_iter().unzip();
        let (mut keys, mut failed) = (keys.into_iter(), None);
        file.read(|chunks| {
            OpenPart::open(chunks, first_row)?.read(&numbers, |_, record| {
                match (keys.next(), report_content(&record)) {
                    (Some(key), Ok(content)) => drop(self.found.insert(key, content)),
                    (_, Err(problem)) => failed = Some(problem),
                    // as many rows are handed on as were asked for
                    (None, _) => {}
                }
            })
        })?;
        failed.map_or(Ok(()), Err)
    }
}
