//! What is known of all packs against a plain list of the records in them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use proptest::prelude::*;
use stemma_core::{Digest, Sha256};

use super::state::State;
use crate::pack::{
    CODEC_INLINE, CODEC_PLANES_DELTA, CODEC_RAW, HEADER_LEN, Injury, Kind, PackId, PackedRecord, Scan, is_delta,
};

type Name = (Kind, Digest);

const KINDS: [Kind; 4] = [Kind::Chunk, Kind::Page, Kind::Blob, Kind::Tree];
const PACKS: u8 = 4;
const NAMES: u8 = 3;

fn pack(number: u8) -> PackId {
    PackId([number + 1; 16])
}

fn has_content(kind: Kind) -> bool {
    matches!(kind, Kind::Blob | Kind::Tree)
}

#[derive(Debug, Clone)]
enum Act {
    /// A record is found in a pack.
    Find {
        pack: u8,
        name: Name,
        form: u8,
    },
    FindAgain(usize),
    /// A recipe is found that can't be read.
    FindRotten {
        pack: u8,
        name: Name,
    },
    /// All copies of a record turned out damaged when it was read.
    Damaged(Name),
    Forget(Vec<u8>),
}

fn name() -> impl Strategy<Value = Name> {
    (0..KINDS.len(), 0..NAMES).prop_map(|(kind, number)| (KINDS[kind], Digest::of(&[number])))
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        8 => (0..PACKS, name(), 0..3u8).prop_map(|(pack, name, form)| Act::Find { pack, name, form }),
        1 => any::<usize>().prop_map(Act::FindAgain),
        2 => (0..PACKS, name()).prop_map(|(pack, name)| Act::FindRotten { pack, name }),
        1 => name().prop_map(Act::Damaged),
        2 => proptest::collection::vec(0..PACKS, 1..3).prop_map(Act::Forget),
    ];
    proptest::collection::vec(act, 1..60)
}

/// The list.
#[derive(Default)]
struct Model {
    records: Vec<(PackId, PackedRecord)>,
    packs: BTreeSet<PackId>,
    rotten: BTreeMap<Name, PackId>,
    damaged: BTreeSet<Name>,
    /// What is to be asked first for a record that was damaged and written again.
    fresh: BTreeMap<Name, (PackId, u64)>,
    end: u64,
}

impl Model {
    fn find(&mut self, pack: PackId, record: PackedRecord) {
        let name = (record.kind, record.digest);
        let is_first = self.copies(name).is_empty();
        self.packs.insert(pack);
        self.rotten.remove(&name);
        if self.copies(name).contains(&(pack, record.offset)) {
            return;
        }
        self.records.push((pack, record));
        if !is_first && self.damaged.remove(&name) {
            self.fresh.insert(name, (pack, record.offset));
        }
    }

    /// Sorted by place.
    fn copies(&self, name: Name) -> Vec<(PackId, u64)> {
        let copies = self.records.iter().filter(|(_, record)| (record.kind, record.digest) == name);
        let mut copies: Vec<_> = copies.map(|(pack, record)| (*pack, record.offset)).collect();
        copies.sort_unstable();
        copies
    }

    fn record(&self, place: (PackId, u64)) -> PackedRecord {
        let found = self.records.iter().find(|(pack, record)| (*pack, record.offset) == place);
        found.unwrap().1
    }

    fn forget(&mut self, gone: &HashSet<PackId>) {
        self.records.retain(|(pack, _)| !gone.contains(pack));
        self.packs.retain(|pack| !gone.contains(pack));
        self.rotten.retain(|_, pack| !gone.contains(pack));
        self.fresh.retain(|_, (pack, _)| !gone.contains(pack));
    }
}

fn absorb(state: &mut State, pack: PackId, end: u64, record: Option<PackedRecord>, rotten: Option<Injury>) {
    let (records, rotten) = (record.into_iter().collect(), rotten.into_iter().collect());
    state.absorb(pack, Scan { records, committed_end: end, rotten });
}

