//! Verification: every leaf against its body, the tree against the head and the signed checkpoint, and the tables
//! against a replay of all events. The first event that is not what it was is named.

use std::collections::{BTreeMap, BTreeSet};

use stemma_core::{Digest, event::Event, record::RunRecord};

use crate::{
    Ledger, LedgerError,
    commit::{Leaf, commitment},
    projection,
    sql::{Database, Session, Value},
    tree::{Frontier, Hash, leaf_hash},
};

/// Leaves read at a time.
const PAGE: i64 = 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    pub events: u64,
    /// Base64 of the recomputed root.
    pub root: String,
    pub first_bad: Option<BadEvent>,
    /// One line each: what was checked and found right.
    pub checks: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadEvent {
    pub seq: u64,
    pub what: String,
}

/// What walking the leaves found.
struct Walk {
    frontier: Frontier,
    /// Root when the tree had the size of the last signed checkpoint.
    root_at_checkpoint: Option<Hash>,
    bad: Option<BadEvent>,
}

/// What was checked and found right.
struct Checks {
    passed: Vec<String>,
}

impl Checks {
    fn note(&mut self, found: Option<BadEvent>, what: String) -> Option<BadEvent> {
        if found.is_none() {
            self.passed.push(what);
        }
        found
    }
}

impl Ledger {
    /// Verifies everything, reading the database at one moment.
    pub async fn verify(&self) -> Result<VerifyReport, LedgerError> {
        let signed = self.signer().last()?;
        let mut session = self.database().read().await?;
        let replay = Database::open_memory().await?;
        let mut tables = replay.begin().await?;
        crate::migrate::create_tables(&mut tables).await?;
        let walk = walk(&mut session, &mut tables, signed.as_ref().map(|signed| signed.size())).await?;
        let mut checks = Checks { passed: vec![format!("{} leaves match their bodies", walk.frontier.size())] };
        let mut bad = walk.bad;
        if bad.is_none() {
            bad = checks
                .note(check_head(&mut session, &walk.frontier).await?, "the tree's root is the head's".to_owned());
        }
        if let (None, Some(signed)) = (&bad, &signed) {
            let size = signed.size();
            let found = match walk.root_at_checkpoint {
                Some(root) if root == *signed.root() => None,
                Some(_) => {
                    Some(BadEvent { seq: size, what: format!("history up to event {size} is not what was signed") })
                }
                None => Some(BadEvent {
                    seq: walk.frontier.size() + 1,
                    what: format!(
                        "events up to {size} were signed, but the ledger ends before: an old backup, or a cut"
                    ),
                }),
            };
            bad = checks.note(found, format!("the signed head of size {size} is a beginning of the tree"));
        }
        if bad.is_none() {
            let found = compare_tables(&mut session, &mut tables).await?;
            bad = checks.note(found, format!("{} tables equal a replay of all events", projection::TABLES.len()));
        }
        if bad.is_none() {
            let found = check_tokens(&mut session).await?;
            bad = checks.note(found, "every token's hash is the one that was issued".to_owned());
        }
        if bad.is_none() {
            let found = check_runs(&mut session).await?;
            bad = checks.note(found, "sealed runs are what was sealed".to_owned());
        }
        if bad.is_none() && signed.is_none() && walk.frontier.size() > 0 {
            let what = "no signed head is left to check against: `last.checkpoint` was removed".to_owned();
            bad = Some(BadEvent { seq: walk.frontier.size(), what });
        }
        tables.rollback().await?;
        Ok(VerifyReport {
            events: walk.frontier.size(),
            root: data_encoding::BASE64.encode(&walk.frontier.root()),
            first_bad: bad,
            checks: checks.passed,
        })
    }
}

