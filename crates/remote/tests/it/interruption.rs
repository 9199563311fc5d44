//! Transfers that end in the middle.

use std::sync::Arc;

use object_store::memory::InMemory;
use stemma_remote::Remote;

use crate::{Ground, Place, faults::Mortal, fill, noise, policy};

fn mortal(store: &Arc<Mortal>, place: &Place) -> Remote {
    Remote::over(store.clone(), Some(store.clone()), "some/prefix", &place.cache(), policy())
}

#[tokio::test]
async fn a_push_that_dies_anywhere_harms_nobody_and_is_taken_up_again() {
    let here = Place::new();
    let (contents, tree) = fill(&here);
    let whole = here.push(&Ground::memory().remote(&here.cache()), &[tree]).await.unwrap();
    let mut died = 0;
    let mut saved = 0;
    for writes in 0.. {
        let memory = Arc::new(InMemory::new());
        let there = Place::new();
        if here.push(&mortal(&Mortal::writing(memory.clone(), writes), &here), &[tree]).await.is_ok() {
            break;
        }
        died += 1;
        // what others find is right, or said to be absent
        let ground = Ground::Memory(memory);
        let pulled = there.pull(&ground.remote(&there.cache()), &[tree]).await.unwrap();
        assert_eq!(pulled.absent, [tree]);
        assert!(there.is_clean());

        let again = here.push(&ground.remote(&here.cache()), &[tree]).await.unwrap();
        saved = whole.bytes - again.bytes.min(whole.bytes);
        there.pull(&ground.remote(&there.cache()), &[tree]).await.unwrap();
        for (digest, bytes) in &contents {
            assert!(there.read(digest).as_ref() == Some(bytes));
        }
    }
    assert!(died > 10, "it died only {died} times");
    assert!(saved > whole.bytes / 2, "only {saved} of {} bytes were not sent again", whole.bytes);
}

#[tokio::test]
async fn a_pull_that_dies_anywhere_leaves_only_what_is_right_and_goes_on() {
    let here = Place::new();
    // one content in several packs, so that there are several reads
    let bytes = noise(1, 2_500_000);
    let digest = here.put_tree(&[here.put(&bytes, None), here.put(b"short", None)]);
    let memory = Arc::new(InMemory::new());
    let ground = Ground::Memory(memory.clone());
    here.push(&ground.remote(&here.cache()), &[digest]).await.unwrap();
    let whole = Place::new().pull(&ground.remote(&here.cache()), &[digest]).await.unwrap();
    let mut saved = 0;
    for reads in 0.. {
        let there = Place::new();
        if there.pull(&mortal(&Mortal::reading(memory.clone(), reads), &there), &[digest]).await.is_ok() {
            assert!(reads > 5, "it took only {reads} reads");
            break;
        }
        assert!(!there.store.contains(&digest));
        assert!(there.is_clean());
        let rest = there.pull(&ground.remote(&there.cache()), &[digest]).await.unwrap();
        assert!(rest.bytes <= whole.bytes, "after {reads} reads {} of {}", rest.bytes, whole.bytes);
        saved += whole.bytes - rest.bytes;
        assert_eq!(there.store.tree(&digest).unwrap(), here.store.tree(&digest).unwrap());
        assert!(there.is_clean());
    }
    // the recipe comes first, then runs of chunks, some of which are under way whenever it dies
    assert!(saved > whole.bytes / 10, "only {saved} of {} bytes were not read again", whole.bytes);
}
