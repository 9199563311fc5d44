//! One traced thread, seen from outside: resuming it, its memory, its descriptors, its paths.

use std::{
    ffi::OsString,
    fs::Metadata,
    io, mem,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::ffi::OsStringExt,
    },
    path::{Component, Path, PathBuf},
    ptr,
};

const PATH_BYTES_MAX: usize = 4096;
const PAGE_BYTES: usize = 4096;
/// Of one part of a message's control data.
const CONTROL_HEAD_BYTES: usize = 16;
/// Names that mean something else for each process, and what they stand for below `/proc/<pid>`.
const OWN_PLACES: [(&str, &str); 5] =
    [("/proc/self", ""), ("/dev/fd", "fd"), ("/dev/stdin", "fd/0"), ("/dev/stdout", "fd/1"), ("/dev/stderr", "fd/2")];

/// A traced thread's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Tracee(pub i32);

/// How a stopped tracee goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resume {
    /// To the next event.
    Freely,
    /// To the end of the system call it is in.
    ToSyscallExit,
    /// It stays stopped, as job control wants it, but reports when that changes.
    Listen,
}

/// `PTRACE_GET_SYSCALL_INFO`'s answer; the C libraries don't all declare it.
#[repr(C)]
#[derive(Clone, Copy)]
struct SyscallInfo {
    op: u8,
    _padding: [u8; 3],
    _arch: u32,
    _instruction_pointer: u64,
    _stack_pointer: u64,
    data: [u64; 8],
}

const GET_SYSCALL_INFO: u32 = 0x420e;
const OP_EXIT: u8 = 2;
const OP_SECCOMP: u8 = 3;

/// A system call that is about to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Syscall {
    pub number: libc::c_long,
    pub arguments: [u64; 6],
}

