//! An addition: which records need not be written, and where the others go.

use std::{collections::HashSet, sync::Arc};

use stemma_core::{Digest, Sha256};

use crate::{
    blob::read_back,
    error::{Result, StoreError},
    holdings::Holdings,
    index::Reliance,
    marks::Lease,
    pack::{CODEC_INLINE, CODEC_RAW, Header, INLINE_MAX, Kind, Layout, PACK_MAX, PackId, PackWriter, Recipe},
};

/// Records on their way into packs.
#[must_use = "nothing that was added is kept unless it is committed"]
pub(crate) struct Addition {
    holdings: Holdings,
    /// Taken before the first look at what is stored; kept to the end.
    lease: Option<Lease>,
    writer: Option<Box<PackWriter>>,
    /// Records of the open group.
    pending: HashSet<(Kind, Digest)>,
    /// Open packs of other writers that hold something we did not write again.
    unsynced: HashSet<PackId>,
    held_content: HeldContent,
    failed: bool,
}

/// What an addition does about content that is stored already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeldContent {
    Trust,
    ReadBack,
}

impl Addition {
    pub fn new(holdings: Holdings, held_content: HeldContent) -> Self {
        Self {
            holdings,
            held_content,
            lease: None,
            writer: None,
            pending: HashSet::new(),
            unsynced: HashSet::new(),
            failed: false,
        }
    }

    pub fn holdings(&self) -> &Holdings {
        &self.holdings
    }

    /// Whether stored content counts as stored without being read.
    pub fn trusts_held_content(&self) -> bool {
        self.held_content == HeldContent::Trust
    }

    /// Comes before all other steps of adding something.
    pub fn check_usable(&mut self) -> Result<()> {
        if self.failed {
            return Err(StoreError::BatchFailed);
        }
        self.leased().map(drop)
    }

    fn leased(&mut self) -> Result<&Lease> {
        if self.lease.is_none() {
            self.lease = Some(self.holdings.lease()?);
        }
        Ok(self.lease.as_ref().expect("it was set above"))
    }

    /// Whether a record need not be written: it is stored where no collection removes it, or on its way.
    pub fn holds(&mut self, kind: Kind, digest: &Digest) -> bool {
        if self.is_pending(kind, digest) {
            return true;
        }
        if self.held_content == HeldContent::ReadBack {
            // what turns out damaged is marked so, and then not held any more
            let _ = read_back(&self.holdings, kind, digest);
        }
        // without a lease nothing that is stored can be relied on
        let Ok(marks) = self.leased().map(|lease| Arc::clone(lease.marks())) else {
            return false;
        };
        let mut reliance = Reliance { marks: &marks, pending: &self.pending, unsynced: &mut self.unsynced };
        self.holdings.index().holds((kind, *digest), &mut reliance)
    }

    /// Whether there is nothing that a collection may remove.
    pub fn goes_by_no_marks(&mut self) -> bool {
        self.leased().is_ok_and(|lease| lease.marks().packs.is_empty())
    }

    /// Whether a record is on its way already.
    pub fn is_pending(&self, kind: Kind, digest: &Digest) -> bool {
        self.pending.contains(&(kind, *digest))
    }

    /// Whether short content that is only in memory so far is to be kept in its recipe: not if it has a chunk already,
    /// which may be damaged and waiting to be written again.
    pub fn may_be_inline(&self, kind: Kind, digest: &Digest, len: usize) -> bool {
        let held = self.holdings.index().content(kind, digest);
        (1..=INLINE_MAX).contains(&len) && held.is_none_or(|held| held.is_inline())
    }

    /// Whether the recipe of short content need not be written, and what it names neither.
    pub fn holds_short(&mut self, kind: Kind, digest: &Digest) -> bool {
        let held = self.holdings.index().content(kind, digest);
        let is_inline = held.is_some_and(|held| held.is_inline());
        self.holds(kind, digest) && (is_inline || self.holds(Kind::Chunk, digest))
    }

    pub fn append(&mut self, kind: Kind, digest: Digest, codec: u8, plain: u64, payload: &[u8]) -> Result<()> {
        let header = Header::for_payload(kind, codec, digest, plain, payload);
        self.append_record(&header, payload, None)
    }

    /// Writes a recipe unless the very same one is stored. Another one for the same content may list chunks that
    /// were lost, whereas those of this one were checked one by one.
    pub fn append_recipe(&mut self, kind: Kind, digest: Digest, recipe: &Recipe) -> Result<()> {
        let payload = recipe.encode(digest);
        if self.is_pending(kind, &digest) {
            return Ok(());
        }
        if self.holds(kind, &digest) {
            let is_it = self.holdings.index().fetch(kind, &digest, |_, stored| Ok(stored == payload));
            if is_it.is_ok_and(|is_it| is_it == Some(true)) {
                return Ok(());
            }
        }
        let codec = if matches!(recipe.layout, Layout::Inline { .. }) { CODEC_INLINE } else { CODEC_RAW };
        let header = Header::for_payload(kind, codec, digest, payload.len() as u64, &payload);
        self.append_record(&header, &payload, Some((recipe.size, recipe.sha256)))
    }

    pub fn append_record(&mut self, header: &Header, payload: &[u8], content: Option<(u64, Sha256)>) -> Result<()> {
        let appended = self.try_append(header, payload, content);
        self.failed |= appended.is_err();
        appended
    }

    fn try_append(&mut self, header: &Header, payload: &[u8], content: Option<(u64, Sha256)>) -> Result<()> {
        if self.writer.is_none() {
            self.writer = Some(self.holdings.index().writer()?);
        }
        let writer = self.writer.as_mut().expect("it was set above");
        writer.append(header, payload, content)?;
        self.pending.insert((header.kind, header.digest));
        if writer.len() >= PACK_MAX {
            self.commit_group()?;
        }
        Ok(())
    }

    /// Makes all that was added count and survive.
    pub fn commit(mut self) -> Result<()> {
        if self.failed {
            return Err(StoreError::BatchFailed);
        }
        self.commit_group()
    }

    fn commit_group(&mut self) -> Result<()> {
        for id in std::mem::take(&mut self.unsynced) {
            self.holdings.index().sync_pack(id)?;
        }
        if let Some(mut writer) = self.writer.take()
            && writer.has_uncommitted()
        {
            self.holdings.index().commit(&mut writer)?;
        }
        self.pending.clear();
        Ok(())
    }
}
