//! What a contained program tries from inside, and that it gets nowhere.

use std::{
    fs,
    io::Read as _,
    os::{
        fd::{AsRawFd as _, FromRawFd as _},
        linux::net::SocketAddrExt as _,
        unix::{
            fs::{MetadataExt as _, PermissionsExt as _},
            net::{SocketAddr, UnixListener},
        },
    },
    path::{Path, PathBuf},
    process::{Command as Process, Stdio},
    time::{Duration, Instant},
};

use stemma_runner::{
    CaptureLevel, CaptureMode, Command, Execution, Exit,
    command::{EnvironmentBase, Stream, Streams},
    run,
    sandbox::{Contained, Ending, Network, Outcome, Reads, Sandbox, Wall, network_paths, system_paths},
};

/// A folder that a program may write into, and one that it may not even see.
struct Cell {
    inside: tempfile::TempDir,
    outside: tempfile::TempDir,
    sandbox: Sandbox,
}

const PRELUDE: &str = "\
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def denied(what, act):
    try: found = act()
    except OSError: return
    print(what, found)
";

impl Cell {
    fn new() -> Self {
        let inside = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "hidden").unwrap();
        fs::set_permissions(outside.path().join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
        let readable: Vec<PathBuf> = system_paths().into_iter().chain(network_paths()).chain(pythons()).collect();
        let sandbox = Sandbox {
            wall: Duration::from_secs(60),
            cpu: Duration::from_secs(60),
            processes: 30,
            network: Network::Refused,
            readable: Reads::Only(readable),
            writable: vec![inside.path().to_owned()],
            requires: Wall::ALL.into(),
            environment: [("PATH".into(), "/usr/bin:/bin".into())].into(),
            ..Sandbox::default()
        };
        Self { inside, outside, sandbox }
    }

    fn secret(&self) -> PathBuf {
        self.outside.path().join("secret")
    }

    fn python(&self, script: &str) -> Outcome {
        let script = format!("{PRELUDE}{script}");
        let program = Contained::new(["python3", "-I", "-c", &script], self.inside.path());
        self.sandbox.run(&program, b"").unwrap()
    }

    /// Runs a script that prints what it could do; it must be able to do nothing, at any level of capture.
    #[track_caller]
    fn gets_nowhere(&self, script: &str) {
        let outcome = self.python(script);
        let said = String::from_utf8_lossy(&outcome.stdout).into_owned();
        let failed = String::from_utf8_lossy(&outcome.stderr).into_owned();
        assert_eq!((outcome.ending, said.as_str(), failed.as_str()), (Ending::Exited(0), "", ""));
        for capture in [CaptureMode::Best, CaptureMode::AtMost(CaptureLevel::Declared)] {
            let (execution, said) = self.watched(capture, script);
            assert_eq!((execution.exit, said.as_str()), (Exit::Code(0), ""), "{capture:?}");
        }
    }

    /// Runs a script as a command that is watched; returns what it printed too.
    fn watched(&self, capture: CaptureMode, script: &str) -> (Execution, String) {
        let log = tempfile::NamedTempFile::new().unwrap();
        let file = || Stream::File(fs::File::options().append(true).open(log.path()).unwrap());
        let script = format!("{PRELUDE}{script}");
        let argv = ["python3", "-I", "-c", &script].map(str::to_owned).to_vec();
        let mut command = Command::new(argv, self.inside.path());
        command.capture = capture;
        command.settle = Duration::from_millis(100);
        command.environment.base = EnvironmentBase::Only(Vec::new());
        command.environment.changes = [("PATH".into(), Some("/usr/bin:/bin".into()))].into();
        command.streams = Streams { stdin: Stream::Null, stdout: file(), stderr: file() };
        command.sandbox = Some(self.sandbox.clone());
        let execution = run(&command, |_| {}).unwrap();
        (execution, fs::read_to_string(log.path()).unwrap())
    }
}

/// Where the Python of this machine lies, if it isn't the system's.
fn pythons() -> Vec<PathBuf> {
    ["/usr/local", "/opt"].map(PathBuf::from).into_iter().filter(|folder| folder.is_dir()).collect()
}

fn quoted(path: &Path) -> String {
    format!("{:?}", path.to_str().unwrap())
}

