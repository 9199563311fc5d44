"""Step 5: how far diabetes has gone a year later, from ten measurements: `progression.onnx`. `--model stump` asks one question."""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

SEED = 29
OPSETS = {"": 18, "ai.onnx.ml": 3}
MODELS = {
    "stump": lambda: DecisionTreeRegressor(max_depth=1, random_state=SEED),
    "ridge": lambda: make_pipeline(StandardScaler(), Ridge()),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=MODELS, default="ridge")
    args = parser.parse_args()
    table = pd.read_csv("data/diabetes-train.csv")
    inputs, target = table.drop(columns="progression").to_numpy(np.float32), table["progression"]
    model = MODELS[args.model]().fit(inputs, target)
    exported = convert_sklearn(
        model, name="progression", initial_types=[("measured", FloatTensorType([None, inputs.shape[1]]))], target_opset=OPSETS
    )
    exported.opset_import.sort(key=lambda opset: opset.domain)
    Path("progression.onnx").write_bytes(exported.SerializeToString(deterministic=True))
    Path("metrics.json").write_text(json.dumps({"train_rows": len(table)}, indent=2) + "\n")
    print(f"{args.model}: {len(target)} patients")


if __name__ == "__main__":
    main()
