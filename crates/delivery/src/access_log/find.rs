//! Looking for accesses, the newest first: in the segments that are not sealed yet, and then in the sealed parts.

use stemma_api::types::{FindAccess, FoundAccess};
use stemma_core::{
    Problem,
    access_log::{Access, AccessEntry, Unwritten},
    event::AccessLogSealed,
    rights::Action,
};
use stemma_engine::problem::{internal, store_problem};
use stemma_gateway::{AccessLog, AccessesOnDisk, SealedAccess, SegmentId};

use crate::{Delivery, sealed::is_gap};

/// Sealed parts that are read for one page, each of some megabytes.
const PARTS_READ_MAX: usize = 32;
/// Sealed parts that are listed at a time.
const PARTS_LISTED: u32 = 100;
/// Longest sealed part that is read: no segment is longer.
pub const PART_BYTES_MAX: u64 = 64 << 20;

/// What was shown last, or where it goes on: the rows before one of a segment, or of a sealed part by its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Segment(SegmentId, usize),
    Part(u64, usize),
}

/// A page that fills up.
struct Page {
    ask: FindAccess,
    action: Option<Action>,
    found: FoundAccess,
}

impl Delivery {
    /// Who was refused, and who read content, models and predictions.
    pub async fn find_access(&self, ask: &FindAccess) -> Result<FoundAccess, Problem> {
        let log = self.access_log()?.clone();
        // what the disk does not take is said to be missing, and keeps nobody from reading the rest
        let _ = log.flush().await;
        let place = ask.cursor.as_deref().map(Place::read).transpose()?;
        let mut page = Page::new(ask, log.state().not_written)?;
        let parts_from = match place {
            Some(Place::Part(seq, row)) => Some((seq, row)),
            Some(Place::Segment(segment, row)) => {
                if page.take_segments(&log, Some((segment, row))).await? {
                    return Ok(page.found);
                }
                // it was sealed since: it goes on in the part that it became
                match log.segments().contains(&segment) {
                    true => None,
                    false => self.known().access_part_of(segment).await?.map(|(seq, _)| (seq, row)),
                }
            }
            None => {
                if page.take_segments(&log, None).await? {
                    return Ok(page.found);
                }
                None
            }
        };
        page.take_parts(self, parts_from).await?;
        Ok(page.found)
    }
}

impl Page {
    fn new(ask: &FindAccess, not_kept: u64) -> Result<Self, Problem> {
        let action = |text: &String| {
            Action::parse(text).ok_or_else(|| {
                let known = Action::ALL.map(|action| format!("`{}`", action.as_str())).join(", ");
                Problem::invalid(format!("there is no action `{text}`")).hint(format!("actions are {known}"))
            })
        };
        let action = ask.action.as_ref().map(action).transpose()?;
        let found = FoundAccess { items: Vec::new(), next: None, not_read: Vec::new(), not_kept };
        Ok(Self { ask: ask.clone(), action, found })
    }