async fn walk(session: &mut Session, tables: &mut Session, signed_size: Option<u64>) -> Result<Walk, LedgerError> {
    let mut walk = Walk { frontier: Frontier::default(), root_at_checkpoint: None, bad: None };
    if signed_size == Some(0) {
        walk.root_at_checkpoint = Some(walk.frontier.root());
    }
    loop {
        let sql = "SELECT leaf.seq AS seq, entry, hash, salt, body FROM leaf LEFT JOIN event_body ON event_body.seq = leaf.seq \
                   WHERE leaf.seq > $1 ORDER BY leaf.seq LIMIT $2";
        let rows = session.rows(sql, &[Value::Int(walk.frontier.size() as i64), Value::Int(PAGE)]).await?;
        if rows.is_empty() {
            return Ok(walk);
        }
        for row in rows {
            let expected = walk.frontier.size() + 1;
            match check_leaf(&row, expected) {
                Ok((hash, event)) => {
                    walk.frontier.append(hash);
                    if let Err(error) = projection::apply(tables, expected, &event).await {
                        walk.bad = Some(BadEvent { seq: expected, what: format!("it can't be applied: {error}") });
                        return Ok(walk);
                    }
                }
                Err(what) => {
                    walk.bad = Some(BadEvent { seq: expected, what });
                    return Ok(walk);
                }
            }
            if Some(walk.frontier.size()) == signed_size {
                walk.root_at_checkpoint = Some(walk.frontier.root());
            }
        }
    }
}

/// Checks one leaf against its place, its hash and its body.
fn check_leaf(row: &crate::sql::Row, expected: u64) -> Result<(Hash, Event), String> {
    let damaged = |error: LedgerError| error.to_string();
    let seq = row.int("seq").map_err(damaged)? as u64;
    if seq != expected {
        return Err(format!("it is missing; the next one is {seq}"));
    }
    let entry = row.text("entry").map_err(damaged)?;
    let hash = leaf_hash(entry.as_bytes());
    if row.blob("hash").map_err(damaged)? != hash {
        return Err("its leaf was altered: the hash is another".to_owned());
    }
    let leaf: Leaf = serde_json::from_str(&entry).map_err(|error| format!("its leaf can't be read: {error}"))?;
    let Ok(body) = row.text("body") else {
        return Err("its body is missing".to_owned());
    };
    let salt = row.blob("salt").map_err(damaged)?;
    if commitment(&salt, &body) != leaf.commitment {
        return Err("its body was altered: the leaf commits to another".to_owned());
    }
    let event: Event = serde_json::from_str(&body).map_err(|error| format!("its body can't be read: {error}"))?;
    if leaf.seq != seq || leaf.kind != event.kind() || leaf.subject != event.subject() {
        return Err("its leaf says something else than its body".to_owned());
    }
    Ok((hash, event))
}

async fn check_head(session: &mut Session, frontier: &Frontier) -> Result<Option<BadEvent>, LedgerError> {
    let head = session.row("SELECT size, root FROM head WHERE id = 1", &[]).await?;
    let head = head.ok_or_else(|| LedgerError::Damaged("the ledger has no head".to_owned()))?;
    let size = head.int("size")? as u64;
    if size != frontier.size() {
        let (seq, has) = (frontier.size() + 1, frontier.size());
        return Ok(Some(BadEvent { seq, what: format!("the head counts {size} events, there are {has}") }));
    }
    if head.blob("root")? != frontier.root() {
        let what = "the events hash to another root than the head's".to_owned();
        return Ok(Some(BadEvent { seq: first_bad_subtree(session).await?.unwrap_or(1), what }));
    }
    Ok(first_bad_subtree(session).await?.map(|seq| BadEvent { seq, what: "a stored tree hash was altered".to_owned() }))
}

/// The stored subtree hashes are a cache of the leaves; finds the first leaf under one that differs.
async fn first_bad_subtree(session: &mut Session) -> Result<Option<u64>, LedgerError> {
    let leaves = session.rows("SELECT hash FROM leaf ORDER BY seq", &[]).await?;
    let mut expected: BTreeMap<(u32, u64), Hash> = BTreeMap::new();
    let mut frontier = Frontier::default();
    for leaf in leaves {
        let hash =
            leaf.blob("hash")?.try_into().map_err(|_| LedgerError::Damaged("a hash is not 32 bytes".to_owned()))?;
        for subtree in frontier.append(hash) {
            expected.insert((subtree.level, subtree.index), subtree.hash);
        }
    }
    let mut found = BTreeMap::new();
    for row in session.rows("SELECT level, place, hash FROM subtree", &[]).await? {
        found.insert((row.int("level")? as u32, row.int("place")? as u64), row.blob("hash")?);
    }
    let keys: BTreeSet<_> = expected.keys().chain(found.keys()).copied().collect();
    let bad = keys.into_iter().filter(|key| expected.get(key).map(|hash| hash.to_vec()) != found.get(key).cloned());
    Ok(bad.map(|(level, place)| (place << level) + 1).min())
}

