//! The system-call filter of a contained program, written out by hand as the tracer's is.
//!
//! It refuses what would lead out of the sandbox: sockets, other processes' memory, name spaces, mounts, kernel
//! interfaces that can do the same without system calls, memory that outlives its makers, priorities, and leaving the
//! process group by which everything is killed. Calls that are newer than this list are not there.

use libc::{c_long, sock_filter};

use super::policy::{Network, Sandbox};

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;
/// Calls from here on belong to x86-64's second table, which would go around the list.
#[cfg(target_arch = "x86_64")]
const FOREIGN_TABLE: u32 = 0x4000_0000;

const REFUSED: &[c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_process_mrelease,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_setpriority,
    libc::SYS_ioprio_set,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setattr,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_mq_timedsend,
    libc::SYS_mq_timedreceive,
    libc::SYS_mq_notify,
    libc::SYS_mq_getsetattr,
    libc::SYS_memfd_secret,
    libc::SYS_fanotify_init,
    libc::SYS_quotactl_fd,
    STATMOUNT,
    LISTMOUNT,
    libc::SYS_setsid,
    libc::SYS_setpgid,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

const STATMOUNT: c_long = 457;
const LISTMOUNT: c_long = 458;
/// The first call that was not looked at when this list was made: `open_tree_attr`, of Linux 6.15.
const UNKNOWN_FROM: u32 = 467;

/// Callers have another way if these are not there; `clone3` would hide its flags from a filter.
const ABSENT: &[c_long] =
    &[libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register, libc::SYS_clone3];

const NUMBER_OFFSET: u32 = 0;
const ARCHITECTURE_OFFSET: u32 = 4;
const FIRST_ARGUMENT_OFFSET: u32 = 16;
const SECOND_ARGUMENT_OFFSET: u32 = 24;

/// Puts letters into a terminal's input, as if somebody had typed them.
const TYPING: [u32; 2] = [libc::TIOCSTI as u32, libc::TIOCLINUX as u32];
/// The bits of a socket's type that are no flags.
const SOCKET_TYPE: u32 = 0xF;

/// New name spaces of any kind.
const NAMESPACES: u32 = 0x7E02_0000;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const JUMP_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const JUMP_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const JUMP_ANY_BIT: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;

const fn error(errno: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | errno as u32
}

const fn step(code: u16, k: u32, jump_true: u8, jump_false: u8) -> sock_filter {
    sock_filter { code, jt: jump_true, jf: jump_false, k }
}

/// Returns the filter for a sandbox as the kernel wants it.
pub(super) fn program(sandbox: &Sandbox) -> Vec<sock_filter> {
    let mut program = vec![
        step(LOAD, ARCHITECTURE_OFFSET, 0, 0),
        step(JUMP_EQUAL, ARCHITECTURE, 1, 0),
        step(RETURN, KILL, 0, 0),
        step(LOAD, NUMBER_OFFSET, 0, 0),
    ];
    #[cfg(target_arch = "x86_64")]
    program.extend([step(JUMP_AT_LEAST, FOREIGN_TABLE, 0, 1), step(RETURN, KILL, 0, 0)]);
    // after the other table, whose numbers are higher still
    program.extend([step(JUMP_AT_LEAST, UNKNOWN_FROM, 0, 1), step(RETURN, error(libc::ENOSYS), 0, 0)]);
    let mut on = |number: c_long, answer: u32| {
        program.extend([step(JUMP_EQUAL, number as u32, 0, 1), step(RETURN, answer, 0, 0)]);
    };
    for number in REFUSED {
        on(*number, error(libc::EPERM));
    }
    for number in ABSENT {
        on(*number, error(libc::ENOSYS));
    }
    #[cfg(target_arch = "x86_64")]
    if sandbox.processes <= 1 {
        on(libc::SYS_fork, error(libc::EPERM));
        on(libc::SYS_vfork, error(libc::EPERM));
    }
    on_clone(&mut program, sandbox.processes <= 1);
    on_other_process_limits(&mut program);
    on_typing(&mut program);
    on_socket_pair(&mut program);
    on_socket(&mut program, sandbox.network);
    program.push(step(RETURN, ALLOW, 0, 0));
    program
}

/// Threads are fine; processes only where several may live; name spaces never.
fn on_clone(program: &mut Vec<sock_filter>, alone: bool) {
    let without_thread = if alone { error(libc::EPERM) } else { ALLOW };
    program.extend([
        step(JUMP_EQUAL, libc::SYS_clone as u32, 0, 6),
        step(LOAD, FIRST_ARGUMENT_OFFSET, 0, 0),
        step(JUMP_ANY_BIT, NAMESPACES, 0, 1),
        step(RETURN, error(libc::EPERM), 0, 0),
        step(JUMP_ANY_BIT, libc::CLONE_THREAD as u32, 0, 1),
        step(RETURN, ALLOW, 0, 0),
        step(RETURN, without_thread, 0, 0),
    ]);
}

/// A process may see and lower its own limits, not those of others.
fn on_other_process_limits(program: &mut Vec<sock_filter>) {
    program.extend([
        step(JUMP_EQUAL, libc::SYS_prlimit64 as u32, 0, 4),
        step(LOAD, FIRST_ARGUMENT_OFFSET, 0, 0),
        step(JUMP_EQUAL, 0, 0, 1),
        step(RETURN, ALLOW, 0, 0),
        step(RETURN, error(libc::EPERM), 0, 0),
    ]);
}

/// A terminal that was inherited must not be typed into.
fn on_typing(program: &mut Vec<sock_filter>) {
    program.extend([
        step(JUMP_EQUAL, libc::SYS_ioctl as u32, 0, 5),
        step(LOAD, SECOND_ARGUMENT_OFFSET, 0, 0),
        step(JUMP_EQUAL, TYPING[0], 1, 0),
        step(JUMP_EQUAL, TYPING[1], 0, 1),
        step(RETURN, error(libc::EPERM), 0, 0),
        step(RETURN, ALLOW, 0, 0),
    ]);
}

/// One of a pair for datagrams can be connected anew, to somebody else.
fn on_socket_pair(program: &mut Vec<sock_filter>) {
    program.extend([
        step(JUMP_EQUAL, libc::SYS_socketpair as u32, 0, 5),
        step(LOAD, SECOND_ARGUMENT_OFFSET, 0, 0),
        step(AND, SOCKET_TYPE, 0, 0),
        step(JUMP_EQUAL, libc::SOCK_DGRAM as u32, 0, 1),
        step(RETURN, error(libc::EACCES), 0, 0),
        step(RETURN, ALLOW, 0, 0),
    ]);
}

/// Local sockets lead to other people's daemons, so they are refused like others; but C libraries try them
/// to look up users, which says nothing about the program.
fn on_socket(program: &mut Vec<sock_filter>, network: Network) {
    let steps = match network {
        Network::Allowed => vec![
            step(LOAD, FIRST_ARGUMENT_OFFSET, 0, 0),
            step(JUMP_EQUAL, libc::AF_INET as u32, 1, 0),
            step(JUMP_EQUAL, libc::AF_INET6 as u32, 0, 1),
            step(RETURN, ALLOW, 0, 0),
            step(RETURN, error(libc::EACCES), 0, 0),
        ],
        Network::Refused => vec![step(RETURN, error(libc::EACCES), 0, 0)],
        Network::Fatal => vec![
            step(LOAD, FIRST_ARGUMENT_OFFSET, 0, 0),
            step(JUMP_EQUAL, libc::AF_UNIX as u32, 1, 0),
            step(JUMP_EQUAL, libc::AF_NETLINK as u32, 0, 1),
            step(RETURN, error(libc::EACCES), 0, 0),
            step(RETURN, KILL, 0, 0),
        ],
    };
    program.push(step(JUMP_EQUAL, libc::SYS_socket as u32, 0, steps.len() as u8));
    program.extend(steps);
}

/// Says whether this kernel takes such filters.
pub(super) fn is_supported() -> bool {
    let action = KILL;
    // SAFETY: `action` outlives the call, which only reads it.
    unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) == 0 }
}

