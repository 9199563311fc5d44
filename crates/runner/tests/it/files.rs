//! Which files a command read, wrote, renamed and removed, as the tracer sees it.

use std::net::TcpListener;

use stemma_runner::{CaptureLevel, FileKind};

use crate::support::{Room, file, is_seen};

#[test]
fn the_highest_level_is_reached_here() {
    let execution = Room::new().run(&["true"]);
    assert_eq!(execution.capture.level, CaptureLevel::Ptrace);
    assert_eq!(execution.capture.fallback, None);
    assert!(!execution.capture.may_bypass() && !execution.capture.truncated);
}

#[test]
fn python_reads_and_writes_by_every_kind_of_open() {
    let room = Room::new();
    let data = room.write("data.csv", "a,b\n1,2\n");
    let low = room.write("low.bin", "low");
    let execution = room.python(
        "import os, shutil\n\
         open('data.csv').read()\n\
         fd = os.open('low.bin', os.O_RDONLY); os.read(fd, 3); os.close(fd)\n\
         open('out.txt', 'w').write('x')\n\
         fd = os.open('raw.out', os.O_WRONLY | os.O_CREAT); os.write(fd, b'y'); os.close(fd)\n\
         shutil.copyfile('data.csv', 'copy.csv')\n",
    );
    for path in [data, low] {
        let access = file(&execution, &path);
        assert!(access.read && access.prior_read && !access.written && !access.mutated, "{access:?}");
        assert_eq!(access.first, access.last);
    }
    for name in ["out.txt", "raw.out", "copy.csv"] {
        let access = file(&execution, &room.path(name));
        assert!(access.written && access.created && !access.prior_read && !access.removed, "{access:?}");
    }
    assert!(execution.capture.programs.iter().any(|program| program.to_string_lossy().contains("python3")));
}

#[test]
fn failed_opens_are_not_reads() {
    let room = Room::new();
    let execution = room.python(
        "import os\n\
         for attempt in [lambda: open('missing.csv'), lambda: os.rename('gone', 'other'), lambda: os.unlink('gone')]:\n\
         \x20   try: attempt()\n\
         \x20   except OSError: pass\n\
         \x20   else: raise SystemExit(1)\n",
    );
    for name in ["missing.csv", "gone", "other"] {
        assert!(!is_seen(&execution, &room.path(name)), "{name}");
    }
}

#[test]
fn a_file_saved_under_a_temporary_name_is_an_output_under_its_last_name() {
    let room = Room::new();
    let target = room.write("model.bin", "old");
    let execution = room.python(
        "import os\n\
         open('model.bin.tmp', 'w').write('new')\n\
         os.replace('model.bin.tmp', 'model.bin')\n\
         open('first.tmp', 'w').write('1')\n\
         os.rename('first.tmp', 'first')\n",
    );
    let model = file(&execution, &target);
    assert!(model.written && !model.created && !model.removed, "{model:?}");
    assert_eq!(model.renamed_from, Some(room.path("model.bin.tmp")));
    let temporary = file(&execution, &room.path("model.bin.tmp"));
    assert!(temporary.created && temporary.removed);
    assert!(file(&execution, &room.path("first")).created);
}

#[test]
fn temporaries_that_are_deleted_are_known_as_removed() {
    let room = Room::new();
    let old = room.write("old", "x");
    let execution = room.python(
        "import os, tempfile\n\
         open('scratch', 'w').write('x'); os.unlink('scratch')\n\
         os.unlink('old')\n\
         tempfile.TemporaryFile().write(b'unnamed')\n",
    );
    let scratch = file(&execution, &room.path("scratch"));
    assert!(scratch.created && scratch.written && scratch.removed);
    let old = file(&execution, &old);
    assert!(old.removed && !old.written && !old.read);
}

#[test]
fn a_file_updated_in_place_is_read_and_written() {
    let room = Room::new();
    let counter = room.write("counter", "1");
    let appended = room.write("log", "old\n");
    let looked_at = room.write("looked.db", "x");
    let execution = room.python(
        "n = int(open('counter').read()); open('counter', 'w').write(str(n + 10))\n\
         open('log', 'a').write('new')\n\
         open('looked.db', 'r+').read()\n",
    );
    let counter = file(&execution, &counter);
    assert!(counter.prior_read && counter.written && counter.aside.is_some(), "{counter:?}");
    assert_eq!(counter.first.unwrap().size, 1);
    let appended = file(&execution, &appended);
    assert!(appended.written && !appended.prior_read);
    let looked_at = file(&execution, &looked_at);
    assert!(looked_at.prior_read && !looked_at.written && !looked_at.mutated);
}

