"""Reports what Python opens, for runs that can't be watched at the system-call level.

Python imports this module by itself at start-up. It then runs the `sitecustomize` that it hides, if there is one.
"""

import sys


def _watch():
    import os

    log = os.environ.get("STEMMA_CAPTURE_LOG")
    if not log:
        return
    import json
    import threading

    paths_max = 200_000
    busy = threading.local()
    seen = set()
    write_flags = os.O_WRONLY | os.O_RDWR

    def report(record):
        line = (json.dumps(record) + "\n").encode("ascii")
        log_file = os.open(log, os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0))
        try:
            os.write(log_file, line)
        finally:
            os.close(log_file)

    def text(path, directory=None):
        path = os.fspath(path)
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if isinstance(directory, int) and directory >= 0 and not os.path.isabs(path):
            path = os.path.join(os.readlink("/proc/self/fd/%d" % directory), path)
        return os.path.abspath(path)

    def stamp(path):
        try:
            found = os.stat(path)
        except OSError:
            return None
        return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]

    def opened(path, flags):
        if not isinstance(path, (str, bytes, os.PathLike)):
            return
        path = text(path)
        access = flags & write_flags
        key = (path, access, flags & os.O_TRUNC)
        if key in seen:
            return
        if len(seen) >= paths_max:
            report({"act": "truncated"})
            return
        before = stamp(path)
        if before is None and not flags & os.O_CREAT:
            return
        seen.add(key)
        report(
            {
                "act": "open",
                "path": os.path.realpath(path),
                "read": access != os.O_WRONLY,
                "write": access != 0,
                "truncate": bool(flags & os.O_TRUNC),
                "before": before,
            }
        )

    def hook(event, arguments):
        if event not in watched or getattr(busy, "now", False):
            return
        busy.now = True
        try:
            watched[event](*arguments)
        except Exception:
            pass  # the program must not notice that it is watched
        finally:
            busy.now = False

    def renamed(act, source, target, source_directory=-1, target_directory=-1):
        target = text(target, target_directory)
        seen.clear()
        report(
            {
                "act": act,
                "from": text(source, source_directory),
                "path": target,
                "replaced": os.path.lexists(target),
            }
        )

    def removed(path, directory=-1):
        seen.clear()
        path = text(path, directory)
        if os.path.lexists(path):
            report({"act": "remove", "path": path})

    def linked(source, path, directory=-1):
        seen.clear()
        report({"act": "symlink", "path": text(path, directory)})

    def truncated(path, length):
        if not isinstance(path, int):
            opened(path, os.O_WRONLY)

    def listed(path=None):
        if isinstance(path, int):
            return
        path = os.path.realpath(text("." if path is None else path))
        if ("list", path) not in seen:
            seen.add(("list", path))
            report({"act": "list", "path": path})

    def connected(_, address):
        if isinstance(address, tuple) and len(address) >= 2 and address[1]:
            host = "[%s]" % address[0] if ":" in str(address[0]) else str(address[0])
            report({"act": "connect", "host": "%s:%d" % (host, address[1])})

    def database(path):
        if isinstance(path, (str, bytes)) and path not in (":memory:", b":memory:", "", b""):
            opened(path, os.O_RDWR | os.O_CREAT)

    def program(executable, arguments, *_):
        executable = executable or (arguments[0] if isinstance(arguments, (list, tuple)) else arguments)
        if isinstance(executable, (str, bytes, os.PathLike)) and os.path.isabs(executable):
            report({"act": "execute", "path": os.path.realpath(text(executable))})

    watched = {
        "open": lambda path, mode, flags: opened(path, flags),
        "os.rename": lambda *arguments: renamed("rename", *arguments),
        "os.link": lambda *arguments: renamed("link", *arguments),
        "os.remove": removed,
        "os.symlink": linked,
        "os.truncate": truncated,
        "os.listdir": listed,
        "os.scandir": listed,
        "socket.connect": connected,
        "sqlite3.connect": database,
        "subprocess.Popen": program,
    }
    report({"act": "start", "path": os.path.realpath(sys.executable or "python")})
    sys.addaudithook(hook)


def _run_hidden():
    import importlib.machinery
    import importlib.util
    import os

    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    hidden = importlib.machinery.PathFinder.find_spec("sitecustomize", sys.path)
    if hidden is None or hidden.loader is None:
        return
    module = importlib.util.module_from_spec(hidden)
    sys.modules["sitecustomize"] = module
    hidden.loader.exec_module(module)


try:
    _watch()
except Exception:
    pass
_run_hidden()
