//! Memory for what comes from a remote, used again and again: on many machines the first touch of a page costs more than to
//! fill it, and what one thread frees another does not get.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Buffers that are kept while nobody uses them.
const KEPT_MAX: usize = 8;
/// Longer ones are not kept.
const KEPT_BYTES_MAX: usize = 8 << 20;

/// Clones share what is kept.
#[derive(Clone, Default)]
pub(crate) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// A buffer of any length; what it holds is anything.
    pub fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Hands bytes out; when the last of their holders is done, their memory comes back.
    pub fn lend(&self, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { bytes, home: self.clone() })
    }
}

struct Lent {
    bytes: Vec<u8>,
    home: Buffers,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut kept = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_MAX && self.bytes.capacity() <= KEPT_BYTES_MAX {
            kept.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_when_the_last_holder_is_done() {
        let buffers = Buffers::default();
        let whole = buffers.lend(vec![7; 1000]);
        let part = whole.slice(10..20);
        drop(whole);
        assert_eq!(buffers.take().capacity(), 0, "somebody still holds a part");
        assert_eq!(part, [7; 10][..]);
        drop(part);
        assert_eq!(buffers.take().capacity(), 1000);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let buffers = Buffers::default();
        drop(buffers.lend(vec![0; KEPT_BYTES_MAX + 1]));
        assert_eq!(buffers.take().capacity(), 0);
        let lent: Vec<Bytes> = (0..2 * KEPT_MAX).map(|_| buffers.lend(vec![0; 10])).collect();
        drop(lent);
        assert_eq!((0..2 * KEPT_MAX).filter(|_| buffers.take().capacity() == 10).count(), KEPT_MAX);
    }
}
