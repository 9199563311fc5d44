"""Measures an offer of two models: one request to Stemma, beside two MLflow servers chained by their client.

Stemma answers `credit-offer` of the example: score, limit, override, and a durable record. The other side is what one
would write by hand: ask the scoring server, put its answer into the request for the limit server, cap the result, keep
nothing. Both are asked the same rows over one kept connection each, in turns; before that every row's limit is compared.
Processor time is that of the servers' process trees; MLflow's includes both of its servers, and the client's own is told
beside it.
"""

import argparse
import json
import resource
import statistics
import time
from pathlib import Path

from bench import connect, cpu_seconds, data_frame_body, get_json, open_inference_body, read_json, read_rows
from urllib.parse import urlsplit

CAP, RISK = 2_000.0, 0.5


def main() -> None:
    args = parse_args()
    rows = read_rows(args.rows)[: args.limit]
    stemma, chain = Offer(args), Chain(args)
    offers, chained = [stemma.ask(row) for row in rows], [chain.ask(row) for row in rows]
    differences = sorted(abs(a - b) / abs(b) for a, b in zip(offers, chained, strict=True))
    report = {
        "rows": len(rows),
        "limit_difference_median": differences[len(differences) // 2],
        "limit_difference_max": differences[-1],
    }
    turns = {"stemma": [], "mlflow_chain": []}
    for round_number in range(args.rounds):
        order = [("stemma", stemma), ("mlflow_chain", chain)]
        for name, side in order if round_number % 2 == 0 else order[::-1]:
            turns[name].append(measure(side, rows, args.seconds))
    report["results"] = {name: summarize(of) for name, of in turns.items()}
    print(json.dumps(report, indent=2))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stemma", required=True, metavar="URL")
    parser.add_argument("--stemma-pid", type=int, required=True)
    parser.add_argument("--score", required=True, metavar="URL", help="MLflow server of the scoring model")
    parser.add_argument("--score-pid", type=int, required=True)
    parser.add_argument("--limit-model", required=True, metavar="URL", help="MLflow server of the limit model")
    parser.add_argument("--limit-pid", type=int, required=True)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=100, help="rows to ask")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=3.0)
    return parser.parse_args()


class Offer:
    """One request to the composed endpoint."""

    def __init__(self, args: argparse.Namespace) -> None:
        root = f"{args.stemma.rstrip('/')}/v2/models/credit-offer"
        self.inputs, self.url, self.pids = get_json(root, {})["inputs"], f"{root}/infer", [args.stemma_pid]
        self.open()

    def open(self) -> None:
        self.connection = connect(self.url)

    def ask(self, row: dict) -> float:
        body = open_inference_body(self.inputs, [row])
        answer = post(self.connection, self.url, body)
        return next(output for output in answer["outputs"] if output["name"] == "limit")["data"][0]


class Chain:
    """Two servers, joined here."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.urls = [f"{url.rstrip('/')}/invocations" for url in (args.score, args.limit_model)]
        self.pids = [args.score_pid, args.limit_pid]
        self.open()

    def open(self) -> None:
        self.connections = [connect(url) for url in self.urls]

    def ask(self, row: dict) -> float:
        risk = post(self.connections[0], self.urls[0], data_frame_body([row]))["predictions"][0][0]
        known = {name: value for name, value in row.items() if name != "credit_amount"}
        limit = post(self.connections[1], self.urls[1], data_frame_body([{**known, "score": risk}]))["predictions"][0]
        return min(limit, CAP) if risk >= RISK else limit


def post(connection, url: str, body: str) -> dict:
    connection.request("POST", urlsplit(url).path, body, {"Content-Type": "application/json"})
    return read_json(connection, url)


def measure(side, rows: list[dict], seconds: float) -> dict:
    side.open()  # A server may have closed what was idle during the other's turn.
    before, own = sum(map(cpu_seconds, side.pids)), resource.getrusage(resource.RUSAGE_SELF)
    latencies, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        started = time.perf_counter()
        side.ask(rows[len(latencies) % len(rows)])
        latencies.append(time.perf_counter() - started)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "latencies": latencies,
        "server_cpu": sum(map(cpu_seconds, side.pids)) - before,
        "client_cpu": after.ru_utime + after.ru_stime - own.ru_utime - own.ru_stime,
    }


def summarize(turns: list[dict]) -> dict:
    latencies = sorted(latency for turn in turns for latency in turn["latencies"])
    at = lambda quantile: round(1000 * latencies[min(int(len(latencies) * quantile), len(latencies) - 1)], 3)  # noqa: E731
    per_offer = lambda name: round(1000 * sum(turn[name] for turn in turns) / len(latencies), 4)  # noqa: E731
    return {
        "offers": len(latencies),
        "latency_ms_p50": at(0.5),
        "latency_ms_p99": at(0.99),
        "offers_per_second": round(statistics.median(len(t["latencies"]) / sum(t["latencies"]) for t in turns), 1),
        "server_cpu_ms_per_offer": per_offer("server_cpu"),
        "client_cpu_ms_per_offer": per_offer("client_cpu"),
    }


if __name__ == "__main__":
    main()
