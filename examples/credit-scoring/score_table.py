"""Adds the column `score`, the probability of a bad outcome by the scoring model, to a table.

The limit model learns from applications as the scoring model sees them.
"""

import argparse
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd

POSITIVE_COLUMN = 0  # `probabilities` are those of `bad` and `good`, in that order


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="the scoring model, ONNX")
    parser.add_argument("tables", type=Path, nargs="+", help="`data/x.csv` becomes `data/limit-x.csv`")
    args = parser.parse_args()

    session = onnxruntime.InferenceSession(args.model.read_bytes(), providers=["CPUExecutionProvider"])
    for path in args.tables:
        table = pd.read_csv(path)
        table["score"] = score(session, table)
        out = path.with_name(f"limit-{path.name}")
        table.to_csv(out, index=False)
        print(f"{out}: {len(table)} rows, mean score {table['score'].mean():.4f}")


def score(session: onnxruntime.InferenceSession, table: pd.DataFrame) -> np.ndarray:
    feed = {
        tensor.name: table[[tensor.name]].to_numpy(np.float32 if tensor.type == "tensor(float)" else object)
        for tensor in session.get_inputs()
    }
    (probabilities,) = session.run(["probabilities"], feed)
    # Double precision prints the digits that the table keeps.
    return probabilities[:, POSITIVE_COLUMN].astype(np.float64)


if __name__ == "__main__":
    main()
