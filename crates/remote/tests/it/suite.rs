//! What every remote must do.

use stemma_core::Digest;
use stemma_remote::{Progress, PullOptions, PushPlan, Pushed, Remote, RemoteError};
use stemma_store::{StoreError, Tree, TreeEntry};

use crate::{Ground, Place, fill, noise};

/// Runs all stories on one kind of remote, each in a remote of its own.
pub async fn all(remote: &(dyn Fn(&str, &Place) -> Remote + Sync)) {
    everything_comes_back(&|place| remote("everything", place)).await;
    a_single_content_comes_with_what_it_needs(&|place| remote("single", place)).await;
    long_contents_come_in_stretches(&|place| remote("long", place)).await;
    only_what_is_new_is_sent(&|place| remote("new", place)).await;
    what_is_nowhere_is_said(&|place| remote("nowhere", place)).await;
    damage_here_is_repaired_from_there(&|place| remote("repair", place)).await;
    two_push_at_once(&|place| remote("two", place)).await;
    a_copy_has_folders_as_they_are(&|place| remote("copy", place)).await;
    keepsakes_are_listed_in_order(&|place| remote("keepsakes", place)).await;
}

type Make<'a> = &'a (dyn Fn(&Place) -> Remote + Sync);

async fn everything_comes_back(remote: Make<'_>) {
    let (here, there) = (Place::new(), Place::new());
    let (contents, tree) = fill(&here);
    let pushed = here.push(&remote(&here), &[tree]).await.unwrap();
    assert_eq!(pushed.contents, contents.len() as u64 + 1);
    assert!(pushed.packs > 1);

    let pulled = there.pull(&remote(&there), &[tree]).await.unwrap();
    assert_eq!(pulled.contents, pushed.contents);
    assert_eq!(pulled.absent, []);
    assert_eq!(there.store.tree(&tree).unwrap(), here.store.tree(&tree).unwrap());
    for (digest, bytes) in &contents {
        assert!(there.read(digest).as_ref() == Some(bytes));
    }
    assert!(there.is_clean());

    // nothing is sent or brought twice
    assert_eq!(here.push(&remote(&here), &[tree]).await.unwrap(), Pushed::default());
    assert_eq!(there.push(&remote(&there), &[tree]).await.unwrap(), Pushed::default());
    assert_eq!(there.pull(&remote(&there), &[tree]).await.unwrap().bytes, 0);
}

/// Of a folder a file was purged: others must not rely on it, and a copy is what it was made of.
async fn a_copy_has_folders_as_they_are(remote: Make<'_>) {
    let (here, there) = (Place::new(), Place::new());
    let kept = here.put(b"kept", None);
    let mut tree = Tree::default();
    for (path, digest, size) in [("a", kept, 4), ("b", Digest::of(b"purged"), 6)] {
        tree.entries.insert(path.parse().unwrap(), TreeEntry::File { digest, size, executable: false });
    }
    let folder = here.store.put_tree(&tree).unwrap();
    let contents = here.store.contents().unwrap();
    assert_eq!(contents.len(), 2);
    let client = remote(&here);
    let catalog = client.catalog().await.unwrap();
    assert!(PushPlan::new(&here.store, &catalog, &contents).is_err());
    let plan = PushPlan::of_copy(&here.store, &catalog, &contents).unwrap();
    client.push(&here.store, &catalog, plan, &mut |_| {}).await.unwrap();

    let pulled = there.pull(&remote(&there), &contents).await.unwrap();
    assert!(pulled.absent.contains(&folder) && there.store.contents().unwrap() == [kept], "{pulled:?}");
    let (client, options) = (remote(&there), PullOptions { as_they_are: true, ..PullOptions::default() });
    let catalog = client.catalog().await.unwrap();
    let pulled = client.pull(&there.store, &catalog, &contents, options, &mut |_| {}).await.unwrap();
    assert_eq!(pulled.absent, [Digest::of(b"purged")]);
    assert_eq!(there.store.contents().unwrap(), contents);
    assert_eq!(there.store.tree(&folder).unwrap(), Some(tree));
}

