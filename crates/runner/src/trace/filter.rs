//! The seccomp filter: which system calls stop for the tracer.
//!
//! Written out by hand because of two wishes that filter builders don't serve: a foreign architecture's calls pass
//! instead of being killed, and some calls stop only when an argument says so.

use std::os::fd::RawFd;

use libc::{c_long, sock_filter};

/// Calls that always stop.
const STOPPING: [c_long; 23] = [
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
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_pidfd_getfd,
    libc::SYS_io_uring_setup,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_mount,
    libc::SYS_setns,
];
/// Their older forms, which newer architectures don't have.
#[cfg(target_arch = "x86_64")]
const OLD_FORMS: [c_long; 7] = [
    libc::SYS_open,
    libc::SYS_creat,
    libc::SYS_rename,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_unlink,
    libc::SYS_getdents,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_FORMS: [c_long; 0] = [];

/// Calls that read from a descriptor in their first argument, or hand it on under another number.
///
/// A shell that puts a stream aside while it reads a file does so by `fcntl`, to 10 and above; that is no reading.
const READING: [c_long; 6] =
    [libc::SYS_read, libc::SYS_readv, libc::SYS_recvfrom, libc::SYS_dup, libc::SYS_dup3, libc::SYS_splice];
const PUT_ASIDE_FROM: u32 = 10;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;

const NUMBER_OFFSET: u32 = 0;
const ARCHITECTURE_OFFSET: u32 = 4;
const ARGUMENTS_OFFSET: u32 = 16;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const JUMP_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const JUMP_ANY_BIT: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const JUMP_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const TRACE: u32 = libc::SECCOMP_RET_TRACE;

const fn step(code: u16, k: u32, jump_true: u8, jump_false: u8) -> sock_filter {
    sock_filter { code, jt: jump_true, jf: jump_false, k }
}

/// What an argument of a call must be for the call to stop. Only the low 32 bits are looked at.
#[derive(Debug, Clone, Copy)]
enum Test {
    Is(u32, u32),
    IsNot(u32, u32),
    HasBit(u32, u32),
    HasNotBit(u32, u32),
    Below(u32, u32),
}

impl Test {
    /// The two steps of a test that skips `rest` further steps when it fails.
    const fn steps(self, rest: u8) -> [sock_filter; 2] {
        let (argument, jump) = match self {
            Self::Is(argument, value) => (argument, step(JUMP_EQUAL, value, 0, rest)),
            Self::IsNot(argument, value) => (argument, step(JUMP_EQUAL, value, rest, 0)),
            Self::HasBit(argument, bits) => (argument, step(JUMP_ANY_BIT, bits, 0, rest)),
            Self::HasNotBit(argument, bits) => (argument, step(JUMP_ANY_BIT, bits, rest, 0)),
            Self::Below(argument, value) => (argument, step(JUMP_AT_LEAST, value, rest, 0)),
        };
        [step(LOAD, ARGUMENTS_OFFSET + 8 * argument, 0, 0), jump]
    }
}

/// Returns the filter as the kernel wants it; reading from these streams stops too.
pub(super) fn program(streams: &[RawFd]) -> Vec<sock_filter> {
    let mut program = vec![
        step(LOAD, ARCHITECTURE_OFFSET, 0, 0),
        step(JUMP_EQUAL, ARCHITECTURE, 1, 0),
        step(RETURN, ALLOW, 0, 0),
        step(LOAD, NUMBER_OFFSET, 0, 0),
    ];
    for number in STOPPING.into_iter().chain(OLD_FORMS) {
        stop_if(&mut program, number, &[]);
    }
    // code is mapped from a file
    let maps_code = [Test::HasBit(2, libc::PROT_EXEC as u32), Test::HasNotBit(3, libc::MAP_ANONYMOUS as u32)];
    stop_if(&mut program, libc::SYS_mmap, &maps_code);
    stop_if(&mut program, libc::SYS_unshare, &[Test::HasBit(0, libc::CLONE_NEWNS as u32)]);
    // an address that is named; one whose low half is zero would be a coincidence of one in four milliards
    stop_if(&mut program, libc::SYS_sendto, &[Test::IsNot(4, 0)]);
    for stream in streams.iter().map(|stream| *stream as u32) {
        for number in READING {
            stop_if(&mut program, number, &[Test::Is(0, stream)]);
        }
        #[cfg(target_arch = "x86_64")]
        stop_if(&mut program, libc::SYS_dup2, &[Test::Is(0, stream)]);
        stop_if(&mut program, libc::SYS_sendfile, &[Test::Is(1, stream)]);
        for command in [libc::F_DUPFD, libc::F_DUPFD_CLOEXEC] {
            let hands_on = [Test::Is(0, stream), Test::Is(1, command as u32), Test::Below(2, PUT_ASIDE_FROM)];
            stop_if(&mut program, libc::SYS_fcntl, &hands_on);
        }
    }
    program.push(step(RETURN, ALLOW, 0, 0));
    program
}

/// Adds a rule: the call with this number stops if all tests hold; if not, the rules behind it are asked.
fn stop_if(program: &mut Vec<sock_filter>, number: c_long, tests: &[Test]) {
    let reload = u8::from(!tests.is_empty());
    let body = 2 * tests.len() as u8 + 1;
    program.push(step(JUMP_EQUAL, number as u32, 0, body + reload));
    for (at, test) in tests.iter().enumerate() {
        program.extend(test.steps(body - 2 * at as u8 - 2));
    }
    program.push(step(RETURN, TRACE, 0, 0));
    if reload > 0 {
        program.push(step(LOAD, NUMBER_OFFSET, 0, 0));
    }
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
            return crate::kernel::errno();
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAMS: [RawFd; 2] = [0, 63];

    /// Runs the filter as the kernel does.
    fn answer(architecture: u32, number: c_long, arguments: &[u64]) -> u32 {
        let mut data = [0u32; 16];
        data[0] = number as u32;
        data[1] = architecture;
        for (at, argument) in arguments.iter().enumerate() {
            data[4 + 2 * at] = *argument as u32;
            data[5 + 2 * at] = (argument >> 32) as u32;
        }
        let program = program(&STREAMS);
        let (mut position, mut accumulator) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[position];
            position += 1;
            let jump = |holds: bool| usize::from(if holds { jt } else { jf });
            match code {
                LOAD => accumulator = data[k as usize / 4],
                JUMP_EQUAL => position += jump(accumulator == k),
                JUMP_ANY_BIT => position += jump(accumulator & k != 0),
                JUMP_AT_LEAST => position += jump(accumulator >= k),
                RETURN => return k,
                other => panic!("no such step: {other}"),
            }
        }
    }

    fn stops(number: c_long, arguments: &[u64]) -> bool {
        answer(ARCHITECTURE, number, arguments) == TRACE
    }

    #[test]
    fn only_the_watched_calls_stop() {
        for number in STOPPING.into_iter().chain(OLD_FORMS) {
            assert!(stops(number, &[]), "{number}");
        }
        for number in [libc::SYS_read, libc::SYS_write, libc::SYS_close, libc::SYS_futex, libc::SYS_mmap] {
            assert!(!stops(number, &[1]), "{number}");
        }
    }

    #[test]
    fn some_calls_stop_only_for_what_they_ask() {
        let exec = libc::PROT_EXEC as u64;
        let anonymous = libc::MAP_ANONYMOUS as u64;
        let table: [(c_long, &[u64], bool); 16] = [
            (libc::SYS_sendto, &[3, 1, 1, 0, 0], false),
            (libc::SYS_sendto, &[3, 1, 1, 0, 0x10], true),
            (libc::SYS_mmap, &[0, 4096, exec, 2], true),
            (libc::SYS_mmap, &[0, 4096, exec, 2 | anonymous], false),
            (libc::SYS_mmap, &[0, 4096, 1, 2], false),
            (libc::SYS_unshare, &[libc::CLONE_NEWNS as u64], true),
            (libc::SYS_unshare, &[libc::CLONE_FILES as u64], false),
            (libc::SYS_read, &[0], true),
            (libc::SYS_read, &[63], true),
            (libc::SYS_read, &[3], false),
            (libc::SYS_dup, &[63], true),
            (libc::SYS_sendfile, &[4, 0], true),
            (libc::SYS_sendfile, &[0, 4], false),
            (libc::SYS_fcntl, &[0, libc::F_DUPFD_CLOEXEC as u64, 0], true),
            (libc::SYS_fcntl, &[0, libc::F_DUPFD_CLOEXEC as u64, 10], false),
            (libc::SYS_fcntl, &[0, libc::F_GETFD as u64, 0], false),
        ];
        for (number, arguments, expected) in table {
            assert_eq!(stops(number, arguments), expected, "{number} {arguments:?}");
        }
    }

    #[test]
    fn programs_of_another_architecture_pass() {
        assert_eq!(answer(0x4000_0003, libc::SYS_openat, &[]), ALLOW);
    }
}
