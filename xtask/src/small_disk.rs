//! A home on a disk that can be filled: a file system in memory, seen by this process and its children only.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use rustix::{
    io::Errno,
    mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount},
    process::{getgid, getuid},
    thread::{UnshareFlags, unshare_unsafe},
};

use crate::process;

/// Written at a time; what is left of a disk in the end is less.
const BREATH: usize = 4096;

/// A folder on a small disk of its own. What it holds is put back when it is over.
pub struct SmallDisk {
    folder: PathBuf,
    /// What the folder was before.
    aside: PathBuf,
    is_mounted: bool,
}

impl SmallDisk {
    /// Moves a folder to a disk that has so many bytes free beyond what is in it.
    ///
    /// The process gets a mount namespace of its own for good, and where it has no rights a user namespace as well, for
    /// which it must have one thread only.
    pub fn under(folder: &Path, room: u64) -> Result<Self> {
        own_namespace().context("this machine lets us mount nothing: neither as root nor in a user namespace")?;
        let size = size_of(folder)? + room;
        let aside = folder.with_extension("aside");
        fs::rename(folder, &aside)?;
        fs::create_dir(folder)?;
        let mut disk = Self { folder: folder.to_owned(), aside, is_mounted: false };
        let options = std::ffi::CString::new(format!("size={size},mode=700"))?;
        mount("tmpfs", folder, "tmpfs", MountFlags::empty(), Some(options.as_c_str()))
            .context("can't mount a tmpfs")?;
        disk.is_mounted = true;
        copy_all(&disk.aside, folder)?;
        Ok(disk)
    }

    /// Takes all the room there is.
    pub fn fill(&self) -> Result<()> {
        let mut balloon = File::create(self.balloon())?;
        loop {
            match balloon.write_all(&[0; BREATH]) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error).context("the disk can't be filled"),
            }
        }
    }

    pub fn free(&self) -> Result<()> {
        fs::remove_file(self.balloon()).context("the disk can't be freed")
    }

    fn balloon(&self) -> PathBuf {
        self.folder.join("balloon")
    }

    /// Brings the folder back to the disk that it came from, as it is now.
    pub fn leave(mut self) -> Result<()> {
        fs::remove_dir_all(&self.aside)?;
        copy_all(&self.folder, &self.aside)?;
        self.put_back()
    }

    fn put_back(&mut self) -> Result<()> {
        if std::mem::take(&mut self.is_mounted) {
            unmount(&self.folder, UnmountFlags::DETACH)?;
        }
        fs::remove_dir(&self.folder)?;
        fs::rename(&self.aside, &self.folder).context("the folder can't be put back")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if self.aside.exists() {
            // the failure that brought us here is the one to tell
            let _ = self.put_back();
        }
    }
}

fn own_namespace() -> Result<()> {
    let (user, group) = (getuid(), getgid());
    // SAFETY: no file descriptor table is shared or unshared, and what other threads see stays as it is.
    let unshared = |flags| unsafe { unshare_unsafe(flags) };
    match unshared(UnshareFlags::NEWNS) {
        Err(Errno::PERM) => {
            unshared(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)?;
            fs::write("/proc/self/setgroups", "deny")?;
            fs::write("/proc/self/uid_map", format!("{0} {0} 1", user.as_raw()))?;
            fs::write("/proc/self/gid_map", format!("{0} {0} 1", group.as_raw()))?;
        }
        other => other?,
    }
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    Ok(())
}

/// Copies what is in a folder, with modes and times.
pub fn copy_all(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    let mut contents = from.as_os_str().to_owned();
    contents.push("/.");
    process::output(std::process::Command::new("cp").arg("--archive").arg(contents).arg(to)).map(drop)
}

/// Bytes of all files, each rounded up to whole pages as a disk does.
fn size_of(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += match metadata.is_dir() {
            true => size_of(&entry.path())?,
            false => metadata.len().next_multiple_of(BREATH as u64),
        };
    }
    Ok(bytes + BREATH as u64)
}
