//! A pack against a plain list of what was committed to it.

use std::{collections::HashSet, fs, path::PathBuf};

use proptest::prelude::*;
use stemma_core::{Digest, Sha256};

use super::{
    id::{PACK_HEADER_LEN, PackId},
    recipe::{Layout, Recipe},
    record::{CODEC_RAW, HEADER_LEN, Header, Kind, PackedRecord},
    salvage::{salvage, survey},
    scan::{Scan, scan},
    writer::{Adoption, PackWriter},
};

#[derive(Debug, Clone)]
enum Act {
    /// A chunk of so many bytes.
    Chunk(usize),
    Recipe,
    Commit,
    RollBack,
    /// The writer dies when this much of what it had not committed, in thousandths, is on disk; another one goes on.
    Die(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0..3000usize).prop_map(Act::Chunk),
        2 => Just(Act::Recipe),
        3 => Just(Act::Commit),
        1 => Just(Act::RollBack),
        1 => (0..=1000usize).prop_map(Act::Die),
    ];
    proptest::collection::vec(act, 1..40)
}

/// A pack, its writer, and what it must hold.
struct Modelled {
    folder: tempfile::TempDir,
    id: PackId,
    path: PathBuf,
    writer: Option<Box<PackWriter>>,
    committed: Vec<PackedRecord>,
    /// Records of the open group.
    open: Vec<PackedRecord>,
    /// Where groups end, the pack's header first.
    ends: Vec<u64>,
    made: u32,
}

impl Modelled {
    fn new() -> Self {
        let folder = tempfile::tempdir_in(crate::testing::memory()).unwrap();
        let writer = PackWriter::create(folder.path()).unwrap();
        let (id, path) = (writer.id, writer.id.pack_path(folder.path()));
        let (committed, open) = (Vec::new(), Vec::new());
        Self { folder, id, path, writer: Some(writer), committed, open, ends: vec![PACK_HEADER_LEN as u64], made: 0 }
    }

    fn writer(&mut self) -> &mut PackWriter {
        self.writer.as_mut().unwrap()
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Chunk(len) => {
                self.made += 1;
                let mut payload = vec![0; *len];
                blake3::Hasher::new().update(&self.made.to_le_bytes()).finalize_xof().fill(&mut payload);
                self.append(Kind::Chunk, Digest::of(&payload), &payload, None);
            }
            Act::Recipe => {
                self.made += 1;
                let content = self.made.to_le_bytes();
                let (name, sha256) = (Digest::of(&content), Sha256::of(&content));
                let payload = Recipe { size: 4, sha256, layout: Layout::Whole }.encode(name);
                self.append(Kind::Blob, name, &payload, Some((4, sha256)));
            }
            Act::Commit if self.open.is_empty() => {}
            Act::Commit => {
                assert_eq!(self.writer().commit().unwrap(), self.open, "what the index is told");
                self.committed.append(&mut self.open);
                let end = self.writer().len();
                self.ends.push(end);
            }
            Act::RollBack => {
                self.writer().roll_back().unwrap();
                self.open.clear();
            }
            Act::Die(thousandths) => self.die(*thousandths),
        }
    }

    fn append(&mut self, kind: Kind, name: Digest, payload: &[u8], content: Option<(u64, Sha256)>) {
        let header = Header::for_payload(kind, CODEC_RAW, name, payload.len() as u64, payload);
        let offset = self.writer().len();
        self.writer().append(&header, payload, content).unwrap();
        self.open.push(PackedRecord::new(&header, offset, content));
    }

    fn die(&mut self, thousandths: usize) {
        self.writer().flush().unwrap();
        let end = *self.ends.last().unwrap() as usize;
        let written = fs::read(&self.path).unwrap();
        // its end cuts the rest off, which a kill does not
        self.writer = None;
        let left = end + (written.len() - end) * thousandths / 1000;
        fs::write(&self.path, &written[..left]).unwrap();
        self.open.clear();
        let mut seen = Scan::default();
        match PackWriter::adopt(self.folder.path(), self.id, 0, &mut seen).unwrap() {
            Adoption::Writer(writer) => self.writer = Some(writer),
            _ => panic!("the pack is open and free"),
        }
        assert_eq!((seen.records, seen.committed_end), (self.committed.clone(), end as u64));
        assert_eq!(self.writer().len(), end as u64);
    }

    /// What is found from the end of any group on.
    fn check(&self) {
        let file = fs::File::open(&self.path).unwrap();
        let end = *self.ends.last().unwrap();
        for start in std::iter::once(0).chain(self.ends.iter().copied()) {
            let found = scan(&file, &self.path, self.id, start).unwrap();
            let behind: Vec<PackedRecord> =
                self.committed.iter().filter(|record| record.offset >= start).copied().collect();
            assert_eq!((found.records, found.committed_end), (behind, end), "from {start}");
            assert_eq!(found.rotten, [], "from {start}");
        }
        let whole = survey(&file, &self.path, self.id).unwrap();
        assert_eq!((whole.records, whole.committed_end), (self.committed.clone(), end));
        let saved = salvage(&file, &self.path, self.id, 0, end).unwrap();
        assert_eq!(saved.committed.records, self.committed);
        assert_eq!((saved.committed.damage, saved.tail.damage), (Vec::new(), Vec::new()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_committed_is_found_and_nothing_else(acts in acts()) {
        let mut pack = Modelled::new();
        for act in &acts {
            pack.act(act);
            pack.check();
        }
    }

    #[test]
    fn a_flipped_bit_costs_only_the_record_it_hit(acts in acts(), bits in proptest::collection::vec(any::<usize>(), 30)) {
        let mut pack = Modelled::new();
        acts.iter().for_each(|act| pack.act(act));
        pack.act(&Act::Commit);
        pack.writer = None;
        let good = fs::read(&pack.path).unwrap();
        for bit in bits.into_iter().map(|bit| bit % (good.len() * 8)) {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(&pack.path, &bad).unwrap();
            let file = fs::File::open(&pack.path).unwrap();
            let found = survey(&file, &pack.path, pack.id).unwrap();
            let is_hit = |record: &PackedRecord| {
                let end = record.offset + HEADER_LEN as u64 + u64::from(record.stored);
                (record.offset..end).contains(&(bit as u64 / 8))
            };
            let found: HashSet<u64> = found.records.iter().map(|record| record.offset).collect();
            for record in &pack.committed {
                prop_assert!(found.contains(&record.offset) || is_hit(record), "bit {}: {:?} is lost", bit, record);
            }
            prop_assert!(found.len() <= pack.committed.len(), "bit {}: something was invented", bit);
        }
    }
}
