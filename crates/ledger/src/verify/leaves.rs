//! The leaves in order, each against its place, its hash and its body; what they say is replayed on the way.

use std::collections::{BTreeMap, BTreeSet};

use stemma_core::{
    Timestamp,
    audit::{Check, Fault},
    event::Event,
    id::RequestId,
};

use crate::{
    LedgerError,
    event::{Leaf, commitment},
    projection,
    sql::{Row, Session, Value},
    tree::{Frontier, Hash, leaf_hash},
    writing::CLOCK_TOLERANCE_MICROS,
};

/// Leaves read at a time.
const PAGE: i64 = 1000;
/// Leaves that may be missing in one place before the rest is given up.
const GAP_MAX: u64 = 10_000;

/// What going through the leaves gave.
#[derive(Default)]
pub struct Walk {
    pub frontier: Frontier,
    /// Roots when the tree had the sizes that were asked for.
    pub roots: BTreeMap<u64, Hash>,
    /// Hashes of all complete subtrees by level and place.
    pub subtrees: BTreeMap<(u32, u64), Hash>,
    /// Events that can't be read: what they made can't be told.
    pub unread: BTreeSet<u64>,
    /// Events that are stamped earlier than one before them, beyond what a clock is corrected by.
    pub backwards: Vec<Backwards>,
    /// The latest time so far, and whose it is.
    latest: Option<(u64, Timestamp)>,
    /// First and last event of each request, in order.
    pub requests: Vec<(RequestId, u64, u64)>,
}

/// An event whose time is before that of an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backwards {
    pub seq: u64,
    pub time: Timestamp,
    pub after: u64,
    pub latest: Timestamp,
}

impl Walk {
    fn append(&mut self, hash: Hash, sizes: &BTreeSet<u64>) {
        for subtree in self.frontier.append(hash) {
            self.subtrees.insert((subtree.level, subtree.index), subtree.hash);
        }
        self.note_root(sizes);
    }

    fn note_root(&mut self, sizes: &BTreeSet<u64>) {
        if sizes.contains(&self.frontier.size()) {
            self.roots.insert(self.frontier.size(), self.frontier.root());
        }
    }

    fn note_request(&mut self, request: RequestId, seq: u64) {
        let unread = &self.unread;
        match self.requests.last_mut() {
            Some((last, _, end)) if *last == request && (*end + 1..seq).all(|seq| unread.contains(&seq)) => *end = seq,
            _ => self.requests.push((request, seq, seq)),
        }
    }

    pub(super) fn note_time(&mut self, seq: u64, time: Timestamp) {
        match self.latest {
            Some((after, latest)) if time < latest => {
                if latest.micros().saturating_sub(time.micros()) > CLOCK_TOLERANCE_MICROS {
                    self.backwards.push(Backwards { seq, time, after, latest });
                }
            }
            _ => self.latest = Some((seq, time)),
        }
    }

    fn next_seq(&self) -> u64 {
        self.frontier.size() + 1
    }
}

/// Goes through all leaves and applies their events to the replayed tables; notes the roots at some sizes.
pub async fn check(live: &mut Session, replayed: &mut Session, sizes: BTreeSet<u64>) -> (Check, Walk) {
    let mut check = Check::new("leaves", "leaves match their hashes and bodies");
    let mut walk = Walk::default();
    walk.note_root(&sizes);
    if let Err(error) = go_through(live, replayed, &sizes, &mut walk, &mut check).await {
        check.fault(Fault::of_event(walk.next_seq(), format!("it can't be read, nor what follows: {error}")));
    }
    check.looked_at = walk.frontier.size();
    (check, walk)
}

async fn go_through(
    live: &mut Session,
    replayed: &mut Session,
    sizes: &BTreeSet<u64>,
    walk: &mut Walk,
    check: &mut Check,
) -> Result<(), LedgerError> {
    let sql = "SELECT leaf.seq AS seq, entry, hash, salt, body FROM leaf LEFT JOIN event_body ON event_body.seq = leaf.seq \
               WHERE leaf.seq > $1 ORDER BY leaf.seq LIMIT $2";
    let (mut after, mut rows_seen) = (i64::MIN, 0);
    loop {
        let rows = live.rows(sql, &[Value::Int(after), Value::Int(PAGE)]).await?;
        let Some(last) = rows.last() else { break };
        after = last.int("seq")?;
        rows_seen += rows.len() as i64;
        for row in &rows {
            let Ok(seq) = u64::try_from(row.int("seq")?) else {
                check.fault(Fault::at("table `leaf`", "there is a leaf before the first"));
                continue;
            };
            if !fill_gap(live, seq, sizes, walk, check).await? {
                return Ok(());
            }
            take(row, replayed, sizes, walk, check).await;
        }
    }
    look_beside(live, rows_seen, check).await
}

