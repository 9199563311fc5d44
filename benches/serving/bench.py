"""Measures prediction servers on the same rows, in turns, and prints the result as JSON.

Needs `wrk` and nothing else but Python. First sends every row once to each server and
compares the probabilities, so that only equal work is measured; then loads one server at
a time, in an order that is reversed every round. Processor time is that of the server's
whole process tree, read from /proc.
"""

import argparse
import csv
import http.client
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
TEST_ROWS = HERE.parents[1] / "examples" / "credit-scoring" / "data" / "test.csv"
TARGET = "creditability"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Server:
    """One server to load: how to ask it, and the root of its process tree."""

    name: str
    url: str
    pid: int
    headers: dict[str, str]
    bodies: list[str]


def main() -> None:
    args = parse_args()
    rows = read_rows(args.rows)[: args.limit]
    batches = [rows[i : i + args.batch] for i in range(0, len(rows), args.batch)]
    servers = build_servers(args, batches)

    report = {"rows": len(rows), "batch": args.batch, "host": describe_host()}
    answers = {server.name: ask_every_row(server) for server in servers}
    report["probability_difference_max"] = compare(answers, args.tolerance)
    with tempfile.TemporaryDirectory() as folder:
        report["results"] = [
            measure(servers, connections, args, Path(folder)) for connections in args.connections
        ]
    print(json.dumps(report, indent=2))
    failed = sum(s["failed"] for result in report["results"] for s in result["servers"].values())
    sys.exit(1 if failed else 0)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stemma", metavar="URL", help="root of the server, http://127.0.0.1:7878")
    parser.add_argument("--stemma-pid", type=int)
    parser.add_argument("--stemma-token")
    parser.add_argument("--endpoint", default="credit-decision")
    parser.add_argument("--mlflow", metavar="URL", help="root of the server, http://127.0.0.1:5001")
    parser.add_argument("--mlflow-pid", type=int)
    parser.add_argument("--mlflow-flavor", choices=["sklearn", "onnx"], default="sklearn")
    parser.add_argument("--rows", type=Path, default=TEST_ROWS)
    parser.add_argument("--limit", type=int, help="rows to read, from the first")
    parser.add_argument("--batch", type=int, default=1, help="rows per request")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--seconds", type=int, default=5, help="of each turn")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each server")
    parser.add_argument("--tolerance", type=float, default=1e-5, help="between the probabilities")
    args = parser.parse_args()
    if not args.stemma and not args.mlflow:
        parser.error("name a server: --stemma, --mlflow or both")
    for name in ("stemma", "mlflow"):
        if getattr(args, name) and not getattr(args, f"{name}_pid"):
            parser.error(f"--{name} needs --{name}-pid, the root of its process tree")
    if args.batch < 1 or args.rounds < 1 or args.seconds < 1 or min(args.connections) < 1:
        parser.error("--batch, --connections, --seconds and --rounds must be at least 1")
    return args


def read_rows(path: Path) -> list[dict[str, str | int]]:
    if not path.exists():
        raise SystemExit(f"`{path}` is missing: run split.py in the example's folder")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = [column for column in rows[0] if column != TARGET]
    numbers = {c for c in columns if all(re.fullmatch(r"-?\d+", row[c]) for row in rows)}
    return [{c: int(row[c]) if c in numbers else row[c] for c in columns} for row in rows]


# ---- what to ask -----------------------------------------------------------------------------


def build_servers(args: argparse.Namespace, batches: list[list[dict]]) -> list[Server]:
    servers = []
    if args.stemma:
        root = f"{args.stemma.rstrip('/')}/v2/models/{args.endpoint}"
        headers = {"Authorization": f"Bearer {args.stemma_token}"} if args.stemma_token else {}
        inputs = get_json(root, headers)["inputs"]
        bodies = [open_inference_body(inputs, batch) for batch in batches]
        servers.append(Server("stemma", f"{root}/infer", args.stemma_pid, headers, bodies))
    if args.mlflow:
        url = f"{args.mlflow.rstrip('/')}/invocations"
        body = {"sklearn": data_frame_body, "onnx": tensors_body}[args.mlflow_flavor]
        bodies = [body(batch) for batch in batches]
        servers.append(Server("mlflow", url, args.mlflow_pid, {}, bodies))
    return servers


def get_json(url: str, headers: dict[str, str]) -> dict:
    connection = connect(url)
    connection.request("GET", urlsplit(url).path, headers=headers)
    return read_json(connection, url)


def open_inference_body(inputs: list[dict], batch: list[dict]) -> str:
    return json.dumps(
        {
            "inputs": [
                {
                    "name": tensor["name"],
                    "datatype": tensor["datatype"],
                    "shape": [len(batch), *tensor["shape"][1:]],
                    "data": [row[tensor["name"]] for row in batch],
                }
                for tensor in inputs
            ]
        }
    )


def data_frame_body(batch: list[dict]) -> str:
    columns = list(batch[0])
    data = [[row[column] for column in columns] for row in batch]
    return json.dumps({"dataframe_split": {"columns": columns, "data": data}})


def tensors_body(batch: list[dict]) -> str:
    def cell(value: str | int) -> str | float:
        return value if isinstance(value, str) else float(value)

    return json.dumps(
        {"inputs": {column: [[cell(row[column])] for row in batch] for column in batch[0]}}
    )


