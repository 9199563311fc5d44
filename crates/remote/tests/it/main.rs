//! Stories about remotes: what is pushed is pulled back, whatever happens in between.

mod damage;
mod faults;
mod identity;
mod interruption;
mod proxy;
mod references;
mod s3;
mod suite;

use std::{fs, path::Path, sync::Arc, time::Duration};

use object_store::{local::LocalFileSystem, memory::InMemory};
use stemma_core::Digest;
use stemma_remote::{Policy, Progress, PullOptions, Pulled, PushPlan, Pushed, Remote, RemoteError};
use stemma_store::{Store, Tree, TreeEntry};
use tempfile::TempDir;

/// A store in a folder of its own, with room for a remote's indexes beside it.
struct Place {
    folder: TempDir,
    store: Store,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        Self { folder, store }
    }

    fn cache(&self) -> std::path::PathBuf {
        self.folder.path().join("cache")
    }

    fn put(&self, content: &[u8], like: Option<Digest>) -> Digest {
        let path = self.folder.path().join("content");
        fs::write(&path, content).unwrap();
        let mut batch = self.store.batch();
        let info = batch.put_file_like(&path, like, &mut |_| {}).unwrap();
        batch.commit().unwrap();
        info.digest
    }

    fn put_tree(&self, files: &[Digest]) -> Digest {
        let mut tree = Tree::default();
        for (number, digest) in files.iter().enumerate() {
            let size = self.store.info(digest).unwrap().unwrap().size;
            let entry = TreeEntry::File { digest: *digest, size, executable: number == 0 };
            tree.entries.insert(format!("d{}/{number}", number % 3).parse().unwrap(), entry);
        }
        self.store.put_tree(&tree).unwrap()
    }

    fn read(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.store.contains(digest).then(|| self.store.read(digest, u64::MAX).unwrap())
    }

    /// Whether all that is here is what it was when it was put.
    fn is_clean(&self) -> bool {
        let store = Store::open(self.store.root()).unwrap();
        store.verify(&mut |_, _| {}).unwrap().damaged.is_empty()
    }

    async fn push(&self, remote: &Remote, contents: &[Digest]) -> Result<Pushed, RemoteError> {
        let catalog = remote.catalog().await?;
        let plan = PushPlan::new(&self.store, &catalog, contents)?;
        let mut last = Progress::default();
        remote.push(&self.store, &catalog, plan, &mut |progress| last = progress).await
    }

    async fn pull(&self, remote: &Remote, contents: &[Digest]) -> Result<Pulled, RemoteError> {
        let catalog = remote.catalog().await?;
        remote.pull(&self.store, &catalog, contents, PullOptions::default(), &mut |_| {}).await
    }
}

/// Attempts without pauses, in packs and parts so short that there are many.
fn policy() -> Policy {
    Policy {
        first_pause: Duration::from_micros(10),
        longest_pause: Duration::from_micros(20),
        pack_len: 300 << 10,
        part_len: 100 << 10,
        concurrency: 3,
        ..Policy::default()
    }
}

/// Where a remote lies in the tests.
#[derive(Clone)]
enum Ground {
    Folder(Arc<TempDir>),
    Memory(Arc<InMemory>),
}

impl Ground {
    fn all() -> [Self; 2] {
        [Self::Folder(Arc::new(tempfile::tempdir().unwrap())), Self::memory()]
    }

    fn memory() -> Self {
        Self::Memory(Arc::new(InMemory::new()))
    }

    /// A client as another person would have it.
    fn remote(&self, cache: &Path) -> Remote {
        match self {
            Self::Folder(folder) => {
                let store = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
                Remote::over(Arc::new(store), None, "", cache, policy())
            }
            Self::Memory(store) => Remote::over(store.clone(), Some(store.clone()), "some/prefix", cache, policy()),
        }
    }
}

/// Bytes that no codec shortens, the same for the same seed.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Contents of every kind: long, short, none, text and its edit, and a tree of them; each with its bytes.
fn fill(place: &Place) -> (Vec<(Digest, Vec<u8>)>, Digest) {
    let text: Vec<u8> = noise(9, 60_000).iter().flat_map(|byte| format!("{byte},").into_bytes()).collect();
    let mut edited = text.clone();
    edited.splice(100_000..100_003, *b"one more");
    let mut again = edited.clone();
    again.splice(20_000..20_003, *b"yet another");
    let plain = [noise(1, 1 << 20), b"short".to_vec(), Vec::new(), noise(2, 5000), text];
    let mut contents: Vec<(Digest, Vec<u8>)> =
        plain.into_iter().map(|bytes| (place.put(&bytes, None), bytes)).collect();
    for bytes in [edited, again] {
        let before = contents.last().unwrap().0;
        contents.push((place.put(&bytes, Some(before)), bytes));
    }
    let files: Vec<Digest> = contents.iter().map(|(digest, _)| *digest).collect();
    (contents, place.put_tree(&files))
}