    /// Goes through the segments that are not sealed, from a place on; says whether the page is full.
    async fn take_segments(&mut self, log: &AccessLog, from: Option<(SegmentId, usize)>) -> Result<bool, Problem> {
        let segments = log.segments();
        for segment in segments.into_iter().filter(|segment| from.is_none_or(|(first, _)| *segment <= first)) {
            let reader = log.clone();
            let read = tokio::task::spawn_blocking(move || reader.entries(segment)).await.map_err(internal)?;
            let AccessesOnDisk { entries, damage } = match read {
                Ok(Some(read)) => read,
                // sealed meanwhile: the part that it became comes behind
                Ok(None) => continue,
                Err(error) => {
                    self.found.not_read.push(error.to_string());
                    continue;
                }
            };
            if let Some(offset) = damage {
                self.found.not_read.push(format!("segment {segment:016x} from byte {offset} on: it is damaged"));
            }
            let before = from.filter(|(first, _)| *first == segment).map_or(usize::MAX, |(_, row)| row);
            if self.take(entries, before, |row| Place::Segment(segment, row)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Goes through sealed parts, from a place on, until the page is full or much was read for it.
    async fn take_parts(&mut self, delivery: &Delivery, from: Option<(u64, usize)>) -> Result<(), Problem> {
        let mut behind = from.map(|(seq, _)| seq.saturating_add(1));
        let mut read = 0;
        loop {
            let parts = delivery.known().access_parts(behind, self.ask.since, PARTS_LISTED).await?;
            let Some((last, _)) = parts.last() else { return Ok(()) };
            behind = Some(*last);
            for (seq, part) in parts {
                let before = from.filter(|(first, _)| *first == seq).map_or(usize::MAX, |(_, row)| row);
                if !self.may_be_in(&part) {
                    continue;
                }
                if read == PARTS_READ_MAX {
                    self.found.next = Some(Place::Part(seq, before).to_string());
                    return Ok(());
                }
                read += 1;
                match entries_of(delivery, &part).await {
                    Ok(entries) => {
                        if self.take(entries, before, |row| Place::Part(seq, row)) {
                            return Ok(());
                        }
                    }
                    Err(problem) if is_gap(&problem) => self.found.not_read.push(problem.message),
                    Err(problem) => return Err(problem),
                }
            }
        }
    }

    fn may_be_in(&self, part: &AccessLogSealed) -> bool {
        self.ask.since.is_none_or(|since| part.last >= since) && self.ask.until.is_none_or(|until| part.first <= until)
    }

    /// Takes what is wanted of entries, from behind; says whether the page is full.
    fn take(&mut self, entries: Vec<AccessEntry>, before: usize, place: impl Fn(usize) -> Place) -> bool {
        let rows = entries.into_iter().enumerate().take(before);
        for (row, entry) in rows.collect::<Vec<_>>().into_iter().rev() {
            if !self.is_wanted(&entry) {
                continue;
            }
            // whether there is another is known once it is met
            if self.found.items.len() == self.ask.limit.get() as usize {
                self.found.next = Some(place(row + 1).to_string());
                return true;
            }
            self.found.items.push(entry);
        }
        false
    }

    fn is_wanted(&self, entry: &AccessEntry) -> bool {
        let time = entry.time();
        let is_in_time =
            self.ask.since.is_none_or(|since| time >= since) && self.ask.until.is_none_or(|until| time <= until);
        is_in_time
            && match entry {
                AccessEntry::Access(access) => self.is_wanted_access(access),
                AccessEntry::Unwritten(unwritten) => self.may_be_wanted(unwritten),
            }
    }

    fn is_wanted_access(&self, access: &Access) -> bool {
        let FindAccess { who, token, from, project, thing, refused, .. } = &self.ask;
        let is = |asked: bool, holds: bool| !asked || holds;
        is(who.is_some(), who == &access.by)
            && is(token.is_some(), token == &access.token)
            && from.as_ref().is_none_or(|from| *from == access.from)
            && self.action.is_none_or(|action| action == access.action)
            && is(project.is_some(), project == &access.project)
            && thing.as_ref().is_none_or(|thing| access.thing.contains(thing.as_str()))
            && is(*refused, access.outcome.is_refused())
    }

    /// Whether what is asked for may be among it: a number says too little to be sure that it is not.
    fn may_be_wanted(&self, unwritten: &Unwritten) -> bool {
        let FindAccess { who, from, refused, .. } = &self.ask;
        let may = |known: bool, holds: bool| !known || holds;
        may(unwritten.by.is_some() && who.is_some(), who == &unwritten.by)
            && may(unwritten.from.is_some() && from.is_some(), from == &unwritten.from)
            && (!refused || unwritten.refused != Some(false))
    }
}

/// The entries of a sealed part. What can't be read any more is told as damage.
async fn entries_of(delivery: &Delivery, part: &AccessLogSealed) -> Result<Vec<AccessEntry>, Problem> {
    let (store, digest) = (delivery.known().store().clone(), part.digest);
    let read = move || -> Result<Vec<AccessEntry>, Problem> {
        let lines = store.read(&digest, PART_BYTES_MAX).map_err(store_problem)?;
        SealedAccess::entries_in(&lines).map_err(|what| unreadable(&what))
    };
    let read = tokio::task::spawn_blocking(read).await.map_err(internal)?;
    read.map_err(|problem| match problem.kind {
        stemma_core::ErrorKind::NotFound => unreadable("it is not in the store"),
        _ => problem,
    })
    .map_err(|problem| Problem {
        message: format!("the part {digest} of the access log: {}", problem.message),
        ..problem
    })
}

fn unreadable(what: &str) -> Problem {
    Problem::new(stemma_core::ErrorKind::Corrupt, what).hint("bring the content back from a backup")
}

impl Place {
    fn read(text: &str) -> Result<Self, Problem> {
        let parse = || {
            let (of, row) = text.split_once('-')?;
            let row = row.parse().ok()?;
            match of.split_at_checked(1)? {
                ("s", segment) => Some(Self::Segment(SegmentId::from_str_radix(segment, 16).ok()?, row)),
                ("p", seq) => Some(Self::Part(seq.parse().ok()?, row)),
                _ => None,
            }
        };
        parse().ok_or_else(|| {
            Problem::invalid(format!("`{text}` is no place in the access log")).hint("take `next` of the page before")
        })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Segment(segment, row) => write!(f, "s{segment:x}-{row}"),
            Self::Part(seq, row) => write!(f, "p{seq}-{row}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        for place in [Place::Segment(0x19a0_0000_0000, 3), Place::Part(7, 0), Place::Part(u64::MAX, usize::MAX)] {
            assert_eq!(Place::read(&place.to_string()).unwrap(), place);
        }
        for text in ["", "s", "s1", "p-1", "x1-2", "s1-x", "pé-1"] {
            assert!(Place::read(text).is_err(), "{text}");
        }
    }
}