# ---- do they answer the same? ----------------------------------------------------------------


def ask_every_row(server: Server) -> list[float]:
    """Returns the first probability of every row; this also warms the server up."""
    connection = connect(server.url)
    headers = {"Content-Type": "application/json", **server.headers}
    probabilities = []
    for body in server.bodies:
        connection.request("POST", urlsplit(server.url).path, body, headers)
        probabilities += first_probabilities(read_json(connection, server.url))
    return probabilities


def connect(url: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)


def read_json(connection: http.client.HTTPConnection, url: str) -> dict:
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise SystemExit(f"{url} answered {response.status}: {body[:500].decode(errors='replace')}")
    return json.loads(body)


def first_probabilities(answer: dict) -> list[float]:
    if "outputs" in answer:
        tensor = next(t for t in answer["outputs"] if t["name"] == "probabilities")
        return tensor["data"][:: tensor["shape"][-1]]
    predictions = answer["predictions"]
    if isinstance(predictions, dict):
        predictions = predictions["probabilities"]
    return [row[0] for row in predictions]


def compare(answers: dict[str, list[float]], tolerance: float) -> float | None:
    """Returns the largest difference; ends the program when the servers disagree."""
    if len(answers) < 2:
        return None
    first, second = answers.values()
    difference = max(abs(a - b) for a, b in zip(first, second, strict=True))
    if difference > tolerance:
        raise SystemExit(f"the servers differ by {difference:.2g}: not the same model")
    return difference


# ---- load ------------------------------------------------------------------------------------


def measure(
    servers: list[Server], connections: int, args: argparse.Namespace, folder: Path
) -> dict:
    turns = {server.name: [] for server in servers}
    for round_number in range(args.rounds):
        order = servers if round_number % 2 == 0 else servers[::-1]
        for server in order:
            turns[server.name].append(load(server, connections, args.seconds, folder))
    return {
        "connections": connections,
        "servers": {name: summarize(turns) for name, turns in turns.items()},
    }


def load(server: Server, connections: int, seconds: int, folder: Path) -> dict:
    bodies = folder / f"{server.name}.txt"
    bodies.write_text("".join(f"{body}\n" for body in server.bodies))
    command = ["wrk", "--threads", "1", "--connections", str(connections)]
    command += ["--duration", f"{seconds}s", "--timeout", "30s", "--script", str(HERE / "bodies.lua")]
    command += [server.url, "--", str(bodies)]
    command += [f"{name}={value}" for name, value in server.headers.items()]

    client_before, server_before = client_seconds(), cpu_seconds(server.pid)
    done = subprocess.run(command, capture_output=True, text=True)
    server_used, client_used = cpu_seconds(server.pid) - server_before, client_seconds() - client_before

    result = re.search(r"^RESULT (.*)$", done.stdout, re.MULTILINE)
    if done.returncode != 0 or not result:
        raise SystemExit(f"wrk failed: {done.stderr or done.stdout}")
    turn = json.loads(result.group(1))
    turn["requests_per_second"] = round(turn["requests"] / turn["seconds"], 1)
    turn["server_cpu_seconds"] = round(server_used, 2)
    turn["client_cpu_seconds"] = round(client_used, 2)
    turn["server_memory_mib"] = round(memory_bytes(server.pid) / 2**20, 1)
    return turn


def summarize(turns: list[dict]) -> dict:
    """Returns the medians over the turns, sums of what counts, and the turns themselves."""
    requests = sum(turn["requests"] for turn in turns)
    cpu = sum(turn["server_cpu_seconds"] for turn in turns)
    medians = ("requests_per_second", "latency_ms_p50", "latency_ms_p90", "latency_ms_p99")
    return {
        **{name: statistics.median(turn[name] for turn in turns) for name in medians},
        "requests": requests,
        "failed": sum(turn["failed"] for turn in turns),
        "server_cpu_ms_per_request": round(cpu * 1000 / requests, 4) if requests else None,
        "server_memory_mib_max": max(turn["server_memory_mib"] for turn in turns),
        "turns": turns,
    }


# ---- the process tree ------------------------------------------------------------------------


def process_tree(root: int) -> dict[int, list[str]]:
    """Returns the fields of /proc/PID/stat, from the state on, of the root and its descendants."""
    stats = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue  # It ended while we looked.
            # The name stands in parentheses and may hold spaces and parentheses itself.
            stats[int(folder.name)] = text.rpartition(")")[2].split()
    if root not in stats:
        raise SystemExit(f"there is no process {root}")
    tree, found = {}, [root]
    while found:
        pid = found.pop()
        tree[pid] = stats[pid]
        found += [child for child, fields in stats.items() if int(fields[1]) == pid]
    return tree


def cpu_seconds(root: int) -> float:
    # utime, stime, and those of the children that ended and were waited for.
    ticks = sum(int(tick) for fields in process_tree(root).values() for tick in fields[11:15])
    return ticks / TICKS_PER_SECOND


def memory_bytes(root: int) -> int:
    """Returns the resident memory; pages that processes share count once for each."""
    return sum(int(fields[21]) * PAGE_BYTES for fields in process_tree(root).values())


def client_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def describe_host() -> dict[str, str | int]:
    cpu = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {"cpus": os.cpu_count(), "cpu": cpu.group(1) if cpu else "unknown"}


if __name__ == "__main__":
    main()
