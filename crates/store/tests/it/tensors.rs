//! Checkpoints and their later versions: what each costs, and that all of them read back.

use std::fs;

use stemma_core::Digest;
use stemma_store::{Store, StoreError};

use crate::{Fixture, files, noise, only_pack};

/// Weights like trained ones: small, of either sign, most of them near zero.
fn weights(seed: u64, count: usize) -> Vec<f32> {
    let uniform = |bytes: &[u8]| f32::from(u16::from_le_bytes(bytes.try_into().unwrap())) / 65536.0 - 0.5;
    let bytes = noise(seed, count * 8);
    bytes.chunks_exact(8).map(|eight| eight.chunks_exact(2).map(uniform).sum::<f32>() * 0.02).collect()
}

fn moved(values: &[f32], seed: u64) -> Vec<f32> {
    values.iter().zip(weights(seed, values.len())).map(|(value, step)| value * (1.0 + step / 128.0)).collect()
}

type Tensors = Vec<(String, Vec<f32>)>;

fn checkpoint(tensors: &[(String, Vec<f32>)]) -> Vec<u8> {
    let mut at = 0;
    let entries: Vec<String> = tensors
        .iter()
        .map(|(name, values)| {
            let start = at;
            at += values.len() * 4;
            format!(r#""{name}":{{"dtype":"F32","shape":[{}],"data_offsets":[{start},{at}]}}"#, values.len())
        })
        .collect();
    let header = format!("{{{}}}", entries.join(","));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend(tensors.iter().flat_map(|(_, values)| values).flat_map(|value| value.to_le_bytes()));
    bytes
}

/// Some tensors of several slices, some short ones between them: 9 MB.
fn base_tensors() -> Tensors {
    let tensor = |index: u64, kind: &str, count| {
        (format!("layers.{index}.{kind}"), weights(index * 10 + count as u64 % 7, count))
    };
    (0..4)
        .flat_map(|index| [tensor(index, "norm", 512), tensor(index, "bias", 300), tensor(index, "weight", 560_000)])
        .collect()
}

struct Versions {
    fixture: Fixture,
    last: Option<Digest>,
    contents: Vec<Vec<u8>>,
}

impl Versions {
    fn new() -> Self {
        Self { fixture: Fixture::new(), last: None, contents: Vec::new() }
    }

    /// Adds a version as one like the last; returns what it took up, as a part of its size.
    fn add(&mut self, content: Vec<u8>) -> f64 {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.safetensors");
        fs::write(&file, &content).unwrap();
        let before = self.fixture.store.usage().unwrap().bytes_on_disk;
        let mut batch = self.fixture.store.batch();
        let info = batch.put_file_like(&file, self.last, &mut |_| {}).unwrap();
        batch.commit().unwrap();
        assert_eq!(info.digest, Digest::of(&content));
        let stored = self.fixture.store.usage().unwrap().bytes_on_disk - before;
        self.last = Some(info.digest);
        let ratio = stored as f64 / content.len() as f64;
        self.contents.push(content);
        ratio
    }

    fn all_read_back(&self) {
        let store = self.fixture.reopened();
        for content in &self.contents {
            assert!(store.read(&Digest::of(content), u64::MAX).unwrap() == *content);
        }
        assert_eq!(store.verify(&mut |_, _| {}).unwrap().damaged, []);
    }
}

#[test]
fn weights_take_less_than_their_bytes() {
    let mut versions = Versions::new();
    let ratio = versions.add(checkpoint(&base_tensors()));
    assert!(ratio < 0.88, "{ratio}");
    versions.all_read_back();
}

#[test]
fn adapters_cost_themselves_though_every_offset_shifts() {
    let mut versions = Versions::new();
    let mut tensors = base_tensors();
    versions.add(checkpoint(&tensors));
    tensors.insert(1, ("layers.0.adapter".to_owned(), weights(99, 20_000)));
    let ratio = versions.add(checkpoint(&tensors));
    // 80 kB of 9 MB, the header, and the group of small tensors that the new one tore apart
    assert!(ratio < 0.012, "{ratio}");
    versions.all_read_back();
}

#[test]
fn one_tensor_that_was_trained_further_costs_its_moves() {
    let mut versions = Versions::new();
    let mut tensors = base_tensors();
    versions.add(checkpoint(&tensors));
    tensors[5].1 = moved(&tensors[5].1, 3);
    let ratio = versions.add(checkpoint(&tensors));
    assert!(ratio < 0.12, "{ratio} of a quarter that changed");
    versions.all_read_back();
}

#[test]
fn versions_whose_every_weight_moved_a_little_cost_less_than_half_again_and_again() {
    let mut versions = Versions::new();
    let mut tensors = base_tensors();
    versions.add(checkpoint(&tensors));
    let ratios: Vec<f64> = (0..4)
        .map(|round| {
            tensors.iter_mut().for_each(|(_, values)| *values = moved(values, 50 + round));
            versions.add(checkpoint(&tensors))
        })
        .collect();
    // the third depends on two others already, so the next one stands on its own
    assert!(ratios[0] < 0.45 && ratios[1] < 0.45, "{ratios:?}");
    assert!(ratios[2] > 0.8 && ratios[3] < 0.45, "{ratios:?}");
    versions.all_read_back();
}

#[test]
fn shards_cost_their_headers() {
    let mut versions = Versions::new();
    let tensors = base_tensors();
    versions.add(checkpoint(&tensors));
    for shard in tensors.chunks(3) {
        let ratio = versions.add(checkpoint(shard));
        assert!(ratio < 0.01, "{ratio}");
    }
    versions.all_read_back();
}

#[test]
fn an_upload_is_cut_like_a_file() {
    let content = checkpoint(&base_tensors());
    let mut versions = Versions::new();
    versions.add(content.clone());
    let shorter = [&content[..], b"trailing bytes"].concat();
    let before = versions.fixture.store.usage().unwrap().bytes_on_disk;
    versions.fixture.store.put_reader(shorter.as_slice()).unwrap();
    let stored = versions.fixture.store.usage().unwrap().bytes_on_disk - before;
    assert!(stored < 5_000, "{stored}");
}

#[test]
fn a_header_that_lies_is_stored_as_it_is() {
    let mut versions = Versions::new();
    let mut content = checkpoint(&base_tensors());
    let cut_short = content.len() - 1000;
    versions.add(content.clone());
    content.truncate(cut_short);
    versions.add(content.clone());
    content[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    versions.add(content);
    versions.all_read_back();
}

#[test]
fn what_depends_on_damage_is_damaged_and_is_mended_by_adding_it_again() {
    let mut versions = Versions::new();
    let mut tensors = base_tensors();
    versions.add(checkpoint(&tensors));
    let pack = only_pack(versions.fixture.store.root());
    let base_end = fs::metadata(&pack).unwrap().len() as usize;
    tensors.iter_mut().for_each(|(_, values)| *values = moved(values, 5));
    versions.add(checkpoint(&tensors));
    let good = fs::read(&pack).unwrap();
    let [before, after] = [&versions.contents[0], &versions.contents[1]].map(|content| Digest::of(content));
    for at in (base_end / 3..base_end).step_by(base_end / 7) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&pack, &bad).unwrap();
        let store = versions.fixture.reopened();
        for (digest, content) in [before, after].iter().zip(&versions.contents) {
            match store.read(digest, u64::MAX) {
                Ok(read) => assert!(read == *content, "byte {at}"),
                Err(StoreError::Corrupt { .. }) => {}
                Err(error) => panic!("byte {at}: {error}"),
            }
        }
        assert!(store.read(&before, u64::MAX).is_err(), "byte {at} belongs to the base");
        assert!(!store.verify(&mut |_, _| {}).unwrap().damaged.is_empty());
        let mut batch = store.repairing_batch();
        batch.put_bytes(&versions.contents[1]).unwrap();
        batch.commit().unwrap();
        assert!(versions.fixture.reopened().read(&after, u64::MAX).unwrap() == versions.contents[1]);
        assert!(files(store.root(), "pack").len() <= 2);
        fs::write(&pack, &good).unwrap();
    }
}

fn rows(range: std::ops::Range<u64>) -> Vec<u8> {
    range.flat_map(|row| format!("{row},{:x},{}\n", row * 0x9e37_79b9, row % 17).into_bytes()).collect()
}

#[test]
fn a_table_that_was_appended_to_or_edited_costs_what_changed() {
    let mut versions = Versions::new();
    let mut table = rows(0..200_000);
    versions.add(table.clone());
    table.extend(rows(200_000..202_000));
    let appended = versions.add(table.clone());
    assert!(appended < 0.03, "{appended}");
    let middle = table.len() / 2;
    table.splice(middle..middle, *b"a,new,row\n");
    let inserted = versions.add(table.clone());
    assert!(inserted < 0.003, "{inserted}");
    // one digit in every hundred rows: no chunk stays as it was
    let edits: Vec<usize> = (1000..table.len()).step_by(2000).collect();
    edits.into_iter().for_each(|at| table[at] = b'7');
    let edited = versions.add(table);
    assert!(edited < 0.02, "{edited}");
    versions.all_read_back();
    assert!(Store::open(versions.fixture.store.root()).is_ok());
}
