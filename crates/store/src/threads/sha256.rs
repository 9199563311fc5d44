//! The second name of a blob, computed beside everything else.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, channel, sync_channel},
    },
    thread::{Scope, ScopedJoinHandle},
};

use sha2::Digest as _;
use stemma_core::Sha256;

/// Blocks that may wait for the thread.
const BLOCKS_AHEAD: usize = 4;

pub(crate) struct Sha256Thread<'scope, B> {
    blocks: SyncSender<Arc<B>>,
    thread: ScopedJoinHandle<'scope, Sha256>,
}

impl<'scope, B: AsRef<[u8]> + Send + Sync + 'scope> Sha256Thread<'scope, B> {
    /// The receiver gives back the blocks that the thread is done with, for those who want to use their memory again.
    pub fn start<'env>(scope: &'scope Scope<'scope, 'env>) -> (Self, Receiver<Arc<B>>) {
        let (blocks, received) = sync_channel::<Arc<B>>(BLOCKS_AHEAD);
        let (done, used) = channel();
        let thread = scope.spawn(move || {
            let mut hasher = sha2::Sha256::new();
            for block in received {
                hasher.update((*block).as_ref());
                // nobody takes the last ones
                let _ = done.send(block);
            }
            Sha256::from_bytes(hasher.finalize().into())
        });
        (Self { blocks, thread }, used)
    }

    pub fn update(&self, block: &Arc<B>) {
        self.blocks.send(Arc::clone(block)).expect("the thread receives until the sender is dropped");
    }

    pub fn finish(self) -> Sha256 {
        drop(self.blocks);
        self.thread.join().expect("hashing does not panic")
    }
}
