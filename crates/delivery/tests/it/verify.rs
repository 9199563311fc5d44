//! Content that rots on disk is noticed in the background, and said by the names of the versions that need it.

use std::fs;

use stemma_api::types::ContentClaim;
use stemma_store::Batch;

use crate::world::{World, project};

/// Flips a bit of a text where it lies in a pack.
fn damage(world: &World, text: &[u8]) {
    for file in fs::read_dir(world.known().store().root().join("packs")).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(text.len()).position(|window| window == text) {
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            return;
        }
    }
    panic!("the text is in no pack as it is");
}

#[tokio::test]
async fn damage_is_found_in_the_background_and_forgotten_once_it_is_repaired() {
    let world = World::new().await;
    let text = "age,risk\n30,good\n41,bad\n";
    let digest = world.add_dataset("rows", text.to_owned()).await;
    world.add_dataset("others", "age,risk\n1,good\n".to_owned()).await;
    assert!(world.engine().verify_some(1 << 20).await.unwrap() > 0);
    let health = world.engine().content_health();
    assert!(health.damaged.is_empty(), "{health:#?}");
    assert!(health.records > 0 && health.last_checked.is_some());

    damage(&world, b"30,good");
    for _ in 0..2 {
        world.engine().verify_some(1 << 20).await.unwrap();
    }
    let found = world.engine().content_health().damaged;
    let named: Vec<_> = found.iter().filter(|one| one.digest == Some(digest)).collect();
    assert_eq!(named.len(), 1, "said once: {found:#?}");
    assert_eq!(named[0].versions.len(), 1);
    assert_eq!(named[0].versions[0].version, "rows@1");
    assert!(found.iter().any(|one| one.pack.is_some()), "{found:#?}");

    let mut batch: Batch = world.known().store().repairing_batch();
    batch.put_bytes(text.as_bytes()).unwrap();
    batch.commit().unwrap();
    let report = world.known().store().verify(&mut |_, _| {}).unwrap();
    world.known().store().repair(&report.damaged, &mut |_| Ok(None)).unwrap();
    for _ in 0..1000 {
        if world.engine().content_health().damaged.is_empty() {
            return;
        }
        world.engine().verify_some(1 << 20).await.unwrap();
    }
    panic!("{:#?}", world.engine().content_health());
}

#[tokio::test]
async fn versions_are_named_by_what_they_need() {
    let world = World::new().await;
    let one = world.add_dataset("rows", "a\n1\n".to_owned()).await;
    world.add_dataset("copy", "a\n1\n".to_owned()).await;
    let unnamed = world.upload("b\n").await.digest;
    let list = [one, unnamed].map(|digest| ContentClaim { digest, size: 0, like: None });
    let found = world.known().content_versions(&project(), &list).await.unwrap().contents;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].digest, found[0].versions.as_slice()), (one, &["copy@1".to_owned(), "rows@1".to_owned()][..]));
    let other = "other".parse().unwrap();
    assert!(world.known().content_versions(&other, &list).await.unwrap().contents.is_empty());
}
