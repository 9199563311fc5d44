//! Whether a file whose content was read would look different if it had been changed since.
//!
//! A file that is changed right after it was read may get the stamp that it had, if the file system's clock has not
//! ticked in between. So what was read counts only if the stamp was old by then: by one tick of the kernel's clock on
//! file systems that are known to stamp with it, by two seconds on all others (the stamps of FAT, and those that another
//! machine makes). A stamp from the future means that a clock was set back, and says nothing.

use std::{collections::BTreeMap, path::Path};

use rustix::fs::statfs;
use stemma_store::{FileStamp, Moment, tick_ns};

/// Coarsest stamps that there are.
const COARSE_NS: i64 = 2_000_000_000;
/// Stamps that are all whole milliseconds come from a coarse file system.
const FINE_PART_NS: i64 = 1_000_000;

/// Tells of many files; asks each file system once what it is.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// By device.
    is_fine: BTreeMap<u64, bool>,
}

impl Settled {
    /// Whether a file that has this stamp still has the content that was read of it from a moment on.
    pub fn is(&mut self, path: &Path, stamp: &FileStamp, read_began: Moment) -> bool {
        is_older(stamp, read_began, COARSE_NS)
            || (is_older(stamp, read_began, tick_ns()) && has_fine_part(stamp) && self.is_fine(path, stamp.device))
    }

    fn is_fine(&mut self, path: &Path, device: u64) -> bool {
        *self.is_fine.entry(device).or_insert_with(|| {
            statfs(path).is_ok_and(|told| u32::try_from(told.f_type).is_ok_and(|kind| FINE.contains(&kind)))
        })
    }
}

/// Whether a stamp is of use at all: one from the future may come again. `now` is a precise moment.
pub(crate) fn is_past(stamp: &FileStamp, now: Moment) -> bool {
    stamp.changed_ns() <= now.ns
}

fn is_older(stamp: &FileStamp, moment: Moment, by_ns: i64) -> bool {
    stamp.changed_ns().saturating_add(by_ns) < moment.ns
}

fn has_fine_part(stamp: &FileStamp) -> bool {
    stamp.changed_ns() % FINE_PART_NS != 0
}

/// File systems (`statfs(2)`) on this machine that keep nanoseconds of the kernel's clock. Those that are not here may
/// do so too, but must not be counted on: NFS, SMB, 9P and FUSE show what another clock says.
const FINE: [u32; 9] = [
    0x0000_ef53, // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // Btrfs
    0x2fc1_2fc1, // ZFS
    0xf2f5_2010, // F2FS
    0xca45_1a4e, // bcachefs
    0x0102_1994, // tmpfs
    0x8584_58f6, // ramfs
    0x794c_7630, // overlayfs
];

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn stamp(mtime_ns: i64, ctime_ns: i64) -> FileStamp {
        FileStamp { device: 1, inode: 1, size: 1, mtime_ns, ctime_ns }
    }

    fn is_settled(is_fine: bool, stamp: FileStamp, ns: i64) -> bool {
        Settled { is_fine: BTreeMap::from([(1, is_fine)]) }.is(Path::new("/"), &stamp, Moment { ns })
    }

    #[test]
    fn on_a_fine_file_system_one_tick_is_enough() {
        let at = 100 * SECOND + 1;
        assert!(!is_settled(true, stamp(at, at), at));
        assert!(!is_settled(true, stamp(at, at), at + tick_ns()));
        assert!(is_settled(true, stamp(at, at), at + tick_ns() + 1));
    }

    #[test]
    fn a_file_system_that_is_not_known_to_be_fine_gets_two_seconds() {
        let at = 100 * SECOND + 1;
        assert!(!is_settled(false, stamp(at, at), at + 2 * SECOND));
        assert!(is_settled(false, stamp(at, at), at + 2 * SECOND + 1));
    }

    #[test]
    fn stamps_in_whole_milliseconds_get_two_seconds_wherever_they_are() {
        for at in [100 * SECOND, 100 * SECOND + 7_000_000] {
            assert!(!is_settled(true, stamp(at, at), at + 2 * SECOND));
            assert!(is_settled(true, stamp(at, at), at + 2 * SECOND + 1));
        }
    }

    #[test]
    fn the_later_of_both_stamps_counts() {
        let (old, new) = (SECOND + 1, 100 * SECOND + 1);
        for stamp in [stamp(old, new), stamp(new, old)] {
            assert!(!is_settled(true, stamp, new));
            assert!(is_settled(true, stamp, new + 2 * tick_ns()));
        }
    }

    #[test]
    fn a_stamp_from_the_future_says_nothing() {
        let at = 100 * SECOND + 1;
        for later in [at + SECOND, at + 1000 * SECOND, i64::MAX] {
            assert!(!is_settled(true, stamp(later, later), at));
            assert!(!is_past(&stamp(later, at), Moment { ns: at }));
        }
        assert!(is_past(&stamp(at, at), Moment { ns: at }));
    }
}
