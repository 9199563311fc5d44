//! Whose decisions about one thing lost to another's decide anew one after the other: of many who want the same, each
//! group of commits can let in one, and all the others would read and decide for nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::OwnedMutexGuard;

use super::premise::Premise;

/// Things that somebody of this process decides on anew.
#[derive(Default)]
pub struct Turns(Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>);

/// Somebody's turn to decide on a thing, until it is dropped.
pub struct Turn {
    thing: Premise,
    _alone: OwnedMutexGuard<()>,
}

impl Turns {
    /// Waits for the turn on a thing. A turn that is held already goes on if it is the one, and ends otherwise: whoever holds
    /// one waits for no other.
    pub async fn take(&self, held: Option<Turn>, thing: Premise) -> Turn {
        if let Some(turn) = held.filter(|turn| turn.thing == thing) {
            return turn;
        }
        let alone = self.queue(&thing).lock_owned().await;
        Turn { thing, _alone: alone }
    }

    fn queue(&self, thing: &Premise) -> Arc<tokio::sync::Mutex<()>> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|_, queue| queue.strong_count() > 0);
        let name = format!("{thing:?}");
        if let Some(queue) = queues.get(&name).and_then(Weak::upgrade) {
            return queue;
        }
        let queue = Arc::default();
        queues.insert(name, Arc::downgrade(&queue));
        queue
    }
}
