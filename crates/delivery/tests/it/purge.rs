//! A purge is done, or it has not happened.

use std::{fs, path::Path, sync::Arc};

use stemma_api::types::Purge;
use stemma_core::{Digest, ErrorKind, SystemClock, id::RequestId};
use stemma_delivery::Delivery;
use stemma_engine::resolve::resolve;

use crate::world::{World, project};

fn notes(home: &Path) -> usize {
    fs::read_dir(home.join("purging")).map_or(0, Iterator::count)
}

async fn open(home: &Path) -> Delivery {
    Delivery::open(home, Arc::new(SystemClock)).await.unwrap()
}

/// Ends a world's delivery, as its process would.
async fn end(world: World) -> tempfile::TempDir {
    let World { folder, delivery, .. } = world;
    delivery.close().await;
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_that_was_cut_short_is_finished_when_the_home_is_opened() {
    let world = World::new().await;
    let digest = world.add_dataset("people", world.csv(0..2000)).await;
    let ask = || Purge { content: digest.to_string(), reason: "they asked for it".into(), force: false };
    // somebody who adds content may rely on it: the fact is there, the content too
    let lease = world.known().store().lease().unwrap();
    let in_use = world.engine().purge(&world.owner, RequestId::generate(), &project(), ask()).await.unwrap_err();
    assert_eq!(in_use.kind, ErrorKind::Unavailable, "{in_use:?}");
    let home = world.home();
    assert_eq!((world.known().store().contains(&digest), notes(&home)), (true, 1));
    let gone = resolve(world.known(), &project(), &digest.to_string()).await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::Gone, "{gone:?}");

    // while it can't be finished the home is usable, and it stays noted
    let _folder = end(world).await;
    let delivery = open(&home).await;
    assert_eq!((delivery.known().store().contains(&digest), notes(&home)), (true, 1));
    delivery.close().await;
    drop((delivery, lease));
    let delivery = open(&home).await;
    assert_eq!((delivery.known().store().contains(&digest), notes(&home)), (false, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_that_never_became_a_fact_has_not_happened() {
    let world = World::new().await;
    let digest = world.add_dataset("people", world.csv(0..200)).await;
    let home = world.home();
    fs::create_dir(home.join("purging")).unwrap();
    for noted in [digest, Digest::of(b"nothing")] {
        fs::write(home.join("purging").join(noted.hex()), "").unwrap();
    }
    let _folder = end(world).await;
    let delivery = open(&home).await;
    assert_eq!((delivery.known().store().contains(&digest), notes(&home)), (true, 0));
    assert_eq!(resolve(delivery.known(), &project(), "people@1").await.unwrap().digest, digest);
}
