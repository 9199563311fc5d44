//! A remote that was pushed to before is told from whatever lies in its place.

use object_store::path::Path;
use stemma_remote::{Absence, Standing};

use crate::{Ground, Place};

#[tokio::test]
async fn the_first_push_marks_a_remote_and_later_ones_know_it() {
    for ground in Ground::all() {
        let (ada, bob) = (Place::new(), Place::new());
        let content = ada.put(b"content", None);
        let remote = ground.remote(&ada.cache());
        let standing = async |remote: &stemma_remote::Remote| {
            let catalog = remote.catalog().await.unwrap();
            remote.standing(&catalog).await.unwrap()
        };
        assert_eq!(standing(&remote).await, Standing::First);
        remote.adopt().await.unwrap();
        assert_eq!(standing(&remote).await, Standing::Known);
        ada.push(&remote, &[content]).await.unwrap();
        assert_eq!(standing(&remote).await, Standing::Known);

        let theirs = ground.remote(&bob.cache());
        assert!(matches!(standing(&theirs).await, Standing::Met(Some(_))));
        theirs.adopt().await.unwrap();
        assert_eq!(standing(&theirs).await, Standing::Known);

        for another in Ground::all() {
            let elsewhere = another.remote(&ada.cache());
            assert_eq!(standing(&elsewhere).await, Standing::Gone(Absence::Empty));
            // looking must not forget what was known
            assert_eq!(standing(&elsewhere).await, Standing::Gone(Absence::Empty));
            another.remote(&Place::new().cache()).adopt().await.unwrap();
            assert_eq!(standing(&elsewhere).await, Standing::Gone(Absence::Another));
        }
        assert_eq!(standing(&remote).await, Standing::Known);
    }
}

#[tokio::test]
async fn a_remote_that_lost_its_packs_is_not_filled_again_unasked() {
    let Ground::Memory(store) = Ground::memory() else { unreachable!() };
    let (ground, ada) = (Ground::Memory(store.clone()), Place::new());
    let content = ada.put(b"content", None);
    let remote = ground.remote(&ada.cache());
    remote.adopt().await.unwrap();
    ada.push(&remote, &[content]).await.unwrap();
    use futures::TryStreamExt as _;
    use object_store::ObjectStore as _;
    let packs: Vec<_> = store.list(Some(&Path::from("some/prefix/packs"))).try_collect().await.unwrap();
    for pack in packs {
        object_store::ObjectStoreExt::delete(&*store, &pack.location).await.unwrap();
    }
    let catalog = remote.catalog().await.unwrap();
    assert_eq!(remote.standing(&catalog).await.unwrap(), Standing::Gone(Absence::Empty));
    remote.adopt().await.unwrap();
    ada.push(&remote, &[content]).await.unwrap();
    let catalog = remote.catalog().await.unwrap();
    assert_eq!(remote.standing(&catalog).await.unwrap(), Standing::Known);
}