/// Short objects have names of their own, and come back as they were written.
async fn keepsakes_are_listed_in_order(remote: Make<'_>) {
    let (here, there) = (Place::new(), Place::new());
    for (name, text) in [("b", "second"), ("a", "first")] {
        remote(&here).keep("backups", name, text.into()).await.unwrap();
    }
    let other = remote(&there);
    let listed = other.keepsakes("backups").await.unwrap();
    let names: Vec<(&str, u64)> = listed.iter().map(|one| (one.name.as_str(), one.bytes)).collect();
    assert_eq!(names, [("a", 5), ("b", 6)]);
    assert_eq!(other.keepsake("backups", &listed[1]).await.unwrap(), "second");
    assert!(other.keepsakes("others").await.unwrap().is_empty());
}

/// The last of three versions is kept as an edit of an edit; its bases come along, their blobs do not.
async fn a_single_content_comes_with_what_it_needs(remote: Make<'_>) {
    let (here, there) = (Place::new(), Place::new());
    let (contents, _) = fill(&here);
    let (last, bytes) = contents.last().unwrap();
    here.push(&remote(&here), &[*last]).await.unwrap();
    there.pull(&remote(&there), &[*last]).await.unwrap();
    assert!(there.read(last).as_ref() == Some(bytes));
    assert_eq!(there.store.usage().unwrap().blobs, 1);
}

/// Of two versions the later one is brought, as differences to chunks that come along.
async fn long_contents_come_in_stretches(remote: Make<'_>) {
    let (here, there) = (Place::new(), Place::new());
    let mut text: Vec<u8> = noise(9, 3_000_000).iter().flat_map(|byte| format!("{byte},").into_bytes()).collect();
    let first = here.put(&text, None);
    here.push(&remote(&here), &[first]).await.unwrap();
    for at in (0..text.len()).step_by(400_000) {
        text.splice(at..at, *b"<edited>");
    }
    let second = here.put(&text, Some(first));
    here.push(&remote(&here), &[second]).await.unwrap();

    let other = remote(&there);
    let (catalog, mut moved) = (other.catalog().await.unwrap(), Progress::default());
    let mut progress = |now: Progress| {
        assert!(now.done >= moved.done && now.total >= now.done);
        moved = now;
    };
    other.pull(&there.store, &catalog, &[second], PullOptions::default(), &mut progress).await.unwrap();
    assert_eq!(moved.done, moved.total);
    assert!(there.read(&second).unwrap() == text);
    assert_eq!(there.store.usage().unwrap().blobs, 1);
    assert!(there.is_clean());
}

async fn only_what_is_new_is_sent(remote: Make<'_>) {
    let (here, there) = (Place::new(), Place::new());
    let long = noise(5, 900_000);
    let first = here.put(&long, None);
    let before = here.push(&remote(&here), &[first]).await.unwrap();
    let second = here.put(&[long.clone(), b"and a little more".to_vec()].concat(), None);
    let after = here.push(&remote(&here), &[first, second]).await.unwrap();
    assert_eq!(after.contents, 1);
    assert!(after.bytes < before.bytes / 2, "{} of {}", after.bytes, before.bytes);

    there.pull(&remote(&there), &[first]).await.unwrap();
    let pulled = there.pull(&remote(&there), &[second]).await.unwrap();
    assert!(pulled.bytes <= after.bytes);
    assert_eq!(there.read(&second).unwrap().len(), long.len() + 17);
}

