//! The seccomp filter: which system calls stop for the tracer.
//!
//! Written out by hand because of two wishes that filter builders don't serve: a foreign architecture's calls pass
//! instead of being killed, and `sendto` stops only when it names an address.

use libc::{c_long, sock_filter};

/// Calls whose return value matters.
#[cfg(target_arch = "x86_64")]
const STOPPING: &[c_long] = &[
    libc::SYS_openat,
    libc::SYS_open,
    libc::SYS_openat2,
    libc::SYS_creat,
    libc::SYS_open_by_handle_at,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_link,
    libc::SYS_linkat,
    libc::SYS_symlink,
    libc::SYS_symlinkat,
    libc::SYS_unlink,
    libc::SYS_unlinkat,
    libc::SYS_truncate,
    libc::SYS_getdents64,
    libc::SYS_getdents,
    libc::SYS_connect,
    libc::SYS_io_uring_setup,
];

#[cfg(not(target_arch = "x86_64"))]
const STOPPING: &[c_long] = &[
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_open_by_handle_at,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_unlinkat,
    libc::SYS_truncate,
    libc::SYS_getdents64,
    libc::SYS_connect,
    libc::SYS_io_uring_setup,
];

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;

const NUMBER_OFFSET: u32 = 0;
const ARCHITECTURE_OFFSET: u32 = 4;
/// `sendto`'s address pointer, the fifth argument.
const ADDRESS_LOW_OFFSET: u32 = 16 + 4 * 8;
const ADDRESS_HIGH_OFFSET: u32 = ADDRESS_LOW_OFFSET + 4;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const JUMP_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const TRACE: u32 = libc::SECCOMP_RET_TRACE;

const fn step(code: u16, k: u32, jump_true: u8, jump_false: u8) -> sock_filter {
    sock_filter { code, jt: jump_true, jf: jump_false, k }
}

/// Returns the filter as the kernel wants it.
pub(super) fn program() -> Vec<sock_filter> {
    let mut program = vec![
        step(LOAD, ARCHITECTURE_OFFSET, 0, 0),
        step(JUMP_EQUAL, ARCHITECTURE, 1, 0),
        step(RETURN, ALLOW, 0, 0),
        step(LOAD, NUMBER_OFFSET, 0, 0),
    ];
    for number in STOPPING {
        program.push(step(JUMP_EQUAL, *number as u32, 0, 1));
        program.push(step(RETURN, TRACE, 0, 0));
    }
    program.extend([
        step(JUMP_EQUAL, libc::SYS_sendto as u32, 1, 0),
        step(RETURN, ALLOW, 0, 0),
        step(LOAD, ADDRESS_LOW_OFFSET, 0, 0),
        step(JUMP_EQUAL, 0, 0, 2),
        step(LOAD, ADDRESS_HIGH_OFFSET, 0, 0),
        step(JUMP_EQUAL, 0, 1, 0),
        step(RETURN, TRACE, 0, 0),
        step(RETURN, ALLOW, 0, 0),
    ]);
    program
}

/// Installs the filter for this process and its descendants; returns an errno, 0 for success.
///
/// Async-signal-safe.
pub(super) fn install(program: &[sock_filter]) -> i32 {
    let description = libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    // SAFETY: the description and the program outlive the calls; the kernel copies both.
    unsafe {
        if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const description) != 0
        {
            return crate::process::errno();
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the filter as the kernel does.
    fn answer(architecture: u32, number: c_long, address: u64) -> u32 {
        let mut data = [0u32; 16];
        data[0] = number as u32;
        data[1] = architecture;
        data[12] = address as u32;
        data[13] = (address >> 32) as u32;
        let program = program();
        let (mut position, mut accumulator) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[position];
            position += 1;
            match code {
                LOAD => accumulator = data[k as usize / 4],
                JUMP_EQUAL => position += usize::from(if accumulator == k { jt } else { jf }),
                RETURN => return k,
                other => panic!("no such step: {other}"),
            }
        }
    }

    #[test]
    fn only_the_watched_calls_stop() {
        for number in STOPPING {
            assert_eq!(answer(ARCHITECTURE, *number, 0), TRACE, "{number}");
        }
        for number in [libc::SYS_read, libc::SYS_write, libc::SYS_close, libc::SYS_execve, libc::SYS_futex] {
            assert_eq!(answer(ARCHITECTURE, number, 1), ALLOW, "{number}");
        }
    }

    #[test]
    fn sendto_stops_only_with_an_address() {
        assert_eq!(answer(ARCHITECTURE, libc::SYS_sendto, 0), ALLOW);
        assert_eq!(answer(ARCHITECTURE, libc::SYS_sendto, 0x10), TRACE);
        assert_eq!(answer(ARCHITECTURE, libc::SYS_sendto, 0x7fff_0000_0000), TRACE);
    }

    #[test]
    fn programs_of_another_architecture_pass() {
        assert_eq!(answer(0x4000_0003, libc::SYS_openat, 0), ALLOW);
    }
}
