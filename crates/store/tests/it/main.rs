//! Stories about a store: what goes in comes out, whatever happens in between.

mod collecting;
mod damage;
mod exchange;
mod frozen;
mod gc;
mod processes;
mod protocol;
mod round_trip;
mod tensors;
mod threats;
mod trees;

use std::{
    fs,
    path::{Path, PathBuf},
};

use stemma_store::Store;
use tempfile::TempDir;

/// A store in a folder of its own.
struct Fixture {
    folder: TempDir,
    store: Store,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        Self { folder, store }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A second look at the same folder, as another process would have it.
    fn reopened(&self) -> Store {
        Store::open(self.store.root()).unwrap()
    }
}

/// Where many small stores are made: if there is a file system in memory, their syncs shall be free.
fn memory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

/// Bytes that no codec shortens, the same for the same seed.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Lines of numbers, as in a data file.
fn table(seed: u64, len: usize) -> Vec<u8> {
    let mut text = b"age,amount\n".to_vec();
    for pair in noise(seed, len / 2).chunks_exact(3) {
        text.extend_from_slice(format!("{},{}\n", pair[0], u16::from_le_bytes([pair[1], pair[2]])).as_bytes());
    }
    text.truncate(len);
    text
}

/// The files of a store that end in `extension`, sorted.
fn files(root: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join("packs")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    paths
}

fn only_pack(root: &Path) -> PathBuf {
    let packs = files(root, "pack");
    assert_eq!(packs.len(), 1, "{packs:?}");
    packs.into_iter().next().unwrap()
}
