//! The head and the stored subtree hashes, which are a cache of the leaves.

use std::collections::{BTreeMap, BTreeSet};

use stemma_core::audit::{Check, Fault};

use super::leaves::Walk;
use crate::{LedgerError, sql::Session};

pub async fn check(live: &mut Session, walk: &Walk) -> Result<Check, LedgerError> {
    let mut check = Check::new("tree", "stored hashes follow from the leaves, up to the head");
    check_head(live, walk, &mut check).await?;
    let mut found = BTreeMap::new();
    for row in live.rows("SELECT level, place, hash FROM subtree", &[]).await? {
        found.insert((row.int("level")?, row.int("place")?), row.blob("hash")?);
    }
    let expected: BTreeMap<(i64, i64), Vec<u8>> = walk
        .subtrees
        .iter()
        .map(|((level, place), hash)| ((i64::from(*level), *place as i64), hash.to_vec()))
        .collect();
    check.looked_at = expected.len() as u64;
    let places: BTreeSet<&(i64, i64)> = expected.keys().chain(found.keys()).collect();
    let bad: BTreeSet<(i64, i64)> =
        places.into_iter().filter(|place| expected.get(place) != found.get(place)).copied().collect();
    // what is above a bad one differs for it
    let is_lowest = |(level, place): &&(i64, i64)| {
        let below = [place.saturating_mul(2), place.saturating_mul(2).saturating_add(1)];
        !below.into_iter().any(|child| bad.contains(&(level.saturating_sub(1), child)))
    };
    let mut bad: Vec<(u64, i64)> =
        bad.iter().filter(is_lowest).map(|(level, place)| (first_leaf(*level, *place), *level)).collect();
    bad.sort_unstable();
    for (seq, level) in bad {
        check.fault(Fault::of_event(seq, format!("a stored tree hash of level {level} was altered")));
    }
    Ok(check)
}

async fn check_head(live: &mut Session, walk: &Walk, check: &mut Check) -> Result<(), LedgerError> {
    let heads = live.rows("SELECT id, size, root FROM head ORDER BY id", &[]).await?;
    let [head] = heads.as_slice() else {
        check.fault(Fault::at("table `head`", format!("there are {} heads instead of one", heads.len())));
        return Ok(());
    };
    let (size, has) = (head.int("size")?, walk.frontier.size());
    if u64::try_from(size) != Ok(has) || head.int("id")? != 1 {
        check.fault(Fault::of_event(has + 1, format!("the head counts {size} events, there are {has}")));
    } else if head.blob("root")? != walk.frontier.root() {
        let seq = walk.unread.first().copied().unwrap_or(1);
        check.fault(Fault::of_event(seq, "the events hash to another root than the head's"));
    }
    Ok(())
}

/// The event of the first leaf under a subtree.
fn first_leaf(level: i64, place: i64) -> u64 {
    let level = u32::try_from(level).unwrap_or(0).min(62);
    u64::try_from(place).unwrap_or(0).checked_shl(level).map_or(1, |leaf| leaf + 1)
}