fn act(state: &mut State, model: &mut Model, act: &Act) {
    match act {
        Act::Find { pack: number, name: (kind, digest), form } => {
            model.end += 100;
            let codec = match (kind, form) {
                (Kind::Chunk, 1) => CODEC_PLANES_DELTA,
                (Kind::Blob | Kind::Tree, 1) => CODEC_INLINE,
                _ => CODEC_RAW,
            };
            let content = has_content(*kind).then(|| (u64::from(digest.as_bytes()[0]), sha256(digest)));
            let stored = u32::from(*form);
            let record = PackedRecord { kind: *kind, digest: *digest, offset: model.end, stored, codec, content };
            absorb(state, pack(*number), model.end, Some(record), None);
            model.find(pack(*number), record);
        }
        Act::FindAgain(which) => {
            if !model.records.is_empty() {
                let (pack, record) = model.records[which % model.records.len()];
                absorb(state, pack, record.offset, Some(record), None);
                model.find(pack, record);
            }
        }
        Act::FindRotten { pack: number, name } => {
            let injury = Injury { offset: 0, record: Some(*name), what: "it rotted".to_owned() };
            absorb(state, pack(*number), 0, None, Some(injury));
            model.packs.insert(pack(*number));
            if has_content(name.0) && model.copies(*name).is_empty() {
                model.rotten.insert(*name, pack(*number));
            }
        }
        Act::Damaged(name) => {
            state.damaged.insert(*name);
            model.damaged.insert(*name);
        }
        Act::Forget(numbers) => {
            let gone: HashSet<PackId> = numbers.iter().map(|number| pack(*number)).collect();
            state.forget(&gone);
            model.forget(&gone);
        }
    }
}

fn sha256(digest: &Digest) -> Sha256 {
    Sha256::of(digest.as_bytes())
}

fn check(state: &State, model: &Model) {
    for kind in KINDS {
        for digest in (0..NAMES).map(|number| Digest::of(&[number])) {
            check_record(state, model, (kind, digest));
        }
    }
    for digest in (0..NAMES).map(|number| Digest::of(&[number])) {
        let is_here = !model.copies((Kind::Blob, digest)).is_empty();
        assert_eq!(state.sha256.get(&sha256(&digest)), is_here.then_some(&digest));
        let rotted = [Kind::Blob, Kind::Tree].iter().any(|kind| model.rotten.contains_key(&(*kind, digest)));
        assert_eq!(state.is_rotten(&digest), rotted);
    }
    let mut visited = Vec::new();
    state.each_copy(&mut |kind, digest, pack, offset, stored| visited.push((pack, offset, kind, *digest, stored)));
    visited.sort_unstable();
    let listed = model.records.iter().map(|(pack, it)| (*pack, it.offset, it.kind, it.digest, it.stored));
    let mut listed: Vec<_> = listed.collect();
    listed.sort_unstable();
    assert_eq!(visited, listed);
    let packs: BTreeSet<PackId> = state.packs().into_iter().map(|(id, _)| id).collect();
    assert_eq!(packs, model.packs);
    let deltas: BTreeSet<(Digest, PackId)> = state.deltas().into_iter().collect();
    let chunks = model.records.iter().filter(|(_, record)| record.kind == Kind::Chunk && is_delta(record.codec));
    assert_eq!(deltas, chunks.map(|(pack, record)| (record.digest, *pack)).collect());
}

fn check_record(state: &State, model: &Model, name: Name) {
    let (kind, digest) = name;
    let places = state.places(kind, &digest);
    let copies = model.copies(name);
    let mut found: Vec<(PackId, u64)> = places.iter().map(|place| (state.id_of(*place), place.offset)).collect();
    // what needs nothing else comes first
    let is_inline = |place: &(PackId, u64)| model.record(*place).codec == CODEC_INLINE;
    assert!(found.iter().map(is_inline).is_sorted_by(|before, after| before >= after));
    found.sort_unstable();
    assert_eq!(found, copies, "{name:?}");
    let first = state.place(kind, &digest);
    assert_eq!(first.is_some(), !copies.is_empty());
    if let Some(first) = first {
        let first = (state.id_of(first), first.offset);
        let stored = model.record(first).stored;
        assert_eq!(state.stored_len(kind, &digest), HEADER_LEN as u64 + u64::from(stored));
        if let Some(fresh) = model.fresh.get(&name) {
            assert_eq!(first, *fresh, "what was written over damage is asked first");
        }
    } else {
        assert_eq!(state.stored_len(kind, &digest), 0);
    }
    if has_content(kind) {
        let content = state.contents(kind).get(&digest);
        assert_eq!(content.map(|content| content.sha256), first.map(|_| sha256(&digest)));
    }
    let several = state.copies();
    assert_eq!(several.get(&name).map_or(0, Vec::len), if copies.len() > 1 { copies.len() } else { 0 });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_answer_is_that_of_a_list_of_all_records(acts in acts()) {
        let (mut state, mut model) = (State::default(), Model::default());
        for step in &acts {
            act(&mut state, &mut model, step);
            check(&state, &model);
        }
    }
}
