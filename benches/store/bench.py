"""The same versions of the same data into each store, in turns; prints a table and writes all figures as JSON.

    bench.py --folder FOLDER --stemma PATH [--scale 0.02] [--only csv,files] [--peers stemma,restic] [--rounds 2]

Nothing is imported here but the standard library: what a child holds at most is counted from its start on, when it
still is a copy of this process.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import peers as stores

HERE = Path(__file__).parent
LIMIT_SECONDS = 300  # of one command, many times what the slowest of the others takes
STATUS_TIMES = 5
FREE_BYTES = 26e9  # a turn at full size takes up to 24


@dataclass
class Workload:
    versions: list
    restored: list
    what: str
    paths: dict = field(default_factory=dict)
    # so many files that removing them would slow down whoever makes files next; they go when all turns are over
    is_many: bool = False

    def paths_of(self, version):
        return self.paths.get(version, self.paths[""])


SHARDS = [f"data/model-{number:05}-of-00004.safetensors" for number in range(1, 5)]
CHECKPOINT = dict(
    versions=["base", "finetuned", "adapters", "moved", "resharded"],
    restored=["base", "moved", "resharded"],
    paths={"": ["data/model.safetensors"], "resharded": SHARDS},
)
WORKLOADS = {
    "checkpoint-fp32": Workload(what="a decoder's weights in one safetensors file, float32", **CHECKPOINT),
    "checkpoint-bf16": Workload(what="the same with twice the weights in bfloat16", **CHECKPOINT),
    "files": Workload(
        ["base", "changed"], ["base", "changed"], "files of 1 to 16 KiB in folders", {"": ["data/files"]}, is_many=True
    ),
    "csv": Workload(
        ["base", "appended", "inserted", "edited"], ["base", "edited"], "a table in CSV", {"": ["data/table.csv"]}
    ),
}


class Failed(Exception):
    pass


def measure(peer, commands, folder=None):
    """Runs the commands of an act; time, processor time and memory of all that they started."""
    log = peer.folder / "last.log"
    wall = user = system = peak = 0.0
    for command in commands:
        with open(log, "wb") as output:
            began = time.perf_counter()
            child = subprocess.Popen(
                command, cwd=folder or peer.work, env=peer.environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )
            stop = threading.Timer(LIMIT_SECONDS, os.killpg, (child.pid, signal.SIGKILL))
            stop.start()
            _, status, used = os.wait4(child.pid, 0)
            took = time.perf_counter() - began
            stop.cancel()
            child.returncode = os.waitstatus_to_exitcode(status)
        if took > LIMIT_SECONDS:
            raise Failed(f"stopped after {LIMIT_SECONDS} s")
        wall += took
        user, system, peak = user + used.ru_utime, system + used.ru_stime, max(peak, used.ru_maxrss * 1024)
        if child.returncode:
            said = log.read_text(errors="replace").strip().splitlines()
            raise Failed(f"exit code {child.returncode}: {' '.join(said)[-300:]}")
    return {"seconds": wall, "cpu_seconds": user + system, "peak_bytes": int(peak)}


def settle():
    """Nothing of what was done before is left to be written."""
    began = time.perf_counter()
    os.sync()
    return time.perf_counter() - began


def occupied(folder):
    """Bytes that the folder takes from the disk."""
    seen, total = set(), 0
    for where, _, names in os.walk(folder):
        for name in [".", *names]:
            try:
                entry = os.lstat(os.path.join(where, name))
            except FileNotFoundError:
                continue  # git tidies up in the background
            if entry.st_ino not in seen:
                seen.add(entry.st_ino)
                total += entry.st_blocks * 512
    return total


def python(*words):
    done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout)


class Turn:
    """One peer, one workload, from an empty store to the last version and back."""

    def __init__(self, name, workload, scale, folder, record):
        self.workload, self.plan, self.scale, self.record = workload, WORKLOADS[workload], scale, record
        self.peer = stores.PEERS[name](folder, keeps_removed=self.plan.is_many)
        self.stored, self.digests, self.added = occupied(folder / self.peer.store), {}, set()

    def run(self):
        for version in self.plan.versions:
            made = python(HERE / "workloads.py", "make", self.workload, version, self.peer.data, "--scale", self.scale)
            self.digests[version] = made["digest"]
            self.add(version, made)
            if version == "base":
                self.several("status", self.peer.status())
        for version in self.plan.restored:
            if version in self.added:
                self.restore(version)
        for version in self.plan.restored:
            if version in self.added:
                self.clone(version)
        self.several("verify", self.peer.verify(), times=1)

    def add(self, version, made):
        peer, paths = self.peer, self.plan.paths_of(version)
        try:
            peer.before_add(version, paths)
            settle()
            figures = measure(peer, peer.add(version, paths))
            figures["sync_seconds"] = settle()
            figures["store_bytes"] = occupied(peer.folder / peer.store)
            peer.after_add(version, paths)
            if version in self.plan.restored:
                peer.push(version, paths)
        except (Failed, RuntimeError, OSError) as error:
            return self.record("add", version, error=str(error))
        figures["stored_bytes"] = figures["store_bytes"] - self.stored
        self.stored = figures["store_bytes"]
        self.added.add(version)
        self.record("add", version, raw_bytes=made["bytes"], files=made["files"], **figures)

    def several(self, act, commands, times=STATUS_TIMES):
        if commands is None or not self.added:
            return
        try:
            runs = [measure(self.peer, commands) for _ in range(times)]
        except Failed as error:
            return self.record(act, "", error=str(error))
        self.record(act, "", **{name: statistics.median(run[name] for run in runs) for name in runs[0]})

    def restore(self, version):
        peer, paths = self.peer, self.plan.paths_of(version)
        try:
            peer.before_restore(version)
            commands = peer.restore(version, paths)
            settle()
            figures = measure(peer, commands)
            figures["sync_seconds"] = settle()
        except (Failed, RuntimeError, OSError) as error:
            return self.record("restore", version, error=str(error))
        self.record("restore", version, **figures, **self.difference(version, peer.data))

    def clone(self, version):
        peer, paths = self.peer, self.plan.paths_of(version)
        folder = peer.folder / f"clone-{version}"
        try:
            commands = peer.clone(version, paths, folder)
            if commands is None:
                return
            settle()
            figures = measure(peer, commands, folder)
            figures["sync_seconds"] = settle()
        except (Failed, RuntimeError, OSError) as error:
            return self.record("clone", version, error=str(error))
        self.record("clone", version, **figures, **self.difference(version, folder / "data"))
        if not self.plan.is_many:
            shutil.rmtree(folder)

    def difference(self, version, data):
        """What is wrong with what came back, if anything."""
        found = python(HERE / "workloads.py", "digest", data)
        right = found["digest"] == self.digests[version]
        return {} if right else {"error": f"{found['files']} files came back, not as they were"}


def run_all(args, names):
    rows = []
    for workload in args.only:
        for number in range(args.rounds):
            # the order turns, so that a slow minute of the machine hits another one
            for name in names[number % len(names) :] + names[: number % len(names)]:
                rows += one_turn(args, workload, number, name)
        if WORKLOADS[workload].is_many:
            for folder in args.folder.glob(f"{workload}-*"):
                shutil.rmtree(folder, ignore_errors=True)
    return rows


def one_turn(args, workload, number, name):
    folder, rows = args.folder / f"{workload}-{name}-{number}", []
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)

    def record(act, version, **figures):
        rows.append({"workload": workload, "round": number, "peer": name, "act": act, "version": version, **figures})
        said = figures.get("error") or f"{figures['seconds']:.2f} s"
        print(f"{workload} {name}: {act} {version}: {said}", file=sys.stderr, flush=True)

    try:
        Turn(name, workload, args.scale, folder, record).run()
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        record("set up", "", error=str(error))
    finally:
        if not WORKLOADS[workload].is_many:
            shutil.rmtree(folder, ignore_errors=True)
        settle()
    return rows


# --- what is printed


def tables(report):
    return "\n\n".join([limits_table(report)] + [workload_tables(report, name) for name in report["workloads"]])


def limits_table(report):
    names = list(report["limits"][0])
    lines = ["| limit of this machine | before | after |", "| --- | --- | --- |"]
    for name in names:
        unit = "" if name == "ratio" else " GB/s"
        cells = [f"{limits[name]:.2f}{unit}" for limits in report["limits"]]
        lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def workload_tables(report, workload):
    rows = [row for row in report["rows"] if row["workload"] == workload]
    peers, plan = report["peers"], WORKLOADS[workload]
    acts = [("add", version) for version in plan.versions] + [("status", "")]
    acts += [(act, version) for act in ("restore", "clone") for version in plan.restored] + [("verify", "")]
    facts = next((row for row in rows if row["act"] == "add" and "raw_bytes" in row), None)
    size = f": {count(facts['files'], 'file')}, {mega(facts['raw_bytes'])}" if facts else ""
    head = f"### {workload}\n\n{plan.what[0].upper()}{plan.what[1:]}{size} in its first version."
    times = [f"| {workload}: seconds (CPU s, peak MB) | " + " | ".join(peers) + " |", "| --- " * (len(peers) + 1) + "|"]
    for act, version in acts:
        cells = [time_cell(find(rows, peer, act, version), find(rows, "stemma", act, version)) for peer in peers]
        times.append(f"| {act} {version} | ".replace("  ", " ") + " | ".join(cells) + " |")
        if act in ("add", "restore", "clone"):
            cells = [synced_cell(find(rows, peer, act, version), find(rows, "stemma", act, version)) for peer in peers]
            times.append(f"| {act} {version}, on disk | " + " | ".join(cells) + " |")
    sizes = [f"| {workload}: MB stored | " + " | ".join(peers) + " |", "| --- " * (len(peers) + 1) + "|"]
    for version in plan.versions:
        cells = [size_cell(find(rows, peer, "add", version), find(rows, "stemma", "add", version)) for peer in peers]
        sizes.append(f"| new in {version} | " + " | ".join(cells) + " |")
    last = plan.versions[-1]
    cells = [whole_cell(find(rows, peer, "add", last), find(rows, "stemma", "add", last)) for peer in peers]
    sizes.append("| all versions | " + " | ".join(cells) + " |")
    parts = [head, "\n".join(times), "\n".join(sizes)]
    share = share_of_limit(report, find(rows, "stemma", "add", "base"))
    return "\n\n".join(parts + ([share] if share and workload.startswith("checkpoint") else []))


def find(rows, peer, act, version):
    """The medians over the rounds, or what went wrong in one of them."""
    found = [row for row in rows if (row["peer"], row["act"], row["version"]) == (peer, act, version)]
    failed = [row for row in found if "error" in row]
    if failed or not found:
        return failed[0] if failed else None
    numbers = [name for name, value in found[0].items() if isinstance(value, (int, float)) and name != "round"]
    return {name: statistics.median(row[name] for row in found) for name in numbers}


def failed_or(cell):
    """What failed is said; a ratio stands where both are known and differ in who they are."""

    def of(row, own):
        if row is None:
            return "–"
        other = own is not None and own != row and "error" not in own
        return "failed" if "error" in row else cell(row, own if other else None)

    return of


def ratio(value, own):
    return f" ×{value / own:.{1 if value / own < 10 else 0}f}" if own else ""


@failed_or
def time_cell(row, own):
    own = own and own["seconds"]
    used = f"({row['cpu_seconds']:.2f}, {row['peak_bytes'] / 1e6:.0f})"
    return f"{row['seconds']:.2f}{ratio(row['seconds'], own)} {used}"


@failed_or
def synced_cell(row, own):
    total = lambda row: row["seconds"] + row["sync_seconds"]
    return f"{total(row):.2f}{ratio(total(row), own and total(own))}"


@failed_or
def size_cell(row, own):
    share = f" ({row['stored_bytes'] / row['raw_bytes']:.2f})"
    return f"{row['stored_bytes'] / 1e6:.1f}{ratio(row['stored_bytes'], own and own['stored_bytes'])}{share}"


@failed_or
def whole_cell(row, own):
    return f"{row['store_bytes'] / 1e6:.1f}{ratio(row['store_bytes'], own and own['store_bytes'])}"


def share_of_limit(report, row):
    if row is None or "error" in row:
        return None
    disk = statistics.mean(limits["disk_write_fsync"] for limits in report["limits"])
    codec = statistics.mean(limits["codec_2_cores"] for limits in report["limits"])
    reached = row["raw_bytes"] / 1e9 / (row["seconds"] + row["sync_seconds"])
    slower = min(disk, codec)
    return (
        f"Stemma adds the base at {reached:.2f} GB/s, on disk: {reached / slower:.0%} of the slower of the disk "
        f"({disk:.2f} GB/s written and synced) and the codec on two cores ({codec:.2f} GB/s)."
    )


def count(number, what):
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def mega(size):
    return f"{size / 1e6:,.0f} MB"


def machine(folder):
    processor = next(
        (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?"
    )
    kind = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True).stdout.strip()
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "file_system": kind,
        "kernel": platform.release(),
        "load_at_start": os.getloadavg()[0],
    }


def versions(names, absent):
    """Those that are there, and why the others are not."""
    found, missing = {}, dict(absent)
    for name in names:
        if name in missing:
            continue
        try:
            found[name] = stores.PEERS[name].version()
        except (OSError, subprocess.SubprocessError, ImportError) as error:
            missing[name] = str(error)
    return found, missing


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    listed = lambda known: lambda text: [choose(name, known) for name in text.split(",")]
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--stemma", required=True)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", type=listed(WORKLOADS), default=list(WORKLOADS))
    parser.add_argument("--peers", type=listed(stores.PEERS), default=list(stores.PEERS))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--absent", action="append", default=[], metavar="PEER=WHY")
    return parser.parse_args()


def choose(name, known):
    if name not in known:
        raise argparse.ArgumentTypeError(f"`{name}` is none of {', '.join(known)}")
    return name


def main():
    args = arguments()
    stores.Stemma.binary = args.stemma
    args.folder = args.folder.absolute()
    args.folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(args.folder).free
    if free < FREE_BYTES * args.scale:
        sys.exit(f"`{args.folder}` has {free / 1e9:.0f} GB free; this needs {FREE_BYTES * args.scale / 1e9:.0f} GB")
    found, missing = versions(args.peers, (pair.split("=", 1) for pair in args.absent))
    about = machine(args.folder)
    probe = lambda: python(HERE / "limits.py", args.folder, "--megabytes", max(64, int(1024 * min(1, args.scale))))
    limits = [probe()]
    rows = run_all(args, list(found))
    limits.append(probe())
    report = {
        "command": command_line(args),
        "machine": about,
        "versions": found,
        "not_installed": missing,
        "scale": args.scale,
        "workloads": args.only,
        "peers": list(found),
        "limits": limits,
        "rows": rows,
    }
    (args.folder / "store.json").write_text(json.dumps(report, indent=1))
    text = written(report)
    (args.folder / "store.md").write_text(text)
    print(text)


def command_line(args):
    """What gives this report again, as it would be typed."""
    words = ["cargo xtask bench store"]
    words += [f"--scale {args.scale:g}"] if args.scale != 1 else []
    words += [f"--only {','.join(args.only)}"] if args.only != list(WORKLOADS) else []
    words += [f"--peers {','.join(args.peers)}"] if args.peers != list(stores.PEERS) else []
    return " ".join(words + ([f"--rounds {args.rounds}"] if args.rounds != 1 else []))


def written(report):
    lines = [f"`{report['command']}`: {', '.join(report['versions'].values())}."]
    lines += [f"{name} is not installed: {why}" for name, why in report["not_installed"].items()]
    failures = {f"{row['workload']}, {row['peer']}, {row['act']} {row['version']}".strip(): row["error"]
                for row in report["rows"] if "error" in row}
    tail = [f"- {where}: {error}" for where, error in failures.items()]
    return "\n\n".join(lines + [tables(report)] + (["What failed:\n\n" + "\n".join(tail)] if tail else [])) + "\n"


if __name__ == "__main__":
    main()
