"""Step 2: many candidates at once, as a search for settings leaves them behind.

`sweep.py data/stays-train.csv --models heart lung --candidates 50` fits a logistic regression per candidate, each on a
sample of its own and with a penalty of its own, and writes it to `candidates/MODEL/NNN` in the format of its turn: ONNX,
a NumPy array, or JSON.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

STEPS = 8
FORMATS = ["onnx", "npy", "json", "json"]
# Fixed, so that the same training gives the same file with any newer library.
OPSETS = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
IR_VERSION = 9


def read(path: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names of the inputs, the inputs, and whether the last column says yes."""
    header, *rows = Path(path).read_text().splitlines()
    cells = np.array([row.split(",") for row in rows])
    return header.split(",")[:-1], cells[:, :-1].astype(np.float64), cells[:, -1] == "yes"


def fit(inputs: np.ndarray, outcome: np.ndarray, penalty: float) -> np.ndarray:
    """Newton's method; the last weight is the intercept, and bears no penalty."""
    mean, spread = inputs.mean(axis=0), inputs.std(axis=0)
    table = np.column_stack([(inputs - mean) / spread, np.ones(len(inputs))])
    ridge = np.diag([penalty] * inputs.shape[1] + [0.0])
    weights = np.zeros(table.shape[1])
    for _ in range(STEPS):
        said = 1 / (1 + np.exp(-table @ weights))
        slope = table.T @ (said - outcome) + ridge @ weights
        bend = (table * (said * (1 - said))[:, None]).T @ table + ridge
        weights -= np.linalg.solve(bend, slope)
    plain = weights[:-1] / spread
    return np.append(plain, weights[-1] - plain @ mean).astype(np.float32)


def as_onnx(names: list[str], weights: np.ndarray) -> bytes:
    """One input of shape [N, 1] per column; the answer is a label and the probabilities of `no` and `yes`."""
    columns = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in names]
    label = helper.make_tensor_value_info("label", TensorProto.STRING, [None])
    probabilities = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])
    *slopes, intercept = map(float, weights)
    classify = helper.make_node(
        "LinearClassifier",
        ["row"],
        ["label", "probabilities"],
        domain="ai.onnx.ml",
        coefficients=[-slope for slope in slopes] + slopes,
        intercepts=[-intercept, intercept],
        classlabels_strings=["no", "yes"],
        post_transform="LOGISTIC",
    )
    nodes = [helper.make_node("Concat", names, ["row"], axis=1), classify]
    graph = helper.make_graph(nodes, "logistic", columns, [label, probabilities])
    model = helper.make_model(graph, opset_imports=OPSETS, ir_version=IR_VERSION)
    return model.SerializeToString(deterministic=True)


def write(path: Path, names: list[str], weights: np.ndarray) -> None:
    if path.suffix == ".onnx":
        path.write_bytes(as_onnx(names, weights))
    elif path.suffix == ".npy":
        np.save(path, weights)
    else:
        named = dict(zip([*names, "intercept"], map(float, weights), strict=True))
        path.write_text(json.dumps({"logistic": named}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table")
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--candidates", type=int, required=True)
    parser.add_argument("--format", choices=FORMATS, help="the same for all")
    parser.add_argument("--rows", type=int, default=300, help="rows of a candidate's sample")
    args = parser.parse_args()

    names, inputs, outcome = read(args.table)
    for model in args.models:
        folder = Path("candidates", model)
        folder.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(list(model.encode()))
        for candidate in range(args.candidates):
            sample = random.choice(len(inputs), args.rows)
            penalty = float(10 ** random.uniform(-2, 2))
            suffix = args.format or FORMATS[candidate % len(FORMATS)]
            write(folder / f"{candidate:03}.{suffix}", names, fit(inputs[sample], outcome[sample], penalty))
    print(f"{args.candidates} candidates each of {len(args.models)} models")


if __name__ == "__main__":
    main()