#[test]
fn t33_files_that_were_not_named_are_not_there() {
    let cell = Cell::new();
    let home = std::env::var("HOME").unwrap_or("/root".into());
    let secret = quoted(&cell.secret());
    cell.gets_nowhere(&format!(
        "denied('secret', lambda: open({secret}).read())\n\
         denied('stat', lambda: os.stat({secret}))\n\
         for folder in ['/', '/tmp', '/root', '/home', '/run', '/var', '/srv', '/mnt', {home:?}, '/etc/ssh', '/sys/kernel']:\n\
         \x20 denied(folder, lambda: os.listdir(folder))\n\
         for file in ['/etc/shadow', '/etc/machine-id', '/etc/hostname', '/proc/kcore', '/dev/mem', '/dev/vda', '/dev/tty']:\n\
         \x20 denied(file, lambda: open(file, 'rb').read(1))\n\
         os.symlink({secret}, 'link')\n\
         denied('link', lambda: open('link').read())\n\
         denied('hard link', lambda: os.link({secret}, 'hard'))\n\
         denied('cwd of the root', lambda: os.stat('/proc/1/root' + {secret}))\n\
         os.remove('link')\n"
    ));
}

#[test]
fn t33_the_caller_and_those_that_stand_between_can_not_be_looked_into() {
    // SAFETY: of a test; a variable that only this test reads
    unsafe { std::env::set_var("STEMMA_TEST_SECRET", "of-the-caller") };
    let cell = Cell::new();
    let own = std::process::id();
    cell.gets_nowhere(&format!(
        "for process in [1, {own}, os.getppid()]:\n\
         \x20 for file in ['environ', 'mem', 'maps', 'auxv', 'stack', 'fd/0', 'fd/1', 'cmdline', 'root/etc/shadow', 'cwd/x']:\n\
         \x20   denied(f'{{process}} {{file}}', lambda: open(f'/proc/{{process}}/{{file}}', 'rb').read(1))\n\
         \x20 denied(f'{{process}} fd', lambda: os.listdir(f'/proc/{{process}}/fd'))\n\
         others = [pid for pid in os.listdir('/proc') if pid.isdigit() and int(pid) != os.getpid()]\n\
         if others: print('sees', others)\n\
         if 'of-the-caller' in repr(os.environ): print(os.environ)\n\
         def call(number, *arguments):\n\
         \x20 if libc.syscall(number, *arguments) < 0: raise OSError(ctypes.get_errno(), 'no')\n\
         buffer = ctypes.create_string_buffer(64)\n\
         denied('attach', lambda: call(101, 16, 1, 0, 0))\n\
         denied('seize', lambda: call(101, 0x4206, 1, 0, 0))\n\
         for signal in [9, 15, 19]:\n\
         \x20 denied('kill', lambda: os.kill({own}, signal))\n"
    ));
}

#[test]
fn nothing_of_the_callers_descriptors_arrives() {
    let cell = Cell::new();
    let file = fs::File::open(cell.secret()).unwrap();
    // SAFETY: a descriptor that this test has and closes
    let kept = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD, 200) };
    assert!(kept >= 200);
    cell.gets_nowhere(
        "for number in range(3, 1024):\n\
         \x20 denied(number, lambda: os.fstat(number))\n\
         if os.isatty(0) or os.isatty(1) or os.isatty(2): print('a terminal')\n\
         denied('tty', lambda: os.open('/dev/tty', os.O_RDWR))\n\
         if os.getsid(0) != os.getpid(): print('a session of somebody')\n",
    );
    // SAFETY: as above
    drop(unsafe { fs::File::from_raw_fd(kept) });
}