/// Compares every table with the replayed one; the event of the first row that differs is the bad one.
async fn compare_tables(live: &mut Session, replayed: &mut Session) -> Result<Option<BadEvent>, LedgerError> {
    let mut worst: Option<BadEvent> = None;
    for (table, columns) in projection::TABLES {
        let sql = format!("SELECT {columns}, from_seq, to_seq FROM {table}");
        let (have, want) = (rows_by_text(live, &sql).await?, rows_by_text(replayed, &sql).await?);
        for (text, count, seq) in differences(&have, &want) {
            let what = if count > 0 {
                format!("table `{table}` has a row that no event made: {text}")
            } else {
                format!("table `{table}` lacks a row that this event made, or it was altered: {text}")
            };
            if worst.as_ref().is_none_or(|worst| seq < worst.seq) {
                worst = Some(BadEvent { seq, what });
            }
        }
    }
    Ok(worst)
}

/// Hashes of tokens are in no leaf, but each event that issued one commits to it.
async fn check_tokens(session: &mut Session) -> Result<Option<BadEvent>, LedgerError> {
    let sql = "SELECT token.token AS token, hash_check, hash, from_seq FROM token \
               LEFT JOIN token_hash ON token_hash.token = token.token ORDER BY from_seq";
    for row in session.rows(sql, &[]).await? {
        let Ok(hash) = row.blob("hash") else {
            // a revoked token's hash may be gone; a missing one lets nobody in
            continue;
        };
        if Digest::of(&hash).to_string() != row.text("hash_check")? {
            let what = format!("the hash of token {} was exchanged", row.text("token")?);
            return Ok(Some(BadEvent { seq: row.int("from_seq")? as u64, what }));
        }
    }
    Ok(None)
}

/// Reads the runs of every seal again: each record must have its digest, and all of them the seal's.
async fn check_runs(session: &mut Session) -> Result<Option<BadEvent>, LedgerError> {
    let seals = "SELECT first_run, last_run, count, digest, from_seq FROM run_seal ORDER BY from_seq";
    for seal in session.rows(seals, &[]).await? {
        let seq = seal.int("from_seq")? as u64;
        let range = [Value::Int(seal.int("first_run")?), Value::Int(seal.int("last_run")?)];
        let runs = "SELECT run, digest, record FROM run WHERE place BETWEEN $1 AND $2 ORDER BY place";
        let runs = session.rows(runs, &range).await?;
        let mut digests = Vec::new();
        for run in &runs {
            let digest: Digest = run.parsed("digest")?;
            let record: RunRecord = run.json("record")?;
            if stemma_core::canonical::digest(&record)?.0 != digest {
                let what = format!("the record of run {} was altered", run.text("run")?);
                return Ok(Some(BadEvent { seq, what }));
            }
            digests.extend_from_slice(digest.as_bytes());
        }
        let whole = runs.len() as i64 == seal.int("count")?;
        if !whole || Digest::of(&digests).to_string() != seal.text("digest")? {
            return Ok(Some(BadEvent {
                seq,
                what: "the runs that this event sealed are not those that are here".to_owned(),
            }));
        }
    }
    Ok(None)
}

type RowCounts = BTreeMap<String, (i64, u64)>;

async fn rows_by_text(session: &mut Session, sql: &str) -> Result<RowCounts, LedgerError> {
    let mut counts = RowCounts::new();
    for row in session.rows(sql, &[]).await? {
        let seq = row.int("from_seq")?.max(0) as u64;
        counts.entry(row.canonical()).or_insert((0, seq)).0 += 1;
    }
    Ok(counts)
}

/// Rows whose number differs: (row, surplus in `have`, seq), missing ones first.
fn differences(have: &RowCounts, want: &RowCounts) -> Vec<(String, i64, u64)> {
    let texts: BTreeSet<&String> = have.keys().chain(want.keys()).collect();
    let mut found: Vec<(String, i64, u64)> = texts
        .into_iter()
        .filter_map(|text| {
            let (mine, theirs) = (have.get(text), want.get(text));
            let surplus = mine.map_or(0, |one| one.0) - theirs.map_or(0, |one| one.0);
            let seq = theirs.or(mine).map_or(0, |one| one.1);
            (surplus != 0).then(|| (text.chars().take(300).collect(), surplus, seq))
        })
        .collect();
    found.sort_by_key(|(_, surplus, _)| *surplus);
    found
}