/// Names the leaves that are missing before one. Their hashes are in the tree still, if nobody took them there too.
async fn fill_gap(
    live: &mut Session,
    seq: u64,
    sizes: &BTreeSet<u64>,
    walk: &mut Walk,
    check: &mut Check,
) -> Result<bool, LedgerError> {
    if seq < walk.next_seq() || seq - walk.next_seq() > GAP_MAX {
        let what = format!("it is missing; the next one is {seq}");
        check.fault(Fault::of_event(walk.next_seq(), what));
        return Ok(false);
    }
    while walk.next_seq() < seq {
        let missing = walk.next_seq();
        check.fault(Fault::of_event(missing, format!("it is missing; the next one is {seq}")));
        walk.unread.insert(missing);
        let at = [Value::Int(missing as i64 - 1)];
        let kept = live.row("SELECT hash FROM subtree WHERE level = 0 AND place = $1", &at).await?;
        let kept = kept.and_then(|row| row.blob("hash").ok()?.try_into().ok());
        walk.append(kept.unwrap_or_default(), sizes);
    }
    Ok(true)
}

async fn take(row: &Row, replayed: &mut Session, sizes: &BTreeSet<u64>, walk: &mut Walk, check: &mut Check) {
    let seq = walk.next_seq();
    let found = check_leaf(row, seq);
    if let Some((request, time)) = found.request {
        walk.note_request(request, seq);
        walk.note_time(seq, time);
    }
    let applied = match found.event {
        Ok((leaf, event)) => match projection::apply(replayed, &leaf, &event).await {
            // it may follow from what can't be read, which is told
            Err(LedgerError::Unfollowing { .. }) if !walk.unread.is_empty() => {
                walk.unread.insert(seq);
                Ok(())
            }
            applied => applied.map_err(|error| format!("it can't be applied: {error}")),
        },
        Err(what) => Err(what),
    };
    if let Err(what) = applied {
        check.fault(Fault::of_event(seq, what));
        walk.unread.insert(seq);
    }
    walk.append(found.hash, sizes);
}

/// A leaf, as far as it can be read.
struct Found {
    /// What the tree above was made from, as far as that can be told.
    hash: Hash,
    request: Option<(RequestId, Timestamp)>,
    event: Result<(Leaf, Event), String>,
}

/// The hash and the event of a leaf (columns `entry`, `hash`, `salt` and `body`), or what is wrong with it.
pub fn read_leaf(row: &Row, seq: u64) -> Result<(Hash, Event), String> {
    let found = check_leaf(row, seq);
    found.event.map(|(_, event)| (found.hash, event))
}

/// Checks one leaf against its place, its hash and its body.
fn check_leaf(row: &Row, seq: u64) -> Found {
    let entry = match row.text("entry") {
        Ok(entry) => entry,
        Err(error) => return Found { hash: Hash::default(), request: None, event: Err(error.to_string()) },
    };
    let hash = leaf_hash(entry.as_bytes());
    if let Ok(stored) = row.blob("hash")
        && stored != hash
    {
        // the tree above was made from the one that stands there, unless that was altered too
        let hash = stored.try_into().unwrap_or(hash);
        return Found { hash, request: None, event: Err("its leaf was altered: the hash is another".to_owned()) };
    }
    let leaf: Leaf = match serde_json::from_str(&entry) {
        Ok(leaf) => leaf,
        Err(error) => return Found { hash, request: None, event: Err(format!("its leaf can't be read: {error}")) },
    };
    let request = Some((leaf.request, leaf.time));
    Found { hash, request, event: check_body(row, seq, &leaf).map(|event| (leaf, event)) }
}

fn check_body(row: &Row, seq: u64, leaf: &Leaf) -> Result<Event, String> {
    let damaged = |error: LedgerError| error.to_string();
    row.blob("hash").map_err(damaged)?;
    let Some(body) = row.optional_text("body").map_err(damaged)? else {
        return Err("its body is missing".to_owned());
    };
    if commitment(&row.blob("salt").map_err(damaged)?, &body) != leaf.commitment {
        return Err("its body was altered: the leaf commits to another".to_owned());
    }
    let event: Event = serde_json::from_str(&body).map_err(|error| format!("its body can't be read: {error}"))?;
    if leaf.seq != seq || leaf.kind != event.kind() || leaf.subject != event.subject() {
        return Err("its leaf says something else than its body".to_owned());
    }
    Ok(event)
}

/// What lies in the two tables beside the leaves in order.
async fn look_beside(live: &mut Session, seen: i64, check: &mut Check) -> Result<(), LedgerError> {
    let all = live.row("SELECT COUNT(*) AS n FROM leaf", &[]).await?.map(|row| row.int("n")).transpose()?;
    if all != Some(seen) {
        check.fault(Fault::at("table `leaf`", "there are leaves that are in no order"));
    }
    let sql = "SELECT CAST(seq AS TEXT) AS seq FROM event_body \
               WHERE NOT EXISTS (SELECT 1 FROM leaf WHERE leaf.seq = event_body.seq) LIMIT 100";
    for row in live.rows(sql, &[]).await? {
        let seq = row.optional_text("seq")?.unwrap_or_default();
        check.fault(Fault::at("table `event_body`", format!("there is a body {seq} that no leaf commits to")));
    }
    Ok(())
}