#[test]
fn links_are_resolved_and_new_links_are_seen() {
    let room = Room::new();
    let target = room.write("real/data", "x");
    std::os::unix::fs::symlink(room.path("real"), room.path("alias")).unwrap();
    let execution = room.python(
        "import os\n\
         open('alias/data').read()\n\
         os.symlink('real/data', 'pointer')\n\
         os.link('real/data', 'second')\n\
         os.truncate('alias/data', 0)\n",
    );
    let data = file(&execution, &target);
    assert!(data.prior_read && data.written && data.mutated, "its second name made it look different: {data:?}");
    assert!(!is_seen(&execution, &room.path("alias/data")));
    assert_eq!(file(&execution, &room.path("pointer")).kind, FileKind::Symlink);
    let second = file(&execution, &room.path("second"));
    assert!(second.created);
    assert_eq!(second.renamed_from.as_deref(), Some(target.as_path()));
}

#[test]
fn relative_names_are_resolved_from_folders_and_descriptors() {
    let room = Room::new();
    room.write("deep/er/a", "x");
    room.write("deep/b", "x");
    let execution = room.python(
        "import os\n\
         os.chdir('deep/er'); open('a').read(); open('../b').read()\n\
         fd = os.open('..', os.O_RDONLY)\n\
         os.close(os.open('made', os.O_WRONLY | os.O_CREAT, dir_fd=fd))\n\
         os.rename('made', 'moved', src_dir_fd=fd, dst_dir_fd=fd)\n",
    );
    assert!(file(&execution, &room.path("deep/er/a")).prior_read);
    assert!(file(&execution, &room.path("deep/b")).prior_read);
    assert!(file(&execution, &room.path("deep/moved")).created);
}

#[test]
fn listed_directories_are_known_with_their_listing() {
    let room = Room::new();
    room.write("images/a.png", "x");
    let execution = room.python("import os; os.close(os.open('images', os.O_RDONLY)); os.listdir('images')");
    assert!(!is_seen(&execution, &room.path("images")), "a directory is no file");
    let found = |name: &str| execution.capture.directories.iter().find(|found| found.path == room.path(name));
    let images = found("images").expect("the folder was listed");
    assert_eq!(images.listing, stemma_runner::capture::listing_digest(&room.path("images")));
    assert!(images.listing.is_some());
}

#[test]
fn names_that_are_not_utf8_are_kept() {
    let room = Room::new();
    let execution = room.python("open(b'odd-\\xff', 'wb').write(b'x')");
    use std::os::unix::ffi::OsStrExt;
    let odd = |path: &std::path::Path| path.as_os_str().as_bytes().ends_with(b"odd-\xff");
    assert!(execution.capture.files.iter().any(|access| odd(&access.path) && access.created));
}

#[test]
fn hosts_that_were_connected_are_known() {
    let room = Room::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let execution = room.python(&format!(
        "import socket\n\
         socket.create_connection(('127.0.0.1', {port})).close()\n\
         socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))\n\
         a, b = socket.socketpair(); a.send(b'x'); b.recv(1)\n",
        port = address.port()
    ));
    assert_eq!(execution.capture.hosts, [address.to_string()]);
}

#[test]
fn look_ups_of_names_are_no_contacts() {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let server =
        text.lines().find_map(|line| line.strip_prefix("nameserver")).unwrap_or("127.0.0.53").trim().to_owned();
    let execution = Room::new().python(&format!(
        "import socket\n\
         def ask(host, port, *questions):\n\
         \x20   family = socket.AF_INET6 if ':' in host else socket.AF_INET\n\
         \x20   s = socket.socket(family, socket.SOCK_DGRAM)\n\
         \x20   try: s.connect((host, port))\n\
         \x20   except OSError: pass\n\
         \x20   for question in questions: question(s)\n\
         \x20   s.close() # one that is collected tells its addresses in a warning\n\
         ask('{server}', 53); ask('127.0.0.1', 54); ask('127.0.0.1', 55, socket.socket.getsockname)\n\
         ask('127.0.0.1', 56, socket.socket.getsockname, socket.socket.getpeername); ask('127.0.0.1', 57)\n"
    ));
    // 55 is how the C library sorts the addresses of a name
    assert_eq!(execution.capture.hosts, ["127.0.0.1:54", "127.0.0.1:56", "127.0.0.1:57"]);
}
