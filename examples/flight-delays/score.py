"""Step 6: the second model learns from flights as the first one sees them.

`data/train.csv` and `data/test.csv` become `data/minutes-train.csv` and `data/minutes-test.csv`, with `risk`, the
probability of arriving late by `risk.onnx`.
"""

from pathlib import Path

import pandas as pd
from modelling import ask, inputs_of

LATE = 0  # `probabilities` are those of `late` and `on time`, in that order


def main() -> None:
    model = Path("risk.onnx").read_bytes()
    for name in ["train", "test"]:
        table = pd.read_csv(f"data/{name}.csv")
        risk = ask(model, inputs_of(table), "probabilities")[:, LATE]
        # Double precision prints the digits that the table keeps.
        table.insert(0, "risk", risk.astype(float))
        table.to_csv(f"data/minutes-{name}.csv", index=False)
        print(f"data/minutes-{name}.csv: {len(table)} flights, mean risk {risk.mean():.4f}")


if __name__ == "__main__":
    main()
