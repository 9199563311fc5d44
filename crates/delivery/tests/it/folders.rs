//! A folder is readable in a project with all that is in it, however little of it was looked at.

use stemma_api::types::ContentClaim;
use stemma_core::Digest;
use stemma_store::{Tree, TreeChild, TreeEntry};

use crate::world::{World, project};

/// A folder of small files, one of them with its own text.
fn folder(world: &World, text: &str) -> Digest {
    let mut tree = Tree::default();
    for number in 0..3000 {
        let text = if number == 1234 { text.to_owned() } else { format!("file {number}") };
        let info = world.known().store().put_bytes(text.as_bytes()).unwrap();
        let entry = TreeEntry::File { digest: info.digest, size: info.size, executable: false };
        tree.entries.insert(format!("d{:02}/f{number}", number % 7).parse().unwrap(), entry);
    }
    world.known().store().put_tree(&tree).unwrap()
}

async fn claim(world: &World, digest: Digest, like: Option<Digest>) {
    let claim = ContentClaim { digest, size: 0, like };
    assert!(world.engine().claim_content(&project(), &[claim]).await.unwrap().is_empty());
}

/// How much of a folder the project can't read, the folder included.
async fn unreadable(world: &World, folder: Digest) -> usize {
    let mut parts = vec![TreeChild::Node(folder)];
    let mut claims = Vec::new();
    while let Some(part) = parts.pop() {
        claims.push(ContentClaim { digest: part.digest(), size: 0, like: None });
        if let TreeChild::Node(node) = part {
            parts.extend(world.known().store().tree_children(&node).unwrap());
        }
    }
    assert!(claims.len() > 3000);
    world.engine().missing_content(&project(), &claims).await.unwrap().len()
}

#[tokio::test]
async fn a_later_state_of_a_folder_is_readable_by_what_is_new_in_it() {
    let world = World::new().await;
    let (first, second) = (folder(&world, "one"), folder(&world, "two"));
    claim(&world, first, None).await;
    assert_eq!(unreadable(&world, first).await, 0);
    assert!((2..20).contains(&unreadable(&world, second).await), "a file and the nodes above it");
    claim(&world, second, Some(first)).await;
    assert_eq!(unreadable(&world, second).await, 0);
}

#[tokio::test]
async fn an_earlier_state_that_is_of_no_help_takes_nothing_away() {
    let file = Digest::of(b"file 7");
    for nothing_known in [Some(Digest::of(b"nowhere")), Some(file), None] {
        let world = World::new().await;
        let (first, second) = (folder(&world, "one"), folder(&world, "two"));
        if nothing_known == Some(file) {
            claim(&world, file, None).await;
        }
        // without a right to the first, what both have is not readable yet
        claim(&world, second, nothing_known.or(Some(first))).await;
        assert_eq!(unreadable(&world, second).await, 0);
    }
}