async fn what_is_nowhere_is_said(remote: Make<'_>) {
    let (here, there) = (Place::new(), Place::new());
    let known = here.put(b"known", None);
    let unknown = Digest::of(b"unknown");
    let pushed = here.push(&remote(&here), &[known, unknown]).await;
    assert!(matches!(pushed, Err(RemoteError::Store(StoreError::NotFound(digest))) if digest == unknown));
    here.push(&remote(&here), &[known]).await.unwrap();
    let pulled = there.pull(&remote(&there), &[unknown, known]).await.unwrap();
    assert_eq!(pulled.absent, [unknown]);
    assert_eq!(there.read(&known).unwrap(), b"known");
}

async fn damage_here_is_repaired_from_there(remote: Make<'_>) {
    let here = Place::new();
    let bytes = noise(7, 400_000);
    let digest = here.put(&bytes, None);
    here.push(&remote(&here), &[digest]).await.unwrap();
    let pack = std::fs::read_dir(here.store.root().join("packs")).unwrap().map(|entry| entry.unwrap().path());
    let pack = pack.into_iter().find(|path| path.extension().is_some_and(|ext| ext == "pack")).unwrap();
    let mut damaged = std::fs::read(&pack).unwrap();
    damaged[5000] ^= 1;
    std::fs::write(&pack, damaged).unwrap();
    here.store.read(&digest, u64::MAX).unwrap_err();

    // damage does not travel
    let other = remote(&here);
    let catalog = other.catalog().await.unwrap();
    let options = PullOptions { repair: true, ..PullOptions::default() };
    other.pull(&here.store, &catalog, &[digest], options, &mut |_| {}).await.unwrap();
    assert!(here.read(&digest).unwrap() == bytes);
}

async fn two_push_at_once(remote: Make<'_>) {
    let (one, two, there) = (Place::new(), Place::new(), Place::new());
    let shared = noise(20, 500_000);
    let put = |place: &Place, own: u64| {
        let digests = [place.put(&shared, None), place.put(&noise(own, 400_000), None)];
        (digests, place.put_tree(&digests))
    };
    let ((first, first_tree), (second, second_tree)) = (put(&one, 21), put(&two, 22));
    let (one_remote, two_remote) = (remote(&one), remote(&two));
    let (first_wanted, second_wanted) = ([first_tree], [second_tree]);
    let (one_pushed, two_pushed) =
        tokio::join!(one.push(&one_remote, &first_wanted), two.push(&two_remote, &second_wanted));
    one_pushed.unwrap();
    two_pushed.unwrap();
    there.pull(&remote(&there), &[first_tree, second_tree]).await.unwrap();
    for (digest, place) in [(first[0], &one), (first[1], &one), (second[1], &two)] {
        assert!(there.read(&digest) == place.read(&digest));
    }
    assert!(there.is_clean());
}

#[tokio::test]
async fn folders_and_memory_do_what_every_remote_must() {
    for kind in 0..2 {
        let grounds: std::sync::Mutex<std::collections::HashMap<String, Ground>> = std::sync::Mutex::default();
        all(&|story, place| {
            let mut grounds = grounds.lock().unwrap();
            grounds.entry(story.to_owned()).or_insert_with(|| Ground::all()[kind].clone()).remote(&place.cache())
        })
        .await;
    }
}

#[tokio::test]
async fn a_plan_says_before_anything_is_sent_what_will_be() {
    let (ground, here) = (Ground::memory(), Place::new());
    let (contents, tree) = fill(&here);
    let remote = ground.remote(&here.cache());
    let catalog = remote.catalog().await.unwrap();
    let plan = PushPlan::new(&here.store, &catalog, &[tree]).unwrap();
    assert_eq!(plan.contents, contents.len() as u64 + 1);
    let (planned, mut moved) = (plan.bytes, 0);
    let pushed = remote.push(&here.store, &catalog, plan, &mut |progress| moved = progress.done).await.unwrap();
    assert!(pushed.bytes > planned && pushed.bytes < planned + planned / 20, "{} planned {planned}", pushed.bytes);
    assert!(moved >= planned);
    let catalog = remote.catalog().await.unwrap();
    assert!(PushPlan::new(&here.store, &catalog, &[tree]).unwrap().is_empty());
}
