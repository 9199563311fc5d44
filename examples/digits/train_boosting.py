"""Step 4: gradient boosting on the same rows, as ONNX with one matrix of 64 columns: `boosting.onnx`."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import GradientBoostingClassifier

SEED = 29
OPSETS = {"": 18, "ai.onnx.ml": 3}


def main() -> None:
    table = pd.read_csv("data/digits-train.csv")
    inputs, target = table.drop(columns="digit").to_numpy(np.float32), table["digit"]
    model = GradientBoostingClassifier(n_estimators=60, max_depth=3, subsample=0.7, random_state=SEED).fit(inputs, target)
    exported = convert_sklearn(
        model,
        name="digit",
        initial_types=[("pixels", FloatTensorType([None, inputs.shape[1]]))],
        options={id(model): {"zipmap": False}},
        target_opset=OPSETS,
    )
    # They come in the order of a set, which changes from process to process.
    exported.opset_import.sort(key=lambda opset: opset.domain)
    content = exported.SerializeToString(deterministic=True)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    differ = int((session.run(None, {"pixels": inputs})[0] != model.predict(inputs)).sum())
    if differ:
        raise SystemExit(f"the exported model says another digit for {differ} images")
    Path("boosting.onnx").write_bytes(content)
    Path("metrics.json").write_text(json.dumps({"train_rows": len(table)}, indent=2) + "\n")
    print(f"boosting: {len(content)} bytes of ONNX")


if __name__ == "__main__":
    main()
