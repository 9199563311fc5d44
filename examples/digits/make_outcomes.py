"""What patients were told elsewhere, and what came of it: 100,000 reported predictions and as many late outcomes.

A clinic's own computer asked the exported model for a long time; `told.jsonl` is its log. `outcomes.csv` came months later.
"""

import csv
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import onnxruntime
import pandas as pd

SEED = 29
VISITS = 100_000
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
BETWEEN = timedelta(seconds=50)
LATE = timedelta(days=90)


def written(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def main() -> None:
    patients = pd.read_csv("diabetes.csv").drop(columns="progression")
    random = np.random.default_rng(SEED)
    who = random.integers(len(patients), size=VISITS)
    measured = patients.to_numpy(np.float32)[who]
    # each visit measures a little else
    measured[:, 2] += random.integers(-2, 3, size=VISITS)
    session = onnxruntime.InferenceSession("progression.onnx", providers=["CPUExecutionProvider"])
    (said,) = session.run(None, {"measured": measured})
    with open("told.jsonl", "w") as told, open("outcomes.csv", "w", newline="") as outcomes:
        rows = csv.writer(outcomes)
        rows.writerow(["endpoint", "request_id", "since", "until", "label", "event", "time", "key"])
        for visit in range(VISITS):
            when = FIRST + visit * BETWEEN
            record = {
                "id": f"visit-{visit}",
                "time": written(when),
                "request_id": f"visit-{visit}",
                "unit": f"patient-{who[visit]}",
                "inputs": {"measured": [float(value) for value in measured[visit]]},
                "outputs": {"variable": float(said[visit, 0])},
            }
            told.write(json.dumps(record) + "\n")
            became = round(float(random.normal(said[visit, 0], 50)), 1)
            hour = timedelta(hours=1)
            row = ["progression", f"visit-{visit}", written(when - hour), written(when + hour), became, "examined"]
            rows.writerow([*row, written(when + LATE), f"outcome-{visit}"])
    print(f"{VISITS} visits of {len(patients)} patients")


if __name__ == "__main__":
    main()
