//! References that several people move.

use stemma_core::{Digest, Timestamp};
use stemma_remote::RemoteError;

use crate::{Ground, Place};

const AT: Timestamp = Timestamp(1_700_000_000_000_000);

#[tokio::test]
async fn of_two_who_move_a_reference_at_once_one_wins_and_the_other_is_told_by_whom() {
    for ground in Ground::all() {
        let place = Place::new();
        let remote = ground.remote(&place.cache());
        assert_eq!(remote.reference("main").await.unwrap(), None);
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let first = remote.advance("main", None, a, "ada", AT).await.unwrap();
        assert_eq!(remote.reference("main").await.unwrap().as_ref(), Some(&first));

        let (ada, bob) = tokio::join!(
            remote.advance("main", Some(&first), b, "ada", AT),
            remote.advance("main", Some(&first), a, "bob", AT)
        );
        let (winner, loser) = if ada.is_ok() { (ada, bob) } else { (bob, ada) };
        let winner = winner.unwrap();
        let Err(RemoteError::Moved { by, .. }) = loser else { panic!("both won") };
        assert_eq!(by, winner.by);
        assert_eq!(remote.reference("main").await.unwrap(), Some(winner.clone()));
        let next = remote.advance("main", Some(&winner), b, "carl", AT).await.unwrap();
        assert_eq!((next.number, next.by.as_str()), (3, "carl"));
        assert_eq!(remote.reference("other").await.unwrap(), None);
    }
}

#[tokio::test]
async fn who_is_far_behind_does_not_win_either() {
    let (ground, place) = (Ground::memory(), Place::new());
    let remote = ground.remote(&place.cache());
    let mut last = remote.advance("main", None, Digest::of(b"0"), "ada", AT).await.unwrap();
    let old = last.clone();
    for number in 1..5u8 {
        last = remote.advance("main", Some(&last), Digest::of(&[number]), "ada", AT).await.unwrap();
    }
    for from in [None, Some(&old)] {
        let moved = remote.advance("main", from, Digest::of(b"x"), "bob", AT).await;
        assert!(matches!(moved, Err(RemoteError::Moved { by, .. }) if by == "ada"));
    }
}
