//! Bytes that changed at the remote.

use std::sync::Arc;

use bytes::Bytes;
use object_store::{ObjectStore, ObjectStoreExt as _, memory::InMemory, path::Path};
use stemma_core::Digest;
use stemma_remote::{PushPlan, Remote};

use crate::{Ground, Place, policy};

async fn objects(store: &InMemory) -> Vec<(Path, Bytes)> {
    use futures::TryStreamExt as _;
    let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
    let mut objects = Vec::new();
    for object in listed {
        let bytes = store.get(&object.location).await.unwrap().bytes().await.unwrap();
        objects.push((object.location, bytes));
    }
    objects
}

/// The same objects, of which one is another.
async fn with(objects: &[(Path, Bytes)], changed: &Path, bytes: Option<Bytes>) -> Arc<InMemory> {
    let store = InMemory::new();
    for (path, kept) in objects {
        let bytes = if path == changed { bytes.clone() } else { Some(kept.clone()) };
        if let Some(bytes) = bytes {
            store.put(path, bytes.into()).await.unwrap();
        }
    }
    Arc::new(store)
}

fn remote(store: Arc<InMemory>, place: &Place) -> Remote {
    Remote::over(store.clone(), Some(store), "some/prefix", &place.cache(), policy())
}

/// Pulls, and returns whether anything was noticed. Whatever happens, nothing wrong may be here afterwards.
async fn pull(there: &mut Place, store: Arc<InMemory>, digest: &Digest, right: &[u8]) -> bool {
    let _ = std::fs::remove_dir_all(there.cache());
    let remote = remote(store, there);
    let noticed = match there.pull(&remote, &[*digest]).await {
        Err(_) => true,
        Ok(pulled) => !pulled.absent.is_empty() || !remote.catalog().await.unwrap().unusable.is_empty(),
    };
    match there.read(digest) {
        Some(bytes) => {
            assert!(bytes == right, "wrong bytes were handed out");
            assert!(there.is_clean());
            *there = Place::new();
        }
        None => assert!(noticed, "nothing came and nothing was said"),
    }
    noticed
}

#[tokio::test]
async fn any_flipped_byte_is_noticed_and_never_gets_in() {
    let ground = Ground::memory();
    let here = Place::new();
    let right = b"some text that is kept in one chunk of a few bytes".repeat(3);
    let digest = here.put(&right, None);
    here.push(&ground.remote(&here.cache()), &[digest]).await.unwrap();
    let Ground::Memory(store) = &ground else { unreachable!() };
    let objects = objects(store).await;
    assert_eq!(objects.len(), 2);
    let mut there = Place::new();
    for (path, good) in &objects {
        let is_pack = path.as_ref().ends_with(".pack");
        // the pack's own header and the end of its group are not read: nothing depends on them here
        let unread = |at: usize| is_pack && (at < 32 || at >= good.len() - 2 * 76);
        for at in 0..good.len() {
            let mut bad = good.to_vec();
            bad[at] ^= 1 << (at % 8);
            let noticed = pull(&mut there, with(&objects, path, Some(bad.into())).await, &digest, &right).await;
            assert!(noticed || unread(at), "byte {at} of {path}");
        }
        for len in [0, 1, 31, good.len() / 2, good.len() - 1] {
            assert!(
                pull(&mut there, with(&objects, path, Some(good.slice(..len))).await, &digest, &right).await,
                "cut at {len}"
            );
        }
        assert!(pull(&mut there, with(&objects, path, None).await, &digest, &right).await, "{path} is missing");
    }
    assert!(there.is_clean());
}

#[tokio::test]
async fn what_is_damaged_there_is_sent_again_and_read_from_the_copy() {
    let ground = Ground::memory();
    let here = Place::new();
    let right = crate::noise(3, 50_000);
    let digest = here.put(&right, None);
    here.push(&ground.remote(&here.cache()), &[digest]).await.unwrap();
    let Ground::Memory(store) = &ground else { unreachable!() };
    let objects = objects(store).await;
    let (pack, bytes) = objects.iter().find(|(path, _)| path.as_ref().ends_with(".pack")).unwrap();

    // a pack that is gone or cut short counts for nothing, so the next push replaces it
    for left in [None, Some(bytes.slice(..1000))] {
        let store = with(&objects, pack, left).await;
        let remote = remote(store.clone(), &here);
        let catalog = remote.catalog().await.unwrap();
        assert_eq!(catalog.unusable.len(), 1);
        assert!(!PushPlan::new(&here.store, &catalog, &[digest]).unwrap().is_empty());
        here.push(&remote, &[digest]).await.unwrap();
        let there = Place::new();
        let other = self::remote(store, &there);
        there.pull(&other, &[digest]).await.unwrap();
        assert!(there.read(&digest).unwrap() == right);
    }

    // of a damaged record with a copy, the copy is taken
    let two = Place::new();
    two.put(&right, None);
    let empty = Arc::new(InMemory::new());
    let copy = remote(empty.clone(), &two);
    two.push(&copy, &[digest]).await.unwrap();
    let mut all = self::objects(&empty).await;
    all.extend(objects.clone());
    for (path, bytes) in all.clone().iter().filter(|(path, _)| path.as_ref().ends_with(".pack")) {
        let mut bad = bytes.to_vec();
        bad[4000] ^= 4;
        let store = with(&all, path, Some(bad.into())).await;
        let there = Place::new();
        there.pull(&remote(store, &there), &[digest]).await.unwrap();
        assert!(there.read(&digest).unwrap() == right);
    }
}