pub(super) fn seize(pid: i32) -> io::Result<()> {
    let options = libc::PTRACE_O_TRACESECCOMP
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_TRACEEXEC
        | libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_EXITKILL;
    // SAFETY: the options are a number passed as the data argument; no memory is touched.
    let result = unsafe { libc::ptrace(libc::PTRACE_SEIZE as _, pid, ptr::null_mut::<u8>(), options as usize) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

impl Tracee {
    /// Lets it go on, with a signal to be delivered or 0. A tracee that was killed meanwhile is reported by the wait.
    pub fn resume(self, how: Resume, signal: i32) {
        let request = match how {
            Resume::Freely => libc::PTRACE_CONT,
            Resume::ToSyscallExit => libc::PTRACE_SYSCALL,
            Resume::Listen => libc::PTRACE_LISTEN,
        };
        // SAFETY: the signal is a number passed as the data argument; no memory is touched.
        unsafe { libc::ptrace(request as _, self.0, ptr::null_mut::<u8>(), signal as usize) };
    }

    fn syscall_info(self) -> Option<SyscallInfo> {
        // SAFETY: plain data, and the kernel writes at most the size that is passed as the address argument.
        unsafe {
            let mut info: SyscallInfo = mem::zeroed();
            let size = mem::size_of::<SyscallInfo>();
            let written = libc::ptrace(GET_SYSCALL_INFO as _, self.0, size, &raw mut info);
            (written > 0).then_some(info)
        }
    }

    /// The call it has stopped before, at a seccomp stop.
    pub fn syscall(self) -> Option<Syscall> {
        let info = self.syscall_info().filter(|info| info.op == OP_SECCOMP)?;
        let [number, arguments @ .., _] = info.data;
        Some(Syscall { number: number as libc::c_long, arguments })
    }

    /// What the call returned, at a syscall-exit stop; `None` for a failure.
    pub fn returned(self) -> Option<i64> {
        let info = self.syscall_info().filter(|info| info.op == OP_EXIT)?;
        let is_error = info.data[1].to_ne_bytes()[0] != 0;
        (!is_error).then_some(info.data[0] as i64)
    }

    /// The thread that existed before an exec, or the new process after a fork.
    pub fn event_message(self) -> Option<i32> {
        let mut message: libc::c_ulong = 0;
        // SAFETY: the kernel writes one unsigned long.
        let result =
            unsafe { libc::ptrace(libc::PTRACE_GETEVENTMSG as _, self.0, ptr::null_mut::<u8>(), &raw mut message) };
        (result == 0).then_some(message as i32)
    }

    /// Reads up to `buffer.len()` bytes; how many were readable.
    fn read(self, address: u64, buffer: &mut [u8]) -> usize {
        let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: buffer.len() };
        // SAFETY: the local vector describes `buffer`; the remote address is checked by the kernel.
        let read = unsafe { libc::process_vm_readv(self.0, &raw const local, 1, &raw const remote, 1, 0) };
        usize::try_from(read).unwrap_or(0)
    }

    pub fn word(self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        (self.read(address, &mut bytes) == bytes.len()).then(|| u64::from_ne_bytes(bytes))
    }

    /// Reads a NUL-terminated path.
    ///
    /// Page by page: the one behind the string may not be mapped.
    pub fn path(self, address: u64) -> Option<PathBuf> {
        let mut path = Vec::new();
        let mut chunk = [0; PAGE_BYTES];
        while path.len() < PATH_BYTES_MAX {
            let at = address.checked_add(path.len() as u64)?;
            let to_page_end = PAGE_BYTES - (at as usize % PAGE_BYTES);
            let read = self.read(at, &mut chunk[..to_page_end]);
            let bytes = &chunk[..read];
            if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
                path.extend_from_slice(&bytes[..end]);
                return Some(PathBuf::from(OsString::from_vec(path)));
            }
            if read < to_page_end {
                return None;
            }
            path.extend_from_slice(bytes);
        }
        None
    }

    /// Reads an internet address; `None` for other families.
    pub fn socket_address(self, address: u64, length: u64) -> Option<SocketAddr> {
        let mut bytes = [0; mem::size_of::<libc::sockaddr_in6>()];
        let wanted = bytes.len().min(usize::try_from(length).ok()?);
        let read = self.read(address, &mut bytes[..wanted]);
        let family = i32::from(u16::from_ne_bytes([bytes[0], bytes[1]]));
        let port = u16::from_be_bytes([bytes[2], bytes[3]]);
        match family {
            libc::AF_INET if read >= 8 => {
                let octets: [u8; 4] = bytes[4..8].try_into().ok()?;
                Some((Ipv4Addr::from(octets), port).into())
            }
            libc::AF_INET6 if read >= 24 => {
                let octets: [u8; 16] = bytes[8..24].try_into().ok()?;
                Some((Ipv6Addr::from(octets).to_canonical(), port).into())
            }
            _ => None,
        }
    }

    /// Whether a descriptor is a socket that sends single messages, so that to connect it sends nothing.
    pub fn is_datagram_socket(self, descriptor: u64) -> bool {
        let mut kind = 0i32;
        let mut length = mem::size_of::<i32>() as libc::socklen_t;
        // SAFETY: the descriptors that the kernel returns are ours and closed by their owners; `kind` has room for what
        // is written.
        unsafe {
            let Ok(process) = owned(libc::syscall(libc::SYS_pidfd_open, self.process(), 0u32)) else {
                return false;
            };
            let Ok(socket) = owned(libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), descriptor, 0u32)) else {
                return false;
            };
            let (level, name) = (libc::SOL_SOCKET, libc::SO_TYPE);
            let asked = libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut kind).cast(), &raw mut length);
            asked == 0 && kind == libc::SOCK_DGRAM
        }
    }

    /// The process that a thread belongs to.
    pub fn process(self) -> i32 {
        let status = std::fs::read_to_string(self.proc_path("status")).unwrap_or_default();
        let group = status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok());
        group.unwrap_or(self.0)
    }

    fn proc_path(self, rest: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{rest}", self.0))
    }

    /// Where a descriptor leads, without symbolic links.
    pub fn descriptor(self, descriptor: i64) -> Option<PathBuf> {
        std::fs::read_link(self.proc_path(&format!("fd/{descriptor}"))).ok()
    }

    pub fn descriptor_metadata(self, descriptor: i64) -> Option<Metadata> {
        std::fs::metadata(self.proc_path(&format!("fd/{descriptor}"))).ok()
    }

    /// The access mode of an open descriptor, as `open` takes it.
    pub fn descriptor_flags(self, descriptor: i64) -> Option<i32> {
        let text = std::fs::read_to_string(self.proc_path(&format!("fdinfo/{descriptor}"))).ok()?;
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:"))?;
        i32::from_str_radix(flags.trim(), 8).ok()
    }

    /// The descriptors that a received message brought along, at most those of one page.
    pub fn received_descriptors(self, message: u64) -> Vec<i64> {
        let mut control = vec![0; self.control(message).1.min(PAGE_BYTES)];
        let read = self.read(self.control(message).0, &mut control);
        let mut rest = &control[..read];
        let mut descriptors = Vec::new();
        // each part: length with head (8 bytes), level (4), type (4), then what it brings
        while let Some((head, _)) = rest.split_at_checked(CONTROL_HEAD_BYTES) {
            let length = u64::from_ne_bytes(head[..8].try_into().expect("eight bytes")) as usize;
            let number = |at: usize| i32::from_ne_bytes(head[at..at + 4].try_into().expect("four bytes"));
            let Some(body) = rest.get(CONTROL_HEAD_BYTES..length) else {
                break;
            };
            if (number(8), number(12)) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                let (numbers, _) = body.as_chunks::<4>();
                descriptors.extend(numbers.iter().map(|bytes| i64::from(i32::from_ne_bytes(*bytes))));
            }
            rest = rest.get(length.next_multiple_of(8)..).unwrap_or_default();
        }
        descriptors
    }

    /// Whether a message has room for descriptors.
    pub fn may_receive_descriptors(self, message: u64) -> bool {
        self.control(message).1 > CONTROL_HEAD_BYTES
    }

    /// Where a `msghdr` has its control part, and how long that is.
    fn control(self, message: u64) -> (u64, usize) {
        const ADDRESS_OFFSET: u64 = 32;
        let word = |offset: u64| self.word(message.wrapping_add(offset)).unwrap_or(0);
        (word(ADDRESS_OFFSET), word(ADDRESS_OFFSET + 8) as usize)
    }

    pub fn arguments(self) -> Vec<OsString> {
        let text = std::fs::read(self.proc_path("cmdline")).unwrap_or_default();
        let words = text.strip_suffix(&[0]).unwrap_or(&text).split(|byte| *byte == 0);
        words.map(|word| OsString::from_vec(word.to_vec())).collect()
    }

    /// Does a path mean another file to it than to us?
    pub fn sees_other_files(self) -> bool {
        let differs = |rest: &str| {
            let own = std::fs::read_link(Path::new("/proc/self").join(rest)).ok();
            let its = std::fs::read_link(self.proc_path(rest)).ok();
            its.is_some() && its != own
        };
        differs("ns/mnt") || differs("root")
    }

    pub fn executable(self) -> Option<PathBuf> {
        std::fs::read_link(self.proc_path("exe")).ok()
    }

    /// Is it a program whose system calls the filter doesn't know?
    pub fn is_foreign(self) -> bool {
        const CLASS_OFFSET: usize = 4;
        const CLASS_64_BIT: u8 = 2;
        let mut head = [0; CLASS_OFFSET + 1];
        let read =
            std::fs::File::open(self.proc_path("exe")).and_then(|mut file| io::Read::read_exact(&mut file, &mut head));
        read.is_ok() && head[CLASS_OFFSET] != CLASS_64_BIT
    }

    /// Makes a path argument absolute; links in it are not followed yet.
    pub fn resolve(self, directory: u64, path: &Path) -> Option<PathBuf> {
        if path.is_absolute() {
            let own = OWN_PLACES.iter().find_map(|(place, own)| Some((path.strip_prefix(place).ok()?, own)));
            return Some(match own {
                Some((rest, own)) if rest.as_os_str().is_empty() => self.proc_path(own),
                Some((rest, own)) => self.proc_path(own).join(rest),
                None => path.to_owned(),
            });
        }
        let base = match directory as i32 {
            libc::AT_FDCWD => std::fs::read_link(self.proc_path("cwd")).ok()?,
            descriptor => self.descriptor(descriptor.into())?,
        };
        Some(base.join(path))
    }

    /// Resolves a path argument that names an entry, so that a link in the last place is itself meant.
    pub fn resolve_entry(self, directory: u64, path: &Path) -> Option<PathBuf> {
        let path = self.resolve(directory, path)?;
        Some(canonical_entry(&path))
    }
}

/// Takes a descriptor that a system call returned.
///
/// # Safety
///
/// If the number is not negative, it must be a descriptor that nobody else closes.
unsafe fn owned(returned: libc::c_long) -> io::Result<OwnedFd> {
    match i32::try_from(returned) {
        // SAFETY: as the caller promises.
        Ok(descriptor) if descriptor >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => Err(io::Error::last_os_error()),
    }
}

fn canonical_entry(path: &Path) -> PathBuf {
    let name = path.components().next_back();
    let (Some(parent), Some(Component::Normal(name))) = (path.parent(), name) else {
        return canonical(path);
    };
    std::fs::canonicalize(parent).map_or_else(|_| path.to_owned(), |parent| parent.join(name))
}

pub(super) fn canonical(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}
