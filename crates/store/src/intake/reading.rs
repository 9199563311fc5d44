//! Both digests of a content, computed chunk by chunk while its parts come.

use std::{sync::Arc, thread::Scope};

use stemma_core::Sha256;

use super::incoming::Incoming;
use crate::{
    codec::Base,
    error::{Result, StoreError},
    pack::Piece,
    threads::Sha256Thread,
};

/// Of shorter contents the SHA-256 is computed by the calling thread.
const WORTH_A_THREAD: u64 = 4 << 20;

/// A content that is being read by its recipe.
pub(super) struct Reading<'scope> {
    content: Arc<Incoming>,
    /// `None` for a single chunk of the same name, which has been checked.
    blake3: Option<blake3::Hasher>,
    sha256: Hashing<'scope>,
}

enum Hashing<'scope> {
    Here(Box<sha2::Sha256>),
    Beside(Sha256Thread<'scope, Base>),
}

impl<'scope> Reading<'scope> {
    pub fn start<'env>(scope: &'scope Scope<'scope, 'env>, content: Arc<Incoming>) -> Self {
        let is_its_chunk = matches!(content.chunks[..], [Piece { digest, .. }] if digest == content.digest());
        let is_long = content.recipe.content_size().is_some_and(|size| size >= WORTH_A_THREAD);
        let sha256 = match is_long {
            true => Hashing::Beside(Sha256Thread::start(scope).0),
            false => Hashing::Here(Box::default()),
        };
        Self { content, blake3: (!is_its_chunk).then(blake3::Hasher::new), sha256 }
    }

    pub fn is_of(&self, content: &Arc<Incoming>) -> bool {
        Arc::ptr_eq(&self.content, content)
    }

    pub fn update(&mut self, plain: Arc<Base>) {
        if let Some(blake3) = &mut self.blake3 {
            blake3.update(&plain.plain);
        }
        match &mut self.sha256 {
            Hashing::Here(sha256) => sha2::Digest::update(&mut **sha256, &plain.plain),
            Hashing::Beside(thread) => thread.update(&plain),
        }
    }

    /// Fails if the content is not what the recipe says.
    pub fn finish(self) -> Result<()> {
        let digest = self.content.digest();
        let is_it = self.blake3.is_none_or(|blake3| blake3.finalize().as_bytes() == digest.as_bytes());
        let sha256 = match self.sha256 {
            Hashing::Here(sha256) => Sha256::from_bytes(sha2::Digest::finalize(*sha256).into()),
            Hashing::Beside(thread) => thread.finish(),
        };
        match () {
            () if !is_it => {
                Err(StoreError::corrupt(digest, "its chunks are whole, but together they are other content"))
            }
            () if self.content.recipe.content_sha256() != Some(sha256) => {
                Err(StoreError::corrupt(digest, "its recipe gives it another SHA-256"))
            }
            () => Ok(()),
        }
    }
}