/// Installs the filter for this process and its descendants; it must have given up new privileges.
///
/// Async-signal-safe.
pub(super) fn install(program: &[sock_filter]) -> Result<(), i32> {
    let description = libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    // SAFETY: the description and the program outlive the call; the kernel copies both.
    match unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const description) } {
        0 => Ok(()),
        _ => Err(crate::kernel::errno()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the filter as the kernel does.
    fn answer(sandbox: &Sandbox, architecture: u32, number: c_long, arguments: [u32; 2]) -> u32 {
        let mut data = [0u32; 16];
        data[0] = number as u32;
        data[1] = architecture;
        data[4] = arguments[0];
        data[6] = arguments[1];
        let program = program(sandbox);
        let (mut position, mut accumulator) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[position];
            position += 1;
            let jump = |holds: bool| usize::from(if holds { jt } else { jf });
            match code {
                LOAD => accumulator = data[k as usize / 4],
                JUMP_EQUAL => position += jump(accumulator == k),
                JUMP_ANY_BIT => position += jump(accumulator & k != 0),
                AND => accumulator &= k,
                JUMP_AT_LEAST => position += jump(accumulator >= k),
                RETURN => return k,
                other => panic!("no such step: {other}"),
            }
        }
    }

    fn check(sandbox: &Sandbox, number: c_long, argument: i32, expected: u32) {
        let found = answer(sandbox, ARCHITECTURE, number, [argument as u32, 0]);
        assert_eq!(found, expected, "call {number} with {argument:#x}");
    }

    #[test]
    fn what_leads_out_is_refused_and_the_rest_passes() {
        let sandbox = Sandbox::default();
        for number in REFUSED {
            check(&sandbox, *number, 0, error(libc::EPERM));
        }
        for number in ABSENT {
            check(&sandbox, *number, 0, error(libc::ENOSYS));
        }
        for number in [libc::SYS_read, libc::SYS_openat, libc::SYS_execve, libc::SYS_futex, libc::SYS_socketpair] {
            check(&sandbox, number, 2, ALLOW);
        }
        assert_eq!(answer(&sandbox, 0x4000_0003, libc::SYS_read, [0, 0]), KILL);
        #[cfg(target_arch = "x86_64")]
        assert_eq!(answer(&sandbox, ARCHITECTURE, libc::SYS_read | 0x4000_0000, [0, 0]), KILL);
        for number in [467, 468, 999] {
            check(&sandbox, number, 0, error(libc::ENOSYS));
        }
        let second = |number, argument: i32| answer(&sandbox, ARCHITECTURE, number, [0, argument as u32]);
        assert_eq!(second(libc::SYS_ioctl, libc::TIOCSTI as i32), error(libc::EPERM));
        assert_eq!(second(libc::SYS_ioctl, libc::TIOCLINUX as i32), error(libc::EPERM));
        assert_eq!(second(libc::SYS_ioctl, libc::TIOCGWINSZ as i32), ALLOW);
        assert_eq!(second(libc::SYS_socketpair, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC), error(libc::EACCES));
        assert_eq!(second(libc::SYS_socketpair, libc::SOCK_STREAM | libc::SOCK_CLOEXEC), ALLOW);
        check(&sandbox, libc::SYS_prlimit64, 0, ALLOW);
        check(&sandbox, libc::SYS_prlimit64, 1, error(libc::EPERM));
    }

    #[test]
    fn a_lonely_program_has_threads_but_no_children() {
        let alone = Sandbox::default();
        let several = Sandbox { processes: 8, ..Sandbox::default() };
        let (thread, child) = (libc::CLONE_THREAD | libc::CLONE_VM, libc::SIGCHLD);
        check(&alone, libc::SYS_clone, thread, ALLOW);
        check(&alone, libc::SYS_clone, child, error(libc::EPERM));
        check(&several, libc::SYS_clone, child, ALLOW);
        check(&several, libc::SYS_clone, child | libc::CLONE_NEWUSER, error(libc::EPERM));
        #[cfg(target_arch = "x86_64")]
        check(&alone, libc::SYS_fork, 0, error(libc::EPERM));
    }

    #[test]
    fn sockets_are_as_the_network_is() {
        let with = |network| Sandbox { network, ..Sandbox::default() };
        let refused = error(libc::EACCES);
        for (network, inet, inet6, unix, packet) in [
            (Network::Allowed, ALLOW, ALLOW, refused, refused),
            (Network::Refused, refused, refused, refused, refused),
            (Network::Fatal, KILL, KILL, refused, KILL),
        ] {
            let sandbox = with(network);
            check(&sandbox, libc::SYS_socket, libc::AF_INET, inet);
            check(&sandbox, libc::SYS_socket, libc::AF_INET6, inet6);
            check(&sandbox, libc::SYS_socket, libc::AF_UNIX, unix);
            check(&sandbox, libc::SYS_socket, libc::AF_PACKET, packet);
        }
    }
}