#[test]
fn metadata_of_files_elsewhere_stays() {
    let cell = Cell::new();
    let shared = cell.outside.path().join("shared");
    fs::write(&shared, "as it was").unwrap();
    let mut cell = cell;
    if let Reads::Only(paths) = &mut cell.sandbox.readable {
        paths.push(shared.clone());
    }
    let state = |path: &Path| {
        let meta = fs::metadata(path).unwrap();
        (meta.mode(), meta.uid(), meta.mtime_nsec(), meta.mtime(), meta.nlink(), meta.ctime_nsec(), meta.ino())
    };
    let null = |path: &str| fs::metadata(path).unwrap().mode();
    let before = (state(&shared), state(&cell.secret()), null("/dev/null"), null("/usr/bin"));
    for name in [quoted(&shared), quoted(&cell.secret())] {
        cell.gets_nowhere(&format!(
            "f = {name}\n\
             for what, act in [\n\
             \x20 ('chmod', lambda: os.chmod(f, 0o666)), ('chown', lambda: os.chown(f, os.getuid(), os.getgid())),\n\
             \x20 ('utime', lambda: os.utime(f, (1, 1))), ('xattr', lambda: os.setxattr(f, 'user.x', b'1')),\n\
             \x20 ('write', lambda: open(f, 'a')), ('truncate', lambda: os.truncate(f, 0)),\n\
             \x20 ('rename', lambda: os.rename(f, f + '2')), ('remove', lambda: os.remove(f)),\n\
             \x20 ('link', lambda: os.link(f, 'linked')), ('fchmod', lambda: os.fchmod(os.open(f, os.O_RDONLY), 0o666)),\n\
             \x20 ('futime', lambda: os.utime(os.open(f, os.O_RDONLY), (1, 1))),\n\
             \x20 ('beside', lambda: open(f + '2', 'w')), ('rmdir', lambda: os.rmdir(os.path.dirname(f))),\n\
             \x20 ('root', lambda: os.mkdir('/new')), ('null', lambda: os.chmod('/dev/null', 0o600)),\n\
             \x20 ('stdin', lambda: os.fchmod(0, 0o600) if os.fstat(0).st_rdev else 1/0),\n\
             \x20 ('usr', lambda: os.chmod('/usr/bin', 0o700)), ('kernel', lambda: open('/proc/sys/kernel/core_pattern', 'w')),\n\
             \x20 ('oom', lambda: open('/proc/1/oom_score_adj', 'w')), ('mknod', lambda: os.mknod('d', 0o20666, os.makedev(1, 3))),\n\
             ]:\n\
             \x20 try: denied(what, act)\n\
             \x20 except ZeroDivisionError: pass\n"
        ));
    }
    assert_eq!((state(&shared), state(&cell.secret()), null("/dev/null"), null("/usr/bin")), before);
}

#[test]
fn calls_that_lead_out_are_refused() {
    let cell = Cell::new();
    let x86 = [
        ("mount", 165),
        ("umount", 166),
        ("pivot_root", 155),
        ("chroot", 161),
        ("unshare", 272),
        ("setns", 308),
        ("open_tree", 428),
        ("move_mount", 429),
        ("fsopen", 430),
        ("mount_setattr", 442),
        ("statmount", 457),
        ("open_tree_attr", 467),
        ("name_to_handle_at", 303),
        ("open_by_handle_at", 304),
        ("bpf", 321),
        ("perf_event_open", 298),
        ("userfaultfd", 323),
        ("io_uring_setup", 425),
        ("io_uring_enter", 426),
        ("keyctl", 250),
        ("add_key", 248),
        ("request_key", 249),
        ("kexec_load", 246),
        ("kexec_file_load", 320),
        ("init_module", 175),
        ("finit_module", 313),
        ("process_vm_readv", 310),
        ("process_vm_writev", 311),
        ("pidfd_getfd", 438),
        ("process_madvise", 440),
        ("kcmp", 312),
        ("setpriority", 141),
        ("sched_setscheduler", 144),
        ("sched_setparam", 142),
        ("sched_setattr", 314),
        ("ioprio_set", 251),
        ("shmget", 29),
        ("shmat", 30),
        ("shmctl", 31),
        ("semget", 64),
        ("semop", 65),
        ("msgget", 68),
        ("msgsnd", 69),
        ("mq_open", 240),
        ("mq_unlink", 241),
        ("memfd_secret", 447),
        ("fanotify_init", 300),
        ("setsid", 112),
        ("setpgid", 109),
        ("reboot", 169),
        ("swapon", 167),
        ("sethostname", 170),
        ("settimeofday", 164),
        ("clock_settime", 227),
        ("iopl", 172),
        ("modify_ldt", 154),
        ("syslog", 103),
        ("acct", 163),
        ("quotactl", 179),
        ("clone3", 435),
    ];
    if !cfg!(target_arch = "x86_64") {
        return;
    }
    let calls: Vec<String> = x86.iter().map(|(name, number)| format!("('{name}', {number})")).collect();
    cell.gets_nowhere(&format!(
        "for name, number in [{}]:\n\
         \x20 ctypes.set_errno(0)\n\
         \x20 result = libc.syscall(number, 0, 0, 0, 0, 0, 0)\n\
         \x20 if result != -1 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS): print(name, result, ctypes.get_errno())\n\
         import fcntl\n\
         denied('typing', lambda: fcntl.ioctl(0, 0x5412, b'x'))\n\
         if libc.syscall(302, 1, 7, 0, 0) != -1: print('limits of another')\n",
        calls.join(", ")
    ));
}

