//! Gives up what a process may do beyond its user's rights.

/// Of the kernel's interface for capabilities in 64 bits.
const VERSION: u32 = 0x2008_0522;
/// More than any kernel knows.
const CAPABILITIES: libc::c_ulong = 64;

#[repr(C)]
struct Header {
    version: u32,
    process: i32,
}

/// Gives up all capabilities of this process and of all that it starts, also those that a user 0 gets by an exec.
///
/// Async-signal-safe.
pub(super) fn give_up() -> Result<(), i32> {
    let header = Header { version: VERSION, process: 0 };
    let none = [0u32; 6];
    // SAFETY: header and sets outlive the call, which reads them.
    unsafe {
        libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        for capability in 0..CAPABILITIES {
            // those that the kernel does not know, or that nobody could gain any more
            libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
        }
        match libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) {
            0 => Ok(()),
            _ => Err(crate::kernel::errno()),
        }
    }
}
