"""Sends credit applications to an endpoint of the Open Inference Protocol.

Reads the names, types and shapes of the inputs from the endpoint itself, so that it
fits every version of the model. Prints one JSON line per application, in the order
of the file, and a summary to standard error. Ends with 1 if any request failed.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from threading import local

import numpy as np
import pandas as pd
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

UNIT_HEADER = "X-Stemma-Unit"


def main() -> None:
    args = parse_args()
    applications = pd.read_csv(args.applications, keep_default_na=False).head(args.limit)
    endpoint = Endpoint(args)
    metadata = endpoint.metadata()
    batches = list(in_batches(applications, args.batch)) * args.repeat

    started = time.perf_counter()
    with ThreadPoolExecutor(args.connections) as threads:
        answers = threads.map(lambda batch: endpoint.score(metadata, batch), batches)
        latencies_ms, failed = write_lines(answers, args.output)
    print_summary(latencies_ms, failed, time.perf_counter() - started)
    sys.exit(1 if failed else 0)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("applications", type=Path, nargs="?", default=Path("data/test.csv"))
    parser.add_argument("--url", default="localhost:7878", help="host:port of the server")
    parser.add_argument("--endpoint", default="credit-decision")
    parser.add_argument("--version", default="", help="ask for one version, past the route")
    parser.add_argument("--token", help="sent as a bearer token")
    parser.add_argument("--limit", type=positive, help="applications to read, from the first")
    parser.add_argument("--repeat", type=positive, default=1, help="times to send them all")
    parser.add_argument("--batch", type=positive, default=1, help="applications per request")
    parser.add_argument("--connections", type=positive, default=1, help="requests at a time")
    parser.add_argument("--unit-column", help=f"column to send as {UNIT_HEADER}; needs --batch 1")
    parser.add_argument("--positive-index", type=int, default=0, help="of `bad` in the probabilities")
    parser.add_argument("--output", type=Path, help="file for the JSON lines, not standard output")
    args = parser.parse_args()
    if args.unit_column and args.batch > 1:
        parser.error("--unit-column names one unit per request, so it needs --batch 1")
    return args


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def in_batches(applications: pd.DataFrame, rows: int) -> Iterator[pd.DataFrame]:
    for first in range(0, len(applications), rows):
        yield applications.iloc[first : first + rows]


class Endpoint:
    """The endpoint, with one connection for each thread that asks it."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.headers = {"Authorization": f"Bearer {args.token}"} if args.token else {}
        self.of_thread = local()  # Triton's client must not be shared between threads.

    def client(self) -> triton.InferenceServerClient:
        if not hasattr(self.of_thread, "client"):
            self.of_thread.client = triton.InferenceServerClient(self.args.url)
        return self.of_thread.client

    def metadata(self) -> dict:
        return self.client().get_model_metadata(
            self.args.endpoint, self.args.version, headers=self.headers
        )

    def score(self, metadata: dict, batch: pd.DataFrame) -> list[dict]:
        """Returns one line per application: its answer, or what went wrong."""
        headers = dict(self.headers)
        if self.args.unit_column:
            headers[UNIT_HEADER] = str(batch[self.args.unit_column].iloc[0])
        inputs = [build_input(tensor, batch) for tensor in metadata["inputs"]]
        outputs = [
            triton.InferRequestedOutput(tensor["name"], binary_data=False)
            for tensor in metadata["outputs"]
        ]

        started = time.perf_counter()
        try:
            result = self.client().infer(
                self.args.endpoint,
                inputs,
                model_version=self.args.version,
                outputs=outputs,
                headers=headers,
            )
        except (InferenceServerException, OSError) as error:
            answers = [{"error": str(error)} for _ in range(len(batch))]
        else:
            answers = read_answers(result, len(batch), self.args.positive_index)
        latency_ms = round((time.perf_counter() - started) * 1000, 3)
        return [
            {"row": int(row), **answer, "latency_ms": latency_ms}
            for row, answer in zip(batch.index, answers, strict=True)
        ]


def build_input(tensor: dict, batch: pd.DataFrame) -> triton.InferInput:
    """Returns the column of the tensor's name, in the tensor's type and shape."""
    name, datatype = tensor["name"], tensor["datatype"]
    if name not in batch:
        raise SystemExit(f"the endpoint asks for `{name}`, which the applications do not have")
    column = batch[name]
    if datatype == "BYTES":
        values = column.astype(str).to_numpy(dtype=object)
    else:
        values = pd.to_numeric(column).to_numpy(dtype=triton_to_np_dtype(datatype))
    shape = [len(batch), *tensor["shape"][1:]]
    infer_input = triton.InferInput(name, shape, datatype)
    infer_input.set_data_from_numpy(values.reshape(shape), binary_data=False)
    return infer_input


def read_answers(
    result: triton.InferResult, rows: int, positive_index: int
) -> list[dict]:
    response = result.get_response()
    labels = result.as_numpy("label").reshape(rows)
    probabilities = result.as_numpy("probabilities").reshape(rows, -1)
    return [
        {
            "prediction_id": response.get("parameters", {}).get("prediction_id"),
            "version": response.get("model_version"),
            "label": as_text(labels[i]),
            "probability_bad": float(probabilities[i, positive_index]),
        }
        for i in range(rows)
    ]


def as_text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def write_lines(answers: Iterator[list[dict]], output: Path | None) -> tuple[list[float], int]:
    """Writes the lines as they come; returns the latency of each request and the failed ones."""
    latencies_ms, failed = [], 0
    with output.open("w") if output else nullcontext(sys.stdout) as file:
        for lines in answers:
            file.writelines(json.dumps(line) + "\n" for line in lines)
            latencies_ms.append(lines[0]["latency_ms"])
            failed += "error" in lines[0]
    return latencies_ms, failed


def print_summary(latencies_ms: list[float], failed: int, seconds: float) -> None:
    p50, p99 = np.percentile(latencies_ms, [50, 99])
    print(
        f"{len(latencies_ms)} requests, {failed} failed, {len(latencies_ms) / seconds:.0f} per second, "
        f"p50 {p50:.2f} ms, p99 {p99:.2f} ms",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