#[test]
fn shared_memory_is_its_own_and_goes_with_it() {
    let cell = Cell::new();
    let (execution, said) = cell.watched(
        CaptureMode::Best,
        "import multiprocessing.shared_memory as m\nopen('/dev/shm/stemma-left', 'w').write('x')\n\
         lock = __import__('multiprocessing').Lock()\nwith lock: print('locked')",
    );
    assert_eq!((execution.exit, said.as_str()), (Exit::Code(0), "locked\n"));
    assert!(!Path::new("/dev/shm/stemma-left").exists());
    assert!(!fs::read_dir("/dev/shm").unwrap().flatten().any(|file| file.path().ends_with("stemma-left")));
}

#[test]
fn t33_sockets_of_the_machine_are_out_of_reach() {
    let cell = Cell::new();
    let name = format!("stemma-test-{}", std::process::id());
    let _abstract = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let named = cell.outside.path().join("socket");
    let _named = UnixListener::bind(&named).unwrap();
    let script = format!(
        "import socket\n\
         def reach(family, kind, where):\n\
         \x20 s = socket.socket(family, kind)\n\
         \x20 s.connect(where)\n\
         for kind in [socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET]:\n\
         \x20 denied('abstract', lambda: reach(socket.AF_UNIX, kind, '\\0{name}'))\n\
         \x20 denied('named', lambda: reach(socket.AF_UNIX, kind, {named:?}))\n\
         for family in range(0, 46):\n\
         \x20 if not (ALLOWED and family in (2, 10)): denied(family, lambda: socket.socket(family, socket.SOCK_RAW))\n\
         denied('pair', lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))\n\
         socket.socketpair()\n"
    );
    cell.gets_nowhere(&format!("ALLOWED = False\n{script}denied('inet', lambda: socket.socket())\n"));
    let mut cell = cell;
    cell.sandbox.network = Network::Allowed;
    cell.gets_nowhere(&format!("ALLOWED = True\n{script}socket.socket().close()\n"));
}

#[test]
fn nothing_outlives_the_command_however_it_tries() {
    let cell = Cell::new();
    let script = "import signal, subprocess\n\
         for word in ['71.5', '72.5', '73.5']:\n\
         \x20 if os.fork() == 0:\n\
         \x20   for number in range(1, 65):\n\
         \x20     try: signal.signal(number, signal.SIG_IGN)\n\
         \x20     except (OSError, ValueError): pass\n\
         \x20   if os.fork() == 0: os.execv('/bin/sleep', ['sleep', word])\n\
         \x20   os._exit(0)\n";
    for capture in [CaptureMode::Best, CaptureMode::AtMost(CaptureLevel::Declared)] {
        let (execution, said) = cell.watched(capture, script);
        assert_eq!((execution.exit, said.as_str()), (Exit::Code(0), ""));
        for word in ["71.5", "72.5", "73.5"] {
            assert!(!lives(word), "{word} {capture:?}");
        }
    }
}

/// Whether a process lives that was started with this word among its arguments.
fn lives(word: &str) -> bool {
    let has_word = |arguments: Vec<u8>| arguments.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes());
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok()).any(has_word)
}

