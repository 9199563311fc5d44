//! What has come of a pull so far, and telling it.

use stemma_store::Record;

use super::fetch::Fetched;
use crate::Progress;

pub(super) struct Arrivals<'a> {
    /// Bytes that were read from packs.
    pub bytes: u64,
    moved: Progress,
    progress: &'a mut (dyn FnMut(Progress) + Send),
}

impl<'a> Arrivals<'a> {
    pub fn new(progress: &'a mut (dyn FnMut(Progress) + Send)) -> Self {
        Self { bytes: 0, moved: Progress::default(), progress }
    }

    /// So many bytes more are to come.
    pub fn expect(&mut self, bytes: u64) {
        self.moved.total += bytes;
    }

    pub fn add(&mut self, fetched: &Fetched) {
        self.bytes += fetched.bytes;
        self.moved.done += fetched.records.iter().map(Record::len).sum::<u64>();
        self.moved.total = self.moved.total.max(self.moved.done);
        (self.progress)(self.moved);
    }
}