fn becomes_true(mut what: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(20) {
        if what() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

const KILLED_HELPER: &str = "STEMMA_TEST_RUNS_UNTIL_KILLED";

/// Run by the test below as a process of its own.
#[test]
fn helper_that_runs_until_it_is_killed() {
    let Ok(word) = std::env::var(KILLED_HELPER) else { return };
    let cell = Cell::new();
    let capture = if word.starts_with('8') { CaptureMode::Best } else { CaptureMode::AtMost(CaptureLevel::Declared) };
    cell.watched(capture, &format!("import subprocess\nsubprocess.run(['sleep', '{word}'])"));
}

#[test]
fn nothing_outlives_a_runner_that_is_killed() {
    for word in ["81.5", "91.5"] {
        let mut helper = Process::new(std::env::current_exe().unwrap())
            .args(["--exact", "escapes::helper_that_runs_until_it_is_killed"])
            .env(KILLED_HELPER, word)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        assert!(becomes_true(|| lives(word)), "{word} has never started");
        helper.kill().unwrap();
        helper.wait().unwrap();
        assert!(becomes_true(|| !lives(word)), "{word} lives on");
    }
}

#[test]
fn limits_are_kept_and_named() {
    let mut cell = Cell::new();
    cell.sandbox.memory_bytes = 300 << 20;
    cell.sandbox.disk_bytes = 8 << 20;
    cell.sandbox.open_files = 40;
    cell.sandbox.processes = 6;
    let stopped = |cell: &Cell, script: &str| {
        let (execution, said) = cell.watched(CaptureMode::Best, script);
        (execution.stopped, execution.exit, said)
    };
    let forever = "while True: pass\n";
    let (ending, exit, said) = stopped(
        &cell,
        &format!("import time\nfor i in range(3):\n  if os.fork() == 0: break\nx = b'x' * (120 << 20)\n{forever}"),
    );
    assert_eq!((ending, exit), (Some(Ending::OutOfMemory { limit: 300 << 20 }), Exit::Signal(9)), "{said}");
    let unnamed =
        format!("f = open('big', 'wb', 0)\nos.remove('big')\nfor i in range(16): f.write(b'x' * (1 << 20))\n{forever}");
    let named = format!("open('big', 'wb').write(b'x' * (16 << 20))\n{forever}");
    for script in [named, unnamed] {
        let (ending, _, said) = stopped(&cell, &script);
        assert_eq!(ending, Some(Ending::TooMuchOnDisk { limit: 8 << 20 }), "{said}");
        _ = fs::remove_file(cell.inside.path().join("big"));
    }
    let (ending, _, said) = stopped(&cell, &format!("for i in range(9):\n  if os.fork() == 0: break\n{forever}"));
    assert_eq!(ending, Some(Ending::TooManyProcesses { limit: 6 }), "{said}");
    let (ending, exit, said) = stopped(&cell, "x = [os.dup(0) for i in range(50)]");
    assert_eq!((ending, exit), (None, Exit::Code(1)));
    assert!(said.contains("Too many open files"), "{said}");
    cell.sandbox.wall = Duration::from_millis(300);
    let (ending, _, _) = stopped(&cell, forever);
    assert_eq!(ending, Some(Ending::Hung { after: Duration::from_millis(300) }));
}

#[test]
fn a_contained_program_is_watched_as_any_other() {
    let cell = Cell::new();
    fs::write(cell.inside.path().join("in"), "data").unwrap();
    let aside = tempfile::tempdir().unwrap();
    let log = tempfile::NamedTempFile::new().unwrap();
    let script = "data = open('in').read()\nopen('in', 'w').write('changed')\nopen('out', 'w').write(data)\n\
         import subprocess\nsubprocess.run(['cp', 'out', 'copy'])";
    let argv = ["python3", "-I", "-c", script].map(str::to_owned).to_vec();
    let mut command = Command::new(argv, cell.inside.path());
    command.streams =
        Streams { stdin: Stream::Null, stdout: Stream::Null, stderr: Stream::File(log.reopen().unwrap()) };
    command.environment.base = EnvironmentBase::Only(vec!["PATH".into()]);
    command.environment.changes = [("PATH".into(), Some("/usr/bin:/bin".into()))].into();
    command.aside = Some(aside.path().to_owned());
    command.sandbox = Some(cell.sandbox.clone());
    let execution = run(&command, |_| {}).unwrap();
    let mut said = String::new();
    log.reopen().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(execution.exit, Exit::Code(0), "{said}");
    let root = fs::canonicalize(cell.inside.path()).unwrap();
    let file = |name: &str| execution.capture.file(&root.join(name)).unwrap();
    assert!(file("in").prior_read && file("out").written && file("copy").written);
    assert_eq!(fs::read_to_string(file("in").aside.as_ref().unwrap()).unwrap(), "data");
    assert!(execution.capture.programs.iter().any(|program| program.ends_with("cp")));
    assert!(!execution.capture.may_bypass(), "{:?}", execution.capture.gaps);
    assert_eq!(execution.capture.level, CaptureLevel::Ptrace);
}
